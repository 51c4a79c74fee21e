"""An engine that is killed, stopped, or out of reach in the midst of jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from jupyter_training.jobs.lifecycle import Cause
from tests.executors.container_jobs import (
    ENDLESS,
    IN_CONTAINERS,
    UNTIL_GO,
    containers_of,
    executor,
    inspection_of,
    is_counted,
    log_of,
    python,
    size_of,
    until,
)
from tests.executors.docker_engine import Engine, Proxy
from tests.patience import PATIENCE_S

pytestmark = IN_CONTAINERS


def test_an_exit_is_noticed_at_once(engine: Engine, tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(engine, sweep_s=600) as docker:
            found = await docker.start(python(tmp_path / "t", "print(1)"))
            await asyncio.wait_for(docker.wait(found), PATIENCE_S)

    asyncio.run(go())


def test_an_end_is_found_though_all_streams_broke(engine: Engine, tmp_path: Path) -> None:
    proxy = Proxy(engine.directory / "proxy.sock", engine.directory / "docker.sock")

    async def go() -> None:
        async with executor(proxy, sweep_s=0.5) as docker:
            found = await docker.start(python(tmp_path / "t", ENDLESS))
            waiting = asyncio.create_task(docker.wait(found))
            await until(lambda: size_of(found) > 10_000)
            for _ in range(3):
                proxy.cut()
                size = size_of(found)
                await until(lambda: size_of(found) > size)  # noqa: B023
            proxy.cut()
            (found.directory / "go").touch()
            ended = await waiting
            assert ended.exit.exit_code == 0
            assert is_counted(log_of(found))

    try:
        asyncio.run(go())
    finally:
        proxy.close()


def test_a_job_is_not_dead_because_the_engine_is_away(engine: Engine, tmp_path: Path) -> None:
    proxy = Proxy(engine.directory / "proxy.sock", engine.directory / "docker.sock")

    async def go() -> None:
        async with executor(proxy) as docker:
            found = await docker.start(python(tmp_path / "t", UNTIL_GO))
            waiting = asyncio.create_task(docker.wait(found))
            await until(lambda: b"ready" in log_of(found))
            proxy.close()
            (found.directory / "go").touch()
            await until(lambda: containers_of(engine)[0]["State"] == "exited")
            async with executor(proxy) as next_server:
                finding = asyncio.create_task(next_server.find(found.token, found.directory))
                done, _ = await asyncio.wait([waiting, finding], timeout=1)
                assert not done
                proxy.open()
                ended = await waiting
                again = await finding
            assert ended.exit.exit_code == 0
            assert again.ended is not None
            assert again.ended.exit.exit_code == 0
            assert log_of(found) == b"ready\ndone\n"

    try:
        asyncio.run(go())
    finally:
        proxy.close()


def test_a_start_waits_for_the_engine(engine: Engine, tmp_path: Path) -> None:
    proxy = Proxy(engine.directory / "proxy.sock", engine.directory / "docker.sock")
    proxy.close()

    async def go() -> None:
        async with executor(proxy) as docker:
            starting = asyncio.create_task(docker.start(python(tmp_path / "t", "print(1)")))
            await asyncio.wait([starting], timeout=0.5)
            assert not starting.done()
            proxy.open()
            found = await starting
            assert (await docker.wait(found)).exit.exit_code == 0

    try:
        asyncio.run(go())
    finally:
        proxy.close()


def test_a_start_is_given_up_when_the_engine_stays_away(engine: Engine, tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(engine, url="unix:///nowhere.sock", patience_s=0.5) as docker:
            found = await docker.start(python(tmp_path / "t", "print(1)"))
            assert found.ended is not None
            assert found.ended.exit.cause is Cause.NODE_LOST
            assert "No such file or directory" in found.ended.exit.detail
            assert "systemctl start docker" in found.ended.exit.detail
        async with executor(engine) as docker:
            late = await docker.start(python(tmp_path / "t", "print(1)"))
            assert late.ended is not None
            assert late.ended.exit.cause is Cause.NODE_LOST

    asyncio.run(go())


def number_of(line: str) -> int | None:
    """The number of a line of `ENDLESS`; None for what is not a whole one."""
    number = line.partition(" ")[0]
    whole = number.isdecimal() and line == f"{number} {'x' * (int(number) % 300)}"
    return int(number) if whole else None


@pytest.mark.parametrize("end", [Engine.kill, Engine.stop])
def test_containers_that_outlive_the_engine_are_followed_again(
    engine: Engine, tmp_path: Path, end: Callable[[Engine], None]
) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            code = ENDLESS.replace("print(i", "time.sleep(.001); print(i")
            found = await docker.start(python(tmp_path / "t", code))
            waiting = asyncio.create_task(docker.wait(found))
            await until(lambda: size_of(found) > 10_000)
            await asyncio.to_thread(end, engine)
            await asyncio.to_thread(engine.start, "--live-restore")
            size = size_of(found)
            await until(lambda: size_of(found) > size + 1000)
            (found.directory / "go").touch()
            ended = await waiting
            assert ended.exit.exit_code == 0
            lines = log_of(found).decode().splitlines()
            numbers = [number for line in lines if (number := number_of(line)) is not None]
            # Nothing comes twice. What an engine had in its hands when it ended is lost with it: a
            # part of a line, or some, at one place.
            broken = [line for line in lines if number_of(line) is None]
            assert len(broken) <= 1, broken
            assert numbers == sorted(set(numbers))
            assert numbers[0] == 0
            gaps = [(one, other) for one, other in pairwise(numbers) if other != one + 1]
            assert len(gaps) <= 1, gaps

    engine.restart("--live-restore")
    try:
        asyncio.run(go())
    finally:
        engine.restart()


@pytest.mark.parametrize("end", [Engine.kill, Engine.stop])
def test_containers_that_end_with_the_engine_are_a_lost_node(
    engine: Engine, tmp_path: Path, end: Callable[[Engine], None]
) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            found = await docker.start(python(tmp_path / "t", UNTIL_GO))
            waiting = asyncio.create_task(docker.wait(found))
            await until(lambda: b"ready" in log_of(found))
            await asyncio.to_thread(end, engine)
            await asyncio.wait([waiting], timeout=0.5)
            await asyncio.to_thread(engine.start)
            ended = await waiting
            assert ended.exit.cause is Cause.NODE_LOST
            assert "engine was stopped or restarted" in ended.exit.detail
            assert log_of(found) == b"ready\n"

    asyncio.run(go())


@pytest.mark.parametrize("end", [Engine.kill, Engine.stop])
def test_containers_that_ended_with_the_engine_when_no_server_was_there_are_a_lost_node(
    engine: Engine, tmp_path: Path, end: Callable[[Engine], None]
) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            found = await docker.start(python(tmp_path / "t", UNTIL_GO))
            await until(lambda: b"ready" in log_of(found))
        await asyncio.to_thread(end, engine)
        await asyncio.to_thread(engine.start)
        async with executor(engine) as next_server:
            again = await next_server.find(found.token, found.directory)
            assert again.ended is not None
            assert again.ended.exit.cause is Cause.NODE_LOST
            assert "engine was stopped or restarted" in again.ended.exit.detail
            assert log_of(found) == b"ready\n"

    asyncio.run(go())


def test_the_log_says_that_the_engine_was_not_there_to_read_the_end(
    engine: Engine, tmp_path: Path
) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            found = await docker.start(python(tmp_path / "t", UNTIL_GO))
            waiting = asyncio.create_task(docker.wait(found))
            await until(lambda: b"ready" in log_of(found))
            pid = inspection_of(engine, found)["State"]["Pid"]
            await asyncio.to_thread(engine.kill)
            (found.directory / "go").touch()
            await until(lambda: not Path(f"/proc/{pid}").exists())
            await asyncio.to_thread(engine.start)
            ended = await waiting
            assert (ended.exit.exit_code, ended.exit.cause) == (0, None)
            # With the engine, nobody was there to take what it printed.
            assert log_of(found).startswith(b"ready\n")
            assert log_of(found).endswith(
                b"\n[jupyter-training: the Docker engine was started again after the job had "
                b"ended; what that printed last may be missing here]\n"
            )

    asyncio.run(go())
