import { LogBuffer } from '../log/buffer';
import { type Following, LogFollower } from '../log/follower';
import { TrainingApi } from '../model/api';
import { json } from './helpers';

/** A server whose answers come when they are let go, and whose socket says what it is told to. */
class Server {
  readonly asked: string[] = [];
  readonly opened: string[] = [];
  private answers: ((response: Response) => void)[] = [];
  private sockets: WebSocket[] = [];

  readonly send = (path: string): Promise<Response> => {
    this.asked.push(path);
    return new Promise(resolve => this.answers.push(resolve));
  };

  readonly connect = (path: string): WebSocket => {
    this.opened.push(path);
    const socket = { close: () => undefined } as unknown as WebSocket;
    this.sockets.push(socket);
    return socket;
  };

  /** Answer the oldest question. */
  async answer(body: unknown, status = 200): Promise<void> {
    this.answers.shift()?.(json(body, status));
    for (let turn = 0; turn < 20; turn++) {
      await Promise.resolve();
    }
  }

  /** Say something over the socket that was opened last. */
  say(message: object): void {
    const data = JSON.stringify(message);
    this.sockets.at(-1)?.onmessage?.({ data } as MessageEvent);
  }

  /** Break the connection. */
  cut(code = 1006): void {
    this.sockets.at(-1)?.onclose?.({ code } as CloseEvent);
  }
}

const page = (logs: string[], offset = 0, next_offset = 100): object => ({
  logs,
  offset,
  next_offset
});

function following(): {
  server: Server;
  follower: LogFollower;
  shown: () => [Following, ...string[]];
} {
  const server = new Server();
  const buffer = new LogBuffer();
  const words = { skipped: (bytes: number) => `${bytes} left out` };
  const api = new TrainingApi(server.send);
  const follower = new LogFollower(buffer, 'j', api, server.connect, words);
  const shown = (): [Following, ...string[]] => [
    follower.state,
    ...Array.from({ length: buffer.length }, (_, at) => buffer.line(at))
  ];
  return { server, follower, shown };
}

const lines = (offset: number, ...told: string[]): object => ({
  type: 'lines',
  offset,
  next_offset: offset + 10,
  lines: told,
  partial: [],
  replaces: 0
});

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('a log goes on where it was when the connection broke', () => {
  const { server, follower, shown } = following();
  follower.start();
  server.say({ type: 'attempt', attempt: 2, offset: 50, size: 60 });
  server.say(lines(50, 'a'));
  server.cut();
  expect(shown()).toEqual(['away', 'a']);
  jest.advanceTimersByTime(500);
  expect(server.opened.at(-1)).toContain('?attempt=2&offset=60');
  server.say({ type: 'attempt', attempt: 2, offset: 60, size: 60 });
  server.say({ type: 'skipped', offset: 60, next_offset: 90, kept: true });
  server.say({ type: 'end', attempt: 2 });
  server.cut(1000);
  jest.advanceTimersByTime(60_000);
  expect(shown()).toEqual(['ended', 'a', '30 left out']);
  expect(server.opened.length).toBe(2);
});

test('an answer about what is followed no more is not shown', async () => {
  const { server, follower, shown } = following();
  void follower.show(1);
  void follower.show(2);
  follower.start();
  server.say({ type: 'attempt', attempt: 3, offset: 0, size: 10 });
  server.say(lines(0, 'the third'));
  await server.answer(page(['the first']));
  await server.answer({ message: 'gone' }, 404);
  expect(shown()).toEqual(['following', 'the third']);
});

test('older lines are of the rank that is shown, and without them it goes on', async () => {
  const { server, follower, shown } = following();
  follower.start();
  server.say({ type: 'attempt', attempt: 1, offset: 500, size: 510 });
  server.say(lines(500, 'last'));
  const earlier = follower.loadEarlier();
  await server.answer({ message: 'busy', reason: 'busy' }, 503);
  await earlier;
  expect(shown()).toEqual(['following', 'last']);
  void follower.loadEarlier();
  follower.rank = 1;
  server.say({ type: 'attempt', attempt: 1, offset: 70, size: 80 });
  server.say(lines(70, 'of rank 1'));
  await server.answer(page(['of all'], 400, 500));
  expect(shown()).toEqual(['following', 'of rank 1']);
  void follower.loadEarlier();
  expect(server.asked.at(-1)).toContain('before=70&lines=10000&rank=1');
  await server.answer(page(['begin'], 0, 70));
  expect(shown()).toEqual(['following', 'begin', 'of rank 1']);
});

test('what is gone before what is here has a line that says so', async () => {
  const { server, follower, shown } = following();
  follower.start();
  server.say({ type: 'attempt', attempt: 1, offset: 500, size: 510 });
  server.say(lines(500, 'last'));
  void follower.loadEarlier();
  await server.answer(page(['begin'], 20, 40));
  expect(shown()).toEqual(['following', 'begin', '460 left out', 'last']);
  void follower.loadEarlier();
  await server.answer(page(['first'], 0, 20));
  expect(shown()[1]).toBe('first');
  expect(follower.buffer.hasEarlier).toBe(false);
});

test('an earlier attempt is asked for until it comes, also after somebody looked elsewhere', async () => {
  const { server, follower, shown } = following();
  follower.start();
  server.say({ type: 'attempt', attempt: 2, offset: 0, size: 10 });
  void follower.show(1);
  await server.answer({ message: 'busy', reason: 'busy' }, 503);
  expect(shown()).toEqual(['away']);
  jest.advanceTimersByTime(500);
  expect(server.asked).toHaveLength(2);
  follower.stop();
  await server.answer(page(['nobody looks']));
  follower.resume();
  await server.answer(page(['the first']));
  expect(shown()).toEqual(['ended', 'the first']);
  expect(server.opened).toHaveLength(1);
  void follower.show(7);
  await server.answer({ message: 'no such attempt', reason: 'not_found' }, 404);
  expect(follower.error?.message).toBe('no such attempt');
});

test('a connection is not opened twice by who comes back while it is tried again', () => {
  const { server, follower } = following();
  follower.start();
  server.cut();
  follower.resume();
  expect(server.opened).toHaveLength(1);
  jest.advanceTimersByTime(500);
  expect(server.opened).toHaveLength(2);
});

test('all of a log is loaded for who searches it', async () => {
  const { server, follower, shown } = following();
  follower.start();
  server.say({ type: 'attempt', attempt: 1, offset: 50, size: 60 });
  server.say(lines(50, 'c'));
  const loaded = follower.loadAll();
  await server.answer(page(['b'], 20, 50));
  await server.answer(page(['a'], 0, 20));
  await loaded;
  expect(shown()).toEqual(['following', 'a', 'b', 'c']);
});
