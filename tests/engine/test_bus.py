"""Servers wake each other."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

from jupyter_training.engine.bus import FifoBus, PostgresBus
from jupyter_training.store.database import Database
from tests.patience import PATIENCE_S
from tests.postgres import Postgres


def test_a_server_wakes_the_others_and_not_itself(tmp_path: Path) -> None:
    async def go() -> None:
        woken = {name: asyncio.Event() for name in ("ada", "bob", "eve")}
        buses = {name: FifoBus(tmp_path, name, event.set) for name, event in woken.items()}
        for bus in buses.values():
            bus.open()
        buses["ada"].wake_others()
        await asyncio.wait_for(asyncio.gather(woken["bob"].wait(), woken["eve"].wait()), PATIENCE_S)
        assert not woken["ada"].is_set()
        for bus in buses.values():
            await bus.close()

    asyncio.run(go())
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_server_left_is_removed_and_nothing_else_is_touched(tmp_path: Path) -> None:
    async def go() -> None:
        os.mkfifo(tmp_path / "dead.fifo")
        (tmp_path / "file.fifo").write_text("not a pipe")
        (tmp_path / "link.fifo").symlink_to(tmp_path / "file.fifo")
        bus = FifoBus(tmp_path, "ada", lambda: None)
        bus.open()
        bus.wake_others()
        assert not (tmp_path / "dead.fifo").exists()
        assert (tmp_path / "file.fifo").read_text() == "not a pipe"
        await bus.close()

    asyncio.run(go())


def test_waking_one_that_does_not_listen_at_the_moment_never_blocks(tmp_path: Path) -> None:
    async def go() -> None:
        woken = asyncio.Event()
        ada, bob = FifoBus(tmp_path, "ada", lambda: None), FifoBus(tmp_path, "bob", woken.set)
        ada.open()
        bob.open()
        for _ in range(100_000):  # more than a pipe holds
            ada.wake_others()
        await asyncio.wait_for(woken.wait(), PATIENCE_S)
        await ada.close()
        await bob.close()

    asyncio.run(go())


def test_one_that_is_about_to_listen_is_not_taken_for_dead(tmp_path: Path) -> None:
    async def go() -> None:
        over, unheard = threading.Event(), list[OSError]()

        def wake() -> None:
            while not over.is_set():
                try:
                    os.close(os.open(tmp_path / "ada.fifo", os.O_WRONLY | os.O_NONBLOCK))
                except FileNotFoundError:
                    pass
                except OSError as error:  # so others would remove it
                    unheard.append(error)

        waking = threading.Thread(target=wake)
        waking.start()
        for _ in range(50):
            bus = FifoBus(tmp_path, "ada", lambda: None)
            bus.open()
            await bus.close()
        over.set()
        waking.join()
        assert unheard == []

    asyncio.run(go())


def test_a_commit_wakes_the_others_also_after_the_database_was_restarted(
    own_postgres: Postgres,
) -> None:
    database = Database(own_postgres.new_database())

    async def go() -> None:
        woken = {name: asyncio.Event() for name in ("ada", "bob")}
        buses = {name: PostgresBus(database.url, name, event.set) for name, event in woken.items()}
        for bus in buses.values():
            bus.open()
        for event in woken.values():
            await asyncio.wait_for(event.wait(), PATIENCE_S)  # they listen
            event.clear()

        def commit() -> None:
            with database.write() as connection:
                buses["ada"].announce(connection)

        await asyncio.to_thread(commit)
        await asyncio.wait_for(woken["bob"].wait(), PATIENCE_S)
        assert not woken["ada"].is_set()
        woken["bob"].clear()

        await asyncio.to_thread(own_postgres.stop)
        await asyncio.to_thread(own_postgres.start)
        await asyncio.wait_for(woken["bob"].wait(), PATIENCE_S)  # something may have been missed
        woken["bob"].clear()
        await asyncio.to_thread(commit)
        await asyncio.wait_for(woken["bob"].wait(), PATIENCE_S)
        for bus in buses.values():
            await bus.close()

    asyncio.run(go())
    database.close()
