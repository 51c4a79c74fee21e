/**
 * What the REST interface tells; `api/training-openapi.json` describes it.
 */

export type JobStatus =
  | 'pending'
  | 'scheduled'
  | 'running'
  | 'retrying'
  | 'completed'
  | 'failed'
  | 'cancelled';

export const ACTIVE: readonly JobStatus[] = [
  'running',
  'scheduled',
  'retrying',
  'pending'
];
export const ENDED: readonly JobStatus[] = ['completed', 'failed', 'cancelled'];

export interface IJob {
  id: number;
  job_id: string;
  name: string;
  description: string | null;
  job_type: string;
  cpu_cores: number;
  memory_gb: number;
  gpu_count: number;
  gpu_type: string | null;
  priority: number;
  time_limit_s: number | null;
  image: string | null;
  command: string;
  working_dir: string | null;
  env_vars: Record<string, string>;
  dataset_ids: number[];
  output_path: string | null;
  output_dir: string;
  output_browser_path: string | null;
  executor: string;
  parent_id: number | null;
  /** What it is called within its parent, such as the name of a stage. */
  child_key: string | null;
  /** The ids of the jobs that it goes after. */
  depends_on: string[];
  /** Of a job that is made of others, how many of them have each status. */
  children: Partial<Record<JobStatus, number>> | null;
  /** Of a search, how far it is. */
  search?: {
    metric: string;
    /** How many there may be; null if only a budget ends it. */
    trials: number | null;
    done: number;
    best: { value: number | string } | null;
  } | null;
  nodes: number;
  /** How many processes it has on all its nodes. */
  ranks: number;
  /** The digests of its files, of what is known of its software, and of its values by name. */
  snapshot: string | null;
  environment: string | null;
  variables?: Record<string, string>;
  parameters?: Record<string, ParameterValue>;
  min_nodes?: number | null;
  launcher?: string | null;
  procs_per_node?: number | null;
  status: JobStatus;
  cause: string | null;
  reason: string | null;
  progress: number;
  /** Whether that is how far it is; otherwise it is what was told last, or nothing. */
  progress_known?: boolean;
  /** Seconds until it is done; what it probably lies between. */
  remaining_s?: number | null;
  remaining_low_s?: number | null;
  remaining_high_s?: number | null;
  /** The last values of its metrics; what is not a finite number is a string. */
  metrics?: Record<string, number | string>;
  /** What it has used, in words. */
  usage?: string | null;
  peak_memory_bytes?: number | null;
  mean_cpu_cores?: number | null;
  peak_gpu_memory_bytes?: number | null;
  mean_gpu_utilization_percent?: number | null;
  /** Since when its GPUs do nothing. */
  idle_since?: string | null;
  /** Since when nothing of it shows a sign of life. */
  hung_since?: string | null;
  queue_position: number | null;
  /** In how long it will probably start (s), and after which of the user's jobs. */
  starts_in_s?: number | null;
  starts_after?: string | null;
  attempt: number;
  retry_count: number;
  max_retries: number;
  exit_code: number | null;
  signal: number | null;
  node: string | null;
  gpus: string[];
  submitted_at: string;
  scheduled_at: string | null;
  started_at: string | null;
  completed_at: string | null;
  next_attempt_at: string | null;
  cancel_requested_at: string | null;
}

export interface IForecast {
  dry_run: true;
  cpu_cores: number;
  memory_gb: number;
  gpu_count: number;
  gpu_type: string | null;
  /** Where it would start now; null if it would wait. */
  node: string | null;
  /** The UUIDs of the cards that it would get now. */
  gpus: string[];
  /** In how many seconds it would probably start; null if that cannot be told. */
  starts_in_s: number | null;
  /** The id of the job whose end would make room for it. */
  after: string | null;
  reason: string;
}

export interface IGpu {
  uuid: string;
  index: number | null;
  model: string;
  state: 'free' | 'held' | 'in_use' | 'drained';
  unavailable: string | null;
  held_by: string | null;
  memory_gb: number;
  memory_used_gb: number | null;
  utilization_percent: number | null;
  temperature_c: number | null;
  power_w: number | null;
  power_limit_w: number | null;
  read_at: string | null;
}

export interface IHolding {
  id: number;
  held_by: string;
  cpu_cores: number;
  memory_gb: number;
  gpus: string[];
}

export interface INode {
  name: string;
  cpu_cores: number;
  cpu_cores_free: number;
  memory_gb: number;
  memory_gb_free: number;
  gpu_count: number;
  gpu_count_free: number;
  gpus: IGpu[];
  held: IHolding[];
}

export interface IAmounts {
  cpu_cores: number;
  memory_gb: number;
  gpu_count: number;
}

export interface IMachines {
  nodes: INode[];
  free: IAmounts;
  total: IAmounts;
  waiting: number;
}

export interface IHistoryEvent {
  id: number;
  at: string;
  actor: string;
  kind: string;
  from_status: JobStatus | null;
  to_status: JobStatus | null;
  attempt: number | null;
  cause: string | null;
  reason: string | null;
}

export interface IOutput {
  name: string;
  path: string;
  encoded_path: string;
  type: 'file' | 'directory' | 'symlink' | 'other';
  size: number | null;
  modified_at: string | null;
}

export interface IOutputs {
  path: string;
  entries: IOutput[];
  truncated: boolean;
  next: string | null;
}

export interface ILogPage {
  logs: string[];
  attempt: number;
  offset: number;
  next_offset: number;
}

export interface IMetricSeries {
  name: string;
  source: 'reported' | 'printed';
  points: number;
  steps: (number | string)[];
  times: (number | string)[];
  values: (number | string)[];
}

export interface IMetrics {
  attempt: number;
  over: boolean;
  names: string[];
  notices: string[];
  series: IMetricSeries[];
}

/** What a job runs. */
export interface ICode {
  job_id: string;
  command: string;
  working_dir: string | null;
  script: IScript | null;
  snapshot: string | null;
  manifest: {
    root: string;
    files: { path: string; sha256: string; size: number }[];
    links?: string[];
  } | null;
}

/** With which software a job was submitted, as far as that was recorded. */
export interface ISoftware {
  image?: string;
  python?: { version: string; implementation: string; executable: string };
  platform?: string;
  git?: {
    commit: string;
    branch: string | null;
    dirty: boolean;
    changes: string[];
    remote: string | null;
  } | null;
  packages?: Record<string, string>;
}

export type RankState =
  'starting' | 'running' | 'completed' | 'failed' | 'stopped' | 'cancelled';

/** The nodes and processes of an attempt of a distributed job. */
export interface IRanks {
  job_id: string;
  attempt: number;
  nodes: {
    index: number;
    node: string;
    cpu_cores: number;
    memory_gb: number;
    gpus: string[];
    ranks: number[];
  }[];
  ranks: {
    rank: number;
    node: number;
    local_rank: number;
    state: RankState;
    log_bytes: number;
    printed_at: string | null;
  }[];
  first_failure: {
    rank: number | null;
    node: number;
    exit_code: number | null;
    signal: number | null;
    detail: string | null;
    lines: string[];
  } | null;
}

export type TrialState =
  'waiting' | 'running' | 'complete' | 'pruned' | 'failed';

export type ParameterValue = number | string | boolean | null;

/** One run of a search. Values that are no finite numbers are strings. */
export interface ITrial {
  number: number;
  id: number;
  job_id: string;
  name: string;
  params: Record<string, ParameterValue>;
  state: TrialState;
  status: JobStatus;
  cause: string | null;
  reason: string | null;
  progress: number;
  /** Whether that is how far it is. */
  progress_known: boolean;
  value: number | string | null;
  step: number | string | null;
  pruned_at_step: number | string | null;
  started_at: string | null;
  completed_at: string | null;
}

/** What a parameter may be. */
export interface IDimension {
  type: string;
  low?: number | null;
  high?: number | null;
  step?: number | null;
  values?: ParameterValue[] | null;
}

export interface ITrials {
  search: {
    trials: number | null;
    parallel: number;
    metric: string;
    goal: 'minimize' | 'maximize';
    sampler: string;
    pruner: string | null;
    seed?: number | null;
    space: Record<string, IDimension>;
  };
  over: boolean;
  trials_allowed: number | null;
  used_hours: number;
  used_gpu_hours: number | null;
  states: Record<TrialState, number>;
  best: ITrial | null;
  trials: ITrial[];
  history: {
    number: number;
    at: string;
    value: number | string;
    best: number | string;
  }[];
  importance: Record<string, number> | null;
}

/** What an attempt used over time; the lists are of one length. */
export interface IUsage {
  job_id: string;
  attempt: number;
  started_at: string | null;
  ended_at: string | null;
  samples: number;
  time: string[];
  cpu_cores: (number | null)[];
  memory_bytes: (number | null)[];
  gpus: {
    uuid: string;
    utilization_percent: (number | null)[];
    memory_bytes: (number | null)[];
  }[];
  peaks: {
    cpu_cores: number | null;
    memory_bytes: number | null;
    gpu_memory_bytes: number | null;
  };
  means: { cpu_cores: number | null; gpu_utilization_percent: number | null };
  cpu_seconds: number | null;
  requested: { cpu_cores: number; memory_bytes: number; gpu_count: number };
  usage: string | null;
  idle_since: string | null;
}

/** A script that is stored with its job; in the command it is `{script}`. */
export interface IScript {
  name: string;
  text: string;
}

/** Who is told of a job: a name, a URL or another job, perhaps only on some occasions. */
export type IReceiver = string | { to: string; on?: string[] | null };

export interface ISearchSpec {
  metric: string;
  goal?: string;
  sampler?: string;
  pruner?: string;
  trials?: number;
  parallel?: number;
  seed?: number;
  min_steps?: number;
  budget_hours?: number;
  gpu_hours?: number;
  space: Record<string, IDimension>;
}

/** What a person may ask for. */
export interface IJobSpec {
  name: string;
  job_type?: string;
  command?: string | string[];
  description?: string;
  cpu_cores?: number;
  memory_gb?: number;
  gpu_count?: number;
  gpu_type?: string;
  image?: string;
  script?: IScript;
  working_dir?: string;
  snapshot?: string;
  environment?: string;
  variables?: Record<string, string>;
  parameters?: Record<string, ParameterValue>;
  env_vars?: Record<string, string>;
  dataset_ids?: (number | string)[];
  output_path?: string;
  max_retries?: number;
  priority?: number;
  time_limit_s?: number;
  nodes?: number;
  min_nodes?: number;
  launcher?: string;
  procs_per_node?: number;
  executor?: string;
  executor_options?: Record<string, ParameterValue>;
  notify?: IReceiver[];
  depends_on?: string[];
  search?: ISearchSpec;
  stages?: IStageSpec[];
  cache?: boolean;
}

/** A stage depends on others by their names. */
export type IStageSpec = IJobSpec;

/** What a job like another one has of that one, and what nobody types. */
export type IKept = Partial<Omit<IJobSpec, 'search'>> & {
  search?: Partial<ISearchSpec>;
};

/** The data of an event `https://events.jupyter.org/jupyter_training/job/v1`. */
export interface IJobEvent {
  sequence: number;
  previous: number;
  job_id: string;
  name: string | null;
  change: string;
  status: JobStatus | null;
  cause: string | null;
  reason: string | null;
  attempt: number | null;
  progress: number | null;
  /** The number of the job that it is a part of. */
  parent_id?: number | null;
  at: string;
}

export const JOB_EVENT = 'https://events.jupyter.org/jupyter_training/job/v1';

/** Whether it has curves of its own; what a search tells is what its trials have measured. */
export function hasCurves(job: IJob): boolean {
  return job.children === null && Object.keys(job.metrics ?? {}).length > 0;
}

export function isActive(job: IJob): boolean {
  return ACTIVE.includes(job.status);
}
