import { act, fireEvent, render, screen } from '@testing-library/react';
import React from 'react';

import { Shown, TrainingProvider } from '../components/context';
import { useFetched } from '../components/fetched';
import { JobRow } from '../components/row';
import { StageGraph } from '../graphs/stages';
import { ApiError } from '../model/errors';
import type { IJob } from '../model/types';
import { OutputsTab } from '../views/outputs';
import { job, json, training, World } from './helpers';

beforeAll(() => {
  global.ResizeObserver = class {
    observe(): void {}
    unobserve(): void {}
    disconnect(): void {}
  };
});

const stage = (key: string, after: IJob[], fields: Partial<IJob> = {}): IJob =>
  job({
    child_key: key,
    depends_on: after.map(one => one.job_id),
    ...fields
  });

describe('the graph of stages', () => {
  const prepare = stage('prepare', [], { status: 'completed' });
  const fit = stage('fit', [prepare], {
    status: 'failed',
    cause: 'out_of_memory'
  });
  const other = stage('other', [prepare], { status: 'running', progress: 40 });
  const publish = stage('publish', [fit, other], { status: 'cancelled' });
  const opened: string[] = [];

  const show = (): void => {
    render(
      <TrainingProvider value={training(new World())}>
        <StageGraph
          stages={[prepare, fit, other, publish]}
          onOpen={one => opened.push(one.child_key!)}
        />
      </TrainingProvider>
    );
  };

  test('tells of each what became of it and what it goes after', () => {
    show();
    const [first, second, third, last] = screen.getAllByRole('button');
    expect(first.textContent).toContain('completed');
    expect(second.textContent).toContain('out of memory');
    expect(third.textContent).toContain('running · 40 %');
    expect(last.textContent).toContain('after fit, other');
  });

  test('is gone through with the arrow keys and opened', () => {
    show();
    const [first, second, third, last] = screen.getAllByRole('button');
    first.focus();
    const keys: [string, HTMLElement][] = [
      ['ArrowRight', second],
      ['ArrowDown', third],
      ['ArrowUp', second],
      ['ArrowRight', last],
      ['ArrowRight', last],
      ['ArrowLeft', second],
      ['ArrowLeft', first]
    ];
    for (const [key, next] of keys) {
      fireEvent.keyDown(document.activeElement!, { key });
      expect(document.activeElement).toBe(next);
    }
    fireEvent.click(third);
    expect(opened).toEqual(['other']);
  });
});

describe('what a part of a view fetches', () => {
  const world = new World();
  const one = job({ name: 'nightly/fit' });
  let count = 0;

  function Part(): React.JSX.Element {
    const { value } = useFetched(async () => ++count, 'key', null, {
      isAbout: event => event.name === one.name
    });
    return <p>{`fetched ${value}`}</p>;
  }

  const view = (isShown: boolean): React.JSX.Element => (
    <TrainingProvider value={training(world)}>
      <Shown.Provider value={isShown}>
        <Part />
      </Shown.Provider>
    </TrainingProvider>
  );

  /** Let time go by until nothing is left to be done. */
  const later = (): Promise<void> =>
    act(async () => {
      await jest.advanceTimersByTimeAsync(5000);
    });

  test('is fetched while it can be seen, and when it may have changed', async () => {
    jest.useFakeTimers();
    const { rerender } = render(view(false));
    world.emit(one, 'started');
    await later();
    expect(count).toBe(0);
    rerender(view(true));
    await later();
    expect(count).toBe(1);
    world.emit(job({ name: 'another' }), 'started');
    await later();
    expect(count).toBe(1);
    world.emit(one, 'completed', 'completed');
    await later();
    expect(screen.getByText('fetched 2')).toBeTruthy();
    rerender(view(false));
    world.emit(one, 'started');
    await later();
    expect(count).toBe(2);
    rerender(view(true));
    await later();
    expect(screen.getByText('fetched 3')).toBeTruthy();
    jest.useRealTimers();
  });
});

describe('what could not be fetched', () => {
  const world = new World();

  function Part({ of }: { of: string }): React.JSX.Element {
    const { value, error } = useFetched(
      async () => {
        if (of === 'gone') {
          throw new ApiError('away', 'Failed to fetch');
        }
        return of;
      },
      of,
      null
    );
    return <p>{`${error || value}`}</p>;
  }

  const view = (of: string): React.JSX.Element => (
    <TrainingProvider value={training(world)}>
      <Part of={of} />
    </TrainingProvider>
  );

  test('is told, also of something else than before, in our own words', async () => {
    const { rerender } = render(view('here'));
    expect(await screen.findByText('here')).toBeTruthy();
    rerender(view('gone'));
    expect(await screen.findByText('The server does not answer')).toBeTruthy();
    rerender(view('here'));
    expect(await screen.findByText('here')).toBeTruthy();
  });
});

test.each([
  [{ hung_since: '2026-01-26T10:00:00Z' }, 'It has printed and done nothing'],
  [{ idle_since: '2026-01-26T10:00:00Z' }, 'Its GPUs have done nothing'],
  [
    {
      cancel_requested_at: '2026-01-26T10:00:00Z',
      reason: 'is being stopped, as ada asked'
    },
    'is being stopped, as ada asked'
  ]
])(
  'a row tells what somebody should know of a job that runs',
  (fields, told) => {
    render(
      <TrainingProvider value={training(new World())}>
        <JobRow
          job={job(fields)}
          now={new Date()}
          isCurrent
          isSelected={false}
        />
      </TrainingProvider>
    );
    expect(screen.getByText(told, { exact: false })).toBeTruthy();
  }
);

test('a page of results comes after the ones that are shown, and each place begins anew', async () => {
  const world = new World();
  const asked: string[] = [];
  const file = (name: string, type = 'file'): object => ({
    name,
    path: name,
    encoded_path: name,
    type,
    size: 1,
    modified_at: null
  });
  Object.assign(world.model.api, {
    send: async (path: string) => {
      asked.push(path);
      const [, place, after] = /outputs\/?([^?]*)(?:\?after=(.*))?/.exec(path)!;
      const entries = place
        ? [file('inner')]
        : after
          ? [file('second')]
          : [file('logs', 'directory')];
      return json({ entries, next: place || after ? null : 'logs' });
    }
  });
  render(
    <TrainingProvider value={training(world)}>
      <OutputsTab job={job()} version="1" />
    </TrainingProvider>
  );
  fireEvent.click(await screen.findByText('Show more'));
  expect(await screen.findByText('second')).toBeTruthy();
  expect(screen.getByText('logs/')).toBeTruthy();
  fireEvent.click(screen.getByText('logs/'));
  // What is somewhere else is not shown, not even for a moment.
  expect(screen.queryByText('second')).toBe(null);
  expect(await screen.findByText('inner')).toBeTruthy();
});
