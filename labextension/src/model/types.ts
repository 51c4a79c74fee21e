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
  status: JobStatus;
  cause: string | null;
  reason: string | null;
  progress: number;
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
  queue_position: number | null;
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

/** What a person may ask for. */
export interface IJobSpec {
  name: string;
  command: string;
  description?: string;
  cpu_cores?: number;
  memory_gb?: number;
  gpu_count?: number;
  gpu_type?: string;
  priority?: number;
  time_limit_s?: number;
  image?: string;
  working_dir?: string;
  env_vars?: Record<string, string>;
  dataset_ids?: number[];
  output_path?: string;
  max_retries?: number;
  executor?: string;
}

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
  at: string;
}

export const JOB_EVENT = 'https://events.jupyter.org/jupyter_training/job/v1';

export function isActive(job: IJob): boolean {
  return ACTIVE.includes(job.status);
}
