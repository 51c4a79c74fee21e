"""Tasks end when they are told to."""

from __future__ import annotations

import asyncio

from jupyter_training.executors.tasks import cancelled
from tests.patience import PATIENCE_S


def test_a_task_that_loses_a_cancellation_is_told_again() -> None:
    async def main() -> None:
        lost = 0

        async def loses_one() -> None:
            nonlocal lost
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
            await asyncio.Event().wait()

        async def fails() -> None:
            raise ValueError("broken")

        tasks = [asyncio.create_task(loses_one()), asyncio.create_task(fails())]
        await asyncio.sleep(0)
        first, second = await asyncio.wait_for(cancelled(tasks), PATIENCE_S)
        assert lost == 1
        assert isinstance(first, asyncio.CancelledError)
        assert isinstance(second, ValueError)
        assert await cancelled([]) == []

    asyncio.run(main())
