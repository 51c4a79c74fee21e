/**
 * What is typed into the filter: words, and terms such as `status:failed` or `gpu:2`.
 */
import { ENDED, type IJob, type JobStatus } from './types';

export interface IFilter {
  /** What has to be in the name, the description or the id. */
  text: string;
  statuses: JobStatus[];
  types: string[];
  /** The number of GPUs. */
  gpus: number | null;
  causes: string[];
}

const STATUSES: readonly JobStatus[] = [
  'pending',
  'scheduled',
  'running',
  'retrying',
  ...ENDED
];

export function parseFilter(typed: string): IFilter {
  const filter: IFilter = {
    text: '',
    statuses: [],
    types: [],
    gpus: null,
    causes: []
  };
  const words: string[] = [];
  for (const word of typed.trim().split(/\s+/).filter(Boolean)) {
    const [, key, value] = /^(status|type|gpu|cause):(.*)$/.exec(word) ?? [];
    if (key === undefined) {
      words.push(word);
    } else if (key === 'status') {
      // While it is typed, a beginning is enough.
      filter.statuses.push(
        ...STATUSES.filter(
          status =>
            value && value.split(',').some(one => one && status.startsWith(one))
        )
      );
    } else if (key === 'gpu') {
      filter.gpus = /^\d+$/.test(value) ? Number(value) : filter.gpus;
    } else if (value) {
      (key === 'type' ? filter.types : filter.causes).push(value);
    }
  }
  filter.text = words.join(' ');
  return filter;
}

export function matches(job: IJob, filter: IFilter): boolean {
  const text = filter.text.toLowerCase();
  return (
    (!text ||
      [job.name, job.description ?? '', job.job_id].some(one =>
        one.toLowerCase().includes(text)
      )) &&
    (!filter.statuses.length || filter.statuses.includes(job.status)) &&
    (!filter.types.length ||
      filter.types.some(type => job.job_type.startsWith(type))) &&
    (filter.gpus === null || job.gpu_count === filter.gpus) &&
    (!filter.causes.length ||
      filter.causes.some(cause => (job.cause ?? '').startsWith(cause)))
  );
}

/** The ended statuses to ask for; empty if none can match. */
export function endedStatuses(filter: IFilter): JobStatus[] {
  return filter.statuses.length
    ? ENDED.filter(status => filter.statuses.includes(status))
    : [...ENDED];
}

/** Whether it has something that the server does not look for: what it answers is only narrowed here. */
export function isAskedHere({ types, gpus, causes }: IFilter): boolean {
  return types.length > 0 || gpus !== null || causes.length > 0;
}
