import { JobModel } from '../model/job';
import { Refresher } from '../model/refresher';
import { job, json, World } from './helpers';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

/** Let what is asked for come, and some time pass. */
async function pass(ms = 0): Promise<void> {
  await jest.advanceTimersByTimeAsync(ms);
}

test('nothing is fetched until somebody looks', async () => {
  const { server, model } = new World();
  await pass(120_000);
  expect(server.asked).toEqual([]);
  model.watch();
  await pass();
  expect(server.times('active')).toBe(1);
});

test('what runs comes first, then what waits, in the order of the queue', async () => {
  const { server, model } = new World();
  server.jobs = [
    job({ id: 1, status: 'pending', queue_position: 2 }),
    job({ id: 2, status: 'running' }),
    job({ id: 3, status: 'pending', queue_position: 1 }),
    job({ id: 4, status: 'completed' })
  ];
  model.watch();
  await pass();
  expect(model.active.map(one => one.id)).toEqual([2, 3, 1]);
  expect(model.ended.map(one => one.id)).toEqual([4]);
  expect(model.counts).toEqual({ running: 1, waiting: 2 });
});

test('many events at once are one fetch, or two', async () => {
  const world = new World();
  const one = job();
  world.server.jobs = [one];
  world.model.watch();
  await pass(1000);
  const before = world.server.times('active');
  for (let count = 0; count < 100; count++) {
    world.emit(one, 'progress');
  }
  await pass(2000);
  expect(world.server.times('active') - before).toBeLessThanOrEqual(2);
});

test('the ended jobs are fetched again only when one has ended', async () => {
  const world = new World();
  const one = job();
  world.server.jobs = [one];
  world.model.watch();
  await pass(1000);
  const before = world.server.times('ended');
  world.emit(one, 'progress');
  await pass(1000);
  expect(world.server.times('ended')).toBe(before);
  one.status = 'completed';
  world.emit(one, 'completed');
  await pass(1000);
  expect(world.server.times('ended')).toBe(before + 1);
  expect(world.model.ended).toHaveLength(1);
  expect(world.model.active).toHaveLength(0);
});

test('an event that was missed is noticed by the next one', async () => {
  const world = new World();
  const one = job();
  const other = job();
  world.server.jobs = [one, other];
  world.model.watch();
  await pass(1000);
  world.emit(one, 'progress');
  await pass(1000);
  other.status = 'failed';
  world.emit(one, 'progress', 'running', 1);
  await pass(1000);
  expect(world.model.ended.map(ended => ended.job_id)).toEqual([other.job_id]);
});

test('with an open stream nothing is asked for while nothing happens', async () => {
  const { server, model } = new World();
  model.watch();
  await pass(1000);
  const before = server.asked.length;
  await pass(600_000);
  expect(server.asked.length).toBe(before);
});

test('where the stream is cut it asks slowly, and at once when it is back', async () => {
  const world = new World();
  world.model.watch();
  await pass(1000);
  const before = world.server.times('active');
  world.connection = null;
  await pass(61_000);
  expect(world.server.times('active')).toBe(before + 3);
  world.connection = {};
  await pass(3000);
  expect(world.server.times('active')).toBe(before + 4);
});

test('while the page is hidden nothing is fetched, and counts go on by events', async () => {
  const world = new World();
  const one = job();
  world.server.jobs = [one];
  world.model.watch();
  await pass(1000);
  world.page.hide(true);
  const before = world.server.asked.length;
  world.emit(job({ id: 99 }), 'started', 'running');
  await pass(120_000);
  expect(world.server.asked.length).toBe(before);
  expect(world.model.counts.running).toBe(2);
  world.page.hide(false);
  await pass(1000);
  expect(world.server.asked.length).toBeGreaterThan(before);
});

test('thousands of ended jobs come page by page', async () => {
  const { server, model } = new World();
  server.jobs = Array.from({ length: 250 }, (_, place) =>
    job({ id: place + 1, status: 'completed' })
  );
  model.watch();
  await pass();
  expect(model.ended).toHaveLength(100);
  expect(model.hasMore).toBe(true);
  await model.loadMore();
  await model.loadMore();
  expect(model.ended.map(one => one.id)).toEqual(
    Array.from({ length: 250 }, (_, place) => 250 - place)
  );
  expect(model.hasMore).toBe(false);
});

test('a job that ends does not lose the pages that are loaded', async () => {
  const world = new World();
  const one = job({ id: 1000 });
  world.server.jobs = [
    one,
    ...Array.from({ length: 250 }, (_, place) =>
      job({ id: place + 1, status: 'completed' })
    )
  ];
  world.model.watch();
  await pass();
  await world.model.loadMore();
  await world.model.loadMore();
  one.status = 'completed';
  world.emit(one, 'completed');
  await pass(2000);
  expect(world.model.ended).toHaveLength(251);
  expect(world.model.ended[0].id).toBe(1000);
  expect(world.model.hasMore).toBe(false);
});

test('more new jobs than a page leave no gap', async () => {
  const world = new World();
  world.server.jobs = [job({ id: 1, status: 'completed' })];
  world.model.watch();
  await pass(1000);
  world.server.jobs.push(
    ...Array.from({ length: 150 }, (_, place) =>
      job({ id: place + 2, status: 'completed' })
    )
  );
  world.model.refresh();
  await pass(1000);
  expect(world.model.hasMore).toBe(true);
  await world.model.loadMore();
  expect(world.model.ended.map(one => one.id)).toEqual(
    Array.from({ length: 151 }, (_, place) => 151 - place)
  );
});

test('the filter asks the server, and an answer to an older filter is not shown', async () => {
  const { server, model } = new World();
  server.jobs = [
    job({ id: 1, name: 'resnet', status: 'failed' }),
    job({ id: 2, name: 'bert', status: 'completed' }),
    job({ id: 3, name: 'bert large', status: 'running' })
  ];
  model.watch();
  await pass(1000);
  model.filterText = 'resnet';
  model.filterText = 'bert status:completed';
  await pass(2000);
  expect(model.ended.map(one => one.id)).toEqual([2]);
  expect(model.active).toHaveLength(0);
});

test('a job that ends between two answers, or is run again, is shown once', async () => {
  const world = new World();
  const { send } = world.server;
  const ends = job({ id: 1, status: 'running' });
  const again = job({ id: 2, status: 'running', attempt: 2 });
  Object.assign(world.model.api, {
    send: async (path: string) => {
      if (path.includes('completed')) {
        return json([
          { ...again, status: 'failed', attempt: 1 },
          { ...ends, status: 'failed' }
        ]);
      }
      return path.includes('running') ? json([ends, again]) : send(path);
    }
  });
  world.model.watch();
  await pass(1000);
  expect(world.model.active.map(one => one.id)).toEqual([2]);
  expect(world.model.ended.map(one => one.id)).toEqual([1]);
});

test('a deleted job goes away', async () => {
  const world = new World();
  const one = job({ status: 'completed' });
  world.server.jobs = [one];
  world.model.watch();
  await pass(1000);
  world.server.jobs = [];
  world.emit(one, 'deleted');
  expect(world.model.ended).toHaveLength(0);
});

test('it tells whether the server part is missing, or the server is away, and recovers', async () => {
  const { server, model } = new World();
  server.answer = () => json({ message: 'Not Found' }, 404);
  model.watch();
  await pass(1000);
  expect(model.state.trouble).toBe('absent');
  server.answer = () => {
    throw new TypeError('Failed to fetch');
  };
  model.refresh();
  await pass(1000);
  expect(model.state.trouble).toBe('away');
  server.answer = null;
  await pass(10_000);
  expect(model.state).toMatchObject({ loaded: true, trouble: null });
});

test('what a job is made of is shown within it, and not next to it or counted', async () => {
  const world = new World();
  const parent = job({ id: 1, job_type: 'pipeline', children: { running: 1 } });
  const child = job({ id: 2, parent_id: 1 });
  world.server.jobs = [parent];
  world.model.watch();
  await pass(1000);
  world.page.hide(true);
  world.model.put(child);
  world.emit(child, 'started');
  expect(world.model.active).toEqual([parent]);
  expect(world.model.counts.running).toBe(1);
});

test('what the server does not look for is looked for through all pages', async () => {
  const { server, model } = new World();
  server.jobs = Array.from({ length: 2500 }, (_, place) =>
    job({ id: place + 1, status: 'completed', gpu_count: place < 3 ? 2 : 0 })
  );
  model.watch();
  model.filterText = 'gpu:2';
  await pass(3000);
  expect(model.ended).toEqual([]);
  expect(model.hasMore).toBe(true);
  await model.loadMore();
  expect(model.ended.map(one => one.id)).toEqual([3, 2, 1]);
  expect(model.hasMore).toBe(false);
});

test('those that run are there, however many wait', async () => {
  const { server, model } = new World();
  server.jobs = [
    job({ id: 1 }),
    ...Array.from({ length: 2100 }, (_, place) =>
      job({ id: place + 2, status: 'pending', queue_position: place + 1 })
    )
  ];
  model.watch();
  await pass(1000);
  expect(model.active.slice(0, 2).map(one => one.id)).toEqual([1, 2]);
  expect(model.counts).toEqual({ running: 1, waiting: 2100 });
});

test('a job that ends after a hundred newer ones is among them', async () => {
  const world = new World();
  const long = job({ id: 1 });
  world.server.jobs = [
    long,
    ...Array.from({ length: 150 }, (_, place) =>
      job({ id: place + 2, status: 'completed' })
    )
  ];
  world.model.watch();
  await pass(1000);
  long.status = 'failed';
  world.emit(long, 'failed');
  await pass(1000);
  expect(world.model.ended.at(-1)).toMatchObject({ id: 1, status: 'failed' });
  await world.model.loadMore();
  expect(world.model.ended).toHaveLength(151);
});

test('a stream that was opened anew between two looks is noticed', async () => {
  const world = new World();
  world.model.watch();
  await pass(3000);
  const before = world.server.times('active');
  world.connection = {};
  await pass(2000);
  expect(world.server.times('active')).toBe(before + 1);
});

test('what is not known of the GPUs is not told', async () => {
  const world = new World();
  const watching = world.model.watch();
  await pass(1000);
  watching.dispose();
  expect(world.model.machinesAreStale).toBe(false);
  world.emit(job(), 'progress');
  expect(world.model.machinesAreStale).toBe(false);
  world.emit(job(), 'started');
  expect(world.model.machinesAreStale).toBe(true);
  world.model.watch();
  await pass(1000);
  expect(world.model.machinesAreStale).toBe(false);
});

describe('one job', () => {
  test('is asked for again when the server is there again, and no longer than somebody looks', async () => {
    const world = new World();
    const stage = job({ parent_id: 77 });
    world.server.jobs = [stage];
    world.model.watch();
    const one = new JobModel(world.model, stage.job_id);
    world.server.answer = () => json({ message: 'no', reason: 'no' }, 503);
    const watching = one.watch();
    await pass(1000);
    expect(one.error?.trouble).toBe('unavailable');
    world.server.answer = null;
    await pass(60_000);
    expect(one.error).toBe(null);
    stage.status = 'completed';
    // No list has it, and its event was missed.
    world.connection = {};
    await pass(5000);
    expect(one.job?.status).toBe('completed');
    watching.dispose();
    const before = world.server.asked.filter(path => /\/events$/.test(path));
    world.emit(stage, 'progress');
    await pass(60_000);
    const after = world.server.asked.filter(path => /\/events$/.test(path));
    expect(after).toEqual(before);
    one.dispose();
  });
});

test('a refresher goes on after a task that failed', async () => {
  let count = 0;
  const told = jest.spyOn(console, 'error').mockImplementation();
  const refresher = new Refresher(async () => {
    count += 1;
    throw new Error('a fault');
  });
  refresher.request();
  await pass(1000);
  refresher.request();
  await pass(1000);
  expect(count).toBe(2);
  expect(told).toHaveBeenCalledTimes(2);
  told.mockRestore();
});
