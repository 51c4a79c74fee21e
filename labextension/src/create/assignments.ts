/**
 * Values as they are typed, and lines of NAME=VALUE.
 */
import type { ParameterValue } from '../model/types';

/** A value as it was written: a number, true, false, none, or else a text, which may be quoted. */
export function valueOf(text: string): ParameterValue {
  switch (text.toLowerCase()) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'none':
    case 'null':
      return null;
    default:
      return numberOf(text) ?? unquoted(text);
  }
}

export function numberOf(text: string): number | null {
  const value = Number(text.trim());
  return text.trim() && Number.isFinite(value) ? value : null;
}

function unquoted(text: string): string {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'string' ? read : text;
  } catch {
    return text;
  }
}

/** A value as it is typed; a text is quoted where it would be read as something else. */
export function valueText(value: ParameterValue): string {
  return typeof value === 'string' &&
    (valueOf(value) !== value || /^\s|\n|\s$/.test(value))
    ? JSON.stringify(value)
    : String(value);
}

/** Lines of NAME=VALUE, each value as it stands; null if one is something else. */
export function readLines(text: string): Record<string, string> | null {
  const found: Record<string, string> = {};
  for (const line of text.split('\n')) {
    if (!line.trim()) {
      continue;
    }
    const equals = line.indexOf('=');
    if (equals < 1) {
      return null;
    }
    found[line.slice(0, equals).trim()] = line.slice(equals + 1);
  }
  return found;
}

/** Lines of NAME=VALUE, with numbers among the values; null if one is something else. */
export function readValues(
  text: string
): Record<string, ParameterValue> | null {
  const lines = readLines(text);
  return (
    lines &&
    Object.fromEntries(
      Object.entries(lines).map(([name, value]) => [
        name,
        valueOf(value.trim())
      ])
    )
  );
}

export function linesOf(values: Record<string, ParameterValue>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join('\n');
}
