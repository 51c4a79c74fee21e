"""Who waits for a job to change, and is told so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Changes:
    """Futures by job, each done at the next change of that job.

    Take the future first and read the job's state then: what happens in between is not missed.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, set[asyncio.Future[None]]] = {}

    def next(self, job: int) -> asyncio.Future[None]:
        """A future that is done when this job changes, or may have changed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(job, set())
        waiting.add(future)
        future.add_done_callback(lambda done: self._forget(job, done))
        return future

    def tell(self, jobs: Iterable[int] | None = None) -> None:
        """These jobs have changed; None for every job."""
        for job in list(self._waiting) if jobs is None else jobs:
            for future in list(self._waiting.get(job, ())):
                if not future.done():
                    future.set_result(None)

    def _forget(self, job: int, future: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(job, set())
        waiting.discard(future)
        if not waiting:
            self._waiting.pop(job, None)
