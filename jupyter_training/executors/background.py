"""Work of an executor that nobody waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any

from jupyter_training.executors.tasks import cancelled

_log = logging.getLogger(__name__)


class Background:
    """What is being done at the moment.

    Parameters
    ----------
    failure
        What is logged when something of it fails, before the reason.
    """

    def __init__(self, failure: str) -> None:
        self._failure = failure
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this, too."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def close(self, others: Iterable[asyncio.Task[Any]] = ()) -> None:
        """Give up all of it, and these, and return when they have ended."""
        await cancelled([*self._tasks, *others])

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s: %s", self._failure, error)
