"""In which order people are told."""

from __future__ import annotations

import asyncio
from pathlib import Path

from jupyter_training.engine.engine import Engine
from jupyter_training.engine.notifier import Notifier
from jupyter_training.engine.workspace import Workspace
from jupyter_training.executors.tasks import cancelled
from jupyter_training.jobs.lifecycle import Exit
from jupyter_training.jobs.messages import Message
from jupyter_training.jobs.notifications import Occasion, Receiver
from jupyter_training.scheduling.resources import Node
from jupyter_training.store.database import Database
from tests.store.conftest import Store
from tests.store.test_outbox import submit


def test_of_a_job_a_receiver_is_told_one_thing_after_the_other(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'training.db'}")
    database.migrate()
    store = Store(database)
    job = submit(store, Receiver("json://one", None, tuple(Occasion)), max_retries=1)
    for at in (1, 100):
        store.run(job, Exit(exit_code=3), at=at)
    told: list[str] = []

    async def go() -> None:
        over = asyncio.Event()

        async def send(_url: str, message: Message) -> None:
            told.append("fails" if "again" not in message.title else "is tried again")
            for _ in range(50):  # it takes a while
                await asyncio.to_thread(lambda: None)
            told.append("done")
            if len(told) == 4:
                over.set()

        workspace = Workspace(tmp_path, tmp_path)
        engine = Engine(database, workspace, {}, lambda _: Node("a", 1, 1))
        notifier = asyncio.create_task(Notifier(engine, send).run())
        await over.wait()
        await cancelled([notifier])
        await engine.stop()

    asyncio.run(go())
    database.close()
    assert told == ["is tried again", "done", "fails", "done"]
