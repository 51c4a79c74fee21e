"""Containers that are started once or never, and removed when nobody needs them."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path

from jupyter_training.executors import container_records
from jupyter_training.executors.containers import (
    name_of,
)
from jupyter_training.executors.records import STARTED
from jupyter_training.jobs.lifecycle import Cause
from tests.executors.container_jobs import (
    IN_CONTAINERS,
    UNTIL_GO,
    containers_of,
    executor,
    inspection_of,
    log_of,
    python,
    until,
)
from tests.executors.docker_engine import Engine

pytestmark = IN_CONTAINERS


def test_a_server_that_was_held_up_cannot_start_what_another_gave_up(
    engine: Engine, tmp_path: Path
) -> None:
    async def go() -> None:
        async with executor(engine) as held_up, executor(engine) as other:
            wanted = python(tmp_path / "t", "print('ran')")
            # As far as it had come: a container was created, and the attempt taken.
            created = await held_up._prepare(wanted, threading.Event())
            handle = {"container": created, "name": name_of(wanted.token)}
            assert container_records.take(wanted.directory, wanted.token, handle)
            lost = await other.find(wanted.token, wanted.directory)
            assert lost.ended is not None
            assert lost.ended.exit.detail == "the server ended before the job was started"
            assert containers_of(engine) == []
            late = await held_up.start(wanted)
            assert late.ended is not None
            assert late.started_at is None
            await until(lambda: containers_of(engine) == [])
            assert log_of(late) == b""

    asyncio.run(go())


def test_a_container_that_somebody_removed_is_a_lost_node(engine: Engine, tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            found = await docker.start(python(tmp_path / "t", UNTIL_GO))
            waiting = asyncio.create_task(docker.wait(found))
            await until(lambda: b"ready" in log_of(found))
            client = engine.client
            client.remove_container(found.handle["container"], force=True)
            client.close()
            ended = await waiting
            assert (ended.exit.cause, ended.exit.detail) in (
                (Cause.NODE_LOST, "its container was removed by somebody"),
                (None, ""),  # its end was seen before it was gone
            )

    asyncio.run(go())


def test_a_container_whose_record_is_gone_or_damaged_ends_with_its_attempt(
    engine: Engine, tmp_path: Path
) -> None:
    """What it was given goes to others, so nothing of it may still run."""

    async def go() -> None:
        async with executor(engine) as docker:
            for name, damage in (("gone", None), ("damaged", '{"container": "x", "name": "y"}')):
                found = await docker.start(python(tmp_path / name, UNTIL_GO))
                await until(lambda found=found: b"ready" in log_of(found))  # type: ignore[misc]
                if damage is None:
                    shutil.rmtree(found.directory)
                else:
                    (found.directory / STARTED).write_text(damage)
                async with executor(engine) as after_a_restart:
                    lost = await after_a_restart.find(found.token, found.directory)
                    assert lost.ended is not None
                    assert lost.ended.exit.cause is Cause.NODE_LOST
                    await until(lambda found=found: not containers_of(engine, found.token))  # type: ignore[misc]

    asyncio.run(go())


def test_containers_of_others_are_left_alone(engine: Engine, tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(engine, installation="another") as another:
            found = await another.start(python(tmp_path / "t", UNTIL_GO))
            async with executor(engine) as docker:
                await docker.open()
                await docker.stop(found)
                lost = await docker.find(found.token, found.directory)
                assert lost.ended is not None
                assert lost.ended.exit.cause is Cause.NODE_LOST
            assert inspection_of(engine, found)["State"]["Status"] == "running"
            (found.directory / "go").touch()
            ended = await another.wait(found)
            assert ended.exit.exit_code == 0

    asyncio.run(go())


def test_what_a_crash_left_behind_is_removed(engine: Engine, tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(engine) as first:
            wanted = python(tmp_path / "t", "print(1)")
            await first._prepare(wanted, threading.Event())
            container_records.take(wanted.directory, wanted.token, {})
            live = python(tmp_path / "live", UNTIL_GO)
            found = await first.start(live)
            assert len(containers_of(engine)) == 2
        async with executor(engine) as second:
            await second.open()
            await until(lambda: len(containers_of(engine)) == 1)
            (found.directory / "go").touch()
            ended = await second.wait(found)
            assert ended.exit.exit_code == 0

    asyncio.run(go())
