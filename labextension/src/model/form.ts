/**
 * What is typed into the create dialog, and what it comes to.
 */
import type { IJob, IJobSpec } from './types';

/** The fields as they are typed. */
export interface IFormValues {
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
}

export type FormErrors = Partial<Record<keyof IFormValues | 'form', string>>;

export const EMPTY: IFormValues = {
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
  description: ''
};

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
  description: 'description'
};

/** A field does not hold what it should; the message is for its programmer, the code for people. */
export type Mistake = 'number' | 'duration' | 'variable' | 'missing';

export interface IReading {
  spec: IJobSpec;
  mistakes: Partial<Record<keyof IFormValues, Mistake>>;
}

/** The job that the values ask for, without what is left empty. */
export function readForm(values: IFormValues): IReading {
  const mistakes: IReading['mistakes'] = {};
  const spec: IJobSpec = {
    name: values.name.trim(),
    command: values.command.trim()
  };
  const number = (
    field: 'gpus' | 'cpus' | 'memory' | 'retries' | 'priority',
    set: (value: number) => void
  ): void => {
    const text = values[field].trim();
    if (/^-?\d+$/.test(text)) {
      set(Number(text));
    } else if (text) {
      mistakes[field] = 'number';
    }
  };
  for (const field of ['name', 'command'] as const) {
    if (!values[field].trim()) {
      mistakes[field] = 'missing';
    }
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
    ['description', 'description']
  ] as const) {
    if (values[field].trim()) {
      spec[name] = values[field].trim();
    }
  }
  const variables = parseVariables(values.env);
  if (variables === null) {
    mistakes.env = 'variable';
  } else if (Object.keys(variables).length) {
    spec.env_vars = variables;
  }
  return { spec, mistakes };
}

/** The field that a message of the server is about. */
export function fieldOf(name: string): keyof IFormValues | 'form' {
  return FIELDS[name.split('.')[0]] ?? 'form';
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

function durationText(seconds: number): string {
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

/** Lines of NAME=VALUE; null if one is not. */
function parseVariables(text: string): Record<string, string> | null {
  const found: Record<string, string> = {};
  for (const line of text.split('\n')) {
    if (!line.trim()) {
      continue;
    }
    const equals = line.indexOf('=');
    if (equals < 1) {
      return null;
    }
    found[line.slice(0, equals).trim()] = line.slice(equals + 1);
  }
  return found;
}

/** Values that ask for the same as a job. */
export function valuesOf(job: IJob): IFormValues {
  return {
    name: job.name,
    command: job.command,
    workingDir: job.working_dir ?? '',
    gpus: String(job.gpu_count),
    gpuType: job.gpu_type ?? '',
    cpus: String(job.cpu_cores),
    memory: String(job.memory_gb),
    timeLimit: job.time_limit_s === null ? '' : durationText(job.time_limit_s),
    retries: String(job.max_retries),
    priority: job.priority ? String(job.priority) : '',
    image: job.image ?? '',
    env: Object.entries(job.env_vars)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
    description: job.description ?? ''
  };
}

/** A word as it has to be written for a shell, and for the magics, to be one word. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word)
    ? word
    : `'${word.replace(/'/g, `'"'"'`)}'`;
}

/** The line that submits the same from a notebook. */
export function trainLine(values: IFormValues): string {
  const { spec } = readForm(values);
  const options: [string, string | number | undefined][] = [
    ['--name', spec.name || undefined],
    ['--gpus', spec.gpu_count],
    ['--gpu-type', spec.gpu_type],
    ['--cpus', spec.cpu_cores],
    ['--memory', spec.memory_gb],
    [
      '--time-limit',
      spec.time_limit_s === undefined
        ? undefined
        : durationText(spec.time_limit_s)
    ],
    ['--retries', spec.max_retries],
    ['--priority', spec.priority],
    ['--image', spec.image],
    ['--description', spec.description],
    ...Object.entries(spec.env_vars ?? {}).map(
      ([name, value]) => ['--env', `${name}=${value}`] as [string, string]
    )
  ];
  const written = options
    .filter(([, value]) => value !== undefined)
    .map(([option, value]) => `${option} ${quoted(String(value))}`);
  // A script runs in the kernel's Python, which is what was meant.
  const command = spec.command.replace(/^python3? (?=[^-\s]\S*\.py\b)/, '');
  return ['%train', ...written, command || 'script.py'].join(' ');
}

/** What to suggest for a script or a notebook in the file browser. */
export function valuesForFile(path: string): Partial<IFormValues> {
  const slash = path.lastIndexOf('/');
  const file = path.slice(slash + 1);
  const stem = file.replace(/\.(py|ipynb)$/, '');
  const command = file.endsWith('.ipynb')
    ? `jupyter execute ${quoted(file)} --output=${quoted(`${stem}-executed.ipynb`)}`
    : `python ${quoted(file)}`;
  return { name: stem, command, workingDir: path.slice(0, Math.max(slash, 0)) };
}
