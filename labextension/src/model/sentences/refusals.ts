/**
 * Why something cannot be done to a job, or not now.
 */
import type { JobStatus } from '../types';
import { statusWord } from '../words';
import { type IRule, name, names, type Place, rule, sentence } from './rules';

const STATUSES: readonly JobStatus[] = [
  'pending',
  'scheduled',
  'running',
  'retrying',
  'completed',
  'failed',
  'cancelled'
];

const status: Place = (text, trans) => {
  const found = STATUSES.find(one => one === text);
  return found === undefined ? null : statusWord(found, trans);
};

export const REFUSED: readonly IRule[] = [
  rule((trans, id) =>
    trans.__('%1 cannot be cancelled: it has already completed.', id)
  ),
  rule((trans, id) =>
    trans.__('%1 cannot be cancelled: it has already failed.', id)
  ),
  rule(
    (trans, id, is) =>
      trans.__('%1 is %2; only an ended job can be run again.', id, is),
    name,
    status
  ),
  rule((trans, trial) =>
    trans.__(
      '%1 is a trial, and its study has its result; run the search again, which goes on with others.',
      trial
    )
  ),
  rule(
    (trans, id, who) =>
      trans.__(
        '%1 cannot be run again: %2 did not complete; run that again first.',
        id,
        who
      ),
    name,
    names
  ),
  rule(
    (trans, id, why) =>
      trans.__('%1 cannot be run again: %2 any more.', id, why),
    name,
    sentence
  ),
  rule((trans, id) =>
    trans.__('%1 is being cancelled; wait until it has ended.', id)
  ),
  rule((trans, id, whole) =>
    trans.__('%1 is part of %2; delete that.', id, whole)
  ),
  rule((trans, id) =>
    trans.__('%1 has not ended; cancel it before you delete it.', id)
  ),
  rule((trans, id) =>
    trans.__('%1 has results that a job that has not ended depends on.', id)
  ),
  rule((trans, id, many) =>
    trans.__(
      '%1 has results that %2 jobs that have not ended depends on.',
      id,
      many
    )
  ),
  rule((trans, what) =>
    trans.__('There is no %1 in the results of this job.', what)
  ),
  rule((trans, what, why) =>
    trans.__('The server may not read %1: %2.', what, why)
  ),
  rule((trans, digest) =>
    trans.__('There is no content %1 in your snapshots.', digest)
  ),
  rule((trans, id) => trans.__('There is no job %1.', id)),
  rule(trans =>
    trans.__(
      'This server is about to end; ask again and another one is started.'
    )
  ),
  rule((trans, why) =>
    trans.__('Training jobs are not available here: %1', why)
  )
];
