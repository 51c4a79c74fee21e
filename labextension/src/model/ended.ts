/**
 * The jobs that have ended, as far as they are loaded: newest first, page by page.
 */
import type { IJob } from './types';

export class EndedJobs {
  /** Those that are to be shown. */
  loaded: readonly IJob[] = [];

  /** Whether there are older ones that are not loaded. */
  hasMore = false;

  /** Counts how often it began anew, so that a page that continues what was before is not taken. */
  generation = 0;

  /** Behind which number the next page begins; null before the first one. */
  get oldest(): number | null {
    return this.reached;
  }

  clear(): void {
    this.loaded = [];
    this.hasMore = false;
    this.reached = null;
    this.newest = 0;
    this.generation += 1;
  }

  /**
   * The newest ones as they are now.
   *
   * @param page - All that were answered.
   * @param shown - Those of them that are to be shown.
   * @param isFull - Whether there may be more behind them.
   */
  takeNewest(
    page: readonly IJob[],
    shown: readonly IJob[],
    isFull: boolean
  ): void {
    const oldest = isFull ? (page.at(-1)?.id ?? 0) : 0;
    // Else there may be others between this page and what was loaded.
    const isJoined = isFull && this.reached !== null && oldest <= this.newest;
    // What is as new as these and not among them is gone.
    const older = isJoined ? this.loaded.filter(job => job.id < oldest) : [];
    if (!isJoined) {
      this.generation += 1;
      this.hasMore = isFull;
    }
    this.reached = isJoined ? Math.min(this.reached ?? oldest, oldest) : oldest;
    this.newest = Math.max(this.newest, page[0]?.id ?? 0);
    this.loaded = merged(shown, older);
  }

  /** A page that begins where the last one ended. */
  takeOlder(
    page: readonly IJob[],
    shown: readonly IJob[],
    isFull: boolean
  ): void {
    this.reached = page.at(-1)?.id ?? 0;
    this.hasMore = isFull;
    this.loaded = merged(this.loaded, shown);
  }

  /** Show one as it is. */
  put(job: IJob): void {
    this.loaded = merged([job], this.loaded);
  }

  /** Show these no more. */
  remove(ids: ReadonlySet<string>): void {
    this.loaded = this.loaded.filter(job => !ids.has(job.job_id));
  }

  private reached: number | null = null;
  private newest = 0;
}

/** Both lists, newest first, each job once; the first list is right. */
function merged(first: readonly IJob[], second: readonly IJob[]): IJob[] {
  const known = new Set(first.map(job => job.job_id));
  return [...first, ...second.filter(job => !known.has(job.job_id))].sort(
    (one, other) => other.id - one.id
  );
}
