/**
 * The lines of a notebook that submit the same as the dialog.
 */
import type { IJobSpec, IStageSpec } from '../model/types';
import { commandText, quoted } from './command';
import { durationText, type IFormValues, readForm } from './form';
import { receiverOptions } from './receivers';
import { dimensionText } from './space';

type Option = [string, string | number | undefined];

/** What `%train` calls by itself of what only an executor understands. */
const OF_CLUSTERS = [
  'partition',
  'account',
  'qos',
  'constraint',
  'reservation',
  'resources',
  'labels'
];

/**
 * The line that submits the same from a notebook; of a pipeline, one for each stage and one more.
 *
 * @param root - The root directory of the server, from which the directories of the dialog are; a
 * notebook may be in another one.
 */
export function trainLine(values: IFormValues, root = ''): string {
  const { spec } = readForm(values);
  if (spec.working_dir) {
    spec.working_dir = placed(spec.working_dir, root);
  }
  if (values.type !== 'pipeline') {
    return cell(spec, [['--name', spec.name || undefined]]);
  }
  const name = spec.name || 'pipeline';
  const lines = (spec.stages ?? []).map(stage => {
    const place = stage.working_dir && placed(stage.working_dir, root);
    return stageLine(
      { ...stage, working_dir: place || spec.working_dir },
      name
    );
  });
  const whole = line('%train_pipeline', commonOptions(spec));
  const cache = spec.cache ? ' --cache' : '';
  return [...lines, `${whole}${cache} ${quoted(name)}`].join('\n');
}

/** A directory of the dialog, from wherever a notebook is. */
function placed(directory: string, root: string): string {
  return !root || /^[/~]/.test(directory)
    ? directory
    : `${root.replace(/\/$/, '')}/${directory}`;
}

function stageLine(stage: IStageSpec, pipeline: string): string {
  if (stage.stages) {
    // That can only be said in Python, or in a file.
    return `# ${stage.name}: ${stage.stages.map(one => one.name).join(', ')}`;
  }
  const told = cell(stage, [
    ['--pipeline', pipeline],
    ['--stage', stage.name || undefined],
    ['--after', stage.depends_on?.join(',') || undefined]
  ]);
  return told.startsWith('%%') ? `\n${told}\n` : told;
}

/** A cell: the line, and the script if it is stored with the job. */
function cell(spec: IJobSpec, first: readonly Option[]): string {
  const options = [...first, ...commonOptions(spec), ...ofType(spec)];
  const command = commandText(spec.command);
  const notebook = notebookOf(command, spec.working_dir ?? '');
  if (notebook !== null) {
    return `${line('%train', options)} ${notebook}`;
  }
  options.push(['--cwd', spec.working_dir]);
  return spec.script && /^\S+ '\{script\}'$/.test(command)
    ? `${line('%%train', options)}\n${spec.script.text}`
    : `${line('%train', options)} ${script(command)}`;
}

function commonOptions(spec: IJobSpec): Option[] {
  return [
    ['--gpus', spec.gpu_count],
    ['--gpu-type', spec.gpu_type],
    ['--cpus', spec.cpu_cores],
    ['--memory', spec.memory_gb],
    [
      '--time-limit',
      typeof spec.time_limit_s === 'number'
        ? durationText(spec.time_limit_s)
        : undefined
    ],
    ['--retries', spec.max_retries],
    ['--priority', spec.priority],
    ['--image', spec.image],
    ['--description', spec.description],
    ['--output', spec.output_path],
    ['--executor', spec.executor],
    ...OF_CLUSTERS.map((name): Option => {
      const value = spec.executor_options?.[name];
      return [`--${name}`, value === undefined ? undefined : String(value)];
    }),
    ...receiverOptions(spec.notify ?? []),
    ...(spec.dataset_ids ?? []).map((one): Option => ['--dataset', one]),
    ...Object.entries(spec.env_vars ?? {}).map(([name, value]): Option => [
      '--env',
      `${name}=${value}`
    ])
  ];
}

function ofType(spec: IJobSpec): Option[] {
  const { search } = spec;
  const nodes: Option[] = [
    ['--nodes', spec.nodes],
    ['--min-nodes', spec.min_nodes],
    ['--procs-per-node', spec.procs_per_node],
    ['--launcher', spec.launcher]
  ];
  if (search) {
    return [
      ['--type', 'hyperparameter'],
      ['--trials', search.trials],
      ['--parallel', search.parallel],
      ...Object.entries(search.space).map(([name, one]): Option => [
        '--search',
        `${name}=${dimensionText(one)}`
      ]),
      ['--metric', search.metric || undefined],
      ['--goal', search.goal],
      ['--sampler', search.sampler === 'tpe' ? undefined : search.sampler],
      ['--pruner', search.pruner === 'none' ? undefined : search.pruner],
      ['--min-steps', search.min_steps],
      ['--seed', search.seed],
      ['--budget-hours', search.budget_hours],
      ['--gpu-hours', search.gpu_hours],
      ...nodes
    ];
  }
  if (spec.job_type === 'distributed') {
    return [
      ['--type', (spec.nodes ?? 1) === 1 ? 'distributed' : undefined],
      ...nodes
    ];
  }
  return [];
}

function line(magic: string, options: readonly Option[]): string {
  const written = options
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([option, value]) => `${option} ${quoted(String(value))}`);
  return [magic, ...written].join(' ');
}

/** A notebook that a command runs, by its path: it runs in its own directory. */
function notebookOf(command: string, directory: string): string | null {
  const found =
    /^\S*python3? -m jupyter_training\.run_notebook ('[^']*'|\S+)(?: (-p .*))?$/.exec(
      command
    );
  if (found === null) {
    return null;
  }
  const [, written, parameters] = found;
  const name = written.replace(/^'|'$/g, '');
  const path = directory ? `${directory.replace(/\/$/, '')}/${name}` : name;
  return [parameters, quoted(path)].filter(Boolean).join(' ');
}

/** What stands behind the options: scripts run in the kernel's Python anyway. */
function script(command: string): string {
  return command.replace(/^python3? (?=[^-\s]\S*\.py\b)/, '') || 'script.py';
}
