/**
 * The sentences of the server in the user's language.
 *
 * The server keeps them in English, in histories and logs too. As with any message of a catalogue
 * their English wording is what they are looked up by; what is in them, such as names, amounts or
 * another sentence, stands in the places for values. A sentence that is new to this version stays
 * as it is. `__tests__/sentences.json` is what both sides are held against.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import { ENDING, HISTORY, PARENTS, RUNNING } from './sentences/ending';
import { EXECUTORS } from './sentences/executors';
import { GPUS } from './sentences/gpus';
import { REFUSED } from './sentences/refusals';
import { UNFIT, WRONG } from './sentences/requests';
import { read } from './sentences/rules';
import { USED } from './sentences/usage';
import { WAITING } from './sentences/waiting';

/** A sentence of the server in the user's language; as it is, if it is not known here. */
export function worded(sentence: string, trans: TranslationBundle): string {
  for (const rules of [
    // The most particular ones first: `%1 failed: %2` may be a part of others.
    REFUSED,
    EXECUTORS,
    GPUS,
    RUNNING,
    WAITING,
    PARENTS,
    ENDING,
    HISTORY,
    UNFIT,
    WRONG,
    USED
  ]) {
    const found = read(rules, sentence, trans);
    if (found !== null) {
      return found;
    }
  }
  return sentence;
}
