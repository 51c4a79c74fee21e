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
from pathlib import Path

from sqlalchemy import Connection

from jupyter_training.engine import (
    feed,
    forecasts,
    output_paths,
    outputs,
    studies,
    submission,
)
from jupyter_training.engine.contents import Contents, Limits
from jupyter_training.engine.datasets import DataSets
from jupyter_training.engine.engine import Engine
from jupyter_training.engine.forecasts import ExpectedStart, Forecast
from jupyter_training.engine.gang_ranks import RankQueries
from jupyter_training.engine.job_logs import JobLogs, NoSuchJob
from jupyter_training.engine.live_gpus import LiveGpu
from jupyter_training.engine.metrics.queries import MetricsQueries, Summary
from jupyter_training.engine.output_paths import RelativePath
from jupyter_training.engine.receivers import Receivers
from jupyter_training.engine.trials import TrialQueries
from jupyter_training.engine.usage import Usage
from jupyter_training.executors.base import Cluster
from jupyter_training.jobs.children import parse
from jupyter_training.jobs.lifecycle import ENDED, WAITING, Status, sentence
from jupyter_training.jobs.notifications import Receiver
from jupyter_training.jobs.progress import Remaining, remaining
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import InvalidJob, JobSpec, JobType
from jupyter_training.scheduling import choice
from jupyter_training.scheduling.choice import Offer, Rule
from jupyter_training.scheduling.demand import Running
from jupyter_training.scheduling.resources import ClusterNode, Node
from jupyter_training.store import (
    clusters,
    datasets,
    families,
    jobs,
    ledger,
    lists,
    trials,
    upstreams,
    usage,
)
from jupyter_training.store.records import Event, Job, UpstreamJob
from jupyter_training.store.tables import Hold
from jupyter_training.store.transitions import StaleWrite
from jupyter_training.store.trials import SearchSummary


class Conflict(RuntimeError):
    """The job is in a state in which this cannot be done."""


@dataclass(frozen=True)
class Seen:
    """A job with what only a look at the whole queue tells.

    Attributes
    ----------
    reason
        Why it is where it is; for a job that waits, why it is not running.
    queue_position
        1 for the job that is served next; None unless it waits.
    output_dir
        Where its results are.
    output_browser_path
        Where Jupyter's file browser shows them; None if it does not.
    metrics
        The last value of each metric of its latest attempt; of a search the best value.
    remaining
        How long it may still run; None unless that can be told.
    upstreams
        The jobs that it depends on.
    children
        Of a parent, how many children it has of each status.
    search
        Of a search, where it is.
    start
        When it will probably start; None unless it waits and that can be told.
    """

    job: Job
    reason: str | None
    queue_position: int | None
    output_dir: Path
    output_browser_path: str | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    remaining: Remaining | None = None
    upstreams: Sequence[UpstreamJob] = ()
    children: Mapping[str, int] | None = None
    search: SearchSummary | None = None
    start: ExpectedStart | None = None


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
        self._default_executor, self._stop_s = default_executor, stop_s
        self._offers = {name: Offer() for name in engine.executors} if offers is None else offers
        self._rules = rules
        self._live_gpus = live_gpus
        self.datasets = DataSets(engine)
        self.usage = Usage(engine, engine.workspace, self._job)
        self.ranks = RankQueries(engine, engine.workspace, self._job)
        self.logs = JobLogs(engine)
        self.receivers = receivers or Receivers()
        self.metrics = MetricsQueries(
            self._job_and_attempt, engine.workspace.attempt, engine.changes
        )
        self.contents = Contents(engine, limits)
        self.trials = TrialQueries(engine, self._job)

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
        it, now = await submission.checked(parse(request), partial(self._check, user)), _now()
        job, created = await self._engine.write(
            lambda c: submission.put(c, it, username=user, idempotency_key=idempotency_key, now=now)
        )
        if created:
            self._engine.poke(job.id, family=_has_family(job))
        if job.is_parent or job.hold is not None:
            return (await self._look(user, [job]))[0], created
        # Why it waits, if it has to, is not known before the next turn.
        (summary,) = await self.metrics.summaries([job])
        return self._seen(job, None, job.reason, summary), created

    async def forecast(self, user: str, request: object) -> Forecast:
        """Check a job as `submit` does, and tell where it would run; nothing is stored."""
        it = await submission.checked(parse(request), partial(self._check, user))

        def look(connection: Connection) -> Forecast:
            upstreams.resolve(connection, it.spec.depends_on, user)
            return forecasts.of(connection, it, user, _now(), ends, self._engine.clusters)

        ends = await self._expected_ends()
        return await self._engine.read(look)

    async def _expected_ends(self) -> dict[int, float]:
        """When the jobs that run are expected to end (s since the epoch), by their numbers."""

        def holders(connection: Connection) -> list[Job]:
            numbers = {one.job_id for one in ledger.held(connection)}
            return jobs.several(connection, sorted(numbers))

        holding = await self._engine.read(holders)
        now, measured = _now().timestamp(), await self.metrics.summaries(holding)
        left = {
            job.id: remaining(one.history, now) for job, one in zip(holding, measured, strict=True)
        }
        return {number: now + one.likely for number, one in left.items() if one is not None}

    async def find(self, user: str, reference: str) -> Seen:
        """One job.

        Raises
        ------
        NoSuchJob
            If this user has none of that name.
        """
        return (await self._look(user, [await self._job(user, reference)]))[0]

    async def wait_for_end(self, user: str, reference: str, timeout_s: float) -> Seen:
        """One job, as soon as it has ended, and in any case when time is up."""
        job = await self._job(user, reference)
        deadline = _clock() + timeout_s
        while not _ended(job) and _clock() < deadline:
            change = self._engine.changes.next(job.id)
            try:
                job = await self._job(user, reference)
                if not _ended(job):
                    await asyncio.wait([change], timeout=deadline - _clock())
            finally:
                change.cancel()
        return await self.find(user, str(job.id))

    async def wait_for_change(
        self, user: str, reference: str, timeout_s: float, changed: Callable[[Seen], bool]
    ) -> Seen:
        """One job, as soon as what is seen of it has changed, and in any case when time is up."""
        number = (await self._job(user, reference)).id
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
        return await self._look(wanted.username, found)

    async def children(self, user: str, reference: str, after: int, limit: int) -> list[Seen]:
        """The children of a job, in the order in which they were made; none of one that has none.

        Parameters
        ----------
        after
            Only those with a greater number.
        """
        job = await self._job(user, reference)
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
        job = await self._job(user, reference)
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
        job = await self._job(user, reference)

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
        return (await self._look(user, [job]))[0]

    async def remove(self, user: str, reference: str) -> None:
        """Delete an ended job and its files.

        Raises
        ------
        Conflict
            If it has not ended.
        """
        job = await self._job(user, reference)
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
        job = await self._job(user, reference)
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
        root = self._output_dir(await self._job(user, reference))
        trusted = self._workspace.data_dir
        return await asyncio.to_thread(outputs.look, root, path, window, within=trusted)

    async def holdings(self, user: str) -> Holdings:
        """The machines, who holds what, and how many jobs wait."""

        def look(connection: Connection) -> Holdings:
            return Holdings(
                ledger.known_nodes(connection),
                ledger.held(connection, user, self._engine.clusters),
                lists.count_waiting(connection),
                ledger.jobs_by_token(connection),
                clusters=clusters.known(connection),
                held_elsewhere=ledger.held_elsewhere(connection, user, self._engine.clusters),
            )

        found = await self._engine.read(look)
        if self._live_gpus is None:
            return found
        return replace(found, live_gpus=await self._live_gpus(found.nodes))

    async def count_unended(self) -> int:
        """How many jobs, of all users, still want something from the scheduler."""
        return await self._engine.read(lists.count_unended)

    async def _check(self, user: str, spec: JobSpec) -> submission.Checked:
        """What runs a job and who is told of it, if all that it asks for is right."""
        asks = self._rules and spec.executor is None
        machines = await self._engine.read(ledger.known_nodes) if asks else []
        default = self._default_executor
        executor = choice.choose(spec, self._offers, self._rules, default, machines)
        wrong: list[FieldError] = []
        if spec.search is not None and (lacks := studies.lacks(spec.search)):
            wrong.append(FieldError("search", lacks))
        receivers: list[Receiver] = []
        try:
            receivers = await self.receivers.of_job(spec.notify)
        except InvalidJob as invalid:
            wrong += invalid.errors
        if spec.job_type is JobType.PIPELINE:  # its stages are checked, with what they have from it
            if wrong:
                raise InvalidJob(wrong)
            return submission.Checked(executor, receivers)
        wrong += await self._problems(spec, executor)
        try:
            found = await self.datasets.asked_for(spec.dataset_ids)
            await asyncio.to_thread(self._workspace.check_datasets, found)
        except InvalidJob as invalid:
            wrong += invalid.errors
        if spec.snapshot or spec.environment or spec.variables:
            wrong += await self.contents.check(user, spec)
        try:
            await asyncio.to_thread(self._workspace.check, spec)
        except InvalidJob as invalid:
            wrong += invalid.errors
        if wrong:
            raise InvalidJob(wrong)
        return submission.Checked(executor, receivers)

    async def _problems(self, spec: JobSpec, name: str) -> Sequence[FieldError]:
        """What keeps an executor from running a job."""
        if wrong := choice.problems(spec, name, self._offers):
            return wrong
        executor = self._engine.executors[name]
        if isinstance(executor, Cluster):
            wrong += executor.problems(spec)
        if (why_not := await executor.why_not(spec.image)) is not None:
            field = "executor" if spec.image is None else "image"
            wrong.append(FieldError(field, why_not))
        return wrong

    async def _job(self, user: str, reference: str) -> Job:
        job = await self._engine.read(lambda c: jobs.find(c, reference, user))
        if job is None:
            raise NoSuchJob(reference)
        return job

    async def _look(self, user: str, several: list[Job]) -> list[Seen]:
        """Add what depends on others, with one look at them for all of these."""
        waiting = [job.id for job in several if job.status in WAITING and job.hold is None]
        parents = [job.id for job in several if job.is_parent]
        now = _now()
        summaries = await self.metrics.summaries(several)
        ends = await self._expected_ends() if waiting else {}

        def look(connection: Connection) -> list[Seen]:
            positions = lists.queue_positions(connection, waiting)
            elsewhere = self._engine.clusters
            reasons = ledger.why_not(connection, now, user, elsewhere) if waiting else {}
            starts = (
                forecasts.starts(connection, waiting, user, now, ends, elsewhere) if waiting else {}
            )
            needs = upstreams.own(connection, [job.id for job in several])
            counts = families.counts(connection, parents)
            searches = trials.summaries(connection, parents)
            return [
                self._seen(
                    job,
                    positions.get(job.id),
                    reasons.get(job.id),
                    summary,
                    needs.get(job.id, ()),
                    counts.get(job.id),
                    searches.get(job.id),
                    starts.get(job.id),
                )
                for job, summary in zip(several, summaries, strict=True)
            ]

        return await self._engine.read(look)

    def _seen(
        self,
        job: Job,
        position: int | None,
        why_waits: str | None,
        measured: Summary,
        needs: Sequence[UpstreamJob] = (),
        children: Mapping[str, int] | None = None,
        search: SearchSummary | None = None,
        start: ExpectedStart | None = None,
    ) -> Seen:
        reason = job.reason
        if job.status is Status.RETRYING and job.not_before is not None:
            again = f"{job.not_before:%H:%M:%S} UTC"
            reason = f"{job.reason}; tried again at {again}" + (
                f", {why_waits}" if why_waits else ""
            )
        elif job.status not in ENDED and job.stop_cause is not None:
            reason = f"is being stopped: {sentence(job.stop_cause, job.stop_detail or '')}"
        elif job.status not in ENDED and job.cancel_requested_by is not None:
            reason = f"is being stopped, as {job.cancel_requested_by} asked"
        elif job.hold is Hold.UPSTREAM and job.status is Status.PENDING:
            names = [one.name for one in needs if one.status is not Status.COMPLETED]
            reason = f"waits for {', '.join(names) or 'its turn'} to complete"
        elif search is not None and job.status not in ENDED:
            reason = search.in_words
        elif children is not None and job.status not in ENDED:
            reason = ", ".join(f"{count} {status}" for status, count in sorted(children.items()))
        elif job.status is Status.PENDING:
            before = (position or 1) - 1
            behind = f"waits behind {before} job{'s' * (before != 1)}" if before else "is next"
            reason = why_waits or behind
        elif job.status is Status.RUNNING and job.hung_since is not None:
            reason = usage.hangs(job.hung_since, job.hung_first)
        elif job.status is Status.RUNNING and job.idle_since is not None:
            its = "its GPU has" if len(job.gpus) == 1 else "its GPUs have"
            reason = f"{its} done nothing since {job.idle_since:%H:%M} UTC; {reason}"
        output = self._output_dir(job)
        shown = output_paths.browser_path(output, self._workspace.root_dir)
        left = None
        if job.status is Status.RUNNING:
            left = remaining(measured.history, _now().timestamp())
        latest = measured.latest
        if search is not None and search.best is not None:
            latest = {search.search.metric: search.best.value}
        return Seen(
            job, reason, position, output, shown, latest, left, needs, children, search, start
        )

    def _output_dir(self, job: Job) -> Path:
        # The results of a search are those of its best trial.
        name = ((job.is_search and job.origin) or job.job_id).partition("#")[0]
        return self._workspace.output_dir(name, job.working_dir, job.output_path, job.image)

    async def _job_and_attempt(
        self, user: str, reference: str, attempt: int | None
    ) -> tuple[Job, int]:
        job = await self._job(user, reference)
        return job, self._attempt(job, attempt)

    def _attempt(self, job: Job, asked: int | None) -> int:
        if asked is None:
            return job.attempt
        if not 1 <= asked <= job.attempt:
            there = f"it has had {job.attempt}" if job.attempt else "it has had none yet"
            raise NoSuchJob(f"{job.job_id} with an attempt {asked}: {there}")
        return asked


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
