"""How long a container takes to its first line: through our executor, and through docker-py alone.

*Ours* is the time from asking the Docker executor to start an attempt until the first line that the
container printed can be read in ``output.log``. The baseline does what the documentation of
docker-py says: create, start, follow the log until the first line. Engine, image, command, limits
and mounts are the same for both, and the two take turns, each of them first in every other pair. So
what is compared is what the executor does on top: it looks whether the image is there, takes the
attempt on disk, and copies the log into a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import NotFound

from benchmarks.figures import Figure
from jupyter_training.executors.confinement import confinement_of_this_server
from jupyter_training.executors.containers import ContainerLaunch, Mount, configuration
from jupyter_training.executors.docker import DockerExecutor
from jupyter_training.executors.records import LOG
from tests.executors.docker_engine import IMAGE, Engine

_INSTALLATION = "jupyter-training-benchmark"
_GRACE_S = 10
_LOOK_S = 0.0005
_WARM_UP = 2

# It stops itself, so that what is done to remove it costs the next one nothing.
_PRINTS = ("sh", "-c", "echo first line; kill -STOP $$")


def first_line(engine: Engine, repeat: int) -> list[Figure]:
    """From asking for a container until its first line can be read (ms)."""
    with tempfile.TemporaryDirectory() as place:
        client = engine.client
        try:
            ours, bare = asyncio.run(_measure(engine, client, Path(place), repeat))
        finally:
            client.close()
    extra = sorted(one - other for one, other in zip(ours, bare, strict=True))
    median, ninth = statistics.median(extra), extra[int(len(extra) * 0.9)]
    middle = statistics.median(ours), statistics.median(bare)
    ratio = middle[0] / middle[1]
    name = "container's first line"
    return [
        Figure(name, *middle, ratio, "times", "at most 1.1", ratio <= 1.1),
        Figure("  median of pairs", *middle, median, "ms more", "at most 60", median <= 60),
        Figure("  90 % within", *middle, ninth, "ms more", "", None),
    ]


async def _measure(
    engine: Engine, client: APIClient, place: Path, repeat: int
) -> tuple[list[float], list[float]]:
    """The times of both, pair by pair (ms)."""
    executor = DockerExecutor(_INSTALLATION, _GRACE_S, url=engine.url)
    await executor.open()

    async def through_executor() -> float:
        return await _through_executor(executor, client, _launch(place))

    async def through_docker_py() -> float:
        return await asyncio.to_thread(_through_docker_py, client, _launch(place))

    ways: list[Callable[[], Awaitable[float]]] = [through_executor, through_docker_py]
    times: dict[Callable[[], Awaitable[float]], list[float]] = {way: [] for way in ways}
    try:
        for turn in range(_WARM_UP + repeat):
            for way in ways if turn % 2 else reversed(ways):
                took_ms = await way()
                if turn >= _WARM_UP:
                    times[way].append(took_ms)
    finally:
        await executor.close()
    return times[through_executor], times[through_docker_py]


async def _through_executor(
    executor: DockerExecutor, client: APIClient, launch: ContainerLaunch
) -> float:
    began = time.perf_counter()
    seen = asyncio.create_task(asyncio.to_thread(_when_readable, launch.directory / LOG))
    found = await executor.start(launch)
    end = asyncio.create_task(executor.wait(found))
    assert found.ended is None, found.ended
    took_ms = (await seen - began) * 1000
    await asyncio.to_thread(_remove, client, found.handle["container"])
    await end
    return took_ms


def _when_readable(log: Path) -> float:
    """When a file has its first line."""
    while not (log.exists() and b"\n" in log.read_bytes()):
        time.sleep(_LOOK_S)
    return time.perf_counter()


def _through_docker_py(client: Any, launch: ContainerLaunch) -> float:
    wanted = _configuration(launch)
    began = time.perf_counter()
    container = client.create_container_from_config(wanted, f"bare-{launch.token}")["Id"]
    client.start(container)
    log = client.logs(container, stream=True, follow=True)
    line = b""
    while not line.endswith(b"\n"):
        line += next(log)
    took_ms = (time.perf_counter() - began) * 1000
    log.close()
    _remove(client, container)
    return took_ms


def _remove(client: APIClient, container: str) -> None:
    with contextlib.suppress(NotFound):  # the executor was first
        client.remove_container(container, force=True)


def _launch(place: Path) -> ContainerLaunch:
    directory = place / secrets.token_hex(8)
    directory.mkdir()
    return ContainerLaunch(
        token=directory.name,
        directory=directory,
        argv=_PRINTS,
        cwd="/work",
        env={},
        python_path=None,
        cpu_cores=1,
        memory_gb=1,
        gpus=(),
        time_limit_s=None,
        image=IMAGE,
        mounts=(Mount(str(directory), "/work", read_only=False),),
    )


def _configuration(launch: ContainerLaunch) -> dict[str, Any]:
    return configuration(
        launch,
        installation="",  # what the executor has to leave alone
        confinement=confinement_of_this_server(),
        image_env=[],
        log_offset=0,
        grace_s=_GRACE_S,
    )
