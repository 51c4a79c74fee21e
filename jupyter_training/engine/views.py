"""Jobs as people see them: where they are in the queue, why they wait, and how far they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from sqlalchemy import Connection

from jupyter_training.engine import forecasts, output_paths
from jupyter_training.engine.engine import Engine
from jupyter_training.engine.forecasts import ExpectedStart
from jupyter_training.engine.metrics.queries import MetricsQueries, Summary
from jupyter_training.jobs.lifecycle import ENDED, WAITING, Status, sentence
from jupyter_training.jobs.progress import Remaining, remaining
from jupyter_training.store import families, jobs, ledger, lists, trials, upstreams, usage
from jupyter_training.store.records import Job, UpstreamJob
from jupyter_training.store.tables import Hold
from jupyter_training.store.trials import SearchSummary


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
    progress_known
        Whether its progress is how far it is: something has told that, and has not turned out to be
        about a part only.
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
    progress_known: bool = False


class Views:
    """Looks at jobs.

    Parameters
    ----------
    metrics
        Tells what they have measured.
    """

    def __init__(self, engine: Engine, metrics: MetricsQueries) -> None:
        self._engine, self._workspace, self._metrics = engine, engine.workspace, metrics

    async def of(self, user: str, several: list[Job]) -> list[Seen]:
        """Add to jobs of a user what depends on others, with one look at them for all of these."""
        waiting = [job.id for job in several if job.status in WAITING and job.hold is None]
        parents = [job.id for job in several if job.is_parent]
        now = _now()
        summaries = await self._metrics.summaries(several)
        ends = await self.expected_ends() if waiting else {}

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

    async def of_new(self, job: Job) -> Seen:
        """A job that was just put into the queue: why it waits, if it has to, is not known yet."""
        (summary,) = await self._metrics.summaries([job])
        return self._seen(job, None, job.reason, summary)

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
        output = self.output_dir(job)
        shown = output_paths.browser_path(output, self._workspace.root_dir)
        left = None
        if job.status is Status.RUNNING:
            left = remaining(measured.history, _now().timestamp())
        latest = measured.latest
        if search is not None and search.best is not None:
            latest = {search.search.metric: search.best.value}
        told = reason(job, position, why_waits, needs, children, search)
        known = job.status is Status.COMPLETED or children is not None or bool(measured.history)
        return Seen(
            job, told, position, output, shown, latest, left, needs, children, search, start, known
        )

    def output_dir(self, job: Job) -> Path:
        """Where the results of a job are."""
        # The results of a search are those of its best trial.
        name = ((job.is_search and job.origin) or job.job_id).partition("#")[0]
        return self._workspace.output_dir(name, job.working_dir, job.output_path, job.image)

    async def expected_ends(self) -> dict[int, float]:
        """When the jobs that run are expected to end (s since the epoch), by their numbers."""

        def holders(connection: Connection) -> list[Job]:
            numbers = {one.job_id for one in ledger.held(connection)}
            return jobs.several(connection, sorted(numbers))

        holding = await self._engine.read(holders)
        now, measured = _now().timestamp(), await self._metrics.summaries(holding)
        left = {
            job.id: remaining(one.history, now) for job, one in zip(holding, measured, strict=True)
        }
        return {number: now + one.likely for number, one in left.items() if one is not None}


def reason(
    job: Job,
    position: int | None,
    why_waits: str | None,
    needs: Sequence[UpstreamJob],
    children: Mapping[str, int] | None,
    search: SearchSummary | None,
) -> str | None:
    """Why a job is where it is, in words.

    Parameters
    ----------
    position
        1 for the job that is served next; None unless it waits.
    why_waits
        What the plan says of it, if it does.
    needs
        The jobs that it depends on.
    children
        Of a parent, how many children it has of each status.
    search
        Of a search, where it is.
    """
    told = job.reason
    if job.status is Status.RETRYING and job.not_before is not None:
        again = f"{job.not_before:%H:%M:%S} UTC"
        told = f"{job.reason}; tried again at {again}" + (f", {why_waits}" if why_waits else "")
    elif job.status not in ENDED and job.stop_cause is not None:
        told = f"is being stopped: {sentence(job.stop_cause, job.stop_detail or '')}"
    elif job.status not in ENDED and job.cancel_requested_by is not None:
        told = f"is being stopped, as {job.cancel_requested_by} asked"
    elif job.hold is Hold.UPSTREAM and job.status is Status.PENDING:
        names = [one.called for one in needs if one.status is not Status.COMPLETED]
        told = f"waits for {', '.join(names)} to complete" if names else "waits for its turn"
    elif search is not None and job.status not in ENDED:
        told = search.in_words
    elif children is not None and job.status not in ENDED:
        told = ", ".join(f"{count} {status}" for status, count in sorted(children.items()))
    elif job.status is Status.PENDING:
        before = (position or 1) - 1
        behind = f"waits behind {before} job{'s' * (before != 1)}" if before else "is next"
        told = why_waits or behind
    elif job.status is Status.RUNNING and job.hung_since is not None:
        told = usage.hangs(job.hung_since, job.hung_first)
    elif job.status is Status.RUNNING and job.idle_since is not None:
        its = "its GPU has" if len(job.gpus) == 1 else "its GPUs have"
        told = f"{its} done nothing since {job.idle_since:%H:%M} UTC; {told}"
    return told


def _now() -> datetime:
    return datetime.now(timezone.utc)
