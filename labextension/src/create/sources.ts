/**
 * What the dialog begins with: a file, or another job.
 */
import type { IJobSpec, ISearchSpec, IStageSpec } from '../model/types';
import { linesOf } from './assignments';
import { commandText, quoted } from './command';
import { durationText, EMPTY, type IFormValues, TYPES } from './form';
import { receiversText } from './receivers';
import { rowsOfSpace } from './space';
import { rowsOfStages } from './stages';

/**
 * What to suggest for a script or a notebook.
 *
 * @param python - What runs it; by default the Python of the server, which is found by its name.
 */
export function valuesForFile(
  path: string,
  python = 'python'
): Partial<IFormValues> {
  const slash = path.lastIndexOf('/');
  const file = path.slice(slash + 1);
  const stem = file.replace(/\.(py|ipynb)$/, '');
  const command = file.endsWith('.ipynb')
    ? `${quoted(python)} -m jupyter_training.run_notebook ${quoted(file)}`
    : `${quoted(python)} ${quoted(file)}`;
  return {
    type: 'single',
    name: stem,
    command,
    description: '',
    workingDir: path.slice(0, Math.max(slash, 0))
  };
}

/** Values that ask for the same as a job was asked to be: what they do not show, they keep. */
export function valuesOf(spec: IJobSpec): IFormValues {
  const {
    name,
    job_type,
    command,
    description,
    cpu_cores,
    memory_gb,
    gpu_count,
    gpu_type,
    time_limit_s,
    max_retries,
    priority,
    image,
    working_dir,
    env_vars,
    dataset_ids,
    output_path,
    executor,
    executor_options,
    notify,
    parameters,
    search,
    stages,
    ...kept
  } = spec;
  const values: IFormValues = {
    ...EMPTY,
    type: TYPES.find(one => one === job_type) ?? 'single',
    name,
    command: commandText(command),
    description: description ?? '',
    cpus: text(cpu_cores),
    memory: text(memory_gb),
    gpus: text(gpu_count),
    gpuType: gpu_type ?? '',
    timeLimit: time_limit_s ? durationText(time_limit_s) : '',
    retries: text(max_retries),
    priority: text(priority),
    image: image ?? '',
    workingDir: working_dir ?? '',
    env: Object.entries(env_vars ?? {})
      .map(([variable, value]) => `${variable}=${value}`)
      .join('\n'),
    datasets: (dataset_ids ?? []).join(', '),
    outputPath: output_path ?? '',
    executor: executor ?? '',
    options: linesOf(executor_options ?? {}),
    notify: receiversText(notify ?? []),
    parameters: linesOf(parameters ?? {}),
    script: spec.script?.text ?? '',
    kept
  };
  switch (values.type) {
    case 'distributed':
      return withNodes(values);
    case 'hyperparameter':
      return search ? withSearch(values, search) : values;
    case 'pipeline':
      return withStages(values, stages ?? []);
    case 'single':
      return values;
  }
}

function withNodes(values: IFormValues): IFormValues {
  const { nodes, min_nodes, launcher, procs_per_node, ...kept } = values.kept;
  return {
    ...values,
    nodes: text(nodes ?? 1),
    minNodes: text(min_nodes),
    launcher: launcher === 'builtin' ? '' : (launcher ?? ''),
    processes: text(procs_per_node),
    kept
  };
}

function withStages(
  values: IFormValues,
  stages: readonly IStageSpec[]
): IFormValues {
  const { cache, ...kept } = values.kept;
  return {
    ...values,
    stages: rowsOfStages(stages),
    cache: cache ? 'yes' : '',
    kept
  };
}

function withSearch(values: IFormValues, search: ISearchSpec): IFormValues {
  const {
    metric,
    goal,
    trials,
    parallel,
    sampler,
    pruner,
    seed,
    budget_hours,
    gpu_hours,
    space,
    ...further
  } = search;
  return {
    ...values,
    metric,
    goal: goal ?? EMPTY.goal,
    trials: text(trials),
    parallel: text(parallel),
    sampler: sampler ?? EMPTY.sampler,
    pruner: pruner ?? EMPTY.pruner,
    seed: text(seed),
    budgetHours: text(budget_hours),
    gpuHours: text(gpu_hours),
    space: rowsOfSpace(space),
    kept: { ...values.kept, search: further }
  };
}

function text(value: number | null | undefined): string {
  return String(value ?? '');
}
