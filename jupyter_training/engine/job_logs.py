"""What a person can ask of the logs of their jobs: pages of them, and to follow one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jupyter_training.engine import log_times, logs
from jupyter_training.engine.engine import DatabaseAway, Engine
from jupyter_training.engine.finding import NoSuchJob, attempt_of, job_of
from jupyter_training.engine.following import Follower, Wanted
from jupyter_training.engine.log_hub import LogHub
from jupyter_training.executors.log_files import log_name
from jupyter_training.executors.tasks import first_of
from jupyter_training.jobs.lifecycle import ACTIVE
from jupyter_training.jobs.spec import JobType
from jupyter_training.store import jobs
from jupyter_training.store.records import Job

_AGAIN_S = 1.0
"""How soon a database that is away is asked again (s)."""


@dataclass(frozen=True)
class Which:
    """Which log of a job.

    Attributes
    ----------
    attempt
        None for the latest.
    rank
        Of which rank of a distributed job; None for what all of them print. A job that is not
        distributed is its own rank 0.
    """

    attempt: int | None = None
    rank: int | None = None


@dataclass(frozen=True)
class LogPage:
    """A piece of a log, and which attempt's it is.

    Attributes
    ----------
    times
        When each line began (s since 1970); None if that was not asked for.
    """

    attempt: int
    page: logs.Page
    times: list[float | None] | None = None


class JobLogs:
    """The logs of an engine's jobs. Every operation is of one user, and sees only their jobs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._hub = LogHub(self._by_number, engine.changes, engine.growth)

    async def tail(
        self, user: str, reference: str, which: Which, count: int, *, timestamps: bool = False
    ) -> LogPage:
        """The last lines.

        Raises
        ------
        NoSuchJob
            If this user has no such job, or it no such attempt or rank.
        """
        return await self.before(user, reference, which, None, count, timestamps=timestamps)

    async def before(
        self,
        user: str,
        reference: str,
        which: Which,
        end: int | None,
        count: int,
        *,
        timestamps: bool = False,
    ) -> LogPage:
        """The last lines before an offset; before the end if that is None."""
        number, path = await self._path(await job_of(self._engine, user, reference), which)
        page = await asyncio.to_thread(logs.before, path, end, count)
        return await _page(number, path, page, timestamps)

    async def page(
        self,
        user: str,
        reference: str,
        which: Which,
        offset: int,
        wait_s: float,
        *,
        count: int | None = None,
        timestamps: bool = False,
    ) -> LogPage:
        """A log from an offset on; if there is nothing there yet, as soon as there is.

        A wait ends when the attempt is over, or in time.
        """
        deadline = _clock() + wait_s
        job = await job_of(self._engine, user, reference)
        number, path = await self._path(job, which)
        look = partial(logs.page, path, offset, count=count)
        over = _over(job, number)
        page = await asyncio.to_thread(look, complete=over)
        if page.next_offset == offset and not over and wait_s > 0:
            page = await self._wait(job, number, path, look, deadline)
        return await _page(number, path, page, timestamps)

    async def follow(self, user: str, reference: str, wanted: Wanted) -> Follower:
        """Follow a log.

        Raises
        ------
        NoSuchJob
            If this user has no such job, or it no such attempt or rank.
        """
        job = await job_of(self._engine, user, reference)
        first = wanted.attempt == 1 and not job.attempt  # it is still to come
        if not first and (wanted.attempt is not None or wanted.rank is not None):
            await self._path(job, Which(wanted.attempt, wanted.rank))
        name = _log_name(job, wanted.rank)
        workspace = self._engine.workspace
        return Follower(
            self._hub, job, wanted, lambda number: workspace.attempt(job.job_id, number) / name
        )

    async def close(self) -> None:
        """Let nobody follow any more."""
        await self._hub.close()

    async def _wait(
        self, job: Job, number: int, path: Path, look: partial[logs.Page], deadline: float
    ) -> logs.Page:
        """The page as soon as there is something on it, the attempt is over, or time is up."""
        change: asyncio.Future[None] | None = None
        over = False
        async with self._engine.growth.of(path) as grown:
            try:
                while True:
                    if change is None or change.done():
                        change = self._engine.changes.next(job.id)
                        job = await self._by_number(job.id) or job
                        over = _over(job, number)
                    grown.clear()
                    page = await asyncio.to_thread(look, complete=over)
                    left_s = deadline - _clock()
                    if page.next_offset != page.offset or over or left_s <= 0:
                        return page
                    await first_of(grown, change, left_s)
            finally:
                if change is not None:
                    change.cancel()

    async def _by_number(self, number: int) -> Job | None:
        """A job, as soon as the database tells; who follows its log can wait for that."""
        while True:
            try:
                return await self._engine.read(lambda c: jobs.find(c, str(number), None))
            except DatabaseAway:
                await asyncio.sleep(_AGAIN_S)

    async def _path(self, job: Job, which: Which) -> tuple[int, Path]:
        number = attempt_of(job, which.attempt)
        path = self._engine.workspace.attempt(job.job_id, number) / _log_name(job, which.rank)
        if which.rank is not None and job.attempt and not await asyncio.to_thread(path.exists):
            raise NoSuchJob(f"{job.job_id} with a process of rank {which.rank} that prints")
        return number, path


def _log_name(job: Job, rank: int | None) -> str:
    is_the_only_one = rank == 0 and job.job_type != JobType.DISTRIBUTED
    return log_name(None if is_the_only_one else rank)


async def _page(number: int, path: Path, page: logs.Page, timestamps: bool) -> LogPage:
    if not timestamps:
        return LogPage(number, page)
    return LogPage(number, page, await asyncio.to_thread(log_times.times, path, page.starts))


def _over(job: Job, attempt: int) -> bool:
    return job.attempt != attempt or job.status not in ACTIVE


def _clock() -> float:
    return asyncio.get_running_loop().time()
