/**
 * The lines of a notebook that submit the same as the dialog.
 */
import type { IJobSpec } from '../model/types';
import { durationText, type IFormValues, readForm } from './form';
import { dimensionText } from './space';

type Option = [string, string | number | undefined];

/** A word as it has to be written for a shell, and for the magics, to be one word. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word)
    ? word
    : `'${word.replace(/'/g, `'"'"'`)}'`;
}

/** The line that submits the same from a notebook; of a pipeline, one for each stage and one more. */
export function trainLine(values: IFormValues): string {
  const { spec } = readForm(values);
  const common = commonOptions(spec);
  if (values.type === 'pipeline') {
    const name = quoted(spec.name || 'pipeline');
    const lines = (spec.stages ?? []).map(stage =>
      line('%train', [
        ['--pipeline', spec.name || 'pipeline'],
        ['--stage', stage.name || undefined],
        ['--after', stage.depends_on.join(',') || undefined],
        ['--gpus', stage.gpu_count]
      ]).concat(` ${script(stage.command)}`)
    );
    return [...lines, `${line('%train_pipeline', common)} ${name}`].join('\n');
  }
  const own = /^(\S+) '\{script\}'$/.test(spec.command ?? '');
  if (spec.script && own) {
    const cell: Option[] = [['--name', spec.name || undefined], ...common];
    return `${line('%%train', [...cell, ...ofType(spec)])}\n${spec.script.text}`;
  }
  const options: Option[] = [['--name', spec.name || undefined], ...common];
  return `${line('%train', [...options, ...ofType(spec)])} ${script(spec.command ?? '')}`;
}

function commonOptions(spec: IJobSpec): Option[] {
  return [
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
    ['--executor', spec.executor],
    ...(spec.dataset_ids ?? []).map((one): Option => ['--dataset', one]),
    ...Object.entries(spec.env_vars ?? {}).map(([name, value]): Option => [
      '--env',
      `${name}=${value}`
    ])
  ];
}

function ofType(spec: IJobSpec): Option[] {
  const { search } = spec;
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
      ['--seed', search.seed]
    ];
  }
  if (spec.job_type === 'distributed') {
    return [
      ['--nodes', spec.nodes],
      ['--type', spec.nodes === 1 ? 'distributed' : undefined],
      ['--procs-per-node', spec.procs_per_node],
      ['--launcher', spec.launcher]
    ];
  }
  return [];
}

function line(magic: string, options: readonly Option[]): string {
  const written = options
    .filter(([, value]) => value !== undefined)
    .map(([option, value]) => `${option} ${quoted(String(value))}`);
  return [magic, ...written].join(' ');
}

/** What stands behind the options: scripts and notebooks run in the kernel's Python anyway. */
function script(command: string): string {
  const notebook =
    /^\S*python3? -m jupyter_training\.run_notebook ('[^']*'|\S+)(?: (-p .*))?$/.exec(
      command
    );
  if (notebook) {
    const [, name, parameters] = notebook;
    return [parameters, name].filter(Boolean).join(' ');
  }
  return command.replace(/^python3? (?=[^-\s]\S*\.py\b)/, '') || 'script.py';
}
