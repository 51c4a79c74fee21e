/**
 * Of what a person is told while they do something else: what happens to a job without their doing.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IJobEvent } from './types';

/** How it is meant. */
export type Mood = 'success' | 'warning' | 'error';

/** What is told of: of everything, or only of what somebody has to look at. */
export type Wanted = 'all' | 'failures' | 'none';

export interface INotice {
  mood: Mood;
  text: string;
  /** Whether it stays until it is dismissed, as somebody should do something. */
  stays: boolean;
}

/** By what has changed; of these a person wants to hear also where only failures are wanted. */
const MOODS: Record<string, Mood> = {
  completed: 'success',
  failed: 'error',
  retrying: 'warning',
  cancelled: 'warning',
  idle: 'warning',
  hung: 'warning'
};
const PRESSING = ['failed', 'idle', 'hung'];

/** Of the parts of a job each of these is told; the others are told of the whole. */
const OF_PARTS = ['idle', 'hung'];

/** Whether an event may be told of, as far as that can be known from what has changed. */
export function isWanted(change: string, wanted: Wanted): boolean {
  return (
    change in MOODS &&
    (wanted === 'all' || (wanted === 'failures' && PRESSING.includes(change)))
  );
}

/** Whether this is news of this job: not of a part of another one, nor what was asked for. */
export function isNews(
  change: string,
  cause: string | null,
  isPart: boolean
): boolean {
  if (isPart && !OF_PARTS.includes(change)) {
    return false;
  }
  return change !== 'cancelled' || cause !== 'cancelled_by_user';
}

/**
 * What is said.
 *
 * @param reason - why, in the language of the person
 */
export function notice(
  change: IJobEvent['change'],
  name: string,
  reason: string | null,
  trans: TranslationBundle
): INotice {
  return {
    mood: MOODS[change],
    text: text(change, name, reason, trans),
    stays: PRESSING.includes(change)
  };
}

function text(
  change: string,
  name: string,
  reason: string | null,
  trans: TranslationBundle
): string {
  switch (change) {
    case 'completed':
      return trans.__('“%1” is completed.', name);
    case 'retrying':
      return reason
        ? trans.__('“%1” has failed and is tried again: %2', name, reason)
        : trans.__('“%1” has failed and is tried again.', name);
    case 'cancelled':
      return reason
        ? trans.__('“%1” was cancelled: %2', name, reason)
        : trans.__('“%1” was cancelled.', name);
    case 'idle':
      return trans.__('“%1” leaves its GPUs idle.', name);
    case 'hung':
      return trans.__('“%1” seems to hang.', name);
    default:
      return reason
        ? trans.__('“%1” has failed: %2', name, reason)
        : trans.__('“%1” has failed.', name);
  }
}
