/**
 * Runs one task at a time, again if it was asked for meanwhile, and not more often than it should.
 */
export class Refresher {
  /**
   * @param task - What to do; it bears its errors itself.
   * @param pause - The least time from the end of a run to the next one (ms).
   * @param isStillWanted - Asked before a run that had to wait, for whom it was asked for may be gone.
   */
  constructor(
    private readonly task: () => Promise<void>,
    private readonly pause = 400,
    private readonly isStillWanted = (): boolean => true
  ) {}

  /** Have it done soon; what is asked for meanwhile is done together. */
  request(): void {
    this.wanted = true;
    if (!this.running && this.timer === undefined && !this.disposed) {
      void this.run();
    }
  }

  /** When all that was asked for until now is done. */
  async settled(): Promise<void> {
    while (this.running || this.timer !== undefined) {
      await (this.running ?? new Promise(done => setTimeout(done, 5)));
    }
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private async run(): Promise<void> {
    this.wanted = false;
    const begun = performance.now();
    this.running = this.task();
    try {
      await this.running;
    } catch (error) {
      // It is a fault of ours; what comes later may be fine all the same.
      console.error(error);
    } finally {
      this.running = undefined;
      if (!this.disposed) {
        // What takes the server long is not asked for all the time.
        const pause = Math.max(this.pause, performance.now() - begun);
        this.timer = setTimeout(this.again, pause);
      }
    }
  }

  private readonly again = (): void => {
    this.timer = undefined;
    if (this.wanted && this.isStillWanted()) {
      void this.run();
    }
  };

  private running: Promise<void> | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wanted = false;
  private disposed = false;
}
