import { LogBuffer } from '../log/buffer';
import { LogSearch } from '../log/search';

/** Numbers that look random, the same each time. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return sides => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * sides);
  };
}

function expectAll(search: LogSearch, buffer: LogBuffer, text: string): void {
  const all = buffer.find(text);
  const { shifted } = buffer;
  expect(
    search.matches.map(match => ({ ...match, line: match.line - shifted }))
  ).toEqual(all);
  for (let line = 0; line < buffer.length; line++) {
    expect(search.of(line + shifted).length).toBe(
      all.filter(match => match.line === line).length
    );
  }
}

test.each([1, 2, 3, 4, 5])(
  'whatever happens to a log, all matches and errors are found (%i)',
  seed => {
    const roll = dice(seed);
    const some = (most: number): string[] =>
      Array.from(
        { length: roll(most) },
        () => ['abab', 'b', 'c', 'A', 'an ERROR'][roll(5)]
      );
    const buffer = new LogBuffer();
    const search = new LogSearch(buffer);
    buffer.clear(1000);
    let text = 'a';
    for (let turn = 0; turn < 300; turn++) {
      const what = roll(10);
      if (what === 0) {
        buffer.clear(roll(2) * 1000);
      } else if (what === 1) {
        buffer.prepend(some(4), 500);
      } else if (what === 2) {
        text = ['a', 'ab', 'none', ''][roll(4)];
      } else {
        const replaces = roll(2) * roll(buffer.wholeLines + 1);
        buffer.append(some(5), turn, some(3), replaces);
      }
      // What happens between two looks is taken in together.
      if (roll(3) > 0) {
        search.update(text);
        const errors = Array.from({ length: buffer.wholeLines }, (_, at) =>
          buffer.line(at).includes('ERROR')
        );
        expect(buffer.hasErrors).toBe(errors.includes(true));
        if (text) {
          expectAll(search, buffer, text);
        }
      }
    }
  }
);

test('matches stay where they are when lines go at the beginning', () => {
  const buffer = new LogBuffer();
  const search = new LogSearch(buffer);
  for (let thousand = 0; thousand < 1011; thousand++) {
    buffer.append(
      Array.from({ length: 1000 }, (_, at) => (at ? '' : `k ${thousand}`)),
      1
    );
    if (thousand % 300 === 0) {
      search.update('k 10');
    }
  }
  search.update('k 10');
  expect(buffer.shifted).toBeGreaterThan(0);
  expect(
    search.matches.map(match => buffer.line(match.line - buffer.shifted))
  ).toEqual([
    'k 100',
    'k 101',
    'k 102',
    'k 103',
    'k 104',
    'k 105',
    'k 106',
    'k 107',
    'k 108',
    'k 109',
    'k 1000',
    'k 1001',
    'k 1002',
    'k 1003',
    'k 1004',
    'k 1005',
    'k 1006',
    'k 1007',
    'k 1008',
    'k 1009',
    'k 1010'
  ]);
});
