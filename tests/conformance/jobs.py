"""Jobs for the suite, and what a test wants to know of one without knowing what runs it."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from jupyter_training.executors.base import Ended, Executor, Launch
from jupyter_training.executors.records import LOG
from tests.conformance.backends import GRACE_S, Backend

HOLD = """
import fcntl, os, signal, sys, time
def hold():
    fcntl.flock(os.open('held', os.O_RDWR | os.O_CREAT), fcntl.LOCK_SH)
def touch(name):
    open(name, 'w').close()
def wait_for(*names):
    while not all(map(os.path.exists, names)): time.sleep(.01)
hold()
signal.alarm(600)  # nothing goes on for ever after a test that failed
"""
"""A job that holds a lock: the kernel lets go of it when the last process that has it is gone."""

COPY = (
    HOLD
    + """
copy = open('copy', 'wb', 0)
def w(printed, stream=1):
    copy.write(printed)
    while printed: printed = printed[os.write(stream, printed):]
"""
)
"""A job that keeps a copy of what it prints."""

UNTIL_GO = HOLD + "print('ready'); wait_for('go'); print('done')"

COUNT_RUNS = HOLD + "os.write(os.open('runs', os.O_WRONLY | os.O_CREAT | os.O_APPEND), b'x')\n"


def work_of(launch: Launch) -> Path:
    """The directory that a job was started in."""
    return launch.directory.parent / "work"


def log_of(launch: Launch) -> bytes:
    """What is in the log of an attempt."""
    path = launch.directory / LOG
    return path.read_bytes() if path.exists() else b""


def copy_of(launch: Launch) -> bytes:
    """What the job says that it printed."""
    return (work_of(launch) / "copy").read_bytes()


def runs_of(launch: Launch) -> int:
    """How often a job ran."""
    path = work_of(launch) / "runs"
    return path.stat().st_size if path.exists() else 0


def go(launch: Launch) -> None:
    """Let a job go on."""
    (work_of(launch) / "go").touch()


def lives(launch: Launch) -> bool:
    """Whether there is a process of a job that has held its lock."""
    with (work_of(launch) / "held").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what has no event here, as it happens in another process."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def has_printed(launch: Launch, text: bytes) -> None:
    """Wait until something is in the log."""
    await until(lambda: text in log_of(launch))


@asynccontextmanager
async def opened(backend: Backend, grace_s: float = GRACE_S) -> AsyncIterator[Executor]:
    """An executor that is ready, and closed in the end."""
    executor = backend.executor(grace_s)
    await executor.open()
    try:
        yield executor
    finally:
        await executor.close()


def run(backend: Backend, launch: Launch, grace_s: float = GRACE_S) -> Ended:
    """Run a job to its end."""
    return run_all(backend, [launch], grace_s)[0]


def run_all(
    backend: Backend, launches: Iterable[Launch], grace_s: float = GRACE_S
) -> Sequence[Ended]:
    """Run jobs to their ends, all at the same time."""

    async def run_one(executor: Executor, launch: Launch) -> Ended:
        return await executor.wait(await executor.start(launch))

    async def run_them() -> Sequence[Ended]:
        async with opened(backend, grace_s) as executor:
            return await asyncio.gather(*(run_one(executor, one) for one in launches))

    return asyncio.run(run_them())
