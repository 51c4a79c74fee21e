import { act, fireEvent, render, screen } from '@testing-library/react';
import React from 'react';

import { when } from '../create/forecast';
import { TrainingProvider } from '../components/context';
import { EMPTY, type FormErrors, type IFormValues } from '../create/form';
import { valuesOf } from '../create/sources';
import { Form } from '../create/view';
import type { IForecast } from '../model/types';
import { job, json, trans, training, World } from './helpers';
import { holdTime, shown } from './rendering';

holdTime();

const NOW: IForecast = {
  dry_run: true,
  cpu_cores: 1,
  memory_gb: 1,
  gpu_count: 0,
  gpu_type: null,
  node: 'here',
  gpus: [],
  starts_in_s: 0,
  after: null,
  reason: 'would be started at once'
};

/** A form whose server answers like this; what was asked of it, and the values as they are. */
function show(answer: () => Response): {
  asked: string[];
  values: () => IFormValues;
} {
  const world = new World();
  const { send } = world.server;
  const asked: string[] = [];
  Object.assign(world.model.api, {
    send: async (path: string, init?: RequestInit) => {
      if (path.includes('dry_run')) {
        asked.push(String(init?.body));
        return answer();
      }
      return send(path);
    }
  });
  let values: IFormValues = EMPTY;
  const refused = {};
  shown(
    world,
    <Form
      initial={EMPTY}
      refused={refused}
      onChange={changed => (values = changed)}
    />
  );
  return { asked, values: () => values };
}

function type(label: string | RegExp, value: string): void {
  fireEvent.change(screen.getByLabelText(label), { target: { value } });
}

async function pause(): Promise<void> {
  await act(() => jest.advanceTimersByTimeAsync(400));
}

test('the server is asked when there is a pause, and what it says is shown', async () => {
  const { asked } = show(() => json(NOW));
  type(/Job name/, 'a');
  type(/Command/, 'tru');
  type(/Command/, 'true');
  await pause();
  expect(asked).toEqual(['{"name":"a","command":"true"}']);
  expect(screen.getByRole('status').textContent).toContain(
    'Would start now on here'
  );
});

test('the server says what else is wrong, and nothing of where it would run', async () => {
  const { asked } = show(() => json(NOW));
  type(/Memory/, '1e9');
  type(/CPU cores/, '2');
  await pause();
  expect(asked).toEqual(['{"name":"job","command":"true","cpu_cores":2}']);
  expect(screen.getByRole('status').textContent).toBe(
    'A field has to be changed first.'
  );
});

test('what the server refuses is told at its row', async () => {
  show(() =>
    json(
      {
        message: 'no',
        reason: 'invalid',
        errors: [{ field: 'stages.1.depends_on', message: 'fit is nobody' }]
      },
      400
    )
  );
  fireEvent.click(screen.getByLabelText('Pipeline'));
  await pause();
  const row = screen.getByRole('group', { name: 'Stages 2' });
  expect(row.textContent).toContain('fit is nobody');
  // The row may be out of sight.
  expect(screen.getByRole('status').textContent).toBe(
    'A field has to be changed first.'
  );
});

test('who submits what is wrong is taken there, be it folded away', async () => {
  const world = new World();
  const form = (refused: FormErrors): React.JSX.Element => (
    <TrainingProvider value={training(world)}>
      <Form initial={EMPTY} refused={refused} onChange={() => undefined} />
    </TrainingProvider>
  );
  const { container, rerender } = render(form({}));
  expect(container.querySelector('details')!.open).toBe(false);
  rerender(form({ image: 'should not be empty' }));
  expect(container.querySelector('details')!.open).toBe(true);
  expect(document.activeElement).toBe(screen.getByLabelText('Container image'));
});

test('rows are added, changed and removed', async () => {
  const { values, asked } = show(() => json(NOW));
  type(/Job name/, 'sweep');
  fireEvent.click(screen.getByLabelText('Hyperparameter search'));
  fireEvent.click(screen.getByText('Add parameter'));
  const row = screen.getByRole('group', { name: 'Search space 2' });
  fireEvent.change(row.querySelector('select')!, {
    target: { value: 'choice' }
  });
  const [name, choices] = row.querySelectorAll('input');
  fireEvent.change(name, { target: { value: 'batch' } });
  await pause();
  expect(row.textContent).toContain('values separated by commas');
  expect(asked).toHaveLength(0);
  fireEvent.change(choices, { target: { value: '16, 32' } });
  await pause();
  expect(row.textContent).not.toContain('values separated by commas');
  expect(JSON.parse(asked[0]).search.space.batch).toEqual({
    type: 'choice',
    values: [16, 32]
  });
  fireEvent.click(screen.getByLabelText('Remove parameter 1'));
  expect(values().space.map(one => one.name)).toEqual(['batch']);
});

test('a search may end by a budget', async () => {
  const refusal = { field: 'search.gpu_hours', message: 'is too little' };
  const { asked } = show(() =>
    json({ message: 'no', reason: 'invalid', errors: [refusal] }, 400)
  );
  fireEvent.click(screen.getByLabelText('Hyperparameter search'));
  type(/Trials/, '');
  type(/Budget \(hours\)/, 'two');
  type(/Budget \(GPU-hours\)/, '0');
  await pause();
  const problem = (label: RegExp): string | null | undefined =>
    screen
      .getByLabelText(label)
      .parentElement?.querySelector('small:last-child')?.textContent;
  expect(problem(/Budget \(hours\)/)).toBe('should be a number');
  // Of the others the server says so.
  expect(problem(/Budget \(GPU-hours\)/)).toBe('is too little');
  const { search } = JSON.parse(asked[0]);
  expect([search.trials, search.gpu_hours]).toEqual([undefined, 0]);
});

test('it says on which cards, or after which job and when', () => {
  const { model } = new World();
  const machines = {
    nodes: [
      {
        name: 'here',
        gpus: [
          { uuid: 'GPU-a', index: 1 },
          { uuid: 'GPU-b', index: 3 }
        ]
      }
    ]
  };
  Object.assign(model, { machines });
  const told = (forecast: Partial<IForecast>): string =>
    when({ ...NOW, ...forecast }, { trans, model });
  expect(told({ gpus: ['GPU-a', 'GPU-b'] })).toBe(
    'Would start now on GPU 1, 3'
  );
  const later = { node: null, starts_in_s: 7200, after: 'job-7' };
  expect(told(later)).toBe('Would start after “job-7”, in about 2 h');
  model.put({ ...job({ name: 'bert' }), job_id: 'job-7' });
  expect(told(later)).toBe('Would start after “bert”, in about 2 h');
  expect(told({ ...later, after: null })).toBe('Would start in about 2 h');
  expect(told({ node: null, starts_in_s: null })).toBe('Would wait');
  const reason = 'can never start here: asks for 1 GPU, the largest has 0';
  expect(told({ node: null, starts_in_s: null, reason })).toBe(
    'Would never start'
  );
});

test('who adds or removes a row by the keyboard goes on there', () => {
  show(() => json(NOW));
  fireEvent.click(screen.getByLabelText('Pipeline'));
  fireEvent.click(screen.getByText('Add stage'));
  const third = screen.getByRole('group', { name: 'Stages 3' });
  expect(third.contains(document.activeElement)).toBe(true);
  expect(document.activeElement?.getAttribute('aria-label')).toBe('Name');
  for (const left of [2, 1]) {
    fireEvent.click(screen.getByLabelText(`Remove stage ${left + 1}`));
    expect(document.activeElement).toBe(
      screen.getByLabelText(`Remove stage ${left}`)
    );
  }
  fireEvent.click(screen.getByLabelText('Remove stage 1'));
  expect(document.activeElement).toBe(screen.getByText('Add stage'));
});

test('a stage that is more than one job says so', () => {
  const stages = [
    {
      name: 'sweep',
      command: 'fit {lr}',
      search: { metric: 'loss', trials: 4, space: { lr: { type: 'int' } } }
    },
    { name: 'ddp', command: 'fit', job_type: 'distributed', nodes: 2 },
    { name: 'more', stages: [{ name: 'a' }, { name: 'b' }] }
  ];
  const spec = { name: 'whole', job_type: 'pipeline', stages };
  const world = new World();
  shown(
    world,
    <Form initial={valuesOf(spec)} refused={{}} onChange={() => undefined} />
  );
  const row = (place: number): string =>
    screen.getByRole('group', { name: `Stages ${place}` }).textContent ?? '';
  expect(row(1)).toContain('A search of 4 trials for lr');
  expect(row(2)).toContain('Of 2 nodes');
  expect(row(3)).toContain('A pipeline of a, b');
});
