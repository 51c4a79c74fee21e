"""Jobs in containers, and what the tests of their executor want to know of them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from jupyter_training.executors import records
from jupyter_training.executors.base import Found
from jupyter_training.executors.containers import (
    ATTEMPT,
    INSTALLATION,
    ContainerLaunch,
    Mount,
)
from jupyter_training.executors.docker import DockerExecutor
from tests.executors.docker_engine import IMAGE, Engine, Proxy
from tests.patience import PATIENCE_S

OURS = "installation-of-the-tests"

IN_CONTAINERS = [
    pytest.mark.usefixtures("nothing_is_left"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket"),
]
"""The marks of tests that run containers."""

UNTIL_GO = (
    "import os, time\n"
    "print('ready')\n"
    "while not os.path.exists('go'): time.sleep(.01)\n"
    "print('done')"
)


ENDLESS = (
    "import os, itertools, time\n"
    "for i in itertools.count():\n"
    "    print(i, 'x' * (i % 300))\n"
    "    if i % 100 == 0: time.sleep(.1)\n"
    "    if i % 100 == 0 and os.path.exists('go'): break"
)
"""Prints 150 kB a second without an end; each new server reads all again, and has to catch up."""


def is_counted(log: bytes) -> bool:
    lines = log.decode().splitlines()
    return lines == [f"{i} {'x' * (i % 300)}" for i in range(len(lines))]


def launch(directory: Path, *argv: str, **changes: Any) -> ContainerLaunch:
    directory.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = {
        "token": f"{directory.parent.name}-{directory.name}",
        "directory": directory,
        "argv": argv,
        "cwd": "/work",
        "env": {"JUPYTER_TRAINING_JOB_ID": "job-1"},
        "python_path": None,
        "cpu_cores": 1,
        "memory_gb": 1,
        "gpus": (),
        "time_limit_s": None,
        "image": IMAGE,
        "mounts": (Mount(str(directory), "/work", read_only=False),),
    }
    return ContainerLaunch(**{**values, **changes})


def python(directory: Path, code: str, **changes: Any) -> ContainerLaunch:
    return launch(directory, "python3", "-c", code, **changes)


def log_of(found: Found) -> bytes:
    path = found.directory / records.LOG
    return path.read_bytes() if path.exists() else b""


def size_of(found: Found) -> int:
    """How long the log is (bytes)."""
    path = found.directory / records.LOG
    return path.stat().st_size if path.exists() else 0


@asynccontextmanager
async def executor(engine: Engine | Proxy, **changes: Any) -> AsyncIterator[DockerExecutor]:
    values: dict[str, Any] = {"installation": OURS, "grace_s": 10, "url": engine.url}
    docker = DockerExecutor(**{**values, **changes})
    try:
        yield docker
    finally:
        await docker.close()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a file in another process has no event here
        await asyncio.sleep(0.01)


def containers_of(engine: Engine, token: str | None = None) -> list[dict[str, Any]]:
    client = engine.client
    label = f"{INSTALLATION}={OURS}" if token is None else f"{ATTEMPT}={token}"
    try:
        return list(client.containers(all=True, filters={"label": label}))
    finally:
        client.close()


def inspection_of(engine: Engine, found: Found) -> dict[str, Any]:
    client = engine.client
    try:
        told: dict[str, Any] = client.inspect_container(found.handle["container"])
    finally:
        client.close()
    return told


@pytest.fixture
def nothing_is_left(engine: Engine) -> Iterator[None]:
    yield
    client = engine.client
    for container in client.containers(all=True):
        with contextlib.suppress(APIError):  # its executor was just removing it
            client.remove_container(container["Id"], force=True)
    client.close()
    let_threads_end()


def let_threads_end() -> None:
    """Have nothing of an executor go on into the next test.

    docker-py leaves a socket that could not be connected to the garbage collector, and what a test
    warns of is not to be found in the next one.
    """
    for thread in threading.enumerate():
        if thread.daemon and thread.name.startswith(("docker", "log of", "events of")):
            thread.join(PATIENCE_S)
    gc.collect()
