/**
 * What is typed into the create dialog, and what it comes to.
 */
import type { IJobSpec, IKept, ISearchSpec } from '../model/types';
import { numberOf, readLines, readValues } from './assignments';
import { publicReceivers, readReceivers } from './receivers';
import { EMPTY_SPACE, type IDimensionRow, readSpace } from './space';
import {
  EMPTY_STAGES,
  isBlankStage,
  type IStageRow,
  readStages
} from './stages';

export const TYPES = [
  'single',
  'distributed',
  'hyperparameter',
  'pipeline'
] as const;

export type JobType = (typeof TYPES)[number];

/** The fields in which one thing is typed. */
export interface ITextValues {
  name: string;
  command: string;
  workingDir: string;
  gpus: string;
  gpuType: string;
  cpus: string;
  memory: string;
  timeLimit: string;
  retries: string;
  priority: string;
  image: string;
  env: string;
  description: string;
  /** Numbers or names, separated by commas. */
  datasets: string;
  outputPath: string;
  executor: string;
  /** What only the executor understands, in lines of NAME=VALUE. */
  options: string;
  /** Who is told of it, each in a line. */
  notify: string;
  /** Of a job like another one: with which values it runs, in lines of NAME=VALUE. */
  parameters: string;
  /** The text of a script that is stored with the job; in the command it is `{script}`. */
  script: string;
  /** Of a job like another one: empty for the files as they were then, `now` for what there is. */
  files: string;
  /** Of a distributed job. */
  nodes: string;
  /** With how few it starts; empty for all of them. */
  minNodes: string;
  launcher: string;
  processes: string;
  /** Of a pipeline: empty to run every stage, `yes` to leave out what an earlier run has done. */
  cache: string;
  /** Of a search. */
  metric: string;
  goal: string;
  trials: string;
  parallel: string;
  sampler: string;
  pruner: string;
  seed: string;
  budgetHours: string;
  gpuHours: string;
}

export interface IFormValues extends ITextValues {
  type: JobType;
  space: IDimensionRow[];
  stages: IStageRow[];
  /** Of a job like another one, what nobody types. */
  kept: IKept;
}

/** By the names of the fields; of rows by `space.0` and `stages.0`; `form` is about all of it. */
export type FormErrors = Record<string, string>;

export const EMPTY: IFormValues = {
  type: 'single',
  name: '',
  command: '',
  workingDir: '',
  gpus: '',
  gpuType: '',
  cpus: '',
  memory: '',
  timeLimit: '',
  retries: '',
  priority: '',
  image: '',
  env: '',
  description: '',
  datasets: '',
  outputPath: '',
  executor: '',
  options: '',
  notify: '',
  parameters: '',
  script: '',
  files: '',
  nodes: '2',
  minNodes: '',
  launcher: '',
  processes: '',
  cache: '',
  metric: 'loss',
  goal: 'minimize',
  trials: '20',
  parallel: '',
  sampler: 'tpe',
  pruner: 'none',
  seed: '',
  budgetHours: '',
  gpuHours: '',
  space: EMPTY_SPACE,
  stages: EMPTY_STAGES,
  kept: {}
};

/** What is there again the next time: not what was another job's. */
export function remembered(values: IFormValues): IFormValues {
  const { command, script } = values;
  return {
    ...values,
    command: script ? '' : command,
    script: '',
    files: '',
    parameters: '',
    notify: publicReceivers(values.notify),
    stages: values.stages.some(row => row.kept) ? EMPTY_STAGES : values.stages,
    kept: {}
  };
}

/** Types of which other jobs do the work, and those that may consist of nodes. */
const PARENTS = new Set<JobType>(['hyperparameter', 'pipeline']);
const OF_GANGS = new Set<JobType>(['distributed', 'hyperparameter']);
const NODES = ['nodes', 'min_nodes', 'launcher', 'procs_per_node'] as const;

/** What the server calls a field. */
const FIELDS: Record<string, keyof IFormValues> = {
  name: 'name',
  command: 'command',
  working_dir: 'workingDir',
  gpu_count: 'gpus',
  gpu_type: 'gpuType',
  cpu_cores: 'cpus',
  memory_gb: 'memory',
  time_limit_s: 'timeLimit',
  max_retries: 'retries',
  priority: 'priority',
  image: 'image',
  env_vars: 'env',
  description: 'description',
  dataset_ids: 'datasets',
  output_path: 'outputPath',
  executor: 'executor',
  executor_options: 'options',
  notify: 'notify',
  parameters: 'parameters',
  script: 'script',
  snapshot: 'files',
  nodes: 'nodes',
  min_nodes: 'minNodes',
  launcher: 'launcher',
  procs_per_node: 'processes',
  cache: 'cache',
  stages: 'stages',
  'search.metric': 'metric',
  'search.goal': 'goal',
  'search.trials': 'trials',
  'search.parallel': 'parallel',
  'search.sampler': 'sampler',
  'search.pruner': 'pruner',
  'search.seed': 'seed',
  'search.budget_hours': 'budgetHours',
  'search.gpu_hours': 'gpuHours',
  'search.space': 'space'
};

/** A field does not hold what it should; the message is for its programmer, the code for people. */
export type Mistake =
  | 'number'
  | 'amount'
  | 'duration'
  | 'variable'
  | 'missing'
  | 'dimension'
  | 'stage';

export interface IReading {
  spec: IJobSpec;
  mistakes: Record<string, Mistake>;
}

/** The job that the values ask for, without what is left empty. */
export function readForm(values: IFormValues): IReading {
  const mistakes: IReading['mistakes'] = {};
  const { script, search: further, ...kept } = values.kept;
  const spec: IJobSpec = { ...kept, name: values.name.trim() };
  if (values.files === 'now') {
    delete spec.snapshot;
  }
  if (!OF_GANGS.has(values.type)) {
    for (const field of NODES) {
      delete spec[field];
    }
  }
  if (values.script.trim() && values.type !== 'pipeline') {
    spec.script = { name: script?.name ?? 'cell.py', text: values.script };
  }
  const number = (
    field: keyof ITextValues,
    set: (value: number) => void
  ): void => {
    const text = values[field].trim();
    if (/^-?\d+$/.test(text)) {
      set(Number(text));
    } else if (text) {
      mistakes[field] = 'number';
    }
  };
  const amount = (
    field: keyof ITextValues,
    set: (value: number) => void
  ): void => {
    const value = numberOf(values[field]);
    if (value !== null) {
      set(value);
    } else if (values[field].trim()) {
      mistakes[field] = 'amount';
    }
  };
  const needed = (...fields: (keyof ITextValues)[]): void => {
    for (const field of fields) {
      if (!values[field].trim()) {
        mistakes[field] = 'missing';
      }
    }
  };
  needed('name');
  if (values.type !== 'pipeline') {
    needed('command');
    spec.command = values.command.trim();
  }
  if (values.type !== 'single') {
    spec.job_type = values.type;
  }
  number('gpus', value => (spec.gpu_count = value));
  number('cpus', value => (spec.cpu_cores = value));
  number('memory', value => (spec.memory_gb = value));
  number('retries', value => (spec.max_retries = value));
  number('priority', value => (spec.priority = value));
  if (values.timeLimit.trim()) {
    const limit = parseDuration(values.timeLimit.trim());
    if (limit === null) {
      mistakes.timeLimit = 'duration';
    } else {
      spec.time_limit_s = limit;
    }
  }
  for (const [field, name] of [
    ['gpuType', 'gpu_type'],
    ['image', 'image'],
    ['workingDir', 'working_dir'],
    ['outputPath', 'output_path'],
    ['executor', 'executor'],
    ['description', 'description']
  ] as const) {
    if (values[field].trim()) {
      spec[name] = values[field].trim();
    }
  }
  const datasets = values.datasets
    .split(',')
    .map(one => one.trim())
    .filter(Boolean)
    .map(one => (/^\d+$/.test(one) ? Number(one) : one));
  if (datasets.length) {
    spec.dataset_ids = datasets;
  }
  const lines = <Value>(
    field: keyof ITextValues,
    found: Record<string, Value> | null,
    set: (value: Record<string, Value>) => void
  ): void => {
    if (found === null) {
      mistakes[field] = 'variable';
    } else if (Object.keys(found).length) {
      set(found);
    }
  };
  lines('env', readLines(values.env), told => (spec.env_vars = told));
  lines(
    'options',
    readValues(values.options),
    told => (spec.executor_options = told)
  );
  if (!PARENTS.has(values.type)) {
    lines(
      'parameters',
      readValues(values.parameters),
      told => (spec.parameters = told)
    );
  }
  const receivers = readReceivers(values.notify);
  if (receivers.length) {
    spec.notify = receivers;
  }
  if (values.type === 'distributed') {
    needed('nodes');
    number('nodes', value => (spec.nodes = value));
    number('minNodes', value => (spec.min_nodes = value));
    number('processes', value => (spec.procs_per_node = value));
    if (values.launcher) {
      spec.launcher = values.launcher;
    }
  } else if (values.type === 'hyperparameter') {
    needed('metric');
    const space = readSpace(values.space);
    Object.assign(mistakes, space.mistakes);
    const search: ISearchSpec = {
      ...further,
      metric: values.metric.trim(),
      goal: values.goal,
      sampler: values.sampler,
      pruner: values.pruner,
      space: space.space
    };
    number('trials', value => (search.trials = value));
    number('parallel', value => (search.parallel = value));
    number('seed', value => (search.seed = value));
    amount('budgetHours', value => (search.budget_hours = value));
    amount('gpuHours', value => (search.gpu_hours = value));
    if (values.pruner === 'none') {
      // It is the pruner's, and was another job's.
      delete search.min_steps;
    }
    spec.search = search;
  } else if (values.type === 'pipeline') {
    const { stages, mistakes: wrong } = readStages(values.stages);
    Object.assign(mistakes, wrong);
    spec.stages = stages;
    if (values.cache) {
      spec.cache = true;
    } else {
      delete spec.cache;
    }
  }
  return { spec, mistakes };
}

/** The field that a message of the server is about. */
export function fieldOf(name: string, values?: IFormValues): string {
  const parts = name.split('.');
  if (parts[0] === 'stages' && /^\d+$/.test(parts[1] ?? '') && values) {
    // Rows that are left empty are no stages.
    const filled = values.stages.flatMap((row, place) =>
      isBlankStage(row) ? [] : [place]
    );
    return `stages.${filled[Number(parts[1])] ?? 0}`;
  }
  if (name.startsWith('search.space.') && values) {
    const place = values.space.findIndex(row => row.name.trim() === parts[2]);
    return place < 0 ? 'space' : `space.${place}`;
  }
  return FIELDS[parts.slice(0, 2).join('.')] ?? FIELDS[parts[0]] ?? 'form';
}

/** Seconds of 90, 90s, 30m, 2h or 1h30m; null if it is none of these. */
export function parseDuration(text: string): number | null {
  if (/^\d+(\.\d+)?$/.test(text)) {
    return Number(text);
  }
  if (!/^(\d+(\.\d+)?[smhd])+$/.test(text)) {
    return null;
  }
  const units: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };
  return [...text.matchAll(/(\d+(?:\.\d+)?)([smhd])/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * units[unit],
    0
  );
}

export function durationText(seconds: number): string {
  for (const [unit, length] of [
    ['d', 86400],
    ['h', 3600],
    ['m', 60]
  ] as const) {
    if (seconds >= length && seconds % length === 0) {
      return `${seconds / length}${unit}`;
    }
  }
  return `${seconds}s`;
}
