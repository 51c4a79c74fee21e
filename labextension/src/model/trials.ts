/**
 * Trials in order, and where their parameters lie between the limits of their space.
 */
import type { IDimension, ITrial, ITrials, ParameterValue } from './types';

export interface IOrder {
  /** `number`, `state`, `value`, `duration`, or `param:` and the name of a parameter. */
  key: string;
  isDescending: boolean;
}

/** The trials in an order; what has no value comes last, and the same ones by number. */
export function inOrder(
  trials: readonly ITrial[],
  order: IOrder,
  now: Date
): ITrial[] {
  const sign = order.isDescending ? -1 : 1;
  return [...trials].sort((one, other) => {
    const [a, b] = [one, other].map(trial => keyOf(trial, order.key, now));
    if (a === null || b === null) {
      return (
        Number(a === null) - Number(b === null) || one.number - other.number
      );
    }
    const compared =
      typeof a === 'number' && typeof b === 'number'
        ? a - b
        : String(a).localeCompare(String(b), undefined, { numeric: true });
    return sign * compared || one.number - other.number;
  });
}

function keyOf(trial: ITrial, key: string, now: Date): number | string | null {
  switch (key) {
    case 'number':
      return trial.number;
    case 'state':
      return trial.state;
    case 'value':
      return valueOf(trial);
    case 'duration':
      return tookS(trial, now);
    default: {
      const value = trial.params[key.replace(/^param:/, '')] ?? null;
      return typeof value === 'boolean' ? String(value) : value;
    }
  }
}

/** Its value if it has one that can be compared. */
export function valueOf(trial: ITrial): number | null {
  const value = trial.value === null ? NaN : Number(trial.value);
  return Number.isNaN(value) ? null : value;
}

/** How long it has run (s), or null. */
export function tookS(trial: ITrial, now: Date): number | null {
  return trial.started_at === null
    ? null
    : ((trial.completed_at === null
        ? now.getTime()
        : Date.parse(trial.completed_at)) -
        Date.parse(trial.started_at)) /
        1000;
}

/** The parameters of a search, the most important ones first as far as that is known. */
export function parameters(found: ITrials): string[] {
  const names = [
    ...Object.keys(found.search.space),
    ...found.trials.flatMap(trial => Object.keys(trial.params))
  ];
  const weight = (name: string): number => found.importance?.[name] ?? 0;
  return [...new Set(names)].sort((one, other) => weight(other) - weight(one));
}

/** An axis of parallel coordinates. */
export interface IAxis {
  name: string;
  /** Where a value lies, from 0 at the bottom to 1 at the top; null if nowhere. */
  place: (value: ParameterValue | undefined) => number | null;
  /** What is written along it. */
  ticks: { at: number; value: ParameterValue }[];
}

/** An axis for each parameter, and at last one for the value. */
export function axesOf(found: ITrials): IAxis[] {
  const axes = parameters(found).map(name =>
    axis(
      name,
      found.search.space[name],
      found.trials.map(trial => trial.params[name] ?? null)
    )
  );
  const values = found.trials.map(valueOf).filter(isFinite);
  return [...axes, axis(found.search.metric, scaleOf(values), values)];
}

function axis(
  name: string,
  dimension: IDimension | undefined,
  seen: readonly ParameterValue[]
): IAxis {
  const numbers = seen.filter(
    (value): value is number => typeof value === 'number'
  );
  const isNumeric =
    !dimension?.values &&
    seen.every(value => value === null || typeof value === 'number');
  if (!isNumeric) {
    const values = dimension?.values ?? [...new Set(seen)];
    const at = (place: number): number =>
      values.length < 2 ? 0.5 : place / (values.length - 1);
    return {
      name,
      place: value => {
        const place = values.findIndex(one => one === value);
        return place < 0 ? null : at(place);
      },
      ticks: values.map((value, place) => ({ at: at(place), value }))
    };
  }
  const low = dimension?.low ?? Math.min(...numbers);
  const high = dimension?.high ?? Math.max(...numbers);
  const isLog = Boolean(dimension?.type.includes('log')) && low > 0;
  const turned = (value: number): number => (isLog ? Math.log(value) : value);
  const place = (value: number): number =>
    high > low
      ? (turned(value) - turned(low)) / (turned(high) - turned(low))
      : 0.5;
  const ticks = Number.isFinite(low)
    ? [
        ...new Set([
          low,
          isLog ? Math.sqrt(low * high) : (low + high) / 2,
          high
        ])
      ]
    : [];
  return {
    name,
    place: value =>
      typeof value === 'number' && Number.isFinite(value)
        ? Math.min(1, Math.max(0, place(value)))
        : null,
    ticks: ticks.map(value => ({ at: place(value), value }))
  };
}

/** Values that differ by orders of magnitude are told apart by those. */
function scaleOf(values: readonly number[]): IDimension {
  const low = Math.min(...values);
  const high = Math.max(...values);
  return {
    type: low > 0 && high > 100 * low ? 'loguniform' : 'uniform',
    low,
    high
  };
}

function isFinite(value: number | null): value is number {
  return value !== null && Number.isFinite(value);
}

/** How good a value is among others, from 0 to 1; half for those without one. */
export function quality(found: ITrials): (trial: ITrial) => number {
  const sign = found.search.goal === 'minimize' ? -1 : 1;
  const ranked = found.trials
    .map(valueOf)
    .filter(value => value !== null)
    .map(value => sign * value)
    .sort((one, other) => one - other);
  return trial => {
    const value = valueOf(trial);
    if (value === null || ranked.length < 2) {
      return 0.5;
    }
    return ranked.indexOf(sign * value) / (ranked.length - 1);
  };
}
