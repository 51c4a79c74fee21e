"""Work that has to be done before a turn can decide, and is no part of one.

It is slow, as to read and link files is, or has transactions of its own in the same database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from jupyter_training.executors.tasks import cancelled

_log = logging.getLogger(__name__)


class Outside:
    """What is being done at the moment, one work for a job at a time, each in a thread.

    Parameters
    ----------
    on_done
        Called in the event loop with the number of the job and what its work has returned. If the
        work fails nobody is told: it is asked for again when all families are looked at again.
    """

    def __init__(self, on_done: Callable[[int, Any], None]) -> None:
        self._on_done = on_done
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def begin(self, job: int, work: Callable[[], Any]) -> bool:
        """Do this for a job, unless something is being done for it already; tell whether it is."""
        if job in self._tasks:
            return False
        self._tasks[job] = asyncio.create_task(self._do(job, work))
        return True

    async def close(self) -> None:
        """Forget it all. A thread that is at work cannot be ended, and nobody is told of it."""
        await cancelled(self._tasks.values())
        self._tasks.clear()

    async def _do(self, job: int, work: Callable[[], Any]) -> None:
        try:
            told = await asyncio.to_thread(work)
        except Exception:
            _log.exception("The work for job %d failed; it is tried again at the next sweep", job)
        else:
            self._on_done(job, told)
        finally:
            self._tasks.pop(job, None)
