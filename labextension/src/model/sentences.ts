/**
 * The sentences of the server in the user's language.
 *
 * The server keeps them in English, in histories and logs too. As with any message of a catalogue
 * their English wording is what they are looked up by; what is in them, such as names, amounts or
 * another sentence, stands in the places for values. A sentence that is new to this version stays
 * as it is. `__tests__/sentences.json` is what both sides are held against.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

type Words = (trans: TranslationBundle, ...values: string[]) => string;

/** What stands in a place, in the user's language; null if it cannot stand there. */
type Place = (text: string, trans: TranslationBundle) => string | null;

interface IRule {
  pattern: RegExp;
  places: readonly Place[];
  words: Words;
}

const ENGLISH = {
  __: (text: string, ...values: string[]) =>
    text.replace(/%(\d)/g, (_, place: string) => values[Number(place) - 1])
} as unknown as TranslationBundle;

/** A sentence of the server in the user's language; as it is, if it is not known here. */
export function worded(sentence: string, trans: TranslationBundle): string {
  return read(SENTENCES, sentence, trans) ?? sentence;
}

function read(
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
function rule(words: Words, ...places: Place[]): IRule {
  const marks = Array.from({ length: 9 }, (_, place) => `\u0000${place}`);
  const english = words(ENGLISH, ...marks);
  const pattern = english
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\0\d/g, '(.+?)');
  return { pattern: new RegExp(`^${pattern}$`, 's'), places, words };
}

const name: Place = text => text;

const number: Place = text => (/^[\d.]+$/.test(text) ? text : null);

/** Another sentence, or something in its place that is not known here. */
const sentence: Place = (text, trans) => worded(text, trans);

/** Several that are told in the same way. */
function several(
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

const both: Words = (trans, one, other) => trans.__('%1 and %2', one, other);

/** `resnet50, lr-sweep and 3 more`. */
const names: Place = (text, trans) => {
  const [, listed, more] = /^(.+?)(?: and (\d+) more)?$/s.exec(text) ?? [];
  const [, before, last] = /^(.+) and (.+)$/s.exec(listed) ?? [];
  const told = (before ?? listed)
    .split(', ')
    .reduce((one, other) => trans.__('%1, %2', one, other));
  if (last !== undefined) {
    return both(trans, told, last);
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

const count: Place = (text, trans) => read(COUNTS, text, trans);

/** `2 GPUs (1 free) and 8 CPU cores (0 free)`. */
const lacks = several(/ and (?=\d)/, both, [
  rule(
    (trans, amount, free) => trans.__('%1 (%2 free)', amount, free),
    count,
    number
  ),
  rule(
    (trans, amount, free, why) =>
      trans.__('%1 (%2 free; %3)', amount, free, why),
    count,
    number
  )
]);

/** `8 GPUs, the largest machine has 4; 512 GB of memory, the largest machine has 256`. */
const excess = several(
  /; /,
  (trans, one, other) => trans.__('%1; %2', one, other),
  [
    rule(
      (trans, amount, most) =>
        trans.__('%1, the largest machine has %2', amount, most),
      count,
      number
    )
  ]
);

/** `2 nodes, each of 4C / 16GB / 1 GPU`, or what a single one is of. */
const wanted: Place = (text, trans) =>
  read(
    [
      rule(
        (trans, nodes, each) => trans.__('%1 nodes, each of %2', nodes, each),
        number,
        wanted
      ),
      rule(
        (trans, cores, memory, gpus) =>
          trans.__('%1C / %2GB / %3 GPU', cores, memory, gpus),
        number,
        number
      )
    ],
    text,
    trans
  );

/** Why a job waits. */
const WAITING: readonly IRule[] = [
  rule(trans => trans.__('is next')),
  rule((trans, many) => trans.__('waits behind %1 job', many), number),
  rule((trans, many) => trans.__('waits behind %1 jobs', many), number),
  rule(trans => trans.__('waits for its turn to complete')),
  rule((trans, who) => trans.__('waits for %1 to complete', who), names),
  rule(
    (trans, what, who) => trans.__('waits for %1, held by %2', what, who),
    lacks,
    names
  ),
  rule((trans, what) => trans.__('waits for %1', what), lacks),
  rule(
    (trans, what, room, who) =>
      trans.__(
        'waits for %1 (there is room for %2), held by %3',
        what,
        room,
        who
      ),
    wanted,
    number,
    names
  ),
  rule(
    (trans, what, room) =>
      trans.__('waits for %1 (there is room for %2)', what, room),
    wanted,
    number
  ),
  rule(trans => trans.__('would delay a job that is ahead of it')),
  rule((trans, who) => trans.__('would delay %1, which is ahead of it', who)),
  rule((trans, where) =>
    trans.__(
      'would be handed over to %1, which decides when and where it runs',
      where
    )
  ),
  rule(trans => trans.__('there is no machine to run it')),
  rule(
    (trans, what, room) =>
      trans.__(
        'can never start here: asks for %1, and there is room for %2 at most',
        what,
        room
      ),
    wanted,
    number
  ),
  rule(
    (trans, what) => trans.__('can never start here: asks for %1', what),
    excess
  ),
  rule(
    (trans, what) =>
      trans.__(
        'asks for %1 in one machine, and no machine has all of that',
        what
      ),
    wanted
  ),
  rule(
    (trans, told, meant) => trans.__('%1; did you mean %2?', told, meant),
    sentence
  ),
  rule(
    (trans, what, type, there) =>
      trans.__(
        'asks for %1 of type %2, but no machine has one (there are: %3)',
        what,
        type,
        there
      ),
    count
  ),
  rule(
    (trans, what, type, there) =>
      trans.__(
        'asks for %1 of type %2, but no machine has any (there are: %3)',
        what,
        type,
        there
      ),
    count
  ),
  rule(
    (trans, what, type, most, there) =>
      trans.__(
        'asks for %1 of type %2, but no machine has more than %3 of them (there are: %4)',
        what,
        type,
        most,
        there
      ),
    count,
    name,
    number
  )
];

/** Why an attempt or a job ended, or is about to. */
const ENDING: readonly IRule[] = [
  rule(
    (trans, what, last) => trans.__('%1; it printed last: %2', what, last),
    sentence
  ),
  rule(
    (trans, what, at) => trans.__('%1; tried again at %2 UTC', what, at),
    sentence,
    text => (/^[\d:]+$/.test(text) ? text : null)
  ),
  rule(
    (trans, what, at, why) =>
      trans.__('%1; tried again at %2 UTC, %3', what, at, why),
    sentence,
    name,
    sentence
  ),
  rule((trans, why) => trans.__('is being stopped: %1', why), sentence),
  rule((trans, who) => trans.__('is being stopped, as %1 asked', who)),
  rule(
    (trans, rank, many, what) =>
      trans.__('rank %1 of %2 failed first: %3', rank, many, what),
    number,
    number,
    sentence
  ),
  rule(trans => trans.__('finished')),
  rule(
    (trans, code) =>
      trans.__('the script ended with exit code %1; its log says why', code),
    number
  ),
  rule((trans, signal) =>
    trans.__(
      'the script was ended by %1, perhaps because the machine ran out of memory',
      signal
    )
  ),
  rule((trans, signal) => trans.__('the script was ended by %1', signal)),
  rule(
    (trans, used, limit) =>
      trans.__(
        'killed at %1 of %2 GB: ask for more memory with --memory',
        used,
        limit
      ),
    number,
    number
  ),
  rule(
    (trans, limit) =>
      trans.__(
        'it ran for its time limit of %1 s: ask for more time with --time-limit',
        limit
      ),
    number
  ),
  rule(
    (trans, why) => trans.__('did not understand its arguments: %1', why),
    sentence
  ),
  rule((trans, why) => trans.__('could not be started: %1', why), sentence),
  rule((trans, why) => trans.__('the image could not be had: %1', why)),
  rule(
    (trans, why) => trans.__('the machine that ran it was lost: %1', why),
    sentence
  ),
  rule(trans => trans.__('the machine was restarted')),
  rule(
    (trans, why) => trans.__('made room for another job: %1', why),
    sentence
  ),
  rule((trans, who) => trans.__('cancelled by %1', who)),
  rule(
    (trans, who) => trans.__('not run, because %1 did not complete', who),
    names
  ),
  rule(
    (trans, why) => trans.__('stopped early by the search: %1', why),
    sentence
  ),
  rule(
    (trans, who, why, more) =>
      trans.__('%1 failed: %2 (and %3 more failed)', who, why, more),
    name,
    sentence,
    number
  ),
  rule((trans, who, why) => trans.__('%1 failed: %2', who, why), name, sentence)
];

/** What else a history tells. */
const HISTORY: readonly IRule[] = [
  rule((trans, who) => trans.__('submitted by %1', who)),
  rule((trans, who) => trans.__('run again by %1', who)),
  rule((trans, who) => trans.__('%1 asked for it to be cancelled', who)),
  rule((trans, what) => trans.__('is handed over to %1', what)),
  rule(
    (trans, who, attempt) =>
      trans.__('%1 watches attempt %2 from now on', who, attempt),
    name,
    number
  ),
  rule(
    (trans, cores, memory, gpus, node) =>
      trans.__('runs with %1, %2 GB, GPU %3 on %4', cores, memory, gpus, node),
    count,
    number
  ),
  rule(
    (trans, cores, memory, node) =>
      trans.__('runs with %1, %2 GB on %3', cores, memory, node),
    count,
    number
  )
];

/** What is wrong with a field. */
const WRONG: readonly IRule[] = [
  rule(
    (trans, stage, what) => trans.__('stage %1: %2', stage, what),
    name,
    sentence
  ),
  rule(trans => trans.__('is required')),
  rule(trans => trans.__('should not be empty')),
  rule(trans => trans.__('should be one line without control characters')),
  rule(trans => trans.__('should name a program to run')),
  rule(trans => trans.__('should be a plain name such as fit or fit-2')),
  rule(trans =>
    trans.__(
      'cannot be split into words (no closing quotation); check its quotes or give an array'
    )
  ),
  rule(trans =>
    trans.__(
      'cannot be split into words (no escaped character); check its quotes or give an array'
    )
  ),
  rule((trans, least, given) =>
    trans.__('should be greater than or equal to %1, not %2', least, given)
  ),
  rule((trans, most, given) =>
    trans.__('should be less than or equal to %1, not %2', most, given)
  ),
  rule((trans, least, given) =>
    trans.__('should be greater than %1, not %2', least, given)
  ),
  rule((trans, low, high) =>
    trans.__('low should be less than high, not %1 and %2', low, high)
  ),
  rule((trans, kind, low) =>
    trans.__('low should be above 0 for %1, not %2', kind, low)
  ),
  rule((trans, length, most) =>
    trans.__('has %1 characters, and may have %2', length, most)
  ),
  rule((trans, length, most) =>
    trans.__('has %1 items, and may have %2', length, most)
  ),
  rule(trans => trans.__('a choice needs at least one value')),
  rule(trans => trans.__('a choice should have each value once')),
  rule(trans => trans.__('a pipeline needs at least one stage')),
  rule((trans, kind, given) =>
    trans.__('is for jobs of the type %1, and this is %2', kind, given)
  ),
  rule((trans, variable) =>
    trans.__('%1 is set by jupyter-training itself', variable)
  ),
  rule((trans, given) =>
    trans.__('%1 is not a name for an environment variable', given)
  ),
  rule(trans => trans.__('should name at least one parameter'))
];

const SENTENCES = [...WAITING, ...ENDING, ...HISTORY, ...WRONG];
