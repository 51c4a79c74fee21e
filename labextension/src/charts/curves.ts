/**
 * Curves, before they are drawn.
 */
import type { IMetricSeries } from '../model/types';

export interface ICurve {
  name: string;
  /** Ascending. */
  x: number[];
  y: (number | null)[];
  /** How it is drawn: by default as a line from point to point. */
  shape?: 'line' | 'points' | 'steps';
}

/** What belongs into one picture. */
export interface IFigure {
  title: string;
  curves: ICurve[];
}

/** `val_loss` and `train/loss` are both a loss. */
export function quantity(name: string): string {
  return (
    name
      .replace(
        /^(train(ing)?|val(id(ation)?)?|test|eval(uation)?|dev)[_/.\s-]+/i,
        ''
      )
      .replace(
        /[_/.\s-]+(train(ing)?|val(id(ation)?)?|test|eval(uation)?|dev)$/i,
        ''
      )
      .toLowerCase() || name.toLowerCase()
  );
}

/**
 * A picture for each quantity, in the order in which they came.
 *
 * @param started - From when time counts; if it is not known, from the first value.
 */
export function figures(
  series: readonly IMetricSeries[],
  axis: 'step' | 'time',
  started: string | null
): IFigure[] {
  const found = new Map<string, ICurve[]>();
  const begin =
    started === null
      ? Math.min(...series.flatMap(one => one.times.slice(0, 1).map(momentMs)))
      : Date.parse(started);
  for (const one of series) {
    const x =
      axis === 'step'
        ? one.steps.map(Number)
        : one.times.map(at => (momentMs(at) - begin) / 1000);
    const key = quantity(one.name);
    const curves = found.get(key) ?? [];
    curves.push(sorted({ name: one.name, x, y: one.values.map(finite) }));
    found.set(key, curves);
  }
  return [...found].map(([title, curves]) => ({ title, curves }));
}

/** The exponential moving average, started without a bias towards zero. */
export function smoothed(
  values: readonly (number | null)[],
  weight: number
): (number | null)[] {
  if (weight <= 0) {
    return [...values];
  }
  let sum = 0;
  let share = 0;
  return values.map(value => {
    if (value === null) {
      return null;
    }
    sum = sum * weight + value * (1 - weight);
    share = share * weight + (1 - weight);
    return sum / share;
  });
}

function momentMs(at: number | string): number {
  return typeof at === 'number' ? at * 1000 : Date.parse(at);
}

function finite(value: number | string): number | null {
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** By its places, of which each is there once. */
export function sorted(curve: ICurve): ICurve {
  const order = curve.x
    .map((x, place) => ({ x, place }))
    .filter(({ x }) => Number.isFinite(x))
    .sort((one, other) => one.x - other.x || one.place - other.place)
    // Of several values at one place the last one counts.
    .filter(({ x }, place, all) => all[place + 1]?.x !== x);
  return {
    name: curve.name,
    x: order.map(({ x }) => x),
    y: order.map(({ place }) => curve.y[place])
  };
}
