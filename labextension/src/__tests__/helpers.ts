import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import type { ITraining } from '../components/context';
import { TrainingApi } from '../model/api';
import { type IVisibility, JobsModel } from '../model/jobs';
import {
  ENDED,
  type IJob,
  type IJobEvent,
  type JobStatus
} from '../model/types';

/** English, with its arguments. */
export const trans = {
  __: (text: string, ...values: unknown[]) =>
    text.replace(/%(\d)/g, (_, place: string) =>
      String(values[Number(place) - 1])
    )
} as unknown as TranslationBundle;

let count = 0;

export function job(fields: Partial<IJob> = {}): IJob {
  count += 1;
  return {
    id: count,
    job_id: `job-${fields.id ?? count}`,
    name: `job ${fields.id ?? count}`,
    description: null,
    job_type: 'single',
    cpu_cores: 1,
    memory_gb: 1,
    gpu_count: 0,
    gpu_type: null,
    priority: 0,
    time_limit_s: null,
    image: null,
    command: 'python train.py',
    working_dir: null,
    env_vars: {},
    dataset_ids: [],
    output_path: null,
    output_dir: '/data/jobs/1/output',
    output_browser_path: null,
    executor: 'local',
    parent_id: null,
    child_key: null,
    depends_on: [],
    children: null,
    nodes: 1,
    ranks: 1,
    snapshot: null,
    environment: null,
    status: 'running',
    cause: null,
    reason: null,
    progress: 0,
    queue_position: null,
    node: 'here',
    attempt: 1,
    retry_count: 0,
    max_retries: 3,
    exit_code: null,
    signal: null,
    gpus: [],
    submitted_at: '2026-01-26T10:00:00.000Z',
    scheduled_at: null,
    started_at: null,
    completed_at: null,
    next_attempt_at: null,
    cancel_requested_at: null,
    ...fields
  };
}

/** A server that answers from a list, with what was asked of it. */
export class Server {
  jobs: IJob[] = [];
  asked: string[] = [];
  /** What it answers instead. */
  answer: (() => Response) | null = null;

  readonly send = async (path: string): Promise<Response> => {
    this.asked.push(path);
    if (this.answer !== null) {
      return this.answer();
    }
    if (path.startsWith('api/training-resources')) {
      const none = { cpu_cores: 2, memory_gb: 8, gpu_count: 0 };
      return json({ nodes: [], free: none, total: none, waiting: 0 });
    }
    const { pathname, searchParams } = new URL(path, 'http://server/');
    if (pathname.endsWith('/events')) {
      return json([]);
    }
    const [, id] = /training-jobs\/(.+)$/.exec(pathname) ?? [];
    if (id !== undefined) {
      const one = this.jobs.find(each => each.job_id === id);
      return one ? json(one) : json({ message: 'gone', reason: 'gone' }, 404);
    }
    const statuses = searchParams.get('status')?.split(',') ?? [];
    const before = Number(searchParams.get('before') ?? Infinity);
    const found = this.jobs
      .filter(one => statuses.includes(one.status) && one.id < before)
      .filter(one => one.name.includes(searchParams.get('q') ?? ''))
      .sort((one, other) => other.id - one.id)
      .slice(0, Number(searchParams.get('limit')));
    return json(found);
  };

  /** How often jobs that have ended, or those that have not, were asked for. */
  times(kind: 'active' | 'ended'): number {
    const status = kind === 'active' ? 'running' : ENDED[0];
    return this.asked.filter(
      path => path.includes(`training-jobs?`) && path.includes(status)
    ).length;
  }
}

/** As much of a response as is needed; jsdom has none. */
export function json(body: unknown, status = 200): Response {
  return {
    status,
    ok: status < 400,
    statusText: '',
    json: async () => body
  } as unknown as Response;
}

/** A page that can be hidden. */
export class Page implements IVisibility {
  hidden = false;
  private listeners = new Set<() => void>();

  addEventListener(_: 'visibilitychange', listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_: 'visibilitychange', listener: () => void): void {
    this.listeners.delete(listener);
  }

  hide(hidden: boolean): void {
    this.hidden = hidden;
    this.listeners.forEach(listener => listener());
  }
}

export class World {
  readonly server = new Server();
  readonly page = new Page();
  /** How events come; null if they do not. */
  connection: object | null = {};
  readonly emitted = new Signal<unknown, IJobEvent>(this);
  readonly model = new JobsModel(
    new TrainingApi(this.server.send),
    { emitted: this.emitted, connection: () => this.connection },
    this.page
  );
  private sequence = 0;

  /** Let the server tell of a change, perhaps after others that were not told here. */
  emit(
    one: IJob,
    change: string,
    status: JobStatus = one.status,
    missed = 0
  ): void {
    const previous = this.sequence + missed;
    this.sequence = previous + 1;
    this.emitted.emit({
      sequence: this.sequence,
      previous,
      job_id: one.job_id,
      name: one.name,
      change,
      status,
      cause: null,
      reason: null,
      attempt: 1,
      progress: null,
      parent_id: one.parent_id,
      at: '2026-01-26T10:00:00.000Z'
    });
  }
}

/** What components need besides what they show; commands go into a list. */
export function training(
  world: World,
  executed: [string, Record<string, string> | undefined][] = []
): ITraining {
  return {
    trans,
    locale: 'en',
    model: world.model,
    connect: () => {
      throw new Error('nobody follows a log here');
    },
    attempt: action => action(),
    copy: () => undefined,
    execute: (command, args) => executed.push([command, args]),
    link: path => `/${path}`
  };
}
