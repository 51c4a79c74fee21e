/**
 * What the dialog begins with: a file, or another job.
 */
import type { TrainingApi } from '../model/api';
import type { IJob, IKept, IScript } from '../model/types';
import { durationText, EMPTY, type IFormValues, TYPES } from './form';
import { quoted } from './line';
import { rowsOfSpace } from './space';
import type { IStageRow } from './stages';

/** What stands for the stored script in a command. */
const SCRIPT = '{script}';

/** What the form asks of a search. */
const OF_FORM = new Set([
  'metric',
  'goal',
  'trials',
  'parallel',
  'sampler',
  'pruner',
  'seed',
  'space'
]);

/** What a stage may have otherwise than its pipeline. */
const OF_STAGES = [
  'gpu_type',
  'image',
  'working_dir',
  'env_vars',
  'output_path',
  'max_retries',
  'time_limit_s',
  'launcher',
  'procs_per_node',
  'executor'
] as const;

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

/** Values that ask for the same as a job. */
export async function valuesOf(
  job: IJob,
  api: TrainingApi
): Promise<IFormValues> {
  const type = TYPES.find(one => one === job.job_type) ?? 'single';
  const values: IFormValues = {
    ...EMPTY,
    type,
    name: job.name,
    command: job.command ?? '',
    workingDir: job.working_dir ?? '',
    gpus: type === 'pipeline' ? '' : String(job.gpu_count),
    gpuType: job.gpu_type ?? '',
    cpus: type === 'pipeline' ? '' : String(job.cpu_cores),
    memory: type === 'pipeline' ? '' : String(job.memory_gb),
    timeLimit: job.time_limit_s === null ? '' : durationText(job.time_limit_s),
    retries: String(job.max_retries),
    priority: job.priority ? String(job.priority) : '',
    image: job.image ?? '',
    env: Object.entries(job.env_vars)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
    description: job.description ?? '',
    datasets: job.dataset_ids.join(', '),
    outputPath: job.output_path ?? '',
    // What follows from whether there is an image may follow from another one.
    executor: ['local', 'docker'].includes(job.executor) ? '' : job.executor,
    kept: {
      ...keptOf(job),
      ...(job.depends_on.length ? { depends_on: job.depends_on } : {})
    }
  };
  const script = await scriptOf(job, api);
  if (script !== undefined) {
    values.kept.script = script;
    values.script = script.text;
  }
  if (type === 'distributed') {
    return {
      ...values,
      nodes: String(job.nodes),
      launcher: job.launcher ?? '',
      processes: job.procs_per_node ? String(job.procs_per_node) : ''
    };
  }
  if (type === 'pipeline') {
    return { ...values, stages: await stagesOf(job, api) };
  }
  if (type === 'hyperparameter') {
    const { kept, ...search } = await searchOf(job, api);
    return { ...values, ...search, kept: { ...values.kept, ...kept } };
  }
  return values;
}

/** What is not typed of a job and what is one like it all the same. */
function keptOf(job: IJob): IKept {
  const { snapshot, environment, variables, parameters } = job;
  return {
    ...(snapshot ? { snapshot } : {}),
    ...(environment ? { environment } : {}),
    ...(Object.keys(variables ?? {}).length ? { variables } : {}),
    ...(Object.keys(parameters ?? {}).length ? { parameters } : {}),
    ...(job.min_nodes ? { min_nodes: job.min_nodes } : {})
  };
}

/** The script that is stored with a job, if there is one. */
async function scriptOf(
  job: IJob,
  api: TrainingApi
): Promise<IScript | undefined> {
  return job.command?.includes(SCRIPT)
    ? ((await api.code(job.job_id)).script ?? undefined)
    : undefined;
}

async function stagesOf(job: IJob, api: TrainingApi): Promise<IStageRow[]> {
  const children = await api.children(job.job_id);
  const keys = new Map(children.map(one => [one.job_id, one.child_key]));
  return Promise.all(
    children.map(async one => ({
      name: one.child_key ?? one.name,
      command: one.command ?? '',
      after: one.depends_on
        .map(id => keys.get(id))
        .filter(Boolean)
        .join(', '),
      gpus: String(one.gpu_count),
      kept: await keptOfStage(one, job, api)
    }))
  );
}

/** What a stage has of its own beyond its row. */
async function keptOfStage(
  stage: IJob,
  pipeline: IJob,
  api: TrainingApi
): Promise<Omit<IKept, 'search'>> {
  const script = await scriptOf(stage, api);
  const own: Omit<IKept, 'search'> = {
    ...keptOf(stage),
    cpu_cores: stage.cpu_cores,
    memory_gb: stage.memory_gb,
    ...(script ? { script } : {}),
    ...(stage.dataset_ids.length ? { dataset_ids: stage.dataset_ids } : {}),
    ...(stage.nodes > 1 ? { nodes: stage.nodes } : {})
  };
  for (const field of OF_STAGES) {
    const value = stage[field];
    if (
      value !== null &&
      value !== undefined &&
      JSON.stringify(value) !== JSON.stringify(pipeline[field])
    ) {
      Object.assign(own, { [field]: value });
    }
  }
  return own;
}

async function searchOf(
  job: IJob,
  api: TrainingApi
): Promise<Partial<IFormValues> & { kept: IKept }> {
  const { search } = await api.trials(job.job_id, false);
  const { metric, goal, trials, parallel, sampler, pruner, seed, space } =
    search;
  const further = Object.fromEntries(
    Object.entries(search).filter(
      ([name, value]) => !OF_FORM.has(name) && value !== null
    )
  );
  return {
    metric,
    goal,
    trials: String(trials ?? ''),
    parallel: String(parallel),
    sampler,
    pruner: pruner ?? 'none',
    seed: String(seed ?? ''),
    space: rowsOfSpace(space),
    kept: { search: further }
  };
}
