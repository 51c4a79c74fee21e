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
import type { IJobSpec } from '../model/types';

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
  expect(trainLine({ ...two, nodes: '4', minNodes: '2' })).toBe(
    '%train --name ddp --nodes 4 --min-nodes 2 script.py'
  );
  expect(trainLine({ ...SEARCH, trials: '', budgetHours: '1.5' })).toContain(
    '--pruner asha --budget-hours 1.5 train.py'
  );
  expect(trainLine({ ...PIPELINE, cache: 'yes' })).toContain(
    '%train_pipeline --cpus 2 --cache digits'
  );
});

test('a notebook is run as %train runs one', () => {
  const values = { ...EMPTY, ...valuesForFile('deep/my net.ipynb') };
  expect(values).toMatchObject({
    name: 'my net',
    command: "python -m jupyter_training.run_notebook 'my net.ipynb'",
    workingDir: 'deep'
  });
  expect(trainLine(values)).toBe("%train --name 'my net' 'deep/my net.ipynb'");
  const other = valuesForFile('a.ipynb', '/envs/torch/bin/python');
  const command = `${other.command} -p lr 0.1`;
  expect(trainLine({ ...EMPTY, ...other, command })).toBe(
    '%train --name a -p lr 0.1 a.ipynb'
  );
});

test('the line says where it runs, from wherever the notebook is', () => {
  const values = { ...EMPTY, name: 'a', command: 'python a.py', cpus: '2' };
  const line = (workingDir: string): string =>
    trainLine({ ...values, workingDir }, '~/notebooks/');
  expect(line('')).toBe('%train --name a --cpus 2 a.py');
  expect(line('deep/er')).toBe(
    "%train --name a --cpus 2 --cwd '~/notebooks/deep/er' a.py"
  );
  expect(line('/data')).toBe('%train --name a --cpus 2 --cwd /data a.py');
  expect(trainLine({ ...PIPELINE, workingDir: 'x' }, '/w')).toContain(
    '--stage prepare --cwd /w/x prepare.py\n'
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

/** Jobs as they may be asked for, with all that the form shows and all that it does not. */
const ASKED: Record<string, IJobSpec> = {
  'what is typed of a job, and what is not': {
    name: 'a',
    command: "/env/bin/python '{script}'",
    script: { name: 'train.py', text: 'print(6 * 7)' },
    description: 'what it is about',
    cpu_cores: 8,
    memory_gb: 64,
    gpu_count: 2,
    gpu_type: 'A100',
    time_limit_s: 5400,
    max_retries: 0,
    priority: -2,
    image: 'trainer:2',
    working_dir: 'models',
    env_vars: { LR: '1=2', X: '' },
    dataset_ids: [1, 2],
    output_path: 'results',
    executor: 'slurm',
    executor_options: { partition: 'gpu', qos: '8', exclusive: true, n: 2 },
    notify: [
      'slack://a/b/c',
      { to: 'my team', on: ['failed', 'retrying'] },
      'job-7f3a'
    ],
    parameters: { lr: 0.1, opt: 'adam', digits: '16', none: null },
    snapshot: 'abc',
    environment: 'def',
    variables: { rate: 'fed' },
    depends_on: ['job-before'],
    cache: true
  },
  'little of a job': { name: 'a', command: 'true' },
  'a distributed job': {
    name: 'ddp',
    job_type: 'distributed',
    command: 'python a.py',
    nodes: 4,
    min_nodes: 2,
    launcher: 'torchrun',
    procs_per_node: 3
  },
  'a search whose trials are distributed': {
    name: 'sweep',
    job_type: 'hyperparameter',
    command: 'python a.py {lr}',
    nodes: 2,
    launcher: 'mpi',
    search: {
      metric: 'val_loss',
      goal: 'maximize',
      sampler: 'cmaes',
      pruner: 'median',
      min_steps: 3,
      budget_hours: 2.5,
      gpu_hours: 40,
      parallel: 4,
      seed: 7,
      space: {
        lr: { type: 'loguniform', low: 1e-5, high: 0.1 },
        size: { type: 'choice', values: ['16', 16, true, 'a, "b"', null] }
      }
    }
  },
  'a pipeline of searches, distributed jobs and pipelines': {
    name: 'whole',
    job_type: 'pipeline',
    cpu_cores: 2,
    cache: true,
    stages: [
      {
        name: 'sweep',
        job_type: 'hyperparameter',
        command: 'python a.py {lr}',
        depends_on: [],
        cpu_cores: 1,
        search: {
          metric: 'loss',
          trials: 4,
          space: { lr: { type: 'uniform', low: 0, high: 1 } }
        }
      },
      {
        name: 'ddp',
        job_type: 'distributed',
        command: "python '{script}'",
        script: { name: 'cell.py', text: 'fit()' },
        depends_on: ['sweep'],
        gpu_count: 2,
        nodes: 2,
        notify: ['job-12']
      },
      {
        name: 'more',
        job_type: 'pipeline',
        depends_on: ['ddp'],
        stages: [{ name: 'report', command: 'true' }]
      }
    ]
  }
};

describe('a job that is duplicated asks for the same', () => {
  test.each(Object.entries(ASKED))('%s', (_, asked) => {
    expect(readForm(valuesOf(asked))).toEqual({ spec: asked, mistakes: {} });
  });

  test('with what is changed of it', () => {
    const [first] = Object.values(ASKED);
    const values = valuesOf(first);
    const { spec } = readForm({
      ...values,
      script: 'print(42)',
      files: 'now',
      options: 'partition=cpu',
      notify: '',
      parameters: 'lr=0.2'
    });
    expect(spec.script).toEqual({ name: 'train.py', text: 'print(42)' });
    expect(spec.snapshot).toBe(undefined);
    expect(spec.executor_options).toEqual({ partition: 'cpu' });
    expect(spec.notify).toBe(undefined);
    expect(spec.parameters).toEqual({ lr: 0.2 });
    expect(readForm({ ...values, options: 'gpu' }).mistakes).toEqual({
      options: 'variable'
    });
  });

  test('though its command was given in words', () => {
    const command = ['python', '-c', "print('a b')"];
    expect(readForm(valuesOf({ name: 'a', command })).spec.command).toBe(
      `python -c 'print('"'"'a b'"'"')'`
    );
  });

  test('and the next new job is none like it', () => {
    const [first, , , , whole] = Object.values(ASKED);
    const { kept, command, script, parameters, notify } = remembered(
      valuesOf(first)
    );
    expect([kept, command, script, parameters]).toEqual([{}, '', '', '']);
    // Nor is a secret kept.
    expect(notify).toBe('my team (failed, retrying)');
    expect(remembered(valuesOf(whole)).stages).toEqual(EMPTY.stages);
  });

  test('also where it becomes one of another type', () => {
    const [, , ddp] = Object.values(ASKED);
    const { spec } = readForm({ ...valuesOf(ddp), type: 'single' });
    expect(spec).toEqual({ name: 'ddp', command: 'python a.py' });
  });

  test('but for what it is no longer to be', () => {
    const [, , ddp, sweep, whole] = Object.values(ASKED);
    const nodes = readForm({ ...valuesOf(ddp), minNodes: '' }).spec;
    expect(nodes).toEqual({ ...ddp, min_nodes: undefined });
    const search = readForm({
      ...valuesOf(sweep),
      pruner: 'none',
      budgetHours: '',
      gpuHours: '0.5'
    }).spec.search;
    expect(search).toEqual({
      ...sweep.search,
      pruner: 'none',
      min_steps: undefined,
      budget_hours: undefined,
      gpu_hours: 0.5
    });
    const again = readForm({ ...valuesOf(whole), cache: '' }).spec;
    expect(again).toEqual({ ...whole, cache: undefined });
  });
});

test('the lines say of a job what else it has, and of stages what they are', () => {
  const [first, , , sweep, whole] = Object.values(ASKED);
  const line = trainLine(valuesOf(first));
  expect(line).toMatch(/^%%train --name a .*\nprint\(6 \* 7\)$/);
  for (const option of [
    '--output results',
    '--cwd models',
    '--executor slurm --partition gpu --qos 8',
    "--notify slack://a/b/c --notify 'my team' --notify job-7f3a"
  ]) {
    expect(line).toContain(option);
  }
  expect(line).not.toContain('--notify-on');
  const told = { ...first, notify: [{ to: 'team', on: ['failed'] }] };
  expect(trainLine(valuesOf(told))).toContain(
    '--notify team --notify-on failed'
  );
  expect(trainLine(valuesOf(sweep))).toBe(
    '%train --name sweep --type hyperparameter --parallel 4 ' +
      '--search lr=loguniform:0.00001:0.1 ' +
      `--search 'size=choice:["16",16,true,"a, \\"b\\"",null]' ` +
      '--metric val_loss --goal maximize --sampler cmaes --pruner median ' +
      '--min-steps 3 --seed 7 --budget-hours 2.5 --gpu-hours 40 --nodes 2 --launcher mpi ' +
      'a.py {lr}'
  );
  expect(trainLine(valuesOf(whole))).toBe(
    [
      '%train --pipeline whole --stage sweep --cpus 1 --type hyperparameter ' +
        '--trials 4 --search lr=uniform:0:1 --metric loss a.py {lr}',
      '',
      '%%train --pipeline whole --stage ddp --after sweep --gpus 2 ' +
        '--notify job-12 --nodes 2',
      'fit()',
      '',
      '# more: report',
      '%train_pipeline --cpus 2 --cache whole'
    ].join('\n')
  );
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
  expect(fieldOf('search.gpu_hours')).toBe('gpuHours');
  expect(fieldOf('min_nodes')).toBe('minNodes');
  expect(fieldOf('search.space.layers.low', SEARCH)).toBe('space.2');
  expect(fieldOf('stages')).toBe('stages');
  expect(fieldOf('stages.1.command', PIPELINE)).toBe('stages.2');
  expect(fieldOf('unheard_of')).toBe('form');
});
