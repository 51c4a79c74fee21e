/**
 * What an attempt used, as figures with their limits.
 */
import type { IUsage } from '../model/types';
import type { ICurve } from './curves';

const GB = 1024 ** 3;
/** Of a limit that is farther away the curve would be a flat line at the bottom. */
const NEAR = 0.2;

export type Quantity = 'cpu' | 'memory' | 'gpu' | 'gpuMemory';

export interface IUsageFigure {
  quantity: Quantity;
  /** In cores, bytes, percent and bytes. */
  curves: ICurve[];
  peak: number | null;
  mean: number | null;
  /** What it was given; null where that is not known. */
  limit: number | null;
  range: [number, number];
}

export interface ICard {
  name: string;
  /** Null if not known. */
  memoryGb: number | null;
}

/**
 * The figures of an attempt: those of its GPUs only if it has some.
 *
 * @param cardOf - What is known of a GPU by its UUID.
 */
export function usageFigures(
  usage: IUsage,
  cardOf: (uuid: string, place: number) => ICard
): IUsageFigure[] {
  const begin = Date.parse(usage.started_at ?? usage.time[0] ?? '');
  const x = usage.time.map(at => Math.max(0, (Date.parse(at) - begin) / 1000));
  const { peaks, means, requested } = usage;
  const cards = usage.gpus.map(({ uuid }, place) => cardOf(uuid, place));
  const figure = (
    quantity: Quantity,
    several: readonly (readonly (number | null)[])[],
    names: readonly string[],
    peak: number | null,
    mean: number | null,
    limit: number | null
  ): IUsageFigure => ({
    quantity,
    curves: several.map((y, place) => ({ name: names[place], x, y: [...y] })),
    peak,
    mean,
    limit,
    range: quantity === 'gpu' ? [0, 100] : range(peak, limit)
  });
  const found = [
    figure(
      'cpu',
      [usage.cpu_cores],
      [''],
      peaks.cpu_cores,
      means.cpu_cores,
      requested.cpu_cores
    ),
    figure(
      'memory',
      [usage.memory_bytes],
      [''],
      peaks.memory_bytes,
      null,
      requested.memory_bytes
    )
  ];
  if (cards.length) {
    const names = cards.map(card => card.name);
    const sizes = cards.map(card => card.memoryGb);
    const isKnown = sizes.every(size => size !== null && size > 0);
    found.push(
      figure(
        'gpu',
        usage.gpus.map(gpu => gpu.utilization_percent),
        names,
        highest(usage.gpus.flatMap(gpu => gpu.utilization_percent)),
        means.gpu_utilization_percent,
        null
      ),
      figure(
        'gpuMemory',
        usage.gpus.map(gpu => gpu.memory_bytes),
        names,
        peaks.gpu_memory_bytes,
        null,
        isKnown ? Math.min(...(sizes as number[])) * GB : null
      )
    );
  }
  return found;
}

/** From nothing to the limit, if the curve comes near to it, or to a round number above the peak. */
export function range(
  peak: number | null,
  limit: number | null
): [number, number] {
  const most = peak ?? 0;
  if (limit !== null && most >= limit * NEAR) {
    return [0, Math.max(limit, most) * 1.08];
  }
  return [0, above(most) || 1];
}

/** The next of 1, 2 and 5 and their multiples by powers of 2 or 10 that leaves some room. */
function above(value: number): number {
  if (value <= 0) {
    return 0;
  }
  const wanted = value * 1.1;
  const base = value >= 1024 ? 2 ** Math.floor(Math.log2(wanted)) : 0;
  if (base) {
    // Sizes are counted in units of 1024.
    return [1, 1.25, 1.5, 1.75, 2]
      .map(step => step * base)
      .find(one => one >= wanted)!;
  }
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map(step => step * power).find(one => one >= wanted)!;
}

function highest(values: readonly (number | null)[]): number | null {
  return values.reduce<number | null>(
    (most, one) =>
      one === null ? most : most === null ? one : Math.max(most, one),
    null
  );
}
