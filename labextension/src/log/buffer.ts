/**
 * The lines of a log that are here, of one attempt.
 */
import { Signal } from '@lumino/signaling';

/** More lines than this are not kept; the oldest go first, and can be loaded again. */
export const MOST_LINES = 1_000_000;
/** So many are dropped at a time. */
const SLACK = 10_000;

export interface ILineMatch {
  line: number;
  start: number;
  end: number;
}

const ERROR =
  /\b(Traceback|[A-Z]\w*(?:Error|Exception)|ERROR|FATAL|CRITICAL|Killed|Segmentation fault|CUDA out of memory)\b/;

export class LogBuffer {
  /** Lines have come, or are shown differently. */
  readonly changed = new Signal<this, void>(this);

  /** The byte at which the first line begins. */
  start = 0;
  /** The byte behind the last whole line. */
  end = 0;

  /**
   * How many lines have gone at the beginning, less those that were put there: what was line `n` is
   * line `n - (shifted now - shifted then)`.
   */
  shifted = 0;

  get length(): number {
    return this.lines.length + this.partial.length;
  }

  /** How many of them will not go on. */
  get wholeLines(): number {
    return this.lines.length;
  }

  /**
   * The first line that was written over since this was asked last, counted as if none had ever
   * gone at the beginning; infinite if there is none.
   */
  takeRewritten(): number {
    const line = this.rewritten;
    this.rewritten = Infinity;
    return line;
  }

  line(index: number): string {
    const whole = this.lines.length;
    return (
      (index < whole ? this.lines[index] : this.partial[index - whole]) ?? ''
    );
  }

  /**
   * Add lines at the end.
   *
   * @param end - The byte behind them.
   * @param partial - What comes after them and has no newline yet.
   * @param replaces - How many lines they replace.
   */
  append(
    lines: readonly string[],
    end: number,
    partial: readonly string[] = [],
    replaces = 0
  ): void {
    if (replaces > 0) {
      this.lines.length = Math.max(0, this.lines.length - replaces);
      const first = this.lines.length + this.shifted;
      this.rewritten = Math.min(this.rewritten, first);
      this.forgetErrors(first);
    }
    for (const line of lines) {
      this.lines.push(line);
    }
    this.partial = partial;
    this.end = end;
    if (this.lines.length > MOST_LINES + SLACK) {
      const many = this.lines.length - MOST_LINES;
      this.lines.splice(0, many);
      this.shifted += many;
      this.hasDropped = true;
    }
    this.changed.emit();
  }

  /** Put older lines before those that are here. */
  prepend(lines: readonly string[], start: number): void {
    this.lines = lines.concat(this.lines);
    this.start = start;
    this.shifted -= lines.length;
    this.forgetErrors(this.shifted);
    this.changed.emit();
  }

  clear(start = 0): void {
    this.lines = [];
    this.partial = [];
    this.start = this.end = start;
    this.shifted = 0;
    this.rewritten = -Infinity;
    this.forgetErrors(0);
    this.hasDropped = false;
    this.changed.emit();
  }

  /** Whether there are older lines that are not here. */
  get hasEarlier(): boolean {
    return this.start > 0 && !this.hasDropped;
  }

  /** Where a text is, from a line on and before another; letters match whatever their case. */
  find(text: string, from = 0, to = this.length): ILineMatch[] {
    const found: ILineMatch[] = [];
    const wanted = text.toLowerCase();
    if (!wanted) {
      return found;
    }
    for (let line = from; line < to; line++) {
      const plain = withoutEscapes(this.line(line)).toLowerCase();
      let start = plain.indexOf(wanted);
      while (start >= 0) {
        found.push({ line, start, end: start + wanted.length });
        start = plain.indexOf(wanted, start + wanted.length);
      }
    }
    return found;
  }

  /** Whether a line tells of an error; each is looked at once. */
  get hasErrors(): boolean {
    const end = this.lines.length + this.shifted;
    for (let line = Math.max(this.checked, this.shifted); line < end; line++) {
      if (ERROR.test(this.line(line - this.shifted))) {
        this.lastError = line;
      }
    }
    this.checked = end;
    return this.lastError >= this.shifted;
  }

  /** The next line after this one that tells of an error, going round; -1 if there is none. */
  nextError(after: number): number {
    const many = this.length;
    for (let step = 1; step <= many; step++) {
      const line = (after + step + many) % many;
      if (ERROR.test(this.line(line))) {
        return line;
      }
    }
    return -1;
  }

  /** Look at the lines from this one on again. */
  private forgetErrors(line: number): void {
    this.checked = Math.min(this.checked, line);
    if (this.lastError >= line) {
      // Another one may be before it.
      this.checked = this.lastError = -Infinity;
    }
  }

  private lines: string[] = [];
  private partial: readonly string[] = [];
  private rewritten = Infinity;
  /** Lines before this one were looked at, and the last one that tells of an error. */
  private checked = 0;
  private lastError = -Infinity;
  private hasDropped = false;
}

/* eslint-disable no-control-regex */
const ESCAPE =
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])/g;

const OTHER_THAN_COLOUR =
  /\x1b(?:\[[0-?]*[ -/]*[@-ln-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])/g;
/* eslint-enable no-control-regex */

export function withoutEscapes(line: string): string {
  return line.includes('\x1b') ? line.replace(ESCAPE, '') : line;
}

/** A line of which only the colours are left to be understood. */
export function onlyColours(line: string): string {
  return line.includes('\x1b') ? line.replace(OTHER_THAN_COLOUR, '') : line;
}
