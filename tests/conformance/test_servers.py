"""Servers that are killed and follow each other, and attempts that run once or never."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from jupyter_training.executors.base import Ended, Executor, Found, Launch
from jupyter_training.executors.records import STARTED
from jupyter_training.jobs.lifecycle import Cause
from tests.conformance.backends import Backend
from tests.conformance.jobs import (
    COPY,
    COUNT_RUNS,
    UNTIL_GO,
    copy_of,
    go,
    has_printed,
    lives,
    log_of,
    opened,
    runs_of,
    until,
)
from tests.conformance.serve import server

CHATTY = COPY + (
    "i = 0\n"
    "while not os.path.exists('go'):\n"
    "    w(b'%d \\xff \\xe8\\xae\\xad %s\\n' % (i, b'x' * (i % 300))); i += 1; time.sleep(.001)\n"
    "w(b'and'); w(b' the end')\n"
    "sys.exit(7)"
)


def test_a_job_outlives_servers_that_are_killed(backend: Backend) -> None:
    job = backend.python(CHATTY)
    for verb in ("start", "find", "find"):
        before = len(log_of(job))
        with server(backend, job, verb):
            asyncio.run(until(lambda: len(log_of(job)) > before + 5000))  # noqa: B023
        assert lives(job)

    async def follow() -> Ended:
        async with opened(backend) as executor:
            found = await executor.find(job.token, job.directory)
            assert found.started_at is not None
            assert found.ended is None
            before = len(log_of(job))
            waiting = asyncio.create_task(executor.wait(found))
            await until(lambda: len(log_of(job)) > before)
            go(job)
            return await waiting

    assert asyncio.run(follow()).exit.exit_code == 7
    assert log_of(job) == copy_of(job)


def test_an_end_that_nobody_saw_is_found(backend: Backend) -> None:
    job = backend.python(CHATTY)
    with server(backend, job, "start"):
        asyncio.run(until(lambda: len(log_of(job)) > 5000))
    go(job)
    asyncio.run(until(lambda: not lives(job)))

    async def find() -> None:
        async with opened(backend) as executor, opened(backend) as another:
            found = await executor.find(job.token, job.directory)
            ended = await executor.wait(found)
            assert ended.exit.exit_code == 7
            assert log_of(job) == copy_of(job)
            for one in (executor, another, executor):
                again = await one.find(job.token, job.directory)
                assert again.ended is not None
                assert again.ended.exit == ended.exit
                assert again.started_at == found.started_at
        assert log_of(job) == copy_of(job)

    asyncio.run(find())


def test_a_job_that_another_server_started_can_be_stopped(backend: Backend) -> None:
    job = backend.python(UNTIL_GO)
    with server(backend, job, "start"):
        asyncio.run(has_printed(job, b"ready\n"))

    async def stop() -> Ended:
        async with opened(backend) as executor:
            found = await executor.find(job.token, job.directory)
            await executor.stop(found)
            return await executor.wait(found)

    assert asyncio.run(stop()).exit.signal == 15
    assert not lives(job)


def test_a_wait_that_was_given_up_can_be_begun_again(backend: Backend) -> None:
    job = backend.python(UNTIL_GO)

    async def wait() -> Ended:
        async with opened(backend) as executor:
            found = await executor.start(job)
            waiting = asyncio.create_task(executor.wait(found))
            await has_printed(job, b"ready\n")
            waiting.cancel()
            await asyncio.wait([waiting])
            go(job)
            return await executor.wait(found)

    assert asyncio.run(wait()).exit.exit_code == 0
    assert log_of(job) == b"ready\ndone\n"


# ---- tokens


def was_lost(found: Found) -> bool:
    return found.ended is not None and found.ended.exit.cause is Cause.NODE_LOST


def test_an_attempt_that_was_given_up_never_starts(backend: Backend) -> None:
    job = backend.python(COUNT_RUNS)

    async def give_up() -> None:
        async with opened(backend) as executor, opened(backend) as late:
            lost = await executor.find(job.token, job.directory)
            assert was_lost(lost)
            assert lost.started_at is None
            for one in (executor, late):
                found = await one.start(job)
                assert was_lost(found)
                assert found.started_at is None
                assert await one.wait(found) == found.ended

    asyncio.run(give_up())
    assert runs_of(job) == 0
    assert log_of(job) == b""


def test_an_attempt_runs_once_however_often_it_is_started(backend: Backend) -> None:
    job = backend.python(COUNT_RUNS + "print('ready'); wait_for('go')")

    async def start() -> None:
        async with opened(backend) as executor, opened(backend) as another:
            first, second = await asyncio.gather(executor.start(job), executor.start(job))
            await has_printed(job, b"ready\n")
            third, fourth = await executor.start(job), await another.start(job)
            assert first.handle == second.handle == third.handle == fourth.handle
            go(job)
            ended = await executor.wait(first)
            assert (await another.wait(fourth)).exit == ended.exit
            for one in (executor, another):
                late = await one.start(job)
                assert late.ended is not None
                assert late.ended.exit == ended.exit

    asyncio.run(start())
    assert runs_of(job) == 1
    assert log_of(job) == b"ready\n"


@pytest.mark.parametrize("delay_s", [0, 0.003, 0.03, 0.1])
def test_an_attempt_that_is_found_while_it_starts_runs_once_or_never(
    backend: Backend, delay_s: float
) -> None:
    job = backend.python(COUNT_RUNS)

    async def find_late(executor: Executor) -> Found:
        await asyncio.sleep(delay_s)
        return await executor.find(job.token, job.directory)

    async def race() -> tuple[Ended, Ended]:
        async with opened(backend) as one, opened(backend) as other:
            several = await asyncio.gather(one.start(job), find_late(other))
            return await asyncio.gather(one.wait(several[0]), other.wait(several[1]))

    ends = asyncio.run(race())
    assert ends[0].exit == ends[1].exit
    if runs_of(job) == 0:
        assert ends[0].exit.cause is Cause.NODE_LOST
    else:
        assert (runs_of(job), ends[0].exit.exit_code) == (1, 0)


def next_attempt(job: Launch) -> Launch:
    """Another one of the same job, whose token is hard to tell from the first one's."""
    directory = job.directory.parent / "attempt-2"
    directory.mkdir()
    return replace(job, token=f"{job.token}1", directory=directory)


def test_an_attempt_has_nothing_to_do_with_the_one_before(backend: Backend) -> None:
    first = backend.python(UNTIL_GO)
    second = next_attempt(first)

    async def both() -> Ended:
        async with opened(backend) as executor, opened(backend) as another:
            lost = await executor.find(first.token, first.directory)
            assert was_lost(lost)
            found = await executor.start(second)
            await has_printed(second, b"ready\n")
            for one in (executor, another):
                again = await one.find(first.token, first.directory)
                assert was_lost(again)
                await one.stop(again)
                assert was_lost(await one.start(first))
            assert lives(second)
            go(second)
            return await executor.wait(found)

    assert asyncio.run(both()).exit.exit_code == 0
    assert log_of(second) == b"ready\ndone\n"


def test_records_of_another_attempt_are_not_believed(backend: Backend) -> None:
    victim = backend.python(UNTIL_GO)
    job = next_attempt(victim)

    async def find() -> Ended:
        async with opened(backend) as executor:
            found = await executor.start(victim)
            await has_printed(victim, b"ready\n")
            (job.directory / STARTED).write_bytes((victim.directory / STARTED).read_bytes())
            lost = await executor.find(job.token, job.directory)
            assert was_lost(lost)
            await executor.stop(lost)
            assert lives(victim)
            go(victim)
            return await executor.wait(found)

    assert asyncio.run(find()).exit.exit_code == 0
