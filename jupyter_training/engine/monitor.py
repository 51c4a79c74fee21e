"""Follow every open attempt from its start to its end, and report what happens to it.

The monitor writes nothing. It collects *reports*, and the scheduler's next turn writes them,
several in one transaction, under its lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_training.engine import launches, logs
from jupyter_training.engine.gangs import ClusterGang, Gang
from jupyter_training.engine.growth import Growth
from jupyter_training.engine.meter import Hung, Idled, LiveGpusNow, Meter, Metered
from jupyter_training.engine.metrics.follower import Follower, Look
from jupyter_training.engine.workspace import METRICS, Workspace
from jupyter_training.executors.base import Cluster, Ended, Executor, Found, Launch, Preparing
from jupyter_training.executors.log_files import log_name
from jupyter_training.executors.records import LOG
from jupyter_training.executors.tasks import cancelled
from jupyter_training.jobs import refusals
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.jobs.usage import Totals
from jupyter_training.points import Point, reach
from jupyter_training.scheduling.resources import Placement
from jupyter_training.store.records import Attempt

_log = logging.getLogger(__name__)

SAMPLE_S = 1.0
"""How often logs are looked at for progress and metrics (s)."""

_YOUNG_S = 0.1
"""For so long nobody asks what a trial has measured (s): one that is over by then costs nothing."""

_PAUSE = 0.1
"""How long the pause after a look at a trial is, as a share of the time that it has run."""


@dataclass(frozen=True)
class HandedOver:
    """A cluster has an attempt, and lets it wait.

    Attributes
    ----------
    reason
        Why, as the cluster says it.
    """

    token: str
    job_id: int
    handle: dict[str, Any]
    reason: str


@dataclass(frozen=True)
class Prepared:
    """Something is done before an attempt can start.

    Attributes
    ----------
    reason
        What it is, and how far it has come.
    """

    token: str
    job_id: int
    reason: str


@dataclass(frozen=True)
class Started:
    """The process of an attempt runs.

    Attributes
    ----------
    placements
        Where, if a cluster has decided that.
    """

    token: str
    job_id: int
    handle: dict[str, Any]
    at: datetime
    placements: tuple[Placement, ...] = ()


@dataclass(frozen=True)
class Progressed:
    """An attempt has come this far.

    Attributes
    ----------
    percent
        None if that is not known any more: it was read from what is only a part.
    """

    token: str
    job_id: int
    percent: int | None


@dataclass(frozen=True)
class Finished:
    """No process of an attempt is left.

    Attributes
    ----------
    totals
        What it has used; None if it never ran.
    """

    token: str
    job_id: int
    exit: Exit
    at: datetime
    totals: Totals | None = None


Report = HandedOver | Prepared | Started | Progressed | Metered | Idled | Hung | Finished


@dataclass
class _Followed:
    attempt: Attempt
    executor: Executor
    task: asyncio.Task[None] | None = None
    found: Found | None = None
    stop: bool = False
    follower: Follower | None = None
    percent: int | None = None


class Monitor:
    """The attempts that this server follows.

    Parameters
    ----------
    executors
        By name.
    on_report
        Called with each report, after it was added to those to be taken.
    on_metrics
        Called with the numbers of jobs that have new points of metrics, and of those among them
        that have parameters, as trials do.
    live_gpus, idle_gpu_s, hang_s
        For the `Meter`.
    growth
        Hears of what trials write; without it they are looked at as seldom as all others.

    Attributes
    ----------
    meter
        Looks at what the attempts use.
    stirred
        By the names of clusters, what is set when an attempt there has begun or ended.
    """

    def __init__(
        self,
        workspace: Workspace,
        executors: Mapping[str, Executor],
        on_report: Callable[[Report], None],
        on_metrics: Callable[[Collection[int], Collection[int]], None] = lambda jobs, trials: None,
        live_gpus: LiveGpusNow | None = None,
        idle_gpu_s: float = 0.0,
        hang_s: float = 0.0,
        growth: Growth | None = None,
    ) -> None:
        self._workspace, self._executors = workspace, executors
        self._on_report, self._on_metrics, self._growth = on_report, on_metrics, growth
        self._followed: dict[str, _Followed] = {}
        self._reports: list[Report] = []
        self.meter = Meter(self._report, live_gpus, idle_gpu_s, hang_s)
        self.stirred = {name: asyncio.Event() for name in self.clusters}

    @property
    def count(self) -> int:
        """How many attempts are followed."""
        return len(self._followed)

    @property
    def clusters(self) -> frozenset[str]:
        """The names of the executors that have schedulers of their own."""
        return frozenset(name for name, one in self._executors.items() if isinstance(one, Cluster))

    def follows(self, token: str) -> bool:
        """Whether this server follows an attempt."""
        return token in self._followed

    def could_follow(self, attempt: Attempt) -> bool:
        """Whether an attempt is one that this server knows how to follow, and does not yet."""
        return attempt.executor in self._executors and not self.follows(attempt.token)

    def start(self, attempt: Attempt, launch: Launch | OSError) -> None:
        """Start an attempt that was just claimed, or report that it could not be prepared."""
        if isinstance(launch, OSError):
            why = Exit(cause=Cause.LAUNCH_FAILED, detail=str(launch))
            self._report(Finished(attempt.token, attempt.job_id, why, _now()))
            return
        if attempt.executor not in self._executors:
            told = (
                f"this server does not have the executor {attempt.executor} any more; name it in "
                "c.TrainingApp.executors, and run the job again"
            )
            why = Exit(cause=Cause.LAUNCH_FAILED, detail=told)
            self._report(Finished(attempt.token, attempt.job_id, why, _now()))
            return
        executor = self._executor(attempt)
        self._follow(attempt, executor, self._start(attempt, executor, launch))

    async def _start(self, attempt: Attempt, executor: Executor, launch: Launch) -> Found:
        if attempt.spec.snapshot is not None or attempt.spec.variables:
            # Not in the turn: other jobs have not to wait for the copies that this one needs.
            try:
                await asyncio.to_thread(launches.fill, self._workspace, attempt)
            except OSError as error:
                told = error.strerror if error.filename else str(error)
                why = Exit(cause=Cause.LAUNCH_FAILED, detail=str(told))
                return Found(attempt.token, launch.directory, ended=Ended(why, _now()))
        loop = asyncio.get_running_loop()

        def tell(reason: str) -> None:
            report = Prepared(attempt.token, attempt.job_id, reason)
            with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(self._report, report)

        if isinstance(executor, Preparing):
            executor.hear(attempt.token, tell)
        return await _start(executor, launch)

    def find(self, attempt: Attempt) -> None:
        """Find an attempt that may run already, unless it is followed."""
        if not self.follows(attempt.token):
            directory = self._workspace.attempt(attempt.job_uuid, attempt.number)
            executor = self._executor(attempt)
            self._follow(attempt, executor, _find(executor, attempt.token, directory))

    def _executor(self, attempt: Attempt) -> Executor:
        executor = self._executors[attempt.executor]
        if not attempt.spec.is_gang:
            return executor
        nodes, ranks = len(attempt.placements), attempt.ranks
        if isinstance(executor, Cluster):
            return ClusterGang(executor, nodes, ranks)
        return Gang(executor, nodes, ranks)

    def _follow(self, attempt: Attempt, executor: Executor, first: Awaitable[Found]) -> None:
        stop = attempt.cancel_requested_by is not None
        followed = _Followed(attempt, executor, stop=stop)
        self._followed[attempt.token] = followed
        followed.task = asyncio.create_task(self._run(followed, first))

    def stop(self, token: str) -> None:
        """Ask an attempt to end. Asking again changes nothing."""
        followed = self._followed.get(token)
        if followed is None or followed.stop:
            return
        followed.stop = True
        attempt, found = followed.attempt, followed.found
        if found is None:  # it is still being started, which may take as long as to pull an image
            found = Found(token, self._workspace.attempt(attempt.job_uuid, attempt.number))
        stopping = asyncio.create_task(_stop(followed.executor, found))
        stopping.add_done_callback(partial(_log_failure, "A job could not be asked to end"))

    def take_reports(self) -> list[Report]:
        """What has happened since the last call."""
        reports, self._reports = self._reports, []
        return reports

    def put_back(self, reports: list[Report]) -> None:
        """These could not be written; they come first the next time."""
        self._reports = reports + self._reports

    async def sample(self) -> None:
        """Read on in what jobs report and print, and tell what has moved."""
        await self._look_at(self._followed.values())

    async def _look_at(self, followed: Iterable[_Followed]) -> None:
        several = [(one, one.follower) for one in followed if one.follower]
        if not several:
            return
        looks = await asyncio.to_thread(lambda: [_safely(it.read) for _, it in several])
        for (one, _), look in zip(several, looks, strict=True):
            self._note(one, look.percent)
        moved = [one.attempt for (one, _), look in zip(several, looks, strict=True) if look.moved]
        if moved:
            trials = {attempt.job_id for attempt in moved if attempt.spec.parameters}
            self._on_metrics({attempt.job_id for attempt in moved}, trials)

    async def close(self) -> None:
        """Follow nothing any more. The jobs go on."""
        await cancelled(one.task for one in self._followed.values() if one.task is not None)
        self._followed.clear()
        self._reports.clear()

    async def _run(self, followed: _Followed, first: Awaitable[Found]) -> None:
        attempt = followed.attempt
        try:
            await self._run_to_the_end(followed, await first)
        except asyncio.CancelledError:
            raise
        except Exception:
            # The sweep follows it again.
            _log.exception("Lost sight of job %s; it is looked for again", attempt.job_uuid)
        finally:
            self._followed.pop(attempt.token, None)
            self.meter.forget(attempt.token)

    async def _run_to_the_end(self, followed: _Followed, found: Found) -> None:
        attempt, executor = followed.attempt, followed.executor
        # Of a gang of this machine it may be that no start is known and some node still ends.
        waits = found.started_at is None and found.ended is None
        if waits and isinstance(executor, Cluster | ClusterGang):
            found = await self._begin(followed, executor, found)
        if found.started_at is not None:
            self._report(
                Started(
                    attempt.token, attempt.job_id, found.handle, found.started_at, found.placements
                )
            )
            self._stir(attempt)
            reach(Point.START_REPORTED)
        log = log_name(0) if attempt.spec.is_gang else LOG
        followed.follower = Follower(found.directory, log=log)
        ended = found.ended
        if ended is None:
            followed.found = found
            if followed.stop:
                await _stop(executor, found)
            self.meter.follow(attempt, executor, found)
            looks = asyncio.create_task(self._look_as_it_measures(followed, found.directory, log))
            looks.add_done_callback(partial(_log_failure, "Nobody hears what a trial writes"))
            try:
                ended = await executor.wait(found)
            finally:
                looks.cancel()
            reach(Point.END_SEEN)
        # Who is told of the end finds every metric that was reported or printed before it.
        look = await asyncio.to_thread(_safely, followed.follower.drain)
        if ended.exit.exit_code != 0:
            # How far it came stays to be seen; a success is 100 anyway.
            self._note(followed, look.percent)
        exit_ = ended.exit
        if exit_.cause is None and exit_.exit_code in refusals.EXIT_CODES:
            exit_ = await asyncio.to_thread(_with_log, exit_, found.directory)
        totals = await self.meter.end(attempt, found, ended)
        self._report(Finished(attempt.token, attempt.job_id, exit_, ended.at, totals))
        self._stir(attempt)
        reach(Point.END_REPORTED)

    async def _look_as_it_measures(self, followed: _Followed, place: Path, log: str) -> None:
        """Look at a trial whenever it has reported or printed something, as long as it is young.

        So one that lasts no longer than a second can be stopped early, too. The longer it has run
        the less a moment matters: the pauses grow with its age, until `sample` is as good.
        """
        if self._growth is None or not followed.attempt.spec.parameters:
            return
        clock = asyncio.get_running_loop().time
        begun = clock()
        await asyncio.sleep(_YOUNG_S)
        async with self._growth.of(place / METRICS, place / log) as grown:
            while (pause := (clock() - begun) * _PAUSE) < SAMPLE_S:
                await grown.wait()
                grown.clear()
                await self._look_at([followed])
                await asyncio.sleep(pause)

    async def _begin(
        self, followed: _Followed, executor: Cluster | ClusterGang, found: Found
    ) -> Found:
        """Wait for a cluster to start what it was handed over, or to let go of it."""
        attempt = followed.attempt
        followed.found = found

        def tell(reason: str) -> None:
            self._report(HandedOver(attempt.token, attempt.job_id, found.handle, reason))

        reach(Point.HANDED_OVER)
        if followed.stop:
            await _stop(executor, found)
        return await executor.begin(found, tell)

    def _stir(self, attempt: Attempt) -> None:
        if attempt.executor in self.stirred:
            self.stirred[attempt.executor].set()

    def _note(self, followed: _Followed, percent: int | None) -> None:
        if percent != followed.percent:
            followed.percent = percent
            attempt = followed.attempt
            self._report(Progressed(attempt.token, attempt.job_id, percent))

    def _report(self, report: Report) -> None:
        self._reports.append(report)
        self._on_report(report)


def _with_log(exit_: Exit, directory: Path) -> Exit:
    """An end, with what the log says about it where the exit code alone does not."""
    lines = logs.tail(directory / LOG, refusals.LINES).lines
    found = refusals.refusal(exit_.exit_code, lines)
    if found is None:
        # Of a distributed job that is known already, as one of its ranks has said it.
        return exit_ if exit_.said else replace(exit_, raised=refusals.raised(lines))
    return replace(exit_, cause=found[0], detail=found[1])


async def _start(executor: Executor, launch: Launch) -> Found:
    reach(Point.START_BEGUN)
    found = await executor.start(launch)
    reach(Point.STARTED)
    return found


async def _find(executor: Executor, token: str, directory: Path) -> Found:
    reach(Point.FIND_BEGUN)
    found = await executor.find(token, directory)
    reach(Point.FOUND)
    return found


async def _stop(executor: Executor, found: Found) -> None:
    reach(Point.STOP_BEGUN)
    await executor.stop(found)
    reach(Point.STOPPED)


def _safely(read: Callable[[], Look]) -> Look:
    """Whatever is wrong with its metrics, a job is followed to its end."""
    try:
        return read()
    except Exception:
        _log.exception("The metrics of a job could not be read")
        return Look(None, moved=False)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _log_failure(what: str, task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s: %s", what, error)
