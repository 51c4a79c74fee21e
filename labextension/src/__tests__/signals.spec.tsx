import { Signal } from '@lumino/signaling';
import { act, render } from '@testing-library/react';
import React from 'react';

import { usePacedSignal } from '../components/context';

test('what changes all the time is drawn now and then, and the last of it in the end', () => {
  jest.useFakeTimers();
  let value = 0;
  const drawn: number[] = [];
  const changed = new Signal<object, void>({});
  function Shows(): React.JSX.Element {
    usePacedSignal(100, changed);
    drawn.push(value);
    return <p>{value}</p>;
  }
  const { container } = render(<Shows />);
  act(() => {
    for (let ms = 0; ms < 1000; ms += 5) {
      value += 1;
      changed.emit();
      jest.advanceTimersByTime(5);
    }
    jest.advanceTimersByTime(200);
  });
  expect(container.textContent).toBe('200');
  expect(drawn.length).toBeLessThanOrEqual(12);
  jest.useRealTimers();
});
