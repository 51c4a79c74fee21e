/**
 * What became of a job, or becomes of it.
 */
import {
  count,
  type IRule,
  name,
  names,
  number,
  type Place,
  read,
  rule,
  sentence,
  several
} from './rules';

const time: Place = text => (/^[\d:-]+( [\d:]+)?$/.test(text) ? text : null);

/** `4 running, 2 pruned`. */
const counts = several(
  /, /,
  (trans, one, other) => trans.__('%1, %2', one, other),
  [
    rule((trans, many) => trans.__('%1 running', many), number),
    rule((trans, many) => trans.__('%1 waiting', many), number),
    rule((trans, many) => trans.__('%1 pending', many), number),
    rule((trans, many) => trans.__('%1 scheduled', many), number),
    rule((trans, many) => trans.__('%1 retrying', many), number),
    rule((trans, many) => trans.__('%1 completed', many), number),
    rule((trans, many) => trans.__('%1 pruned', many), number),
    rule((trans, many) => trans.__('%1 failed', many), number),
    rule((trans, many) => trans.__('%1 cancelled', many), number)
  ]
);

/** Why an attempt or a job ended, or is about to. */
export const ENDING: readonly IRule[] = [
  rule(
    (trans, what, last) => trans.__('%1; it printed last: %2', what, last),
    sentence
  ),
  rule(
    (trans, what, at) => trans.__('%1; tried again at %2 UTC', what, at),
    sentence,
    time
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
  rule(
    (trans, code, raised) =>
      trans.__('the script ended with exit code %1: %2', code, raised),
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
  rule(
    (trans, raised) => trans.__('the script cannot run as it is: %1', raised),
    sentence
  ),
  rule((trans, why) => trans.__('could not be started: %1', why), sentence),
  rule(
    (trans, why) => trans.__('the image could not be had: %1', why),
    sentence
  ),
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
    (trans, trial, why) => trans.__('trial %1 failed: %2', trial, why),
    number,
    sentence
  ),
  rule(
    (trans, trial, why) => trans.__('trial %1 cancelled: %2', trial, why),
    number,
    sentence
  ),
  rule(
    (trans, who, why, more) =>
      trans.__('%1 failed: %2 (and %3 more failed)', who, why, more),
    name,
    sentence,
    number
  ),
  rule(
    (trans, who, why) => trans.__('%1 failed: %2', who, why),
    name,
    sentence
  ),
  rule(
    (trans, who, why, more) =>
      trans.__('%1 cancelled: %2 (and %3 more cancelled)', who, why, more),
    name,
    sentence,
    number
  ),
  rule(
    (trans, who, why) => trans.__('%1 cancelled: %2', who, why),
    name,
    sentence
  )
];

/** What a parent is doing, or has come to. */
export const PARENTS: readonly IRule[] = [
  rule(
    (trans, many, why, metric, value, trial) =>
      trans.__(
        'its last %1 trials failed: %2; best %3 %4 in trial %5',
        many,
        why,
        metric,
        value,
        trial
      ),
    number,
    sentence,
    name,
    name,
    number
  ),
  rule(
    (trans, done, all, others, best) =>
      trans.__('%1 of %2 trials done (%3); %4', done, all, others, best),
    number,
    number,
    counts,
    sentence
  ),
  rule(
    (trans, done, all, others) =>
      trans.__('%1 of %2 trials done (%3)', done, all, others),
    number,
    number,
    counts
  ),
  rule(
    (trans, done, all, best) =>
      trans.__('%1 of %2 trials done; %3', done, all, best),
    number,
    number,
    sentence
  ),
  rule(
    (trans, done, all) => trans.__('%1 of %2 trials done', done, all),
    number,
    number
  ),
  rule(
    (trans, metric, value, trial, many, others) =>
      trans.__(
        'best %1 %2 in trial %3 of %4 (%5)',
        metric,
        value,
        trial,
        many,
        others
      ),
    name,
    name,
    number,
    number,
    counts
  ),
  rule(
    (trans, metric, value, trial, many) =>
      trans.__('best %1 %2 in trial %3 of %4', metric, value, trial, many),
    name,
    name,
    number,
    number
  ),
  rule(
    (trans, metric, value, trial) =>
      trans.__('best %1 %2 in trial %3', metric, value, trial),
    name,
    name,
    number
  ),
  rule(
    (trans, many, why) => trans.__('its last %1 trials failed: %2', many, why),
    number,
    sentence
  ),
  rule(
    (trans, metric, why) =>
      trans.__('no trial has completed with a value of %1: %2', metric, why),
    name,
    sentence
  ),
  rule((trans, metric) =>
    trans.__('no trial has completed with a value of %1', metric)
  ),
  rule(
    (trans, trial) => trans.__('trial %1 ended without a value', trial),
    number
  ),
  rule((trans, metric) => trans.__('ended without a value of %1', metric)),
  rule(
    (trans, what, metric) =>
      trans.__('%1; report(%2=…) tells it', what, metric),
    sentence
  ),
  rule(
    (trans, what, others, metric) =>
      trans.__('%1; it has measured %2 and no %3', what, others, metric),
    sentence
  ),
  rule(
    (trans, what, metric) =>
      trans.__('%1; its last %2 is not a number', what, metric),
    sentence
  ),
  rule(trans => trans.__('nobody knows why')),
  rule((_, what) => what, counts)
];

/** What somebody should know of a job that runs. */
export const RUNNING: readonly IRule[] = [
  rule((trans, most) =>
    trans.__(
      'The log has more than %1 metrics by their names; only the first ones are kept.',
      most
    )
  ),
  rule(trans =>
    trans.__(
      'The log grew faster than it could be read, so metrics that were printed may be missing. Those that are reported with report() are not.'
    )
  ),
  rule((trans, most, others) =>
    trans.__(
      'Only the first %1 metrics are kept; not among them are: %2.',
      most,
      others
    )
  ),
  rule(
    (trans, at, first) =>
      trans.__(
        'seems to hang: no output, no CPU time and no work of GPUs since %1 UTC (%2)',
        at,
        first
      ),
    time,
    sentence
  ),
  rule(
    (trans, at) =>
      trans.__(
        'seems to hang: no output, no CPU time and no work of GPUs since %1 UTC',
        at
      ),
    time
  ),
  rule(
    (trans, who, at) =>
      trans.__('the first to fall silent: %1, at %2 UTC', who, at),
    name,
    time
  ),
  rule(
    (trans, at, what) =>
      trans.__('its GPU has done nothing since %1 UTC; %2', at, what),
    time,
    sentence
  ),
  rule(
    (trans, at, what) =>
      trans.__('its GPUs have done nothing since %1 UTC; %2', at, what),
    time,
    sentence
  )
];

const AGO: readonly IRule[] = [
  rule(trans => trans.__('a moment')),
  rule((trans, many) => trans.__('%1 minute', many), number),
  rule((trans, many) => trans.__('%1 minutes', many), number)
];

const ago: Place = (text, trans) => read(AGO, text, trans);

/** What else a history tells. */
export const HISTORY: readonly IRule[] = [
  rule(
    (trans, at) => trans.__('its GPU has done nothing since %1 UTC', at),
    time
  ),
  rule(
    (trans, many, at) =>
      trans.__('its %1 GPUs have done nothing since %2 UTC', many, at),
    number,
    time
  ),
  rule(
    (trans, past) =>
      trans.__('its GPU works again, after %1 without work', past),
    ago
  ),
  rule(
    (trans, past) =>
      trans.__('its GPUs work again, after %1 without work', past),
    ago
  ),
  rule(
    (trans, past) =>
      trans.__('does something again, after %1 without a sign of it', past),
    ago
  ),
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
      trans.__('is given %1, %2 GB, GPU %3 on %4', cores, memory, gpus, node),
    count,
    number
  ),
  rule(
    (trans, cores, memory, node) =>
      trans.__('is given %1, %2 GB on %3', cores, memory, node),
    count,
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
