import { act, fireEvent, screen } from '@testing-library/react';
import React from 'react';

import { Filter } from '../components/filter';
import { World } from './helpers';
import { holdTime, shown } from './rendering';

holdTime();

function show(world: World): { box: HTMLInputElement; unmount: () => void } {
  const { unmount } = shown(world, <Filter />);
  return { box: screen.getByRole('searchbox'), unmount };
}

function type(box: HTMLInputElement, value: string): void {
  fireEvent.change(box, { target: { value } });
}

test('the lists follow what is typed after a pause, also when it is emptied', () => {
  const world = new World();
  const { box } = show(world);
  type(box, 'co');
  type(box, 'copy');
  expect(world.model.filterText).toBe('');
  act(() => void jest.advanceTimersByTime(250));
  expect(world.model.filterText).toBe('copy');
  type(box, '');
  act(() => void jest.advanceTimersByTime(250));
  expect(world.model.filterText).toBe('');
});

test('what comes meanwhile does not change what is typed', () => {
  const world = new World();
  const { box } = show(world);
  type(box, 'copy');
  act(() => void jest.advanceTimersByTime(250));
  type(box, '');
  act(() => world.model.changed.emit());
  expect(box.value).toBe('');
});

test('what was typed just before the sidebar was moved is there again', () => {
  const world = new World();
  const { box, unmount } = show(world);
  type(box, 'bert');
  unmount();
  expect(show(world).box.value).toBe('bert');
  expect(world.model.filterText).toBe('bert');
});
