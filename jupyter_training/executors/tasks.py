"""Waits for events, and ends tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN_S = 1.0
"""How long a task may take to end before it is cancelled once more (s)."""


async def cancelled(tasks: Iterable[asyncio.Task[Any]]) -> list[Any]:
    """Cancel tasks, and return when all of them have ended.

    Once may not be enough: before Python 3.12 `asyncio.wait_for` loses a cancellation that comes in
    the same moment as what it waits for (CPython issue 86296).

    Returns
    -------
    list
        What each returned or raised.
    """
    several = list(tasks)
    left = set(several)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
    return await asyncio.gather(*several, return_exceptions=True)


async def first_of(
    event: asyncio.Event, future: asyncio.Future[Any], timeout: float | None = None
) -> None:
    """Return when an event is set, a future is done, or time is up (s)."""
    waiting = asyncio.ensure_future(event.wait())
    several: list[asyncio.Future[Any]] = [waiting, future]
    try:
        await asyncio.wait(several, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
