import { figures, quantity, smoothed } from '../charts/curves';
import { LogBuffer, withoutEscapes } from '../log/buffer';
import { marked, spansOf } from '../log/spans';
import { withNumbers } from '../model/cards';
import { matches, parseFilter } from '../model/filter';
import EXAMPLES from './examples.json';
import STATES from '../model/states.json';
import {
  duration,
  figure,
  leftText,
  progressOf,
  progressText,
  remaining,
  size
} from '../model/times';
import { hasCurves, type IMachines, type JobStatus } from '../model/types';
import {
  causeWord,
  eventWord,
  shortModel,
  shortResources,
  statusWord
} from '../model/words';
import { job, trans } from './helpers';

describe('what notebooks show too', () => {
  test.each(EXAMPLES.figures)('%s is written as %s', (value, text) => {
    expect(figure(Number(value))).toBe(text);
  });

  test.each(EXAMPLES.durations as [number, string][])(
    '%s s is written as %s',
    (value, text) => expect(duration(value, trans)).toBe(text)
  );

  test.each(Object.entries(STATES))('%s has a word', (status, { word }) => {
    expect(statusWord(status as JobStatus, trans)).toBe(word);
  });

  test.each(EXAMPLES.causes)('%s is told as %s', (cause, word) => {
    expect(causeWord(cause, trans)).toBe(word);
  });

  test.each(EXAMPLES.events)('%s is told as %s', (kind, word) => {
    expect(eventWord(kind, trans)).toBe(word);
  });
});

describe('the filter', () => {
  test.each([
    ['resnet', true],
    ['RESNET 50', false],
    ['status:run', true],
    ['status:failed', false],
    ['status:', true],
    // What is no status is no other one either.
    ['status:wrong', false],
    ['Status:Running', true],
    ['status：失败,运行', true],
    ['status:失败', false],
    ['gpu:2', true],
    ['gpu:two', false],
    ['gpu:1', false],
    ['type:single resnet', true],
    ['job-7f', true]
  ])('%s', (typed, expected) => {
    const one = job({ name: 'resnet50', gpu_count: 2, job_id: 'job-7f3a9c' });
    const wordOf = (status: JobStatus): string =>
      status === 'running' ? '运行中' : '失败';
    expect(matches(one, parseFilter(typed, wordOf))).toBe(expected);
  });

  test('what is shown of a job is found by that word', () => {
    for (const [status, { word }] of Object.entries(STATES)) {
      const one = job({ status: status as JobStatus });
      expect(matches(one, parseFilter(`status:${word}`))).toBe(true);
    }
  });
});

describe('times and amounts', () => {
  test.each([
    [42, '42 s'],
    [300, '5 min'],
    [4320, '1 h 12 min'],
    [7200, '2 h'],
    [187200, '2 d 4 h']
  ])('%s s are %s', (seconds, expected) => {
    expect(duration(seconds, trans)).toBe(expected);
  });

  test('the server knows better how long it takes than its progress', () => {
    const now = new Date('2026-01-26T10:10:00Z');
    const started_at = '2026-01-26T10:00:00Z';
    const children = { completed: 1, running: 1 };
    const one = job({ progress: 50, started_at, children });
    expect(remaining(one, now)).toBe(600);
    expect(remaining({ ...one, children: null }, now)).toBeNull();
    expect(remaining({ ...one, remaining_s: 7 }, now)).toBe(7);
    expect(remaining({ ...one, status: 'failed' }, now)).toBeNull();
  });

  test.each([
    [{ remaining_s: 360 }, 'about 6 min left'],
    [
      { remaining_s: 360, remaining_low_s: 300, remaining_high_s: 480 },
      'about 6 min left'
    ],
    // As the server says it, too: a job that has become slower.
    [
      { remaining_s: 12, remaining_low_s: 5, remaining_high_s: 300 },
      'at most 5 min left'
    ],
    [{ remaining_s: 0, remaining_low_s: 0, remaining_high_s: 0 }, null],
    [{}, null]
  ])('%j: %s', (told, expected) => {
    expect(leftText(job({ progress: 50, ...told }), new Date(), trans)).toBe(
      expected
    );
  });

  test('what has curves to compare is what measures something itself', () => {
    const one = job({ metrics: { loss: 1 } });
    expect(hasCurves(one)).toBe(true);
    expect(hasCurves({ ...one, metrics: {} })).toBe(false);
    expect(hasCurves({ ...one, children: { completed: 3 } })).toBe(false);
  });

  test('what nobody knows of the progress is not told', () => {
    const one = job({ progress: 99, progress_known: false });
    expect(progressOf(one)).toBeNull();
    // What has not started is nowhere yet.
    expect(progressText({ ...one, progress: 0 }, trans)).toBe('0 %');
    const started_at = '2026-01-26T10:00:00Z';
    expect(progressText({ ...one, started_at }, trans)).toBe('unknown');
    const known = { ...one, started_at, progress_known: true };
    expect(progressText(known, trans)).toBe('99 %');
  });

  test('sizes and figures have as many digits as are of use', () => {
    expect([0, 1023, 1536, 3e9].map(size)).toEqual([
      '0 B',
      '1023 B',
      '1.5 KB',
      '2.8 GB'
    ]);
    expect([3, 0.41237, 9.1e-5, 1234567.8].map(figure)).toEqual([
      '3',
      '0.4124',
      '9.1e-5',
      '1.23e6'
    ]);
  });

  test.each([
    ['NVIDIA A100-SXM4-80GB', 'A100 80G'],
    ['NVIDIA GeForce RTX 4090', 'RTX 4090'],
    ['NVIDIA H100 PCIe', 'H100']
  ])('%s is %s', (model, expected) => {
    expect(shortModel(model)).toBe(expected);
  });
});

describe('the log', () => {
  test('lines that are written over are replaced, and what is partial comes last', () => {
    const buffer = new LogBuffer();
    buffer.append(['one', ' 10%'], 10, ['par']);
    expect([buffer.length, buffer.line(2)]).toEqual([3, 'par']);
    buffer.append([' 20%', 'two'], 20, [], 1);
    expect([0, 1, 2].map(at => buffer.line(at))).toEqual([
      'one',
      ' 20%',
      'two'
    ]);
    expect([buffer.length, buffer.end]).toEqual([3, 20]);
  });

  test('older lines are put before it, and what was read can be found again', () => {
    const buffer = new LogBuffer();
    buffer.clear(100);
    buffer.append(['c'], 110);
    expect(buffer.hasEarlier).toBe(true);
    buffer.prepend(['a', 'b'], 0);
    expect([buffer.line(2), buffer.shifted, buffer.hasEarlier]).toEqual([
      'c',
      -2,
      false
    ]);
  });

  test('finds text whatever its case and colour, and the next error going round', () => {
    const buffer = new LogBuffer();
    buffer.append(
      ['Loss \u001b[31m1\u001b[0m', 'ValueError: no', 'loss 1 loss 1'],
      1
    );
    expect(
      buffer.find('loss 1').map(match => [match.line, match.start])
    ).toEqual([
      [0, 0],
      [2, 0],
      [2, 7]
    ]);
    expect([buffer.nextError(-1), buffer.nextError(1)]).toEqual([1, 1]);
  });

  test('a million lines are searched and kept', () => {
    const buffer = new LogBuffer();
    for (let thousand = 0; thousand < 1000; thousand++) {
      buffer.append(
        Array.from(
          { length: 1000 },
          (_, place) => `step ${thousand * 1000 + place}`
        ),
        thousand
      );
    }
    expect(buffer.length).toBe(1_000_000);
    expect(buffer.find('step 999999')).toHaveLength(1);
  });

  test('colours become classes, and nothing in a log becomes markup or a command', () => {
    const spans = spansOf(
      '\u001b[1;32mok\u001b[0m <b>\u001b]0;title\u0007\u001b[2Kx'
    );
    expect(spans.map(span => span.text).join('')).toBe('ok <b>x');
    expect(spans[0].classes).toContain('ansi-green-fg');
    expect(spans[0].classes).toContain('jp-TrainingLog-bold');
    expect(withoutEscapes('\u001b[38;5;196mred\u001b[0m')).toBe('red');
  });

  test('what is found is marked across colours', () => {
    const spans = marked(
      [
        { text: 'lo', classes: 'a' },
        { text: 'ss 1', classes: 'b' }
      ],
      [{ start: 1, end: 3, isCurrent: true }]
    );
    expect(
      spans.map(span => [span.text, span.classes.includes('match')])
    ).toEqual([
      ['l', false],
      ['o', true],
      ['s', true],
      ['s 1', false]
    ]);
  });
});

describe('the charts', () => {
  test('training and validation are in one picture', () => {
    expect(
      ['loss', 'val_loss', 'train/loss', 'loss_test'].map(quantity)
    ).toEqual(Array(4).fill('loss'));
    const one = (name: string): Parameters<typeof figures>[0][number] => ({
      name,
      source: 'printed',
      points: 2,
      steps: [2, 1],
      times: ['2026-01-26T10:00:02Z', '2026-01-26T10:00:01Z'],
      values: ['NaN', 3]
    });
    const shown = figures(
      [one('loss'), one('val_loss'), one('acc')],
      'step',
      null
    );
    expect(shown.map(picture => picture.curves.length)).toEqual([2, 1]);
    expect(shown[0].curves[0]).toEqual({
      name: 'loss',
      x: [1, 2],
      y: [3, null]
    });
    const [timed] = figures([one('loss')], 'time', '2026-01-26T10:00:00Z');
    expect(timed.curves[0].x).toEqual([1, 2]);
  });

  test('smoothing keeps a constant, and what is not there', () => {
    expect(smoothed([2, null, 2], 0.9)).toEqual([2, null, 2]);
    expect(smoothed([0, 1], 0.5)[1]).toBeCloseTo(2 / 3);
  });
});

test('cards are called by their numbers where there is one machine', () => {
  const card = (uuid: string, index: number): object => ({ uuid, index });
  const first = 'GPU-fa4e0000-0000-0000-0000-000000000000';
  const second = 'GPU-fa4e0001-0000-0000-0000-000000000001';
  const machine = { gpus: [card(first, 0), card(second, 3)] };
  const machines = (...nodes: object[]): IMachines =>
    ({ nodes }) as unknown as IMachines;
  const told = (text: string): string => withNumbers(text, machines(machine));
  expect(told(`runs with 2 GB, GPU ${first}, ${second} on vm`)).toBe(
    'runs with 2 GB, GPU 0, 3 on vm'
  );
  expect(told('(1 free; GPU-fa4e0001… drained: gets no interrupts)')).toBe(
    '(1 free; GPU 3 drained: gets no interrupts)'
  );
  for (const unsure of ['GPU-fa4e… drained', 'GPU-abc on vm', '2 GPUs']) {
    expect(told(unsure)).toBe(unsure);
  }
  const sentence = `GPU ${first} on vm`;
  expect(withNumbers(sentence, machines(machine, machine))).toBe(sentence);
  expect(withNumbers(sentence, null)).toBe(sentence);
});

test('a row says in a word or two what a job takes', () => {
  const told = (gpu_count: number, model?: string): string =>
    shortResources(job({ gpu_count }), model, trans);
  expect(told(0)).toBe('1C / 1GB');
  expect(told(1)).toBe('1 GPU');
  expect(told(4)).toBe('4 GPUs');
  expect(told(4, 'NVIDIA A100-SXM4-80GB')).toBe('4 × A100 80G');
});
