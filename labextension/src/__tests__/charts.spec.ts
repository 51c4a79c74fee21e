import { range, usageFigures } from '../charts/usage';
import {
  axesOf,
  type IOrder,
  inOrder,
  parameters,
  quality
} from '../model/trials';
import type { ITrial, ITrials, IUsage } from '../model/types';

const GB = 1024 ** 3;
const NOW = new Date('2026-01-26T10:10:00.000Z');

const usage = (fields: Partial<IUsage> = {}): IUsage => ({
  job_id: 'job-1',
  attempt: 1,
  started_at: '2026-01-26T10:00:00.000Z',
  ended_at: null,
  samples: 3,
  time: [
    '2026-01-26T10:00:01.000Z',
    '2026-01-26T10:00:11.000Z',
    '2026-01-26T10:00:21.000Z'
  ],
  cpu_cores: [0.5, null, 1.5],
  memory_bytes: [GB, null, 3 * GB],
  gpus: [],
  peaks: { cpu_cores: 1.5, memory_bytes: 3 * GB, gpu_memory_bytes: null },
  means: { cpu_cores: 1, gpu_utilization_percent: null },
  cpu_seconds: 20,
  requested: { cpu_cores: 2, memory_bytes: 4 * GB, gpu_count: 0 },
  usage: null,
  idle_since: null,
  ...fields
});

describe('what an attempt used', () => {
  test('is over the time since it began, with what it was given', () => {
    const [cpu, memory, ...others] = usageFigures(usage(), () => {
      throw new Error('there is no GPU');
    });
    expect(others).toEqual([]);
    expect(cpu.curves[0].x).toEqual([1, 11, 21]);
    expect(cpu.curves[0].y).toEqual([0.5, null, 1.5]);
    expect([cpu.peak, cpu.mean, cpu.limit]).toEqual([1.5, 1, 2]);
    expect([memory.peak, memory.limit]).toEqual([3 * GB, 4 * GB]);
    expect(memory.range[1]).toBeGreaterThan(4 * GB);
  });

  test('has a curve for each card', () => {
    const gpus = ['a', 'b'].map((uuid, place) => ({
      uuid,
      utilization_percent: [90, null, 95 + place],
      memory_bytes: [GB, null, 60 * GB]
    }));
    const found = usageFigures(usage({ gpus }), uuid => ({
      name: `GPU ${uuid}`,
      memoryGb: uuid === 'a' ? 80 : 40
    }));
    expect(found.map(one => one.quantity)).toEqual([
      'cpu',
      'memory',
      'gpu',
      'gpuMemory'
    ]);
    expect(found[2].curves.map(one => one.name)).toEqual(['GPU a', 'GPU b']);
    expect([found[2].peak, found[2].range]).toEqual([96, [0, 100]]);
    expect(found[3].limit).toBe(40 * GB);
  });

  test.each([
    [null, 4, [0, 1]],
    [0, 4, [0, 1]],
    [3, 4, [0, 4.32]],
    [5, 4, [0, 5.4]],
    [0.03, 32, [0, 0.05]],
    [0.8, 32, [0, 1]],
    [1.3 * GB, 64 * GB, [0, 1.5 * GB]],
    [950, null, [0, 2000]]
  ])('a peak of %p of %p is shown in %p', (peak, limit, expected) => {
    const [low, high] = range(peak, limit);
    expect(low).toBe(expected[0]);
    expect(high).toBeCloseTo(expected[1]);
  });
});

const trial = (number: number, fields: Partial<ITrial> = {}): ITrial => ({
  number,
  id: number,
  job_id: `job-${number}`,
  name: `search/${number}`,
  params: { lr: 10 ** -number, opt: number % 2 ? 'sgd' : 'adam' },
  state: 'complete',
  status: 'completed',
  cause: 'success',
  reason: null,
  progress: 100,
  progress_known: true,
  value: number,
  step: 1,
  pruned_at_step: null,
  started_at: '2026-01-26T10:00:00.000Z',
  completed_at: `2026-01-26T10:0${number}:00.000Z`,
  ...fields
});

const search = (fields: Partial<ITrials> = {}): ITrials => ({
  search: {
    trials: 10,
    parallel: 2,
    metric: 'loss',
    goal: 'minimize',
    sampler: 'tpe',
    pruner: null,
    space: {
      lr: { type: 'loguniform', low: 1e-4, high: 1, values: null },
      opt: {
        type: 'choice',
        low: null,
        high: null,
        values: ['adam', 'sgd', 'lion']
      }
    }
  },
  over: false,
  trials_allowed: 10,
  used_hours: 0,
  used_gpu_hours: 0,
  states: { waiting: 0, running: 0, complete: 3, pruned: 0, failed: 0 },
  best: null,
  trials: [trial(1), trial(2), trial(3)],
  history: [],
  importance: null,
  ...fields
});

describe('trials', () => {
  const several = [
    trial(1, { value: 0.5 }),
    trial(2, { value: null, state: 'running', completed_at: null }),
    trial(3, { value: 'Infinity' }),
    trial(4, { value: 0.1, started_at: null, completed_at: null })
  ];
  test.each<[IOrder, number[]]>([
    [{ key: 'number', isDescending: true }, [4, 3, 2, 1]],
    [{ key: 'value', isDescending: false }, [4, 1, 3, 2]],
    [{ key: 'value', isDescending: true }, [3, 1, 4, 2]],
    [{ key: 'duration', isDescending: false }, [1, 3, 2, 4]],
    [{ key: 'param:lr', isDescending: false }, [4, 3, 2, 1]],
    [{ key: 'param:opt', isDescending: false }, [2, 4, 1, 3]]
  ])('by %p', (order, expected) => {
    expect(inOrder(several, order, NOW).map(one => one.number)).toEqual(
      expected
    );
  });

  test('lie on axes of their scales, between the limits of the space', () => {
    const axes = axesOf(search());
    expect(axes.map(one => one.name)).toEqual(['lr', 'opt', 'loss']);
    const [lr, opt, loss] = axes;
    expect([1, 0.01, 1e-4].map(lr.place)).toEqual([1, 0.5, 0]);
    expect(lr.ticks.map(tick => tick.value)).toEqual([1e-4, 0.01, 1]);
    expect(['adam', 'sgd', 'lion', 'other'].map(opt.place)).toEqual([
      0,
      0.5,
      1,
      null
    ]);
    expect([1, 2, 3, 'NaN', null].map(loss.place)).toEqual([
      0,
      0.5,
      1,
      null,
      null
    ]);
  });

  test('the parameters that matter come first', () => {
    expect(parameters(search({ importance: { opt: 0.9, lr: 0.1 } }))).toEqual([
      'opt',
      'lr'
    ]);
  });

  test('what is best depends on the goal', () => {
    const found = search();
    expect(found.trials.map(quality(found))).toEqual([1, 0.5, 0]);
    found.search.goal = 'maximize';
    expect(found.trials.map(quality(found))).toEqual([0, 0.5, 1]);
  });
});
