/**
 * What rules are made of, each of which is told by its words.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import { worded } from '../sentences';

export type Words = (trans: TranslationBundle, ...values: string[]) => string;

/** What stands in a place, in the user's language; null if it cannot stand there. */
export type Place = (text: string, trans: TranslationBundle) => string | null;

export interface IRule {
  pattern: RegExp;
  places: readonly Place[];
  words: Words;
}

const ENGLISH = {
  __: (text: string, ...values: string[]) =>
    text.replace(/%(\d)/g, (_, place: string) => values[Number(place) - 1])
} as unknown as TranslationBundle;

export function read(
  rules: readonly IRule[],
  text: string,
  trans: TranslationBundle
): string | null {
  for (const { pattern, places, words } of rules) {
    const [whole, ...found] = pattern.exec(text) ?? [];
    if (whole === undefined) {
      continue;
    }
    const values = found.map((value, place) =>
      (places[place] ?? name)(value, trans)
    );
    if (values.every(value => value !== null)) {
      return words(trans, ...values);
    }
  }
  return null;
}

/** A rule is told by its words: in English they are what the server says. */
export function rule(words: Words, ...places: Place[]): IRule {
  const marks = Array.from({ length: 9 }, (_, place) => `\u0000${place}`);
  const english = words(ENGLISH, ...marks);
  const pattern = english
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\0\d/g, '(.+?)');
  return { pattern: new RegExp(`^${pattern}$`, 's'), places, words };
}

export const name: Place = text => text;

export const number: Place = text => (/^[\d.]+$/.test(text) ? text : null);

/** Another sentence, or something in its place that is not known here. */
export const sentence: Place = (text, trans) => worded(text, trans);

/** Several that are told in the same way. */
export function several(
  separator: RegExp,
  join: Words,
  rules: readonly IRule[]
): Place {
  return (text, trans) => {
    const found = text.split(separator).map(one => read(rules, one, trans));
    return found.every(one => one !== null)
      ? found.reduce((before, one) => join(trans, before, one))
      : null;
  };
}

export const both: Words = (trans, one, other) =>
  trans.__('%1 and %2', one, other);

const OF_OTHERS = [rule((trans, who) => trans.__('a job of %1', who))];

/** A job by its name, or one of somebody else, whose name is theirs. */
export const jobName = (text: string, trans: TranslationBundle): string =>
  read(OF_OTHERS, text, trans) ?? text;

/** `resnet50, a job of bob and 3 more`. */
export const names: Place = (text, trans) => {
  const [, listed, more] = /^(.+?)(?: and (\d+) more)?$/s.exec(text) ?? [];
  const [, before, last] = /^(.+) and (.+)$/s.exec(listed) ?? [];
  const told = (before ?? listed)
    .split(', ')
    .map(one => jobName(one, trans))
    .reduce((one, other) => trans.__('%1, %2', one, other));
  if (last !== undefined) {
    return both(trans, told, jobName(last, trans));
  }
  return more === undefined ? told : trans.__('%1 and %2 more', told, more);
};

const COUNTS = [
  rule((trans, many) => trans.__('%1 GPU', many), number),
  rule((trans, many) => trans.__('%1 GPUs', many), number),
  rule((trans, many) => trans.__('%1 CPU core', many), number),
  rule((trans, many) => trans.__('%1 CPU cores', many), number),
  rule((trans, many) => trans.__('%1 GB of memory', many), number)
];

export const count: Place = (text, trans) => read(COUNTS, text, trans);
