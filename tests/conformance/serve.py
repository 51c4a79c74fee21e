"""A server that does nothing but run an executor, as a process that can be killed."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_training.executors.base import Launch
from tests.conformance.backends import Backend

_ROOT = Path(__file__).parents[2]


@contextmanager
def server(backend: Backend, launch: Launch, verb: str) -> Iterator[None]:
    """A server that has started or found an attempt and waits for its end. It is killed.

    Parameters
    ----------
    verb
        ``start`` or ``find``.
    """
    command = [sys.executable, "-m", "tests.conformance.serve"]
    with subprocess.Popen(
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(pickle.dumps((backend, launch, verb)))
            process.stdin.close()
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


async def _serve(backend: Backend, launch: Launch, verb: str) -> None:
    executor = backend.executor()
    await executor.open()
    if verb == "start":
        found = await executor.start(launch)
    else:
        found = await executor.find(launch.token, launch.directory)
    print("ready", flush=True)
    await executor.wait(found)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(*pickle.load(sys.stdin.buffer)))
