"""What a person can ask about the metrics of their jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_training.engine.changes import Changes
from jupyter_training.engine.metrics import curves
from jupyter_training.engine.metrics.curves import Curves
from jupyter_training.engine.metrics.index import DIRECTORY, Index, read_index
from jupyter_training.jobs.lifecycle import ACTIVE, ENDED
from jupyter_training.jobs.progress import Observation
from jupyter_training.store.records import Job


@dataclass(frozen=True)
class Wanted:
    """Which metrics are asked for.

    Attributes
    ----------
    attempt
        None for the latest.
    names
        Each a name, or several with commas between them; empty for all.
    max_points
        How many points of each at most.
    """

    attempt: int | None
    names: Sequence[str]
    max_points: int


@dataclass(frozen=True)
class Measured:
    """The metrics of an attempt, as they are at a moment.

    Attributes
    ----------
    over
        Whether nothing more comes: the attempt has ended, and if it was not asked for by its
        number, no other one follows.
    tag
        What stands for all that there is.
    """

    attempt: int
    over: bool
    tag: str
    found: Curves


@dataclass(frozen=True)
class Summary:
    """What is shown of the metrics of a job together with the job itself.

    Attributes
    ----------
    latest
        The last value of each metric.
    history
        When the progress has moved, and how far it was.
    """

    latest: Mapping[str, float] = field(default_factory=dict)
    history: Sequence[Observation] = ()


class MetricsQueries:
    """The operations on metrics.

    Parameters
    ----------
    find
        The job of a user by what they call it, and the number of one of its attempts: the one that
        is asked for, or the latest.
    directory
        Of an attempt of a job.
    """

    def __init__(
        self,
        find: Callable[[str, str, int | None], Awaitable[tuple[Job, int]]],
        directory: Callable[[str, int], Path],
        changes: Changes,
    ) -> None:
        self._find, self._directory, self._changes = find, directory, changes

    async def curves(
        self, user: str, reference: str, wanted: Wanted, *, known: str = "", wait_s: float = 0
    ) -> Measured:
        """Curves of a job's metrics.

        Parameters
        ----------
        known
            Wait while this tag stands for what there is, but not longer than `wait_s`.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        job, number = await self._find(user, reference, wanted.attempt)
        while True:
            change = self._changes.next(job.id)
            try:
                job, number = await self._find(user, str(job.id), wanted.attempt)
                # Read before the points are: whatever came before the end is among them.
                over = job.attempt != number or job.status in ENDED
                if wanted.attempt is not None:
                    over = over or job.status not in ACTIVE
                place = self._directory(job.job_id, number)
                index = await asyncio.to_thread(read_index, place / DIRECTORY)
                tag = f"{number}.{index.version}{'-over' if over else ''}"
                if tag != known or loop.time() >= deadline:
                    break
                await asyncio.wait([change], timeout=deadline - loop.time())
            finally:
                change.cancel()
        names = _names(wanted.names, index)
        found = await asyncio.to_thread(curves.curves, place, index, names, wanted.max_points)
        return Measured(number, over, tag, found)

    async def csv(
        self, user: str, reference: str, wanted: Wanted
    ) -> tuple[Job, int, Iterator[bytes]]:
        """All points as lines of CSV, in pieces that are to be taken in a thread.

        Returns
        -------
        job, attempt, pieces
        """
        job, number = await self._find(user, reference, wanted.attempt)
        place = self._directory(job.job_id, number)
        index = await asyncio.to_thread(read_index, place / DIRECTORY)
        return job, number, curves.csv(place, index, _names(wanted.names, index))

    async def summaries(self, jobs: Sequence[Job]) -> list[Summary]:
        """What is shown of the latest attempts of jobs."""
        places = [
            self._directory(job.job_id, job.attempt) / DIRECTORY if job.attempt else None
            for job in jobs
        ]
        if not any(places):
            return [Summary()] * len(jobs)
        return await asyncio.to_thread(
            lambda: [Summary() if place is None else _summary(place) for place in places]
        )


def _summary(place: Path) -> Summary:
    index = read_index(place)
    return Summary(index.latest(), index.history)


def _names(asked: Sequence[str], index: Index) -> list[str] | None:
    """The names that are asked for; a name may itself have a comma in it."""
    there = index.latest().keys()
    names: list[str] = []
    for one in asked:
        names += [one] if one in there else one.split(",")
    return names or None
