/**
 * What all parts of the extension show: the user's jobs and the machines.
 *
 * It follows the server's events and fetches again what they are about. While nobody looks, and
 * while the page is hidden, it fetches nothing.
 */
import { type IDisposable, DisposableDelegate } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { ApiError, type TrainingApi, type Trouble } from './api';
import { EndedJobs } from './ended';
import {
  endedStatuses,
  type IFilter,
  isAskedHere,
  matches,
  parseFilter
} from './filter';
import { Refresher } from './refresher';
import {
  ACTIVE,
  ENDED,
  type IGpu,
  type IJob,
  type IJobEvent,
  type IMachines,
  isActive,
  type JobStatus
} from './types';

/** Where events come from, and whether they come at all. */
export interface IEventSource {
  readonly emitted: ISignal<unknown, IJobEvent>;
  /** The connection that they come by; null if there is none at the moment. */
  readonly connection: () => object | null;
}

/** Whether the page can be seen. */
export interface IVisibility {
  readonly hidden: boolean;
  addEventListener(type: 'visibilitychange', listener: () => void): void;
  removeEventListener(type: 'visibilitychange', listener: () => void): void;
}

export interface IState {
  /** Whether there is anything to show yet. */
  loaded: boolean;
  trouble: Trouble | null;
  message: string;
}

const PAGE = 100;
/** Of pages of which only a part may be shown. */
const LARGE_PAGE = 1000;
const BEAT_MS = 2_000;
/** How often to ask where no events come. */
const POLL_MS = 30_000;
/** How often to ask for what no event tells: what the GPUs do. */
const GPU_MS = 10_000;
const MOST_ACTIVE = 10_000;
/** So many that ended while others did are asked for one by one. */
const MOST_VANISHED = 20;
/** How many readings of a GPU are kept. */
const READINGS = 24;

export class JobsModel implements IDisposable {
  constructor(
    readonly api: TrainingApi,
    private readonly events: IEventSource,
    private readonly page: IVisibility = document,
    private readonly wordOf?: (status: JobStatus) => string
  ) {
    this.jobsRefresher = new Refresher(
      () => this.fetchJobs(),
      400,
      this.isLookedAt
    );
    this.machinesRefresher = new Refresher(
      () => this.fetchMachines(),
      1000,
      this.isLookedAt
    );
    events.emitted.connect(this.onEvent, this);
    page.addEventListener('visibilitychange', this.onVisibility);
  }

  /** Something that is shown has changed. */
  readonly changed = new Signal<this, void>(this);

  /** All is fetched again: whoever shows what no list has should do so, too. */
  readonly refreshed = new Signal<this, void>(this);

  /** A job has changed, also while nobody looks. */
  readonly jobChanged = new Signal<this, IJobEvent>(this);

  state: IState = { loaded: false, trouble: null, message: '' };
  machines: IMachines | null = null;
  /** By UUID: the utilization (percent), oldest first, as seen from here. */
  readonly readings = new Map<string, number[]>();

  /** Jobs that have not ended: first those that run, then those that wait, in their order. */
  get active(): readonly IJob[] {
    return this.allActive.filter(job => matches(job, this.filter));
  }

  /** Jobs that have ended, newest first, as far as they are loaded. */
  get ended(): readonly IJob[] {
    return this.endedJobs.loaded;
  }

  /** Whether there are ended jobs that are not loaded. */
  get hasMore(): boolean {
    return this.endedJobs.hasMore;
  }

  /** How many run, and how many wait, whatever the filter is, and by events alone if need be. */
  get counts(): { running: number; waiting: number } {
    const all = [...this.statuses.values()];
    const running = all.filter(
      one => one === 'running' || one === 'scheduled'
    ).length;
    const waiting = all.filter(
      one => one === 'pending' || one === 'retrying'
    ).length;
    return { running, waiting };
  }

  isLoadingMore = false;

  /** Whether something may have changed on the machines since they were looked at. */
  machinesAreStale = false;

  get filterText(): string {
    return this.typed;
  }

  set filterText(typed: string) {
    if (typed === this.typed) {
      return;
    }
    this.typed = typed;
    this.filter = parseFilter(typed, this.wordOf);
    this.endedJobs.clear();
    this.endedIsStale = true;
    this.changed.emit();
    if (this.isLookedAt()) {
      this.jobsRefresher.request();
    }
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    if (this.disposed) {
      return;
    }
    this.disposed = true;
    clearInterval(this.heart);
    this.jobsRefresher.dispose();
    this.machinesRefresher.dispose();
    this.page.removeEventListener('visibilitychange', this.onVisibility);
    Signal.clearData(this);
  }

  /** Keep the lists up to date until the result is disposed of. */
  watch(): IDisposable {
    this.watchers += 1;
    this.beat();
    return new DisposableDelegate(() => {
      this.watchers -= 1;
      this.beat();
    });
  }

  /** Fetch everything again. */
  refresh(): void {
    this.endedIsStale = true;
    this.jobsRefresher.request();
    this.machinesRefresher.request();
    this.refreshed.emit();
  }

  /** When what is asked for has come. */
  async settled(): Promise<void> {
    await Promise.all([
      this.jobsRefresher.settled(),
      this.machinesRefresher.settled()
    ]);
  }

  /** Load ended jobs that are older than those that are here, until some of them can be shown. */
  async loadMore(): Promise<void> {
    const { endedJobs } = this;
    if (!endedJobs.hasMore || this.isLoadingMore) {
      return;
    }
    this.isLoadingMore = true;
    try {
      for (let found = 0; endedJobs.hasMore && !found;) {
        const { generation, oldest } = endedJobs;
        const older = await this.endedPage(oldest ?? undefined);
        if (generation !== endedJobs.generation || this.disposed) {
          break;
        }
        const shown = this.shown(older);
        found = shown.length;
        endedJobs.takeOlder(older, shown, older.length === this.pageSize);
      }
    } catch (error) {
      this.note(error);
    } finally {
      this.isLoadingMore = false;
      this.changed.emit();
    }
  }

  /** A job, if it is loaded. */
  find(id: string): IJob | undefined {
    return (
      this.allActive.find(job => job.job_id === id) ??
      this.ended.find(job => job.job_id === id)
    );
  }

  /** Show a job as it is, which the server has just told. */
  put(job: IJob): void {
    if (job.parent_id !== null) {
      return; // it is shown within its parent
    }
    const { endedJobs } = this;
    const others = this.allActive.filter(one => one.job_id !== job.job_id);
    const isHere =
      others.length < this.allActive.length ||
      endedJobs.loaded.some(one => one.job_id === job.job_id);
    this.allActive = isActive(job) ? ordered([...others, job]) : others;
    // One that is older than those loaded comes with its page.
    const isLoaded = !this.hasMore || job.id > (endedJobs.oldest ?? 0);
    endedJobs.remove(new Set([job.job_id]));
    if (!isActive(job) && (isLoaded || isHere)) {
      this.shown([job]).forEach(one => endedJobs.put(one));
    }
    this.statuses.set(job.job_id, job.status);
    this.changed.emit();
  }

  /** Show a job no more. */
  remove(id: string): void {
    this.statuses.delete(id);
    this.allActive = this.allActive.filter(job => job.job_id !== id);
    this.endedJobs.remove(new Set([id]));
    this.changed.emit();
  }

  /** The GPU with this UUID. */
  gpu(uuid: string): IGpu | undefined {
    return this.machines?.nodes
      .flatMap(node => node.gpus)
      .find(gpu => gpu.uuid === uuid);
  }

  private get isWatched(): boolean {
    return this.watchers > 0 && !this.page.hidden && !this.disposed;
  }

  /** Whether somebody looks; if not, it is fetched again as soon as somebody does. */
  private readonly isLookedAt = (): boolean => {
    this.isStale ||= !this.isWatched;
    return this.isWatched;
  };

  private readonly onVisibility = (): void => this.beat();

  private onEvent(_: unknown, event: IJobEvent): void {
    if (event.change === 'deleted') {
      this.remove(event.job_id);
    } else if (event.status !== null && !event.parent_id) {
      this.statuses.set(event.job_id, event.status);
    }
    const missed = this.sequence !== null && event.previous !== this.sequence;
    this.sequence = event.sequence;
    // Of other people's jobs not even the status is told.
    const ended = event.status === null || ENDED.includes(event.status);
    this.endedIsStale ||= missed || (ended && event.change !== 'progress');
    if (this.isWatched) {
      this.jobsRefresher.request();
      if (event.change !== 'progress') {
        this.machinesRefresher.request();
      }
    } else {
      this.isStale = true;
      this.machinesAreStale ||= event.change !== 'progress';
      this.changed.emit();
    }
    this.jobChanged.emit(event);
  }

  /** Look whether something has to be fetched; often, and without asking anybody. */
  private readonly beat = (): void => {
    if (!this.isWatched) {
      clearInterval(this.heart);
      this.heart = undefined;
      return;
    }
    const now = Date.now();
    const connection = this.events.connection();
    const waited = now - this.askedAt;
    const again = this.state.trouble === 'away' ? BEAT_MS : POLL_MS;
    if (this.isStale || connection !== this.connection) {
      // What happened while the stream was cut is not told again; and if it is cut now, the server
      // may be away.
      this.refresh();
    } else if (
      (!connection || this.state.trouble !== null) &&
      waited >= again
    ) {
      this.refresh();
    } else if (
      this.machines?.total.gpu_count &&
      now - this.machinesAskedAt >= GPU_MS
    ) {
      this.machinesRefresher.request();
    }
    this.isStale = false;
    this.connection = connection;
    this.heart ??= setInterval(this.beat, BEAT_MS);
  };

  private async fetchJobs(): Promise<void> {
    this.askedAt = Date.now();
    const { filter } = this;
    const withEnded = this.endedIsStale;
    this.endedIsStale = false;
    try {
      const [asActive, asEnded] = await Promise.all([
        this.activeJobs(),
        withEnded ? this.endedPage() : null
      ]);
      const { active, ended } = once(asActive, asEnded);
      const here = new Set(active.map(job => job.job_id));
      const vanished = this.allActive.filter(job => !here.has(job.job_id));
      this.allActive = ordered(active);
      this.statuses = new Map(active.map(job => [job.job_id, job.status]));
      this.endedJobs.remove(here);
      if (ended !== null && filter === this.filter) {
        const isFull = asEnded?.length === this.pageSize;
        this.endedJobs.takeNewest(asEnded ?? [], this.shown(ended), isFull);
        await this.findAgain(vanished);
      }
      this.state = { loaded: true, trouble: null, message: '' };
    } catch (error) {
      this.endedIsStale ||= withEnded;
      this.note(error);
    }
    this.changed.emit();
  }

  /** Page by page: those that run are often the oldest. */
  private async activeJobs(): Promise<IJob[]> {
    const found: IJob[] = [];
    for (;;) {
      const page = await this.api.jobs({
        statuses: ACTIVE,
        limit: LARGE_PAGE,
        before: found.at(-1)?.id
      });
      found.push(...page);
      if (page.length < LARGE_PAGE || found.length >= MOST_ACTIVE) {
        return found;
      }
    }
  }

  /** Show those that have ended, though they are older than the first page of these. */
  private async findAgain(vanished: readonly IJob[]): Promise<void> {
    const missing = vanished
      .filter(job => !this.ended.some(one => one.job_id === job.job_id))
      .slice(0, MOST_VANISHED);
    const found = await Promise.all(
      missing.map(job => this.api.job(job.job_id).catch(() => null))
    );
    const ended = found.filter(job => job !== null && !isActive(job));
    this.shown(ended as IJob[]).forEach(job => this.endedJobs.put(job));
  }

  private async fetchMachines(): Promise<void> {
    this.machinesAskedAt = Date.now();
    try {
      this.machinesAreStale = false;
      this.machines = await this.api.machines();
      for (const gpu of this.machines.nodes.flatMap(node => node.gpus)) {
        const known = this.readings.get(gpu.uuid) ?? [];
        const now = gpu.utilization_percent;
        if (now !== null) {
          this.readings.set(gpu.uuid, [...known, now].slice(-READINGS));
        }
      }
      this.changed.emit();
    } catch (error) {
      this.machinesAreStale = true;
      // That the server is away is noticed, and told, with the jobs.
      if (!(error instanceof ApiError)) {
        throw error;
      }
    }
  }

  private async endedPage(before?: number): Promise<IJob[]> {
    const statuses = endedStatuses(this.filter);
    if (!statuses.length) {
      return [];
    }
    return this.api.jobs({
      statuses,
      q: this.filter.text,
      limit: this.pageSize,
      before
    });
  }

  private get pageSize(): number {
    return isAskedHere(this.filter) ? LARGE_PAGE : PAGE;
  }

  private shown(jobs: readonly IJob[]): IJob[] {
    return jobs.filter(job => matches(job, this.filter));
  }

  private note(error: unknown): void {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    this.state = {
      ...this.state,
      trouble: error.trouble,
      message: error.message
    };
  }

  private allActive: IJob[] = [];
  private statuses = new Map<string, JobStatus>();
  private readonly endedJobs = new EndedJobs();
  private typed = '';
  private filter: IFilter = parseFilter('');
  private endedIsStale = true;
  private isStale = true;
  private sequence: number | null = null;
  private connection: object | null = null;
  private watchers = 0;
  private askedAt = 0;
  private machinesAskedAt = 0;
  private heart: ReturnType<typeof setInterval> | undefined;
  private disposed = false;
  private readonly jobsRefresher: Refresher;
  private readonly machinesRefresher: Refresher;
}

/** First what runs, the newest first; then what waits, the next one first. */
export function ordered(jobs: readonly IJob[]): IJob[] {
  const rank = (job: IJob): number =>
    job.status === 'running' ? 0 : job.status === 'scheduled' ? 1 : 2;
  return [...jobs].sort(
    (one, other) =>
      rank(one) - rank(other) ||
      (rank(one) < 2
        ? other.id - one.id
        : (one.queue_position ?? Infinity) -
            (other.queue_position ?? Infinity) || one.id - other.id)
  );
}

/** Two answers in which each job is once: between them it may have ended, or been run again. */
function once(
  active: readonly IJob[],
  ended: IJob[] | null
): { active: readonly IJob[]; ended: IJob[] | null } {
  if (ended === null) {
    return { active, ended };
  }
  const attempts = new Map(active.map(job => [job.job_id, job.attempt]));
  const over = ended.filter(
    job => (attempts.get(job.job_id) ?? 0) <= job.attempt
  );
  const gone = new Set(over.map(job => job.job_id));
  return { active: active.filter(job => !gone.has(job.job_id)), ended: over };
}
