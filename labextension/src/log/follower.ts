/**
 * Fills a buffer with the log of a job, and goes on as the job prints.
 */
import { Signal } from '@lumino/signaling';

import { ApiError, jobPath, type TrainingApi } from '../model/api';
import type { LogBuffer } from './buffer';

/** What the server tells over the socket; `api/training-openapi.json` describes it. */
type Message =
  | { type: 'attempt'; attempt: number; offset: number; size: number }
  | {
      type: 'lines';
      offset: number;
      next_offset: number;
      lines: string[];
      partial: string[];
      replaces: number;
    }
  | { type: 'skipped'; offset: number; next_offset: number; kept: boolean }
  | { type: 'end'; attempt: number };

/** Opens a socket to a path below the server's base URL. */
export type Connect = (path: string) => WebSocket;

/** Where the log is with respect to what is here. */
export type Following =
  | 'connecting'
  /** What is printed comes. */
  | 'following'
  /** The connection was lost; it is tried again. */
  | 'away'
  /** Nothing more will come. */
  | 'ended';

export interface IWords {
  skipped: (bytes: number, kept: boolean) => string;
}

const FIRST_LINES = 2000;
const EARLIER_LINES = 10_000;
const PAGE_LINES = 50_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const DELETED = 4404;

export class LogFollower {
  constructor(
    readonly buffer: LogBuffer,
    private readonly id: string,
    private readonly api: TrainingApi,
    private readonly connect: Connect,
    private readonly words: IWords
  ) {}

  readonly changed = new Signal<this, void>(this);

  state: Following = 'connecting';
  attempt: number | null = null;
  isLoadingEarlier = false;
  /** What the server has against showing it; null if nothing. */
  error: ApiError | null = null;

  /** Of which rank of a distributed job it is; null for what all of them print. */
  get rank(): number | null {
    return this.ofRank;
  }

  /** Follow another rank of the attempt that is shown. */
  set rank(rank: number | null) {
    if (rank === this.ofRank) {
      return;
    }
    this.ofRank = rank;
    const { attempt, chosen } = this;
    if (this.state === 'ended' && attempt !== null) {
      void this.show(attempt);
    } else if (chosen !== null) {
      void this.show(chosen);
    } else {
      this.start();
    }
  }

  /** Follow the latest attempt. */
  start(): void {
    this.reset();
    this.open(`tail=${FIRST_LINES}`);
  }

  /** Forget what is here; the latest attempt is followed when it is resumed. */
  reset(): void {
    this.stop();
    this.buffer.clear();
    this.attempt = this.chosen = this.error = null;
    this.set('connecting');
  }

  /** Go on where it was when it was stopped. */
  resume(): void {
    if (this.socket !== null || this.timer !== undefined) {
      return;
    }
    if (this.chosen !== null && this.chosen !== this.attempt) {
      void this.show(this.chosen);
    } else if (this.state !== 'ended') {
      this.open(this.whereItWas());
    }
  }

  /** Show an earlier attempt, which prints nothing any more. */
  async show(attempt: number): Promise<void> {
    this.stop();
    this.chosen = attempt;
    this.set('connecting');
    const { generation } = this;
    try {
      const page = await this.api.log(this.id, {
        attempt,
        tail: FIRST_LINES,
        ...this.query
      });
      if (generation !== this.generation) {
        return;
      }
      this.attempt = attempt;
      this.error = null;
      this.wait = FIRST_WAIT_MS;
      this.buffer.clear(page.offset);
      this.buffer.append(page.logs, page.next_offset);
      this.set('ended');
    } catch (error) {
      const refused = known(error);
      if (generation !== this.generation) {
        return;
      }
      if (refused.trouble === 'away' || refused.trouble === 'unavailable') {
        this.set('away');
        this.later(() => void this.show(attempt));
      } else {
        this.attempt = attempt;
        this.error = refused;
        this.buffer.clear();
        this.set('ended');
      }
    }
  }

  /** Listen no more. */
  stop(): void {
    this.generation += 1;
    clearTimeout(this.timer);
    this.timer = undefined;
    const socket = this.socket;
    this.socket = null;
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  /** The whole log of the attempt that is shown, as a file. */
  async file(): Promise<Blob> {
    const pieces: string[] = [];
    const attempt = this.attempt ?? undefined;
    for (let offset = 0; ;) {
      const page = await this.api.log(this.id, {
        attempt,
        offset,
        lines: PAGE_LINES,
        ...this.query
      });
      pieces.push(...page.logs.map(line => `${line}\n`));
      if (page.next_offset <= offset || !page.logs.length) {
        return new Blob(pieces, { type: 'text/plain' });
      }
      offset = page.next_offset;
    }
  }

  /** Load all that was printed before what is here, as far as it is kept. */
  async loadAll(): Promise<void> {
    const { generation } = this;
    let start = Infinity;
    while (
      this.buffer.hasEarlier &&
      this.buffer.start < start &&
      generation === this.generation
    ) {
      start = this.buffer.start;
      await this.loadEarlier();
    }
  }

  /** Load what was printed before what is here. */
  async loadEarlier(): Promise<void> {
    if (
      !this.buffer.hasEarlier ||
      this.isLoadingEarlier ||
      this.attempt === null
    ) {
      return;
    }
    this.isLoadingEarlier = true;
    const { generation } = this;
    try {
      const page = await this.api.log(this.id, {
        attempt: this.attempt,
        before: this.buffer.start,
        lines: EARLIER_LINES,
        ...this.query
      });
      if (generation === this.generation) {
        const start = page.logs.length ? page.offset : 0;
        const gone = this.buffer.start - page.next_offset;
        const gap = page.logs.length && gone > 0;
        this.buffer.prepend(
          gap ? [...page.logs, this.words.skipped(gone, false)] : page.logs,
          start
        );
      }
    } catch (error) {
      // What is printed may come all the same, and who scrolls on asks again.
      known(error);
    } finally {
      this.isLoadingEarlier = false;
      this.changed.emit();
    }
  }

  private open(query: string): void {
    this.set(this.attempt === null ? 'connecting' : this.state);
    const rank = this.ofRank === null ? '' : `&rank=${this.ofRank}`;
    const socket = this.connect(
      `${jobPath(this.id)}/logs/stream?${query}${rank}`
    );
    this.socket = socket;
    socket.onmessage = ({ data }) =>
      this.take(JSON.parse(String(data)) as Message);
    socket.onclose = ({ code }) => {
      this.socket = null;
      if (code === DELETED || this.state === 'ended') {
        this.set('ended');
        return;
      }
      this.set('away');
      this.later(() => this.open(this.whereItWas()));
    };
  }

  /** Try something again, each time after a longer while. */
  private later(again: () => void): void {
    this.timer = setTimeout(() => {
      this.timer = undefined;
      again();
    }, this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }

  private get query(): { rank?: number } {
    return this.ofRank === null ? {} : { rank: this.ofRank };
  }

  private whereItWas(): string {
    return this.attempt === null
      ? `tail=${FIRST_LINES}`
      : `attempt=${this.attempt}&offset=${this.buffer.end}`;
  }

  private take(message: Message): void {
    this.wait = FIRST_WAIT_MS;
    switch (message.type) {
      case 'attempt':
        if (message.attempt !== this.attempt) {
          this.attempt = message.attempt;
          this.generation += 1;
          this.buffer.clear(message.offset);
        }
        this.set('following');
        break;
      case 'lines':
        this.buffer.append(
          message.lines,
          message.next_offset,
          message.partial,
          message.replaces
        );
        break;
      case 'skipped':
        this.buffer.append(
          [
            this.words.skipped(
              message.next_offset - message.offset,
              message.kept
            )
          ],
          message.next_offset
        );
        break;
      case 'end':
        this.set('ended');
        break;
    }
  }

  private set(state: Following): void {
    this.state = state;
    this.changed.emit();
  }

  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wait = FIRST_WAIT_MS;
  /** The earlier attempt that somebody wants to see. */
  private chosen: number | null = null;
  private ofRank: number | null = null;
  /** Counts what is followed, so that an answer about something else is not shown. */
  private generation = 0;
}

/** Throws what is no trouble with the server. */
function known(error: unknown): ApiError {
  if (!(error instanceof ApiError)) {
    throw error;
  }
  return error;
}
