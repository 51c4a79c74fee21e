"""Who waits for a job to change, and is told so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Changes:
    """Futures that are done at the next change.

    Take the future first and read the job's state then: what happens in between is not missed.
    """

    def __init__(self) -> None:
        self._of_job: dict[int, set[asyncio.Future[None]]] = {}
        self._of_any: set[asyncio.Future[None]] = set()

    def next(self, job: int, *, or_of_others: bool = False) -> asyncio.Future[None]:
        """A future that is done when this job changes, or may have changed.

        Parameters
        ----------
        or_of_others
            Also when another job has started or ended, which may be why this one waits.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = [self._of_job.setdefault(job, set())]
        if or_of_others:
            waiting.append(self._of_any)
        for several in waiting:
            several.add(future)
        future.add_done_callback(lambda done: self._forget(job, done))
        return future

    def tell(self, jobs: Iterable[int], *, others: bool = True) -> None:
        """These jobs have changed.

        Parameters
        ----------
        others
            Whether one of them has started or ended.
        """
        for job in jobs:
            _finish(self._of_job.get(job, ()))
        if others:
            _finish(self._of_any)

    def tell_all(self) -> None:
        """Every job may have changed."""
        self.tell(list(self._of_job))

    def _forget(self, job: int, future: asyncio.Future[None]) -> None:
        self._of_any.discard(future)
        waiting = self._of_job.get(job, set())
        waiting.discard(future)
        if not waiting:
            self._of_job.pop(job, None)


def _finish(futures: Iterable[asyncio.Future[None]]) -> None:
    for future in list(futures):
        if not future.done():
            future.set_result(None)
