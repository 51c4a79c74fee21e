/**
 * One job, kept up to date while somebody looks at it.
 */
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { ApiError } from './api';
import type { JobsModel } from './jobs';
import { Refresher } from './refresher';
import {
  type IHistoryEvent,
  type IJob,
  type IJobEvent,
  isActive
} from './types';

export class JobModel implements IDisposable {
  constructor(
    private readonly jobs: JobsModel,
    readonly id: string
  ) {
    this.job = jobs.find(id) ?? null;
    this.refresher = new Refresher(() => this.fetch());
    jobs.jobChanged.connect(this.onEvent, this);
    jobs.changed.connect(this.onList, this);
    jobs.refreshed.connect(this.onRefreshed, this);
  }

  readonly changed = new Signal<this, void>(this);

  job: IJob | null;
  history: readonly IHistoryEvent[] = [];
  /** Why it cannot be shown as it is, or nothing. */
  error: ApiError | null = null;
  isGone = false;

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    if (!this.disposed) {
      this.disposed = true;
      this.refresher.dispose();
      clearTimeout(this.heart);
      Signal.clearData(this);
    }
  }

  /** Keep it up to date until the result is disposed of. */
  watch(): IDisposable {
    const lists = this.jobs.watch();
    this.watchers += 1;
    this.refresher.request();
    return new DisposableDelegate(() => {
      this.watchers -= 1;
      lists.dispose();
    });
  }

  refresh(): void {
    this.refresher.request();
  }

  private onEvent(_: unknown, event: IJobEvent): void {
    if (event.job_id === this.id && this.watchers > 0) {
      this.refresher.request();
    }
  }

  /** Of what no list has, such as a stage, nobody else tells. */
  private onRefreshed(): void {
    if (this.watchers > 0) {
      this.refresher.request();
    }
  }

  /** What the list has fetched, be it without an event. */
  private onList(): void {
    const listed = this.jobs.find(this.id);
    if (this.watchers === 0) {
      return;
    }
    if (this.error && !this.isGone && this.jobs.state.trouble === null) {
      this.refresher.request(); // the server is there again
    }
    if (listed === undefined || listed === this.job) {
      return;
    }
    const known = this.job;
    this.job = listed;
    if (known?.status !== listed.status || known.attempt !== listed.attempt) {
      this.refresher.request();
    }
    this.changed.emit();
  }

  private async fetch(): Promise<void> {
    try {
      const [job, history] = await Promise.all([
        this.jobs.api.job(this.id),
        this.jobs.api.history(this.id)
      ]);
      if (this.disposed) {
        return;
      }
      this.job = job;
      this.history = history;
      this.error = null;
      this.isGone = false;
      this.jobs.put(job);
    } catch (error) {
      if (!(error instanceof ApiError)) {
        throw error;
      }
      this.error = error;
      this.isGone = error.status === 404;
      if (error.trouble === 'away' || error.trouble === 'unavailable') {
        this.retryLater();
      }
    }
    this.changed.emit();
  }

  private retryLater(): void {
    if (this.heart === undefined && !this.disposed) {
      this.heart = setTimeout(() => {
        this.heart = undefined;
        if (this.watchers > 0) {
          this.refresher.request();
        }
      }, 3000);
    }
  }

  get isActive(): boolean {
    return this.job !== null && isActive(this.job);
  }

  private watchers = 0;
  private disposed = false;
  private heart: ReturnType<typeof setTimeout> | undefined;
  private readonly refresher: Refresher;
}
