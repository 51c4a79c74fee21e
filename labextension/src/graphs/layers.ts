/**
 * Places for the nodes of a directed graph without cycles: layers from left to right, and few
 * crossings (K. Sugiyama et al., "Methods for Visual Understanding of Hierarchical System
 * Structures", 1981).
 */

export interface IVertex {
  id: string;
  /** The ids of those that come before it; others than those of the graph are ignored. */
  after: readonly string[];
}

export interface IPlaced {
  id: string;
  /** The column, from 0. */
  layer: number;
  /** The row, from 0, perhaps between two. */
  row: number;
}

export interface IEdge {
  from: string;
  to: string;
  /** From column to column, the row at which it passes. */
  rows: number[];
}

export interface ILayout {
  nodes: IPlaced[];
  edges: IEdge[];
  layers: number;
  rows: number;
}

/** A node, or the place where an edge passes a layer. */
interface ISlot {
  key: string;
  layer: number;
  before: ISlot[];
  behind: ISlot[];
  row: number;
}

const SWEEPS = 6;

export function layout(vertices: readonly IVertex[]): ILayout {
  const known = new Map(vertices.map(one => [one.id, one]));
  const layerOf = longestPaths(vertices, known);
  const slots = new Map<string, ISlot>();
  const layers: ISlot[][] = [];
  const add = (key: string, layer: number): ISlot => {
    const slot = { key, layer, before: [], behind: [], row: 0 };
    slots.set(key, slot);
    (layers[layer] ??= []).push(slot);
    return slot;
  };
  for (const { id } of vertices) {
    add(id, layerOf.get(id)!);
  }
  const paths = vertices.flatMap(({ id, after }) =>
    [...new Set(after)]
      .filter(other => known.has(other))
      .map(other => {
        const path = [slots.get(other)!];
        for (let at = path[0].layer + 1; at < layerOf.get(id)!; at++) {
          path.push(add(`${other}\n${id}\n${at}`, at));
        }
        path.push(slots.get(id)!);
        path.slice(1).forEach((slot, place) => {
          slot.before.push(path[place]);
          path[place].behind.push(slot);
        });
        return path;
      })
  );
  order(layers);
  const rows = straighten(layers);
  return {
    nodes: vertices.map(({ id }) => {
      const { layer, row } = slots.get(id)!;
      return { id, layer, row };
    }),
    edges: paths.map(path => ({
      from: path[0].key,
      to: path[path.length - 1].key,
      rows: path.map(slot => slot.row)
    })),
    layers: layers.length,
    rows
  };
}

/** In which layer each is: behind everything that it comes after. */
function longestPaths(
  vertices: readonly IVertex[],
  known: ReadonlyMap<string, IVertex>
): Map<string, number> {
  const found = new Map<string, number>();
  const open = new Set<string>();
  const visit = (id: string): number => {
    const done = found.get(id);
    if (done !== undefined || open.has(id)) {
      return done ?? 0;
    }
    open.add(id);
    const before = known.get(id)!.after.filter(other => known.has(other));
    const layer = Math.max(-1, ...before.map(visit)) + 1;
    open.delete(id);
    found.set(id, layer);
    return layer;
  };
  vertices.forEach(({ id }) => visit(id));
  return found;
}

/** Put each where those that it is joined with are on average, forwards and backwards in turn. */
function order(layers: ISlot[][]): void {
  const number = (layer: ISlot[]): void =>
    layer.forEach((slot, place) => (slot.row = place));
  layers.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forwards = sweep % 2 === 0;
    for (const layer of forwards ? layers : [...layers].reverse()) {
      const middle = new Map(
        layer.map(slot => [
          slot,
          average(forwards ? slot.before : slot.behind) ?? slot.row
        ])
      );
      layer.sort(
        (one, other) =>
          middle.get(one)! - middle.get(other)! || one.row - other.row
      );
      number(layer);
    }
  }
}

/** Let chains be straight as far as their order allows; the number of rows. */
function straighten(layers: ISlot[][]): number {
  const most = Math.max(0, ...layers.map(layer => layer.length));
  for (const layer of layers) {
    const start = (most - layer.length) / 2;
    layer.forEach((slot, place) => (slot.row = start + place));
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) {
      const wanted = layer.map(
        slot => average(sweep % 2 ? slot.behind : slot.before) ?? slot.row
      );
      place(layer, wanted);
    }
  }
  const all = layers.flat();
  const first = Math.min(...all.map(slot => slot.row));
  all.forEach(slot => (slot.row -= first));
  return Math.max(0, ...all.map(slot => slot.row)) + 1;
}

/** As near to where they want to be as a distance of 1 and their order allow (least squares). */
function place(layer: ISlot[], wanted: readonly number[]): void {
  // With the order taken out this is an isotonic regression: pool those that would cross.
  const pools: { sum: number; many: number }[] = [];
  wanted.forEach((row, index) => {
    pools.push({ sum: row - index, many: 1 });
    while (
      pools.length > 1 &&
      mean(pools[pools.length - 2]) >= mean(pools[pools.length - 1])
    ) {
      const last = pools.pop()!;
      const before = pools[pools.length - 1];
      before.sum += last.sum;
      before.many += last.many;
    }
  });
  let index = 0;
  for (const pool of pools) {
    for (let count = 0; count < pool.many; count++, index++) {
      layer[index].row = mean(pool) + index;
    }
  }
}

function mean(pool: { sum: number; many: number }): number {
  return pool.sum / pool.many;
}

function average(slots: readonly ISlot[]): number | null {
  return slots.length
    ? slots.reduce((sum, slot) => sum + slot.row, 0) / slots.length
    : null;
}
