/**
 * A line of a log as pieces with a look: its colours, and what was searched for in it.
 */
import Anser from 'anser';

import { onlyColours } from './buffer';

export interface ISpan {
  text: string;
  classes: string;
  style?: { color?: string; backgroundColor?: string };
}

/** More than this of a line is not shown. */
const MOST_CHARACTERS = 20_000;

export function spansOf(line: string): ISpan[] {
  const shown =
    line.length > MOST_CHARACTERS
      ? `${line.slice(0, MOST_CHARACTERS)} …`
      : line;
  if (!shown.includes('\x1b')) {
    return [{ text: shown, classes: '' }];
  }
  return Anser.ansiToJson(onlyColours(shown), {
    use_classes: true,
    remove_empty: true
  }).map(piece => {
    const classes = piece.decorations.map(one => `jp-TrainingLog-${one}`);
    const style: ISpan['style'] = {};
    for (const [kind, colour, exact] of [
      ['fg', piece.fg, piece.fg_truecolor],
      ['bg', piece.bg, piece.bg_truecolor]
    ]) {
      if (colour === 'ansi-truecolor') {
        style[kind === 'fg' ? 'color' : 'backgroundColor'] = `rgb(${exact})`;
      } else if (colour) {
        // JupyterLab has these classes for the output of cells.
        classes.push(
          colour.startsWith('ansi-palette') ? '' : `${colour}-${kind}`
        );
      }
    }
    return { text: piece.content, classes: classes.join(' ').trim(), style };
  });
}

/** The same pieces, cut where something is marked. */
export function marked(
  spans: readonly ISpan[],
  ranges: readonly { start: number; end: number; isCurrent: boolean }[]
): ISpan[] {
  if (!ranges.length) {
    return [...spans];
  }
  const cut: ISpan[] = [];
  let at = 0;
  for (const span of spans) {
    let rest = span.text;
    let begin = at;
    while (rest) {
      const range = ranges.find(
        one => one.end > begin && one.start < begin + rest.length
      );
      const inside = range !== undefined && range.start <= begin;
      const until =
        range === undefined
          ? begin + rest.length
          : Math.min(inside ? range.end : range.start, begin + rest.length);
      const text = rest.slice(0, until - begin);
      const mark = inside
        ? ` jp-TrainingLog-match${range.isCurrent ? ' jp-mod-current' : ''}`
        : '';
      cut.push({ ...span, text, classes: `${span.classes}${mark}`.trim() });
      rest = rest.slice(text.length);
      begin = until;
    }
    at += span.text.length;
  }
  return cut;
}
