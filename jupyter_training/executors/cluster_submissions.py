"""Attempts on their way to a cluster, which may be away, or full, or take one without saying so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from jupyter_training.executors import cluster_records as records
from jupyter_training.executors.base import ClusterAway, Found
from jupyter_training.executors.cluster_dialect import Dialect, J, R, Refused, TooMany
from jupyter_training.executors.cluster_queue import Queue, Snapshot
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.points import Point, reach


@dataclass
class _Submission(Generic[R]):
    """What is to be submitted as soon as the cluster takes it.

    Attributes
    ----------
    may_be_there_since
        When a submission came to no answer, in the clock of the event loop (s).
    refused
        Why it was refused the last time.
    """

    request: R
    may_be_there_since: float | None = None
    refused: str = ""


class Submissions(Generic[J, R]):
    """The attempts that a cluster has not taken yet.

    Each call of `first` or `again` tries once. What became of an attempt is a `Found` with its job
    or its end; why it is still to be submitted is a text.

    Parameters
    ----------
    queue
        Tells whether the cluster has an attempt already.
    cancel
        Has a job of the cluster cancelled, without waiting for that.
    """

    def __init__(
        self, dialect: Dialect[J, R], queue: Queue[J], cancel: Callable[[str], None]
    ) -> None:
        self._dialect, self._queue, self._cancel = dialect, queue, cancel
        self._pending: dict[str, _Submission[R]] = {}

    def __contains__(self, token: str) -> bool:
        return token in self._pending

    def drop(self, token: str) -> None:
        """Submit an attempt no more; if that is being done at the moment, cancel it then."""
        self._pending.pop(token, None)

    async def first(self, token: str, directory: Path, request: R) -> Found | str:
        """Submit an attempt for the first time."""
        self._pending[token] = _Submission(request)
        return await self._submit(token, directory)

    async def again(self, token: str, directory: Path, snapshot: Snapshot[J]) -> Found | str | None:
        """Submit an attempt once more, unless the cluster has it.

        Parameters
        ----------
        snapshot
            What the cluster said last.

        Returns
        -------
        Found, str or None
            The attempt, if it has ended; None if there is nothing to tell, as it was submitted, or
            the cluster has still to say whether it has it.
        """
        submission = self._pending[token]
        if submission.may_be_there_since is not None:
            if snapshot.at <= submission.may_be_there_since:
                self._queue.soon()
                trouble = self._queue.trouble
                return f"waits to be submitted: {trouble}" if trouble else None
            if (there := snapshot.job_of(token, None)) is not None:
                await asyncio.to_thread(records.submitted, token, directory, there.id)
                self._pending.pop(token, None)
                return None
            submission.may_be_there_since = None
        told = await self._submit(token, directory)
        return told if isinstance(told, str) or told.ended is not None else None

    async def _submit(self, token: str, directory: Path) -> Found | str:
        submission = self._pending[token]
        reach(Point.SUBMIT_BEGUN)
        try:
            number = await self._dialect.submit(submission.request)
        except TooMany as many:
            return f"waits to be submitted: {many}"
        except Refused as refused:
            if submission.refused != str(refused):
                # It has to say so twice: not all that a cluster says that goes down is known.
                submission.refused, submission.may_be_there_since = str(refused), _clock()
                return f"waits to be submitted: {refused}"
            self._pending.pop(token, None)
            await asyncio.to_thread(records.give_up, token, directory)
            told = f"{self._dialect.name} does not take it: {refused}"
            why = Exit(cause=Cause.LAUNCH_FAILED, detail=told)
            return await asyncio.to_thread(records.refused, token, directory, why, {})
        except ClusterAway as away:
            submission.may_be_there_since = _clock()
            return f"waits to be submitted: {away}"
        reach(Point.SUBMITTED)
        found = await asyncio.to_thread(records.submitted, token, directory, number)
        if self._pending.pop(token, None) is None:  # it was to end meanwhile
            self._cancel(number)
        return found


def _clock() -> float:
    return asyncio.get_running_loop().time()
