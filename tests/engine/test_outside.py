"""Work that is done between turns."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from jupyter_training.engine.outside import Outside
from tests.patience import PATIENCE_S


def test_what_it_returns_is_told_and_a_job_has_one_at_a_time() -> None:
    async def run() -> None:
        told: asyncio.Queue[tuple[int, Any]] = asyncio.Queue()
        outside = Outside(lambda job, what: told.put_nowait((job, what)))
        go = threading.Event()
        assert outside.begin(1, lambda: go.wait(PATIENCE_S) and "first")
        assert not outside.begin(1, lambda: "while the first one is being done")
        outside.begin(2, lambda: "of another job")
        assert await told.get() == (2, "of another job")
        go.set()
        assert await told.get() == (1, "first")
        outside.begin(1, lambda: "again")
        assert await told.get() == (1, "again")
        await outside.close()
        assert told.empty()

    asyncio.run(run())


def test_what_fails_is_not_told_and_can_be_asked_for_again() -> None:
    async def run() -> None:
        told: asyncio.Queue[tuple[int, Any]] = asyncio.Queue()
        outside = Outside(lambda job, what: told.put_nowait((job, what)))
        failed = threading.Event()

        def fails() -> None:
            failed.set()
            raise OSError("no such disk")

        outside.begin(1, fails)
        await asyncio.to_thread(failed.wait, PATIENCE_S)
        while told.empty():  # until the failure was taken in, nothing else is begun for this job
            outside.begin(1, lambda: "now")
            await asyncio.sleep(0)
        assert await told.get() == (1, "now")
        await outside.close()

    asyncio.run(run())


def test_nobody_is_told_after_it_was_closed() -> None:
    async def run() -> None:
        told: list[int] = []
        outside = Outside(lambda job, _: told.append(job))
        go = threading.Event()
        outside.begin(1, lambda: go.wait(PATIENCE_S))
        await outside.close()
        go.set()
        await asyncio.to_thread(lambda: None)
        assert told == []

    asyncio.run(run())
