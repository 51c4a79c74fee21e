/**
 * What is typed into the filter: words, and terms such as `status:failed` or `gpu:2`.
 */
import STATES from './states.json';
import { ENDED, type IJob, type JobStatus } from './types';

export interface IFilter {
  /** What has to be in the name, the description or the id. */
  text: string;
  /** Null for all; empty if what was typed is none. */
  statuses: JobStatus[] | null;
  types: string[];
  /** The number of GPUs; null for any, NaN if what was typed is none. */
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

/**
 * Read what is typed.
 *
 * @param wordOf - What a status is called where it is shown: so it may be typed, too.
 */
export function parseFilter(
  typed: string,
  wordOf: (status: JobStatus) => string = status => status
): IFilter {
  const filter: IFilter = {
    text: '',
    statuses: null,
    types: [],
    gpus: null,
    causes: []
  };
  const words: string[] = [];
  for (const word of typed.trim().split(/\s+/).filter(Boolean)) {
    const [, term, written] =
      /^(status|type|gpu|cause)[:：](.*)$/i.exec(word) ?? [];
    if (term === undefined) {
      words.push(word);
      continue;
    }
    const [key, value] = [term.toLowerCase(), written.toLowerCase()];
    if (!value) {
      continue; // it is still typed
    }
    if (key === 'status') {
      // While it is typed, a beginning is enough.
      const named = STATUSES.filter(status =>
        value
          .split(/[,，]/)
          .some(
            one =>
              one &&
              [status, STATES[status].word, wordOf(status)].some(name =>
                name.toLowerCase().startsWith(one)
              )
          )
      );
      filter.statuses = [...(filter.statuses ?? []), ...named];
    } else if (key === 'gpu') {
      filter.gpus = Number(value);
    } else {
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
    (filter.statuses?.includes(job.status) ?? true) &&
    (!filter.types.length ||
      filter.types.some(type => job.job_type.startsWith(type))) &&
    (filter.gpus === null || job.gpu_count === filter.gpus) &&
    (!filter.causes.length ||
      filter.causes.some(cause => (job.cause ?? '').startsWith(cause)))
  );
}

/** The ended statuses to ask for; empty if none can match. */
export function endedStatuses(filter: IFilter): JobStatus[] {
  return ENDED.filter(status => filter.statuses?.includes(status) ?? true);
}

/** Whether it has something that the server does not look for: what it answers is only narrowed here. */
export function isAskedHere({ types, gpus, causes }: IFilter): boolean {
  return types.length > 0 || gpus !== null || causes.length > 0;
}
