"""Run jobs on a cluster that has a scheduler of its own and a file system that its nodes share.

Each attempt is a job of the cluster, with our supervisor in it. The cluster decides when and where.
What an attempt is, and how it ended, is in its directory: `cluster_node` says what is there. The
cluster is asked for all jobs at once; it tells why one waits, and that one is lost. So a cluster
that is away, restarted or forgetful loses and doubles nothing:

* An attempt runs only if its program is the first to take it. What was submitted twice, begun again
  by the cluster or given up by a server ends at once.
* What was submitted and is not written down is found by its token.
* What the cluster does not know any more, or has lost, is first *revoked*, so that whatever of it
  still runs is killed; only then, or when it has long given no sign of life, has it ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Generic

from jupyter_training.executors import cluster_launch
from jupyter_training.executors import cluster_records as records
from jupyter_training.executors.background import Background
from jupyter_training.executors.base import (
    ClusterAway,
    Ended,
    Found,
    Launch,
    attempt_token,
    node_directory,
)
from jupyter_training.executors.cluster_dialect import Dialect, J, R, problems
from jupyter_training.executors.cluster_launch import Terms
from jupyter_training.executors.cluster_node import LAUNCH
from jupyter_training.executors.cluster_queue import Queue, Snapshot
from jupyter_training.executors.cluster_records import Records, Step
from jupyter_training.executors.cluster_settings import Pace
from jupyter_training.executors.cluster_submissions import Submissions
from jupyter_training.executors.gauges import Gauge
from jupyter_training.jobs.lifecycle import Exit
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.scheduling.resources import ClusterNode

_log = logging.getLogger(__name__)

_LOOK_S = 1.0
_AGAIN_S = 3.0
"""How soon it is tried again to submit what could not be (s)."""

_QUIET_S = 1.5
"""How long a job waits until it is told why (s)."""

_STATE_S = 30.0
"""How long to wait for the cluster's own word on an end that it may have caused (s). It has it when
all is cleared up behind the job."""

_MARGIN_S = 15.0
"""How much longer than its grace period a job may take before the cluster kills it (s)."""


class ClusterExecutor(Generic[J, R]):
    """What is the same for each kind of cluster; a `Cluster`.

    Parameters
    ----------
    dialect
        What is particular to this kind.
    told
        A directory that the nodes share, in which they tell that something has happened.
    grace_s
        How long a job may take to end after it was asked to (s).
    log_limit
        How much of what a job prints is kept (bytes); 0 for all.
    pace
        How often the cluster and its jobs are looked at.
    """

    def __init__(
        self,
        dialect: Dialect[J, R],
        told: Path,
        grace_s: float,
        *,
        log_limit: int = 0,
        pace: Pace = Pace(),  # noqa: B008 - it is a value
    ) -> None:
        self._dialect = dialect
        self._terms = Terms(told, grace_s, log_limit, pace.alive_s)
        self._settle_s = pace.settle_s
        self._queue: Queue[J] = Queue(self._ask, told, pace.poll_s)
        self._submissions = Submissions(dialect, self._queue, self._cancel)
        self._starting: dict[str, asyncio.Task[Found]] = {}
        self._asked: dict[str, float] = {}
        self._looked_at: set[str] = set()
        self._background = Background(f"A job on {dialect.name} could not be told to end")

    async def open(self) -> None:
        """Make the directory in which the nodes tell, and begin to learn which GPUs there are.

        The server that schedules reads them again and again; what others take has to be right, too.
        """
        await asyncio.to_thread(self._terms.told.mkdir, 0o700, True, True)
        self._background.begin(self._learn())

    async def why_not(self, image: str | None) -> str | None:
        """Why no job with this image can be run; None if one can, or may be later."""
        return None if image is None else f"jobs on {self._dialect.name} run without an image"

    def problems(self, spec: JobSpec) -> Sequence[FieldError]:
        """What is wrong with a job for the cluster; see `Cluster`."""
        return problems(self._dialect, spec)

    async def inventory(self) -> Sequence[ClusterNode]:
        """The nodes of the cluster; see `Cluster`."""
        found = await self._dialect.nodes()
        models = (gpu.model for one in found for gpu in one.node.gpus)
        self._dialect.models = frozenset(filter(None, models))
        return found

    async def _learn(self) -> None:
        with contextlib.suppress(Exception):  # whoever schedules tells what is wrong with it
            await self.inventory()

    async def start(self, launch: Launch) -> Found:
        """Hand an attempt over; see `Cluster`."""
        task = self._starting.get(launch.token)
        if task is None:
            task = self._starting[launch.token] = asyncio.create_task(self._start(launch))
            task.add_done_callback(lambda _: self._starting.pop(launch.token, None))
        return await asyncio.shield(task)

    async def find(self, token: str, directory: Path) -> Found:
        """Find an attempt, or one node of it; see `Executor`."""
        task = self._starting.get(token)
        if task is not None:
            return await asyncio.shield(task)
        if token in self._submissions:
            return Found(token, directory, {"job": None})
        return await self._find(token, directory)

    async def begin(self, found: Found, tell: Callable[[str], None]) -> Found:
        """Wait until an attempt runs; see `Cluster`."""
        token, directory = found.token, found.directory
        since, said, began, has_begun = _clock(), "", _clock(), False
        with self._queue.watching(token) as woken:
            while True:
                woken.clear()
                snapshot = self._queue.latest
                if token in self._submissions:
                    told = await self._submissions.again(token, directory, snapshot)
                    since = _clock()
                    if isinstance(told, Found):
                        return told
                    if told and told != said:
                        said = told
                        tell(said)
                    if token in self._submissions:
                        await _event(woken, _AGAIN_S)
                    continue
                it = await asyncio.to_thread(records.read, token, directory)
                if it.started is not None and not has_begun:
                    # That it waits may have been true when the cluster was asked, before it began.
                    has_begun, since = True, _clock()
                    self._queue.soon()
                job, is_fresh = self._job(snapshot, token, it), snapshot.at > since
                step = records.step(it, job, is_fresh=is_fresh)
                if step is Step.NOT_BEGUN:
                    return await self._not_begun(token, directory, job)
                if it.is_gang and step in (Step.RUNS, Step.LOST):
                    begun = await asyncio.to_thread(records.begun_gang, token, directory, it)
                    if begun is None and step is Step.LOST:
                        ended = await self._lost(token, directory, it, job)
                        begun = None if ended is None else replace(found, ended=ended)
                    if begun is not None:
                        return await self._placed(begun)
                elif step is not Step.WAITS:
                    return await self._found(token, directory, it)
                reason, pause_s = self._reason(job), None
                if it.is_gang and not reason:
                    reason = await asyncio.to_thread(records.waits_for, directory)
                if reason and reason != said:
                    # Many begin at once, and nobody has to be told why they did not.
                    left_s = began + _QUIET_S - _clock()
                    if left_s > 0:
                        pause_s = left_s
                    else:
                        said = reason
                        tell(said)
                await _event(woken, _AGAIN_S if step is Step.LOST else pause_s)

    async def wait(self, found: Found) -> Ended:
        """Wait until no process of an attempt is left; see `Executor`."""
        if found.ended is not None:
            return found.ended
        token, directory = found.token, found.directory
        whole = attempt_token(token)
        since, left_s = _clock(), float("inf")
        ended_since: float | None = None
        with self._queue.watching(token) as woken:
            while True:
                woken.clear()
                snapshot = self._queue.latest
                it = await asyncio.to_thread(records.read, token, directory)
                job, is_fresh = self._job(snapshot, token, it), snapshot.at > since
                if job is not None and not job.is_over:
                    left_s = job.left_s
                step = records.step(it, job, is_fresh=is_fresh)
                ended: Ended | None = None
                if step is Step.GIVEN_UP:
                    ended = records.given_up(token, directory).ended
                elif step is Step.NOT_BEGUN:
                    # If none is told, it has begun at this moment after all.
                    ended = (await self._not_begun(token, directory, job)).ended
                elif step is Step.LOST:
                    ended = await self._lost(token, directory, it, job)
                elif step is Step.ENDED:
                    assert it.ended is not None
                    ended_since = ended_since or _clock()
                    begins_again = is_fresh and job is not None and job.waits
                    is_known = begins_again or (is_fresh and (job is None or job.is_over))
                    if begins_again:
                        assert job is not None
                        self._cancel(job.id)  # it would end at once, as it has been taken
                    elif is_known and it.wants_state:
                        job = await self._recalled(token, directory, it, job)
                    if not it.wants_state or is_known or _clock() - ended_since > _STATE_S:
                        self._asked.pop(token, None)
                        return replace(it.ended, exit=self._exit(it, job, left_s))
                    self._queue.soon()
                if ended is not None:
                    return ended
                self._hurry(whole, it)
                looks_again = step in (Step.NOT_BEGUN, Step.LOST, Step.ENDED)
                await _event(woken, _LOOK_S if looks_again or whole in self._asked else None)

    async def gauge(self, found: Found) -> Gauge | None:
        """What tells how much an attempt uses; see `Executor`."""
        directory = found.directory
        it = await asyncio.to_thread(records.read, found.token, directory)
        if not it.is_gang or "." in found.token:
            return records.SignsOfLife([directory])
        return records.SignsOfLife([node_directory(directory, index) for index in range(it.count)])

    async def stop(self, found: Found) -> None:
        """Ask an attempt to end, or take it out of the queue; see `Executor`."""
        token, directory = found.token, records.home_of(found.token, found.directory)
        whole = attempt_token(token)
        if found.ended is not None:
            return
        self._submissions.drop(whole)
        self._asked.setdefault(whole, _clock() + self._terms.grace_s + _MARGIN_S)
        await asyncio.to_thread(records.ask_to_end, directory)
        gave_up = await asyncio.to_thread(records.give_up, whole, directory)
        it = await asyncio.to_thread(records.read, whole, directory)
        number = it.job or found.handle.get("job")
        if number is not None and (gave_up or it.is_given_up):
            self._cancel(str(number))
        elif number is not None and it.ended is None:
            self._background.begin(self._dialect.ask_to_end(str(number)))
        self._queue.wake(whole)
        self._queue.soon()

    async def close(self) -> None:
        """Let go of everything but the jobs."""
        await self._background.close(self._starting.values())
        await self._queue.close()
        await self._dialect.close()

    async def _start(self, launch: Launch) -> Found:
        token, directory = launch.token, launch.directory
        it = await asyncio.to_thread(records.read, token, directory)
        if it.launch is not None or it.started is not None or it.is_given_up:
            return await self._find(token, directory)
        content = cluster_launch.content(launch, self._dialect, self._terms)
        await asyncio.to_thread(records.write, directory, LAUNCH, content)
        request = self._dialect.request(launch)
        told = await self._submissions.first(token, directory, request)
        return told if isinstance(told, Found) else Found(token, directory, {"job": None})

    # Finding

    async def _find(self, token: str, directory: Path) -> Found:
        it = await asyncio.to_thread(records.read, token, directory)
        is_node = "." in token
        if it.is_gang and not is_node and it.started is not None and it.ended is None:
            # Where its nodes run, and how many there are, is known to `begin` when all of them do.
            return Found(token, directory, it.handle)
        if it.is_given_up or it.started is not None or it.job is not None or is_node:
            return await self._found(token, directory, it)
        if it.launch is not None:
            # Perhaps it was submitted: only the cluster knows.
            job = (await self._fresh()).job_of(token, None)
            if job is not None:
                return await asyncio.to_thread(records.submitted, token, directory, job.id)
        if await asyncio.to_thread(records.give_up, token, directory):
            return records.given_up(token, directory)
        return await self._found(
            token, directory, await asyncio.to_thread(records.read, token, directory)
        )

    async def _fresh(self) -> Snapshot[J]:
        """What the cluster says from now on; while it is away, that is waited for."""
        since = _clock()
        with self._queue.watching("") as woken:
            while self._queue.latest.at <= since:
                woken.clear()
                self._queue.soon()
                await _event(woken, _AGAIN_S)
        return self._queue.latest

    async def _found(self, token: str, directory: Path, it: Records) -> Found:
        """An attempt as its records are, without a word from the cluster."""
        if it.is_given_up:
            return records.given_up(token, directory)
        found = Found(token, directory, it.handle, it.started_at, placements=it.placements)
        found = await self._placed(found)
        if it.ended is None:
            return found
        if not it.wants_state:
            return replace(found, ended=replace(it.ended, exit=self._exit(it, None, 1e9)))
        return replace(found, ended=await self.wait(replace(found, started_at=None)))

    async def _placed(self, found: Found) -> Found:
        """With the places that are known by name."""
        try:
            several = [await self._dialect.placed(found.token, one) for one in found.placements]
        except ClusterAway:
            several = []
        return replace(found, placements=tuple(one for one in several if one is not None))

    # What became of it

    def _job(self, snapshot: Snapshot[J], token: str, it: Records) -> J | None:
        return snapshot.job_of(token, it.job)

    def _reason(self, job: J | None) -> str:
        if self._queue.trouble:
            return self._queue.trouble
        return "" if job is None or job.is_over else self._dialect.reason(job)

    def _exit(self, it: Records, job: J | None, left_s: float) -> Exit:
        assert it.ended is not None
        asked, revoked = it.is_asked, it.is_revoked
        return self._dialect.end_of(it.ended.exit, job, asked=asked, revoked=revoked, left_s=left_s)

    async def _not_begun(self, token: str, directory: Path, job: J | None) -> Found:
        """An attempt that the cluster has let go of; one that nevertheless has begun is found."""
        await asyncio.sleep(self._settle_s)
        home = records.home_of(token, directory)
        if not await asyncio.to_thread(records.give_up, token, directory):
            it = await asyncio.to_thread(records.read, token, directory)
            return await self._found(token, directory, it)
        it = await asyncio.to_thread(records.read, token, directory)
        job = await self._recalled(token, directory, it, job)
        if job is None:
            return records.given_up(token, directory, f"{self._dialect.name} does not know its job")
        why = await self._dialect.not_begun(job, home)
        return await asyncio.to_thread(records.refused, token, directory, why, {"job": job.id})

    async def _lost(self, token: str, directory: Path, it: Records, job: J | None) -> Ended | None:
        """The end of an attempt of which the cluster knows no more; None while it may still run."""
        home = records.home_of(token, directory)
        job = await self._recalled(token, directory, it, job)
        if job is None or job.waits or job.is_unsure or it.is_revoked:
            if not it.is_revoked:
                why = self._dialect.lost(job, revoked=False, asked=it.is_asked)
                _log.warning("Job %s is given up: %s", it.job, why.detail)
                await asyncio.to_thread(records.revoke, home)
                if job is not None and job.waits:
                    self._cancel(job.id)
            if not it.is_silent(time.time(), self._terms.alive_s):
                return None
        else:
            await asyncio.sleep(self._settle_s)
        again = await asyncio.to_thread(records.read, token, directory)
        if again.ended is not None:
            return replace(again.ended, exit=self._exit(again, job, 1e9))
        why = self._dialect.lost(job, revoked=it.is_revoked, asked=it.is_asked)
        return Ended(why, _now())

    async def _recalled(self, token: str, directory: Path, it: Records, job: J | None) -> J | None:
        """The job of an attempt, also if the cluster has forgotten it but keeps how it ended."""
        if job is not None or it.job is None:
            return job
        return await self._dialect.recall(it.job, records.home_of(token, directory))

    def _hurry(self, whole: str, it: Records) -> None:
        """Have the cluster kill what has not ended in its grace period."""
        if self._asked.get(whole, float("inf")) < _clock() and it.job is not None:
            self._asked[whole] = _clock() + _MARGIN_S
            self._cancel(it.job)

    async def _ask(self) -> Sequence[J]:
        found = await self._dialect.jobs()
        self._looked_at.intersection_update(job.id for job in found)
        for job in found:
            if job.waits and not self._queue.is_watched(job.token):
                await self._sweep(job)
        return found

    async def _sweep(self, job: J) -> None:
        """Take a job out of the queue that would end at once, as its attempt is over."""
        if job.id in self._looked_at:
            return
        self._looked_at.add(job.id)
        it = await asyncio.to_thread(records.read, job.token, Path(job.directory))
        if it.is_given_up or it.ended is not None:
            self._cancel(job.id)

    def _cancel(self, number: str) -> None:
        self._background.begin(self._dialect.cancel(number))


async def _event(event: asyncio.Event, seconds: float | None) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        return


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _now() -> datetime:
    return datetime.now(timezone.utc)
