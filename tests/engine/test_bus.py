"""Servers of one machine wake each other."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from jupyter_training.engine.bus import Bus


def test_a_server_wakes_the_others_and_not_itself(tmp_path: Path) -> None:
    async def go() -> None:
        woken = {name: asyncio.Event() for name in ("ada", "bob", "eve")}
        buses = {name: Bus(tmp_path, name, event.set) for name, event in woken.items()}
        for bus in buses.values():
            bus.open()
        buses["ada"].wake_others()
        await asyncio.wait_for(asyncio.gather(woken["bob"].wait(), woken["eve"].wait()), 10)
        assert not woken["ada"].is_set()
        for bus in buses.values():
            bus.close()

    asyncio.run(go())
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_server_left_is_removed_and_nothing_else_is_touched(tmp_path: Path) -> None:
    async def go() -> None:
        os.mkfifo(tmp_path / "dead.fifo")
        (tmp_path / "file.fifo").write_text("not a pipe")
        (tmp_path / "link.fifo").symlink_to(tmp_path / "file.fifo")
        bus = Bus(tmp_path, "ada", lambda: None)
        bus.open()
        bus.wake_others()
        assert not (tmp_path / "dead.fifo").exists()
        assert (tmp_path / "file.fifo").read_text() == "not a pipe"
        bus.close()

    asyncio.run(go())


def test_waking_one_that_does_not_listen_at_the_moment_never_blocks(tmp_path: Path) -> None:
    async def go() -> None:
        woken = asyncio.Event()
        ada, bob = Bus(tmp_path, "ada", lambda: None), Bus(tmp_path, "bob", woken.set)
        ada.open()
        bob.open()
        for _ in range(100_000):  # more than a pipe holds
            ada.wake_others()
        await asyncio.wait_for(woken.wait(), 10)
        ada.close()
        bob.close()

    asyncio.run(go())
