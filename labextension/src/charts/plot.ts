/**
 * Curves drawn by uPlot in the colours of the theme. It needs no more than a page, so that the
 * sidebar and the widget in a cell draw the same.
 */
import uPlot from 'uplot';

import { colourOf, dashOf, GRID, resolved, TEXT } from './colours';
import { type ICurve, smoothed } from './curves';

export interface ITexts {
  /**
   * @param step - The distance of the marks, if it is for one of them.
   */
  xText: (x: number, step?: number) => string;
  yText: (y: number) => string;
  /** What is said of a place under the pointer, if not the same as on the axis. */
  tipText?: (x: number) => string;
}

export interface IPlotOptions {
  names: readonly string[];
  isSmoothed: boolean;
  isLog: boolean;
  /** What the vertical axis shows, if not what there is. */
  range?: [number, number];
  /** In pixels. */
  height: number;
  /** How numbers are written at the moment. */
  texts: () => ITexts;
  /** How each curve is drawn. */
  shapes?: readonly ICurve['shape'][];
  /** Whether a curve is not drawn where it has no values. */
  hasGaps?: boolean;
  /** Whether the values are sizes in bytes, which are counted in units of 1024. */
  isSize?: boolean;
  /** A value at which there is a line of its own. */
  limit?: number;
  /** Whether they are over a time (s). */
  isOverTime?: boolean;
}

/** What a theme changes of a page when it is changed itself. */
const THEMED = [
  'data-jp-theme-name',
  'data-jp-theme-light',
  'data-vscode-theme-id',
  'class'
];
/** What changes the colours that the system forces on all pages. */
const FORCED = ['(forced-colors: active)', '(prefers-color-scheme: dark)'];
const NARROWEST = 120;

export const LIMIT_DASH = [8, 5];

/** The distances of marks of sizes, from a byte to a petabyte. */
const SIZES = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** Distances between the marks of an axis of steps: whole ones, and parts of one. */
const WHOLE = decades(0, 15);
const PARTS = decades(-9, -1);

/** The distances of marks of times, from a second to some days. */
const TIMES = [
  ...[1, 2, 5, 10, 20, 30],
  ...[1, 2, 5, 10, 20, 30].map(minutes => 60 * minutes),
  ...[1, 2, 3, 6, 12].map(hours => 3600 * hours),
  ...[1, 2, 5, 10, 20, 50, 100].map(days => 86_400 * days)
];

/** The same curve, and faintly behind a smoothed one what was measured. */
const MEASURED = ' ~';

/** A plot as wide as the element that it is in. */
export class Plot {
  constructor(
    host: HTMLElement,
    options: IPlotOptions,
    data: uPlot.AlignedData
  ) {
    const width = (): number => Math.max(host.clientWidth, NARROWEST);
    const { height } = options;
    this.plot = new uPlot(settings(host, width(), options), data, host);
    this.resized = new ResizeObserver(() =>
      this.plot.setSize({ width: width(), height })
    );
    this.resized.observe(host);
    this.themed = new MutationObserver(this.recolour);
    this.themed.observe(document.body, { attributeFilter: THEMED });
    this.forced = FORCED.map(query => matchMedia(query));
    this.forced.forEach(one => one.addEventListener('change', this.recolour));
  }

  setData(data: uPlot.AlignedData): void {
    this.plot.setData(data);
  }

  dispose(): void {
    this.resized.disconnect();
    this.themed.disconnect();
    this.forced.forEach(one =>
      one.removeEventListener('change', this.recolour)
    );
    this.plot.destroy();
  }

  private readonly recolour = (): void => this.plot.redraw(false, true);
  private readonly plot: uPlot;
  private readonly resized: ResizeObserver;
  private readonly themed: MutationObserver;
  private readonly forced: readonly MediaQueryList[];
}

/** The curves over all places at which one of them has a value. */
export function aligned(
  curves: readonly ICurve[],
  smoothing: number,
  isLog: boolean
): uPlot.AlignedData {
  if (!curves.length) {
    return [[]];
  }
  const clean = (values: readonly (number | null)[]): (number | null)[] =>
    isLog
      ? values.map(value => (value !== null && value > 0 ? value : null))
      : [...values];
  return uPlot.join(
    curves.map(curve => [
      curve.x,
      clean(smoothed(curve.y, smoothing)),
      ...(smoothing > 0 ? [clean(curve.y)] : [])
    ])
  );
}

/** The last value of a curve, and nothing if there is none. */
export function lastValue(curve: ICurve): number | null {
  return curve.y.findLast(value => value !== null) ?? null;
}

function settings(
  host: Element,
  width: number,
  options: IPlotOptions
): uPlot.Options {
  const { isLog, isSmoothed, names, range, texts, limit } = options;
  const spanGaps = !options.hasGaps;
  const axis = {
    stroke: () => resolved(TEXT, host),
    grid: { stroke: () => resolved(GRID, host), width: 0.5 },
    ticks: { stroke: () => resolved(GRID, host), width: 1, size: 4 },
    font: '11px sans-serif'
  };
  return {
    width,
    height: options.height,
    padding: [8, null, null, null],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: {
      x: { time: false },
      y: { distr: isLog ? 3 : 1, ...(range === undefined ? {} : { range }) }
    },
    axes: [
      {
        ...axis,
        size: 28,
        ...(options.isOverTime
          ? { incrs: TIMES, space: 70 }
          : { incrs: steps }),
        values: (_, splits, _place, _space, step) =>
          splits.map(value => texts().xText(value, step))
      },
      {
        ...axis,
        size: 52,
        space: Math.min(30, options.height / 5),
        ...(options.isSize ? { incrs: SIZES } : {}),
        values: (_, splits) =>
          splits.map(value => (value === null ? '' : texts().yText(value)))
      }
    ],
    series: [
      {},
      ...names.flatMap((name, place) => [
        {
          label: name,
          stroke: () => resolved(colourOf(place), host),
          dash: dashOf(place),
          width: 2,
          spanGaps,
          ...shapeOf(options.shapes?.[place], () =>
            resolved(colourOf(place), host)
          )
        },
        ...(isSmoothed
          ? [
              {
                label: `${name}${MEASURED}`,
                stroke: () => resolved(colourOf(place), host),
                alpha: 0.3,
                width: 1,
                spanGaps,
                points: { show: false }
              }
            ]
          : [])
      ])
    ],
    plugins: [tooltip(texts), ...(limit === undefined ? [] : [line(limit)])]
  };
}

/** Between the marks of steps, of which there are no halves unless all that is drawn is of a few. */
function steps(_: uPlot, _axis: number, from: number, to: number): number[] {
  return to - from < 2 ? [...PARTS, ...WHOLE] : WHOLE;
}

function decades(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, place) =>
    [1, 2, 5].map(times => Number(`${times}e${first + place}`))
  ).flat();
}

function shapeOf(
  shape: ICurve['shape'],
  fill: () => string
): Partial<uPlot.Series> {
  switch (shape) {
    case 'points':
      return { paths: () => null, points: { show: true, size: 7, fill } };
    case 'steps':
      return {
        paths: uPlot.paths.stepped!({ align: 1 }),
        points: { show: false }
      };
    default:
      return { points: { size: 4 } };
  }
}

/** Draws a line at a value, if it can be seen at all. */
function line(at: number): uPlot.Plugin {
  return {
    hooks: {
      drawAxes: plot => {
        const { left, top, width, height } = plot.bbox;
        const y = Math.round(plot.valToPos(at, 'y', true));
        if (y < top || y > top + height) {
          return;
        }
        const { ctx } = plot;
        ctx.save();
        ctx.beginPath();
        ctx.strokeStyle = resolved(TEXT, plot.root);
        ctx.lineWidth = 1.5 * devicePixelRatio;
        ctx.setLineDash(LIMIT_DASH.map(length => length * devicePixelRatio));
        ctx.moveTo(left, y);
        ctx.lineTo(left + width, y);
        ctx.stroke();
        ctx.restore();
      }
    }
  };
}

/** Shows the values under the pointer. */
function tooltip(texts: () => ITexts): uPlot.Plugin {
  const box = document.createElement('div');
  box.className = 'jp-TrainingChart-tip';
  return {
    hooks: {
      init: plot => {
        box.style.display = 'none';
        plot.over.appendChild(box);
      },
      setCursor: plot => {
        const place = plot.cursor.idx;
        const left = plot.cursor.left ?? -1;
        if (place === null || place === undefined || left < 0) {
          box.style.display = 'none';
          return;
        }
        const lines = plot.series
          .map((series, index) => ({ series, value: plot.data[index][place] }))
          .slice(1)
          .filter(
            ({ series, value }) =>
              value !== null &&
              value !== undefined &&
              !String(series.label).endsWith(MEASURED)
          )
          .map(
            ({ series, value }) =>
              `${series.label} ${texts().yText(value as number)}`
          );
        const { tipText, xText } = texts();
        const at = (tipText ?? xText)(plot.data[0][place]);
        box.textContent = [at, ...lines].join('\n');
        box.style.display = lines.length ? '' : 'none';
        const isRight = left > plot.over.clientWidth / 2;
        box.style.left = isRight ? '' : `${left + 10}px`;
        box.style.right = isRight
          ? `${plot.over.clientWidth - left + 10}px`
          : '';
      }
    }
  };
}
