/**
 * What a job has used, and what a monitor in a cell says of itself.
 */
import { type IRule, number, type Place, read, rule, several } from './rules';

const OF = [rule((trans, used, limit) => trans.__('%1 of %2 GB', used, limit))];

/** `6.2 of 16 GB`, or an amount with its unit. */
const amount: Place = (text, trans) => read(OF, text, trans) ?? text;

const used = several(
  /, (?=\d|its |at most )/,
  (trans, one, other) => trans.__('%1, %2', one, other),
  [
    rule(
      (trans, memory) => trans.__('used at most %1 of memory', memory),
      amount
    ),
    rule(
      (trans, mean, cores) =>
        trans.__('%1 of %2 CPU core on average', mean, cores),
      number,
      number
    ),
    rule(
      (trans, mean, cores) =>
        trans.__('%1 of %2 CPU cores on average', mean, cores),
      number,
      number
    ),
    rule((trans, busy) => trans.__('its GPU %1 % busy', busy), number),
    rule(
      (trans, many, busy) => trans.__('its %1 GPUs %2 % busy', many, busy),
      number,
      number
    ),
    rule(
      (trans, memory) => trans.__("at most %1 of a GPU's memory", memory),
      amount
    )
  ]
);

export const USED: readonly IRule[] = [
  rule((_, told) => told, used),
  rule(trans =>
    trans.__(
      'The server does not answer; the job goes on without it. Asking again soon.'
    )
  )
];
