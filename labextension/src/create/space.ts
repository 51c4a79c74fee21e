/**
 * The rows that say from what a search chooses.
 */
import type { IDimension, ParameterValue } from '../model/types';
import { numberOf, valueOf, valueText } from './assignments';
import type { Mistake } from './form';

export const KINDS = [
  'loguniform',
  'uniform',
  'int',
  'logint',
  'choice'
] as const;

/** One parameter, as it is typed. */
export interface IDimensionRow {
  name: string;
  type: string;
  low: string;
  high: string;
  /** Only every so manieth number; empty for all. */
  step: string;
  /** Of a choice: separated by commas. */
  values: string;
}

export const NEW_DIMENSION: IDimensionRow = {
  name: '',
  type: 'loguniform',
  low: '',
  high: '',
  step: '',
  values: ''
};

export const EMPTY_SPACE: IDimensionRow[] = [
  { ...NEW_DIMENSION, name: 'lr', low: '1e-5', high: '1e-1' }
];

export function isBlank(row: IDimensionRow): boolean {
  return ![row.name, row.low, row.high, row.step, row.values].some(one =>
    one.trim()
  );
}

/** Which of the fields of a row its type has. */
export function hasStep(type: string): boolean {
  return type === 'uniform' || type === 'int';
}

/** The space that the rows describe; the mistakes by `space.0`, `space.1` and so on. */
export function readSpace(rows: readonly IDimensionRow[]): {
  space: Record<string, IDimension>;
  mistakes: Record<string, Mistake>;
} {
  const space: Record<string, IDimension> = {};
  const mistakes: Record<string, Mistake> = {};
  rows.forEach((row, place) => {
    if (isBlank(row)) {
      return;
    }
    const read = readDimension(row);
    const name = row.name.trim();
    if (read === null || !name || name in space) {
      mistakes[`space.${place}`] = 'dimension';
    } else {
      space[name] = read;
    }
  });
  if (!Object.keys(space).length && !Object.keys(mistakes).length) {
    mistakes.space = 'missing';
  }
  return { space, mistakes };
}

function readDimension(row: IDimensionRow): IDimension | null {
  if (row.type === 'choice') {
    const values = (row.values.match(/\s*"(?:[^"\\]|\\.)*"\s*|[^,]+/g) ?? [])
      .map(one => one.trim())
      .filter(Boolean)
      .map(valueOf);
    return values.length ? { type: row.type, values } : null;
  }
  const [low, high] = [numberOf(row.low), numberOf(row.high)];
  if (low === null || high === null) {
    return null;
  }
  const dimension: IDimension = { type: row.type, low, high };
  if (hasStep(row.type) && row.step.trim()) {
    const step = numberOf(row.step);
    return step === null ? null : { ...dimension, step };
  }
  return dimension;
}

/** A dimension as the option `--search` takes it: `loguniform:1e-5:0.1`, `choice:16,32`. */
export function dimensionText(one: IDimension): string {
  if (one.values) {
    const plain = one.values.every(
      value => String(value) === choiceText(value)
    );
    return `${one.type}:${plain ? one.values.map(String).join(',') : JSON.stringify(one.values)}`;
  }
  return [one.type, one.low, one.high, one.step]
    .filter(part => part !== undefined && part !== null)
    .join(':');
}

/** One of the values of a choice, which stand between commas. */
function choiceText(value: ParameterValue): string {
  return typeof value === 'string' && value.includes(',')
    ? JSON.stringify(value)
    : valueText(value);
}

/** Rows that describe a space. */
export function rowsOfSpace(
  space: Record<string, IDimension>
): IDimensionRow[] {
  return Object.entries(space).map(([name, one]) => ({
    name,
    type: one.type,
    low: String(one.low ?? ''),
    high: String(one.high ?? ''),
    step: String(one.step ?? ''),
    values: (one.values ?? []).map(choiceText).join(', ')
  }));
}
