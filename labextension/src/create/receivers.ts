/**
 * Who is told of a job, in lines: `team`, or `team (failed, retrying)` for only some occasions.
 */
import type { IReceiver } from '../model/types';

export function readReceivers(text: string): IReceiver[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean)
    .map(line => {
      const [, to, on] = /^(.+?)\s+\(([^()]*)\)$/.exec(line) ?? [];
      return to === undefined
        ? line
        : { to, on: on.split(/[\s,]+/).filter(Boolean) };
    });
}

export function receiversText(receivers: readonly IReceiver[]): string {
  return receivers
    .map(one =>
      typeof one === 'string'
        ? one
        : one.on
          ? `${one.to} (${one.on.join(', ')})`
          : one.to
    )
    .join('\n');
}

/** The lines that may be kept: a URL is a secret, and another job will not be there for long. */
export function publicReceivers(text: string): string {
  return text
    .split('\n')
    .filter(line => !/:\/\/|^\s*job-/.test(line))
    .join('\n');
}

/** What `%train` calls it, as far as it can be said there: all on the same occasions. */
export function receiverOptions(
  receivers: readonly IReceiver[]
): [string, string][] {
  const told = receivers.map(one =>
    typeof one === 'string' ? { to: one, on: undefined } : one
  );
  const occasions = new Set(told.map(one => one.on?.join(',') ?? ''));
  const [on] = occasions.size === 1 ? occasions : [''];
  return [
    ...told.map((one): [string, string] => ['--notify', one.to]),
    ...(on ? [['--notify-on', on] as [string, string]] : [])
  ];
}
