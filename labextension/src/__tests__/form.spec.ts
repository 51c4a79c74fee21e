import {
  EMPTY,
  fieldOf,
  type IFormValues,
  parseDuration,
  readForm,
  remembered
} from '../create/form';
import { trainLine } from '../create/line';
import { valuesForFile, valuesOf } from '../create/sources';
import type { IJob } from '../model/types';
import { job, json, World } from './helpers';

const SEARCH: IFormValues = {
  ...EMPTY,
  type: 'hyperparameter',
  name: 'sweep',
  command: 'python train.py --lr {lr}',
  metric: 'val_loss',
  trials: '50',
  parallel: '4',
  pruner: 'asha',
  space: [
    {
      name: 'lr',
      type: 'loguniform',
      low: '1e-5',
      high: '1e-1',
      step: '',
      values: ''
    },
    { name: '', type: 'int', low: '', high: '', step: '', values: '' },
    { name: 'layers', type: 'int', low: '2', high: '8', step: '2', values: '' },
    {
      name: 'opt',
      type: 'choice',
      low: '9',
      high: '',
      step: '',
      values: 'adam, 16, true,none'
    }
  ]
};

const PIPELINE: IFormValues = {
  ...EMPTY,
  type: 'pipeline',
  name: 'digits',
  command: 'left from before',
  cpus: '2',
  stages: [
    { name: 'prepare', command: 'python prepare.py', after: '', gpus: '' },
    { name: '', command: '', after: '', gpus: '' },
    { name: 'fit', command: 'python fit.py', after: 'prepare', gpus: '1' },
    { name: 'report', command: './report.sh', after: 'prepare, fit', gpus: '0' }
  ]
};

test('asks for nothing that is left empty', () => {
  const { spec, mistakes } = readForm({
    ...EMPTY,
    name: ' a ',
    command: 'python a.py'
  });
  expect(spec).toEqual({ name: 'a', command: 'python a.py' });
  expect(mistakes).toEqual({});
});

test('names what is wrong', () => {
  const values = {
    ...EMPTY,
    gpus: 'two',
    timeLimit: 'soon',
    env: 'nonsense'
  };
  expect(readForm(values).mistakes).toEqual({
    name: 'missing',
    command: 'missing',
    gpus: 'number',
    timeLimit: 'duration',
    env: 'variable'
  });
});

test('what is typed for one type is nothing to the others', () => {
  const values: IFormValues = { ...SEARCH, type: 'distributed', nodes: '3' };
  const { spec, mistakes } = readForm(values);
  expect(mistakes).toEqual({});
  expect(spec).toEqual({
    name: 'sweep',
    job_type: 'distributed',
    command: 'python train.py --lr {lr}',
    nodes: 3
  });
});

test('a search has its space', () => {
  const { spec, mistakes } = readForm(SEARCH);
  expect(mistakes).toEqual({});
  expect(spec.job_type).toBe('hyperparameter');
  expect(spec.search).toEqual({
    metric: 'val_loss',
    goal: 'minimize',
    sampler: 'tpe',
    pruner: 'asha',
    trials: 50,
    parallel: 4,
    space: {
      lr: { type: 'loguniform', low: 1e-5, high: 0.1 },
      layers: { type: 'int', low: 2, high: 8, step: 2 },
      opt: { type: 'choice', values: ['adam', 16, true, null] }
    }
  });
});

test('a row of a search that cannot be understood is named', () => {
  const [lr, , , opt] = SEARCH.space;
  const space = [
    lr,
    { ...lr, low: 'x', name: 'b' },
    lr,
    { ...opt, values: ' ,' }
  ];
  expect(readForm({ ...SEARCH, space }).mistakes).toEqual({
    'space.1': 'dimension',
    'space.2': 'dimension', // the same name again
    'space.3': 'dimension'
  });
  expect(readForm({ ...SEARCH, space: [] }).mistakes).toEqual({
    space: 'missing'
  });
});

test('a pipeline has stages and no command', () => {
  const { spec, mistakes } = readForm(PIPELINE);
  expect(mistakes).toEqual({});
  expect(spec).toEqual({
    name: 'digits',
    job_type: 'pipeline',
    cpu_cores: 2,
    stages: [
      { name: 'prepare', command: 'python prepare.py', depends_on: [] },
      {
        name: 'fit',
        command: 'python fit.py',
        depends_on: ['prepare'],
        gpu_count: 1
      },
      {
        name: 'report',
        command: './report.sh',
        depends_on: ['prepare', 'fit'],
        gpu_count: 0
      }
    ]
  });
  const [one] = PIPELINE.stages;
  const stages = [one, { ...one, command: '' }];
  expect(readForm({ ...PIPELINE, stages }).mistakes).toEqual({
    'stages.1': 'stage'
  });
});

test('the lines for a notebook say all that the dialog does', () => {
  expect(
    trainLine({
      ...EMPTY,
      name: "it's mine",
      command: 'python train.py --epochs 3',
      gpus: '2',
      gpuType: 'RTX 4090',
      timeLimit: '90m'
    })
  ).toBe(
    `%train --name 'it'"'"'s mine' --gpus 2 --gpu-type 'RTX 4090' --time-limit 90m train.py --epochs 3`
  );
  expect(trainLine(SEARCH)).toBe(
    '%train --name sweep --type hyperparameter --trials 50 --parallel 4 ' +
      '--search lr=loguniform:0.00001:0.1 --search layers=int:2:8:2 ' +
      '--search opt=choice:adam,16,true,null ' +
      '--metric val_loss --goal minimize --pruner asha train.py --lr {lr}'
  );
  expect(trainLine(PIPELINE)).toBe(
    [
      '%train --pipeline digits --stage prepare prepare.py',
      '%train --pipeline digits --stage fit --after prepare --gpus 1 fit.py',
      '%train --pipeline digits --stage report --after prepare,fit --gpus 0 ./report.sh',
      '%train_pipeline --cpus 2 digits'
    ].join('\n')
  );
  const two = { ...EMPTY, type: 'distributed' as const, name: 'ddp' };
  expect(
    trainLine({ ...two, command: 'python a.py', launcher: 'torchrun' })
  ).toBe('%train --name ddp --nodes 2 --launcher torchrun a.py');
});

test('a notebook is run as %train runs one', () => {
  const values = { ...EMPTY, ...valuesForFile('deep/my net.ipynb') };
  expect(values).toMatchObject({
    name: 'my net',
    command: "python -m jupyter_training.run_notebook 'my net.ipynb'",
    workingDir: 'deep'
  });
  expect(trainLine(values)).toBe("%train --name 'my net' 'my net.ipynb'");
  const other = valuesForFile('a.ipynb', '/envs/torch/bin/python');
  const command = `${other.command} -p lr 0.1`;
  expect(trainLine({ ...EMPTY, ...other, command })).toBe(
    '%train --name a -p lr 0.1 a.ipynb'
  );
});

test('a file in a directory is run in it', () => {
  expect(valuesForFile('models/my net.py')).toEqual({
    type: 'single',
    name: 'my net',
    command: "python 'my net.py'",
    description: '',
    workingDir: 'models'
  });
});

describe('a job that is duplicated asks for the same', () => {
  test('also for its variables', async () => {
    const one = job({
      name: 'a',
      gpu_count: 2,
      gpu_type: 'A100',
      time_limit_s: 5400,
      env_vars: { LR: '1=2', X: '' }
    });
    const { spec, mistakes } = readForm(
      await valuesOf(one, new World().model.api)
    );
    expect(mistakes).toEqual({});
    expect(spec).toMatchObject({
      name: 'a',
      gpu_count: 2,
      gpu_type: 'A100',
      time_limit_s: 5400,
      env_vars: { LR: '1=2', X: '' }
    });
  });

  test('also for its stages', async () => {
    const world = new World();
    const stage = (
      key: string,
      after: string[],
      gpus: number,
      own: Partial<IJob> = {}
    ): object => ({
      ...job({ gpu_count: gpus }),
      job_id: `job-${key}`,
      child_key: key,
      command: `python ${key}.py`,
      depends_on: after,
      ...own
    });
    const children = [
      stage('prepare', [], 0),
      stage('fit', ['job-prepare'], 1, {
        command: "python '{script}'",
        cpu_cores: 8,
        image: 'trainer:2'
      })
    ];
    const text = 'fit()';
    Object.assign(world.model.api, {
      send: async (path: string) =>
        path.endsWith('/code')
          ? json({ script: { name: 'cell.py', text } })
          : json(children)
    });
    const parent = job({ job_type: 'pipeline', name: 'p' });
    const { spec } = readForm(await valuesOf(parent, world.model.api));
    expect(spec.stages).toEqual([
      {
        name: 'prepare',
        command: 'python prepare.py',
        depends_on: [],
        gpu_count: 0,
        cpu_cores: 1,
        memory_gb: 1
      },
      {
        name: 'fit',
        command: "python '{script}'",
        depends_on: ['prepare'],
        gpu_count: 1,
        cpu_cores: 8,
        memory_gb: 1,
        image: 'trainer:2',
        script: { name: 'cell.py', text: 'fit()' }
      }
    ]);
  });

  test('with all that nobody types', async () => {
    const world = new World();
    const script = { name: 'cell.py', text: 'print(6 * 7)' };
    world.server.answer = () => json({ script });
    const one = job({
      name: 'a',
      command: "/env/bin/python '{script}'",
      dataset_ids: [1, 2],
      output_path: 'results',
      executor: 'slurm',
      snapshot: 'abc',
      environment: 'def',
      variables: { rate: 'fed' },
      parameters: { lr: 0.1 },
      depends_on: ['job-before']
    });
    const values = await valuesOf(one, world.model.api);
    const { spec } = readForm({ ...values, script: 'print(42)' });
    expect(spec).toMatchObject({
      command: "/env/bin/python '{script}'",
      script: { name: 'cell.py', text: 'print(42)' },
      dataset_ids: [1, 2],
      output_path: 'results',
      executor: 'slurm',
      snapshot: 'abc',
      environment: 'def',
      variables: { rate: 'fed' },
      parameters: { lr: 0.1 },
      depends_on: ['job-before']
    });
    expect(readForm({ ...values, files: 'now' }).spec.snapshot).toBe(undefined);
    expect(trainLine(values)).toMatch(/^%%train --name a .*\nprint\(6 \* 7\)$/);
    // The next new job is none like it.
    const { kept, command, script: text } = remembered(values);
    expect([kept, command, text]).toEqual([{}, '', '']);
  });

  test('also for its search', async () => {
    const world = new World();
    const { spec } = readForm(SEARCH);
    const hours = 2;
    world.server.answer = () => json({ search: { ...spec.search, hours } });
    const parent = job({ job_type: 'hyperparameter', name: 'p' });
    const again = readForm(await valuesOf(parent, world.model.api));
    expect(again.mistakes).toEqual({});
    expect(again.spec.search).toEqual({ ...spec.search, hours });
  });
});

test.each([
  ['90', 90],
  ['30m', 1800],
  ['1h30m', 5400],
  ['7d', 604800],
  ['soon', null],
  ['2x', null]
])('%s is %s seconds', (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

test('knows which field, and which row, the server means', () => {
  expect(fieldOf('gpu_count')).toBe('gpus');
  expect(fieldOf('env_vars.X')).toBe('env');
  expect(fieldOf('search.trials')).toBe('trials');
  expect(fieldOf('search.space.layers.low', SEARCH)).toBe('space.2');
  expect(fieldOf('stages')).toBe('stages');
  expect(fieldOf('stages.1.command', PIPELINE)).toBe('stages.2');
  expect(fieldOf('unheard_of')).toBe('form');
});
