import { type IVertex, layout } from '../graphs/layers';
import { widths } from '../graphs/stages';

const graph = (text: string): IVertex[] =>
  text.split(' ').map(one => {
    const [id, after = ''] = one.split('<');
    return { id, after: after.split('+').filter(Boolean) };
  });

const places = (text: string): Record<string, [number, number]> =>
  Object.fromEntries(
    layout(graph(text)).nodes.map(({ id, layer, row }) => [id, [layer, row]])
  );

describe('a graph of stages', () => {
  test('each is behind all that it goes after', () => {
    const found = places('c<a+b b<a a d<c+a');
    expect([found.a[0], found.b[0], found.c[0], found.d[0]]).toEqual([
      0, 1, 2, 3
    ]);
  });

  test('a chain is straight', () => {
    const found = places('a b<a c<b');
    expect(Object.values(found)).toEqual([
      [0, 0],
      [1, 0],
      [2, 0]
    ]);
  });

  test('what is split is around where it comes from', () => {
    const found = places('a b<a c<a d<b+c');
    expect(found.b[1] - found.c[1]).toBeCloseTo(-1);
    expect(found.a[1]).toBeCloseTo((found.b[1] + found.c[1]) / 2);
    expect(found.d[1]).toBeCloseTo(found.a[1]);
  });

  test('two chains do not cross, in whatever order they are told', () => {
    const found = places('x<b y<a a b u<y v<x');
    expect(Math.sign(found.a[1] - found.b[1])).toBe(
      Math.sign(found.y[1] - found.x[1])
    );
    expect(Math.sign(found.u[1] - found.v[1])).toBe(
      Math.sign(found.y[1] - found.x[1])
    );
  });

  test('no two are at one place, and an edge keeps its distance from what it passes', () => {
    const { nodes, edges } = layout(
      graph('a b<a c<b d<a+c e<a f<e g<d+f h<a+g')
    );
    for (const one of nodes) {
      for (const other of nodes) {
        if (one.id < other.id && one.layer === other.layer) {
          expect(Math.abs(one.row - other.row)).toBeGreaterThanOrEqual(0.999);
        }
      }
    }
    const long = edges.find(edge => edge.from === 'a' && edge.to === 'h')!;
    expect(long.rows.length).toBe(6);
    const first = nodes.find(node => node.id === 'a')!.layer;
    for (const [place, row] of long.rows.slice(1, -1).entries()) {
      for (const node of nodes.filter(one => one.layer === first + place + 1)) {
        expect(Math.abs(node.row - row)).toBeGreaterThanOrEqual(0.999);
      }
    }
  });

  test('a graph that has a cycle, or names what is not there, is laid out anyway', () => {
    expect(layout(graph('a<b b<a c<nobody')).nodes).toHaveLength(3);
    expect(layout([])).toMatchObject({ nodes: [], edges: [], layers: 0 });
  });

  test('a thousand stages are laid out at once', () => {
    const many = Array.from({ length: 1000 }, (_, place) => ({
      id: String(place),
      after: place ? [String(Math.floor((place - 1) / 3))] : []
    }));
    const { nodes } = layout(many);
    expect(nodes).toHaveLength(1000);
  });

  test.each([
    [2000, 6, 176, 228],
    [900, 6, 121, 155],
    [1100, 6, 155, 189],
    [200, 6, 112, 146],
    [900, 1, 176, 228]
  ])('in %p px %p columns have a width', (there, layers, node, column) => {
    expect(widths(there, layers)).toEqual({ node, column });
  });
});
