/**
 * The REST interface as functions.
 */
import { ApiError, type Trouble } from './errors';
import type {
  ICode,
  IForecast,
  IHistoryEvent,
  IJob,
  IJobSpec,
  ILogPage,
  IMachines,
  IMetrics,
  IOutputs,
  IRanks,
  ISoftware,
  ITrials,
  IUsage,
  JobStatus
} from './types';

export { ApiError, type Trouble };

/** Sends a request to a path below the server's base URL. */
export type Send = (path: string, init?: RequestInit) => Promise<Response>;

export interface IJobQuery {
  statuses?: readonly JobStatus[];
  q?: string;
  limit?: number;
  before?: number;
}

const CHILDREN = 1000;

export class TrainingApi {
  constructor(private readonly send: Send) {}

  /** Jobs, newest first. */
  async jobs(query: IJobQuery = {}): Promise<IJob[]> {
    const parameters = new URLSearchParams();
    if (query.statuses?.length) {
      parameters.set('status', query.statuses.join(','));
    }
    if (query.q) {
      parameters.set('q', query.q);
    }
    parameters.set('limit', String(query.limit ?? 100));
    if (query.before) {
      parameters.set('before', String(query.before));
    }
    return this.ask(`api/training-jobs?${parameters}`);
  }

  async job(id: string): Promise<IJob> {
    return this.ask(jobPath(id));
  }

  /** What a job was asked to be. */
  async spec(id: string): Promise<IJobSpec> {
    return this.ask(`${jobPath(id)}/spec`);
  }

  async submit(spec: IJobSpec, key: string): Promise<IJob> {
    return this.ask('api/training-jobs', {
      method: 'POST',
      headers: { 'Idempotency-Key': key },
      body: JSON.stringify(spec)
    });
  }

  /** Check a job, and tell where it would run. */
  async forecast(spec: IJobSpec): Promise<IForecast> {
    return this.ask('api/training-jobs?dry_run=true', {
      method: 'POST',
      body: JSON.stringify(spec)
    });
  }

  async cancel(id: string): Promise<IJob> {
    return this.ask(`${jobPath(id)}/cancel`, { method: 'POST', body: '{}' });
  }

  async retry(id: string): Promise<IJob> {
    return this.ask(`${jobPath(id)}/retry`, { method: 'POST', body: '{}' });
  }

  async delete(id: string): Promise<void> {
    await this.ask(jobPath(id), { method: 'DELETE' });
  }

  async history(id: string): Promise<IHistoryEvent[]> {
    return this.ask(`${jobPath(id)}/events`);
  }

  async machines(): Promise<IMachines> {
    return this.ask('api/training-resources');
  }

  /** A page of a directory of results. */
  async outputs(id: string, encodedPath = '', after = ''): Promise<IOutputs> {
    const query = after ? `?after=${encodeURIComponent(after)}` : '';
    return this.ask(outputPath(id, encodedPath) + query);
  }

  /** Whole lines of a log from a byte on, or the last ones. */
  async log(
    id: string,
    query: {
      offset?: number;
      tail?: number;
      before?: number;
      lines?: number;
      attempt?: number;
      rank?: number;
    }
  ): Promise<ILogPage> {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) {
        parameters.set(name, String(value));
      }
    }
    return this.ask(`${jobPath(id)}/logs?${parameters}`);
  }

  /** What the latest attempt, or another one, has measured. */
  async metrics(id: string, attempt?: number): Promise<IMetrics> {
    const query = attempt ? `?attempt=${attempt}` : '';
    return this.ask(`${jobPath(id)}/metrics${query}`);
  }

  /** The jobs that a job is made of, in the order in which they were made. */
  async children(id: string): Promise<IJob[]> {
    const found: IJob[] = [];
    for (;;) {
      const after = found.at(-1)?.id ?? 0;
      const page = await this.ask<IJob[]>(
        `${jobPath(id)}/children?limit=${CHILDREN}&after=${after}`
      );
      found.push(...page);
      if (page.length < CHILDREN) {
        return found;
      }
    }
  }

  /** The nodes and processes of a distributed job, of the latest attempt or another one. */
  async ranks(id: string, attempt?: number): Promise<IRanks> {
    const query = attempt ? `?attempt=${attempt}` : '';
    return this.ask(`${jobPath(id)}/ranks${query}`);
  }

  /** The trials of a search; how much each parameter matters takes a while to find out. */
  async trials(id: string, withImportance = true): Promise<ITrials> {
    return this.ask(`${jobPath(id)}/trials?importance=${withImportance}`);
  }

  /** What the latest attempt, or another one, has used. */
  async usage(id: string, attempt?: number): Promise<IUsage> {
    const query = attempt ? `?attempt=${attempt}` : '';
    return this.ask(`${jobPath(id)}/usage${query}`);
  }

  /** What a job runs. */
  async code(id: string): Promise<ICode> {
    return this.ask(`${jobPath(id)}/code`);
  }

  /** With which software a job was submitted. */
  async software(id: string): Promise<ISoftware> {
    return this.ask(`${jobPath(id)}/environment`);
  }

  /** The bytes of a file of a snapshot. */
  async content(sha256: string): Promise<ArrayBuffer> {
    const response = await this.request(contentPath(sha256));
    if (!response.ok) {
      throw refusal(response, await told(response));
    }
    return response.arrayBuffer();
  }

  /** Ask for something else that answers JSON. */
  async ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    const response = await this.request(path, init);
    if (response.status === 204) {
      return undefined as T;
    }
    const answer = await told(response);
    if (response.ok && answer !== null) {
      return answer as T;
    }
    throw refusal(response, answer);
  }

  private async request(
    path: string,
    init: RequestInit = {}
  ): Promise<Response> {
    try {
      return await this.send(path, init);
    } catch (error) {
      throw new ApiError('away', String((error as Error).message ?? error));
    }
  }
}

interface IRefusal {
  message?: string;
  reason?: string;
  errors?: { field: string; message: string }[];
}

/** What a response says as JSON; null if it is none. */
async function told(response: Response): Promise<unknown> {
  return response.json().catch(() => null);
}

function refusal(response: Response, answer: unknown): ApiError {
  const said = answer as IRefusal | null;
  return new ApiError(
    trouble(response.status, said !== null && 'reason' in Object(said)),
    said?.message || response.statusText || String(response.status),
    response.status,
    said?.errors ?? []
  );
}

/**
 * @param name - Under which name it is saved.
 */
export function contentPath(sha256: string, name?: string): string {
  const query = name ? `?name=${encodeURIComponent(name)}` : '';
  return `api/training-snapshots/${encodeURIComponent(sha256)}${query}`;
}

export function jobPath(id: string): string {
  return `api/training-jobs/${encodeURIComponent(id)}`;
}

export function outputPath(id: string, encodedPath = ''): string {
  return `${jobPath(id)}/outputs${encodedPath ? `/${encodedPath}` : ''}`;
}

function trouble(status: number, isOurs: boolean): Trouble {
  switch (status) {
    case 401:
    case 403:
      return 'forbidden';
    case 404:
      // Whether there is no such job, or nobody who knows of jobs.
      return isOurs ? 'refused' : 'absent';
    case 502:
    case 504:
      return 'away';
    case 503:
      return isOurs ? 'unavailable' : 'away';
    default:
      return 'refused';
  }
}
