/**
 * Where a text is in a log that goes on.
 */
import { useEffect, useMemo, useRef, useState } from 'react';

import type { ILineMatch, LogBuffer } from './buffer';

const PAUSE_MS = 200;
const MOST_MATCHES = 100_000;
const NONE: readonly ILineMatch[] = [];

/**
 * The matches of a text; lines that were searched already and did not change are not searched again.
 *
 * Lines are counted as if none had ever gone at the beginning: line `n` of the buffer is
 * `n + buffer.shifted` here.
 */
export class LogSearch {
  constructor(private readonly buffer: LogBuffer) {}

  matches: readonly ILineMatch[] = NONE;

  /** Take in what is new in the buffer, or another text. */
  update(text: string): void {
    const { buffer } = this;
    const { shifted } = buffer;
    const rewritten = buffer.takeRewritten();
    if (text !== this.text) {
      this.text = text;
      this.from = this.to = shifted;
      this.matches = NONE;
    }
    if (!text) {
      return;
    }
    const to = Math.max(shifted, Math.min(this.to, rewritten));
    const from = Math.min(Math.max(this.from, shifted), to);
    const kept = this.matches.slice(
      placeOf(this.matches, from),
      placeOf(this.matches, to)
    );
    const found = [
      ...this.find(shifted, from),
      ...kept,
      ...this.find(to, buffer.length + shifted)
    ];
    this.matches = found.slice(0, MOST_MATCHES);
    this.from = shifted;
    this.to = buffer.wholeLines + shifted;
  }

  /** Those in a line. */
  of(line: number): readonly ILineMatch[] {
    const first = placeOf(this.matches, line);
    return this.matches[first]?.line === line
      ? this.matches.slice(first, placeOf(this.matches, line + 1))
      : NONE;
  }

  private find(from: number, to: number): ILineMatch[] {
    const { shifted } = this.buffer;
    const found = this.buffer.find(this.text, from - shifted, to - shifted);
    return found.map(match => ({ ...match, line: match.line + shifted }));
  }

  private text = '';
  /** Between these lines all is searched. */
  private from = 0;
  private to = 0;
}

/** Where the first match at or behind a line is. */
function placeOf(matches: readonly ILineMatch[], line: number): number {
  let low = 0;
  let high = matches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (matches[middle].line < line) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

export interface ISearch {
  text: string;
  setText: (text: string) => void;
  /** How many matches there are. */
  count: number;
  place: number;
  /** The line of the next match, or of one before; null if there is none. */
  go: (step: number) => number | null;
  /** The matches in a line of the buffer. */
  of: (line: number) => readonly ILineMatch[];
}

/** Search a log as it comes, and go from match to match. */
export function useSearch(buffer: LogBuffer): ISearch {
  const [text, setText] = useState('');
  const [matches, setMatches] = useState<readonly ILineMatch[]>(NONE);
  const [place, setPlace] = useState(-1);
  const search = useMemo(() => new LogSearch(buffer), [buffer]);
  const { end, length, shifted } = buffer;
  const wanted = useRef(text);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    wanted.current = text;
    // Lines that come do not put it off, or a busy log would never be searched.
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      search.update(wanted.current);
      setMatches(search.matches);
    }, PAUSE_MS);
  }, [search, text, end, length, shifted]);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    },
    [search]
  );
  useEffect(() => setPlace(-1), [text]);
  return {
    text,
    setText,
    count: matches.length,
    place,
    go: step => {
      // What was typed a moment ago may not have been searched for yet.
      search.update(text);
      const found = search.matches;
      setMatches(found);
      if (!found.length) {
        return null;
      }
      // Before the first step backwards nothing is current, and not what is before the first one.
      const from = place < 0 && step < 0 ? 0 : place;
      const next = (from + step + found.length) % found.length;
      setPlace(next);
      return found[next].line - buffer.shifted;
    },
    of: line => search.of(line + buffer.shifted)
  };
}
