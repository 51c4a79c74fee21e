"""What a person can ask of the engine: submit, look, cancel, run again, delete.

Every operation is of one user and sees only their jobs: another user's job is as unknown as one
that never was. Whatever can be wrong is found before anything is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from typing import Any

from sqlalchemy import Connection

from jupyter_training.engine import (
    again,
    feed,
    forecasts,
    outputs,
    submission,
)
from jupyter_training.engine.acceptance import Acceptance
from jupyter_training.engine.contents import Contents, Limits
from jupyter_training.engine.datasets import DataSets
from jupyter_training.engine.engine import Engine
from jupyter_training.engine.finding import attempt_of, job_of
from jupyter_training.engine.forecasts import Forecast
from jupyter_training.engine.gang_ranks import RankQueries
from jupyter_training.engine.job_logs import JobLogs
from jupyter_training.engine.live_gpus import LiveGpu
from jupyter_training.engine.metrics.queries import MetricsQueries
from jupyter_training.engine.output_paths import RelativePath
from jupyter_training.engine.receivers import Receivers
from jupyter_training.engine.trials import TrialQueries
from jupyter_training.engine.usage import Usage
from jupyter_training.engine.views import Seen, Views
from jupyter_training.jobs.children import parse
from jupyter_training.jobs.lifecycle import ENDED, Status
from jupyter_training.jobs.spec import InvalidJob
from jupyter_training.scheduling.choice import Offer, Rule
from jupyter_training.scheduling.demand import Running
from jupyter_training.scheduling.resources import ClusterNode, Node
from jupyter_training.store import (
    attempts,
    datasets,
    families,
    jobs,
    ledger,
    lists,
    machines,
    upstreams,
)
from jupyter_training.store.records import Event, Job
from jupyter_training.store.transitions import StaleWrite


class Conflict(RuntimeError):
    """The job is in a state in which this cannot be done."""


@dataclass(frozen=True)
class Holdings:
    """The machines there are, and what is held on them.

    Attributes
    ----------
    waiting
        How many jobs wait.
    attempts
        By the token of each open attempt, the number of its job.
    live_gpus
        By UUID, what the GPUs of this server's machine do at the moment, as far as they tell.
    clusters, held_elsewhere
        By the names of their executors, the machines of clusters, and what attempts have there.
    """

    nodes: Sequence[Node]
    held: Sequence[Running]
    waiting: int
    attempts: Mapping[str, int] = field(repr=False)
    live_gpus: Mapping[str, LiveGpu] = field(default_factory=dict)
    clusters: Mapping[str, Sequence[ClusterNode]] = field(default_factory=dict)
    held_elsewhere: Mapping[str, Sequence[Running]] = field(default_factory=dict)


class TrainingService:
    """The operations on the jobs of an engine.

    Parameters
    ----------
    default_executor
        For jobs that name none.
    offers, rules
        What the executors can be asked for, by their names, and which jobs run where: see `choice`.
    stop_s
        How long a job may take to be stopped (s).
    live_gpus
        Tells, without a long wait, what this machine's GPUs do, by UUID; given all known machines.
        None if nobody does.
    limits
        What users may upload.

    Attributes
    ----------
    datasets
        The registry of data sets.
    usage
        What jobs use and have used.
    ranks
        Where the processes of distributed jobs are.
    logs
        What jobs have printed.
    receivers
        Who can be told of jobs.
    metrics
        What jobs have measured.
    contents
        The code, the values and the environments that users have uploaded.
    trials
        What searches for hyperparameters have found.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        default_executor: str,
        stop_s: float,
        offers: Mapping[str, Offer] | None = None,
        rules: Sequence[Rule] = (),
        live_gpus: Callable[[Sequence[Node]], Awaitable[Mapping[str, LiveGpu]]] | None = None,
        receivers: Receivers | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._engine, self._workspace = engine, engine.workspace
        self._stop_s, self._live_gpus = stop_s, live_gpus
        self.datasets = DataSets(engine)
        self.usage = Usage(engine)
        self.ranks = RankQueries(engine)
        self.logs = JobLogs(engine)
        self.receivers = receivers or Receivers()
        self.metrics = MetricsQueries(
            self._job_and_attempt, engine.workspace.attempt, engine.changes
        )
        self.contents = Contents(engine, limits)
        self.trials = TrialQueries(engine)
        self._views = Views(engine, self.metrics)
        self._acceptance = Acceptance(
            engine,
            self.datasets,
            self.receivers,
            self.contents,
            default_executor=default_executor,
            offers=offers,
            rules=rules,
        )

    async def submit(
        self, user: str, request: object, *, idempotency_key: str | None = None
    ) -> tuple[Seen, bool]:
        """Put a job into the queue.

        Returns
        -------
        job
            The new job, or the one that the same key gave before.
        created
            Whether it is new.

        Raises
        ------
        InvalidJob
            With every wrong field.
        """
        it, now = (
            await submission.checked(parse(request), partial(self._acceptance.check, user)),
            _now(),
        )
        job, created = await self._engine.write(
            lambda c: submission.put(c, it, username=user, idempotency_key=idempotency_key, now=now)
        )
        if created:
            self._engine.poke(job.id, family=_has_family(job))
        if job.is_parent or job.hold is not None:
            return (await self._views.of(user, [job]))[0], created
        return await self._views.of_new(job), created

    async def forecast(self, user: str, request: object) -> Forecast:
        """Check a job as `submit` does, and tell where it would run; nothing is stored."""
        it = await self._checked(user, request)

        def look(connection: Connection) -> Forecast:
            upstreams.resolve(connection, it.spec.depends_on, user)
            return forecasts.of(connection, it, user, _now(), ends, self._engine.clusters)

        ends = await self._views.expected_ends()
        return await self._engine.read(look)

    async def find(self, user: str, reference: str) -> Seen:
        """One job.

        Raises
        ------
        NoSuchJob
            If this user has none of that name.
        """
        return (await self._views.of(user, [await job_of(self._engine, user, reference)]))[0]

    async def request(self, user: str, reference: str) -> dict[str, Any]:
        """What a job was asked to be, as JSON that asks for the same: see `again`."""
        job = await job_of(self._engine, user, reference)
        return await self._engine.read(lambda c: again.request_of(c, job, self.receivers))

    async def wait_for_end(self, user: str, reference: str, timeout_s: float) -> Seen:
        """One job, as soon as it has ended, and in any case when time is up."""
        job = await job_of(self._engine, user, reference)
        deadline = _clock() + timeout_s
        while not _ended(job) and _clock() < deadline:
            change = self._engine.changes.next(job.id)
            try:
                job = await job_of(self._engine, user, reference)
                if not _ended(job):
                    await asyncio.wait([change], timeout=deadline - _clock())
            finally:
                change.cancel()
        return await self.find(user, str(job.id))

    async def wait_for_change(
        self, user: str, reference: str, timeout_s: float, changed: Callable[[Seen], bool]
    ) -> Seen:
        """One job, as soon as what is seen of it has changed, and in any case when time is up."""
        number = (await job_of(self._engine, user, reference)).id
        deadline = _clock() + timeout_s
        while True:
            change = self._engine.changes.next(number, or_of_others=True)
            try:
                seen = await self.find(user, str(number))
                if changed(seen) or _clock() >= deadline:
                    return seen
                await asyncio.wait([change], timeout=deadline - _clock())
            finally:
                change.cancel()

    async def listing(self, wanted: lists.Filter) -> list[Seen]:
        """A user's jobs, newest first."""
        found = await self._engine.read(lambda c: lists.listing(c, wanted))
        return await self._views.of(wanted.username, found)

    async def children(self, user: str, reference: str, after: int, limit: int) -> list[Seen]:
        """The children of a job, in the order in which they were made; none of one that has none.

        Parameters
        ----------
        after
            Only those with a greater number.
        """
        job = await job_of(self._engine, user, reference)
        return await self.listing(lists.Filter(user, parent=job.id, after=after, limit=limit))

    async def cancel(self, user: str, reference: str) -> Seen:
        """Cancel a job, and wait until none of its processes is left.

        Returns
        -------
        Seen
            The job. It may still be running if it could not be stopped in time.

        Raises
        ------
        Conflict
            If it had ended in another way.
        """
        job = await job_of(self._engine, user, reference)
        request = families.request_cancel if job.is_parent else jobs.request_cancel
        job = await self._engine.write(lambda c: request(c, job, by=user, now=_now()))
        self._engine.poke(job.id, cancel=True, family=_has_family(job))
        seen = await self.wait_for_end(user, str(job.id), self._stop_s)
        if _ended(seen.job) and seen.job.status is not Status.CANCELLED:
            raise Conflict(
                f"{job.job_id} cannot be cancelled: it has already {_past(seen.job.status)}."
            )
        return seen

    async def retry(self, user: str, reference: str) -> Seen:
        """Run an ended job again.

        Raises
        ------
        Conflict
            If it has not ended, or a data set of it was removed.
        """
        job = await job_of(self._engine, user, reference)

        def again(connection: Connection) -> Job:
            datasets.resolve(connection, job.dataset_ids, keep=True)
            return families.run_again(connection, job, by=user, now=_now())

        try:
            job = await self._engine.write(again)
        except StaleWrite as stale:
            raise Conflict(f"{stale}.") from None
        except InvalidJob as gone:
            told = gone.errors[0].message
            raise Conflict(f"{job.job_id} cannot be run again: {told} any more.") from None
        self._engine.poke(job.id, family=_has_family(job))
        return (await self._views.of(user, [job]))[0]

    async def remove(self, user: str, reference: str) -> None:
        """Delete an ended job and its files.

        Raises
        ------
        Conflict
            If it has not ended.
        """
        job = await job_of(self._engine, user, reference)
        try:
            gone = await self._engine.write(lambda c: families.remove(c, job, now=_now()))
        except StaleWrite as stale:
            raise Conflict(f"{stale}.") from None
        for one in gone:
            await asyncio.to_thread(self._workspace.remove, one.job_id)
        if searches := [one.job_id for one in gone if one.is_search]:
            await asyncio.to_thread(self._engine.studies.remove, searches)
        self._engine.poke(job.id, family=_has_family(job))

    async def history(self, user: str, reference: str) -> list[Event]:
        """What happened to a job, oldest first."""
        job = await job_of(self._engine, user, reference)
        return await self._engine.read(lambda c: lists.history(c, job.id))

    async def changes(
        self, user: str, since: int | None, limit: int, wait_s: float = 0
    ) -> feed.Page:
        """What has changed in a user's jobs after a number; of None, only where the end is.

        With a wait it comes as soon as something has changed, and in any case when time is up.
        """
        return await feed.next_page(self._engine, user, since, limit, wait_s)

    async def history_of_servers(self, before: int | None, limit: int) -> list[Event]:
        """What happened to the servers, newest first: who schedules, since when, and after whom."""
        return await self._engine.read(lambda c: lists.history_of_servers(c, before, limit))

    async def output(
        self, user: str, reference: str, path: RelativePath, window: outputs.Window
    ) -> outputs.Listing | outputs.OpenFile:
        """What a job has left at a path: a page of a directory, or a file, which is to be closed.

        Raises
        ------
        NoSuchOutput
            If there is nothing that could be shown.
        UnreadableOutput
            If this server may not read it.
        """
        root = self._views.output_dir(await job_of(self._engine, user, reference))
        trusted = self._workspace.data_dir
        return await asyncio.to_thread(outputs.look, root, path, window, within=trusted)

    async def holdings(self, user: str) -> Holdings:
        """The machines, who holds what, and how many jobs wait."""

        def look(connection: Connection) -> Holdings:
            return Holdings(
                machines.known_nodes(connection),
                ledger.held(connection, user, self._engine.clusters),
                lists.count_waiting(connection),
                attempts.jobs_by_token(connection),
                clusters=machines.known_cluster_nodes(connection),
                held_elsewhere=ledger.held_elsewhere(connection, user, self._engine.clusters),
            )

        found = await self._engine.read(look)
        if self._live_gpus is None:
            return found
        return replace(found, live_gpus=await self._live_gpus(found.nodes))

    async def count_unended(self) -> int:
        """How many jobs, of all users, still want something from the scheduler."""
        return await self._engine.read(lists.count_unended)

    async def _checked(self, user: str, request: object) -> submission.Submission:
        return await submission.checked(parse(request), partial(self._acceptance.check, user))

    async def _job_and_attempt(
        self, user: str, reference: str, attempt: int | None
    ) -> tuple[Job, int]:
        job = await job_of(self._engine, user, reference)
        return job, attempt_of(job, attempt)


def _ended(job: Job) -> bool:
    return job.status in ENDED


def _has_family(job: Job) -> bool:
    """Whether other jobs change with it."""
    return job.is_parent or job.parent_id is not None


def _past(status: Status) -> str:
    return {Status.COMPLETED: "completed", Status.FAILED: "failed"}[status]


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _now() -> datetime:
    return datetime.now(timezone.utc)
