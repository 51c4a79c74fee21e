import { isNews, isWanted, notice } from '../model/notices';
import { trans } from './helpers';

test('what somebody has to look at is told of also where only failures are wanted', () => {
  const changes = [
    'submitted',
    'progress',
    'completed',
    'retrying',
    'cancelled'
  ];
  const pressing = ['failed', 'idle', 'hung'];
  const told = (wanted: 'all' | 'failures' | 'none'): string[] =>
    [...changes, ...pressing].filter(one => isWanted(one, wanted));
  expect(told('all')).toEqual([...changes.slice(2), ...pressing]);
  expect(told('failures')).toEqual(pressing);
  expect(told('none')).toEqual([]);
});

test('what one has cancelled is no news, and of a part only what is wrong with it while it runs', () => {
  expect(isNews('cancelled', 'cancelled_by_user', false)).toBe(false);
  expect(isNews('cancelled', 'upstream_failed', false)).toBe(true);
  expect(isNews('failed', 'user_error', true)).toBe(false);
  expect(isNews('idle', null, true)).toBe(true);
});

test.each([
  ['completed', 'success', 'finished', '“fit” is completed.', false],
  ['failed', 'error', 'why', '“fit” has failed: why', true],
  ['failed', 'error', null, '“fit” has failed.', true],
  [
    'retrying',
    'warning',
    'why',
    '“fit” has failed and is tried again: why',
    false
  ],
  ['cancelled', 'warning', 'why', '“fit” was cancelled: why', false],
  ['idle', 'warning', 'why', '“fit” leaves its GPUs idle.', true],
  ['hung', 'warning', 'why', '“fit” seems to hang.', true]
])('%s is told as a %s', (change, mood, reason, text, stays) => {
  expect(notice(change, 'fit', reason, trans)).toEqual({ mood, text, stays });
});
