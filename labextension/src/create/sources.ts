/**
 * What the dialog begins with: a file, or another job.
 */
import type { TrainingApi } from '../model/api';
import type { IJob } from '../model/types';
import { durationText, EMPTY, type IFormValues, TYPES } from './form';
import { quoted } from './line';
import { rowsOfSpace } from './space';
import type { IStageRow } from './stages';

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

/** What a job tells of itself beyond what every view needs. */
interface ITold extends IJob {
  launcher: string | null;
  procs_per_node: number | null;
}

/** Values that ask for the same as a job. */
export async function valuesOf(
  job: IJob,
  api: TrainingApi
): Promise<IFormValues> {
  const told = job as ITold;
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
    description: job.description ?? ''
  };
  if (type === 'distributed') {
    return {
      ...values,
      nodes: String(told.nodes),
      launcher: told.launcher ?? '',
      processes: told.procs_per_node ? String(told.procs_per_node) : ''
    };
  }
  if (type === 'pipeline') {
    return { ...values, stages: await stagesOf(job, api) };
  }
  if (type === 'hyperparameter') {
    return { ...values, ...(await searchOf(job, api)) };
  }
  return values;
}

async function stagesOf(job: IJob, api: TrainingApi): Promise<IStageRow[]> {
  const children = await api.children(job.job_id);
  const keys = new Map(children.map(one => [one.job_id, one.child_key]));
  return children.map(one => ({
    name: one.child_key ?? one.name,
    command: one.command ?? '',
    after: one.depends_on
      .map(id => keys.get(id))
      .filter(Boolean)
      .join(', '),
    gpus: String(one.gpu_count)
  }));
}

async function searchOf(
  job: IJob,
  api: TrainingApi
): Promise<Partial<IFormValues>> {
  const { search } = await api.trials(job.job_id);
  return {
    metric: search.metric,
    goal: search.goal,
    trials: String(search.trials ?? ''),
    parallel: String(search.parallel),
    sampler: search.sampler,
    pruner: search.pruner ?? 'none',
    space: rowsOfSpace(search.space)
  };
}
