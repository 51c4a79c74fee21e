"""What is kept of what was uploaded, and what is deleted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.engine.engine import Engine
from jupyter_training.engine.service import TrainingService
from jupyter_training.engine.snapshots import Draft, NoSuchContent, SnapshotStore, WrongContent
from jupyter_training.engine.workspace import Workspace
from jupyter_training.executors.local import LocalExecutor
from jupyter_training.jobs.contents import digest
from jupyter_training.jobs.snapshots import File, Manifest
from jupyter_training.jobs.spec import InvalidJob
from jupyter_training.scheduling.resources import Node
from jupyter_training.store.database import Database
from tests.patience import PATIENCE_S


def put(store: SnapshotStore, content: bytes, *, old: bool = True) -> str:
    """Store a content; an old one was last asked for long ago."""
    draft = Draft(store, digest(content))
    draft.write(content)
    draft.finish()
    draft.close()
    if old:
        make_old(store, digest(content))
    return digest(content)


def make_old(store: SnapshotStore, name: str) -> None:
    os.utime(store.path(name), (1, 1))


@asynccontextmanager
async def serving(place: Path) -> AsyncIterator[TrainingService]:
    """A service on a machine where nothing can run, so that jobs stay in the queue."""
    database = Database(f"sqlite:///{place / 'training.db'}")
    database.migrate()
    executors = {"local": LocalExecutor(grace_s=1)}
    engine = Engine(
        database, Workspace(place / "data", place), executors, lambda _: Node("a", 1, 1)
    )
    await engine.start()
    await engine.ready(PATIENCE_S)
    try:
        yield TrainingService(engine, default_executor="local", stop_s=PATIENCE_S)
    finally:
        await engine.stop()
        database.close()


def spec(**fields: Any) -> dict[str, Any]:
    return {"name": "x", "command": "true", "cpu_cores": 2, **fields}


def test_a_draft_that_was_closed_writes_into_no_other_file(tmp_path: Path) -> None:
    draft = Draft(SnapshotStore(tmp_path, "ada"), digest(b"content"))
    draft.close()
    with (tmp_path / "other").open("wb") as other:  # may well have the number that the draft had
        draft.write(b"content")
        with pytest.raises(WrongContent):
            draft.finish()
        draft.close()
        other.write(b"its own")
    assert (tmp_path / "other").read_bytes() == b"its own"
    assert list(tmp_path.rglob("drafts/*")) == []


def test_what_no_job_refers_to_is_deleted_and_everything_else_is_kept(tmp_path: Path) -> None:
    async def check() -> None:
        async with serving(tmp_path) as service:
            store, other = (SnapshotStore(tmp_path / "data", user) for user in ("ada", "eve"))
            file = File(path="x.py", sha256=put(store, b"code"), size=4)
            manifest = put(store, Manifest(root="/x", files=[file]).encoded())
            value, environment = put(store, b"value"), put(store, b"{}")
            lone, fresh = put(store, b"lone"), put(store, b"fresh", old=False)
            foreign = put(other, b"code")
            seen, _ = await service.submit(
                "ada", spec(snapshot=manifest, environment=environment, variables={"v": value})
            )
            needed = (file.sha256, manifest, value, environment)
            for name in needed:
                make_old(store, name)
            assert await service.contents.collect() == 8
            with pytest.raises(NoSuchContent):
                store.size(lone)
            with pytest.raises(NoSuchContent):
                other.size(foreign)
            assert store.missing([*needed, fresh]) == []
            await service.cancel("ada", seen.job.job_id)
            await service.remove("ada", seen.job.job_id)
            for name in needed:
                make_old(store, name)
            await service.contents.collect()
            assert store.missing(needed) == list(needed)

    asyncio.run(check())


def test_nothing_of_a_job_is_deleted_however_much_is_collected_while_it_is_submitted(
    tmp_path: Path,
) -> None:
    async def check() -> None:
        async with serving(tmp_path) as service:
            store = SnapshotStore(tmp_path / "data", "ada")
            stop = asyncio.Event()

            async def collect() -> None:
                while not stop.is_set():
                    await service.contents.collect()

            collecting = asyncio.create_task(collect())
            submitted = []
            for number in range(60):
                content = f"code {number}".encode()
                file = File(path="x.py", sha256=digest(content), size=len(content))
                manifest = Manifest(root="/x", files=[file]).encoded()
                # Old, as those are that were uploaded for an earlier job.
                names = [put(store, content), put(store, manifest)]
                await asyncio.sleep(0)
                try:
                    await service.submit("ada", spec(snapshot=names[1]))
                except InvalidJob:  # it was collected first, and is uploaded again
                    for one in (content, manifest):
                        put(store, one, old=False)
                    await service.submit("ada", spec(snapshot=names[1]))
                submitted.append(names)
            stop.set()
            await collecting
            for names in submitted:
                assert store.missing(names) == []

    asyncio.run(check())


def test_the_same_content_can_come_several_times_at_once(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path, "ada")
    content = b"x" * 100_000
    with ThreadPoolExecutor(8) as threads:
        names = set(threads.map(lambda _: put(store, content, old=False), range(40)))
    assert names == {digest(content)}
    assert store.read(digest(content), 10**6) == content
    assert not list((store.directory / "drafts").iterdir())
    assert store.path(digest(content)).stat().st_mode & 0o777 == 0o400
