"""Where a job would run if it were submitted now, and when one that waits will start."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from jupyter_training.engine.submission import Submission, wanted
from jupyter_training.jobs.spec import JobType
from jupyter_training.scheduling.demand import Running, Waiting
from jupyter_training.scheduling.outlook import outlook, outlooks
from jupyter_training.scheduling.policy import Start, plan
from jupyter_training.scheduling.resources import Resources
from jupyter_training.store import jobs, ledger, machines


@dataclass(frozen=True)
class Forecast:
    """Where a job would run if it were submitted now, and if not, why.

    Attributes
    ----------
    resources
        What it asks for; of a pipeline the most that one of its stages does.
    node, gpus
        Where it would start now, and on which cards; None and none if it would wait.
    starts_in_s
        In how long it would start if the jobs that run end when they are expected to (s); 0 for
        now, None if that cannot be told.
    after
        The job of this user whose end would make room for it, by its id.
    """

    resources: Resources
    node: str | None
    reason: str
    gpus: tuple[str, ...] = ()
    starts_in_s: float | None = None
    after: str | None = None


@dataclass(frozen=True)
class ExpectedStart:
    """When a job that waits will start if the jobs that run end when they are expected to.

    Attributes
    ----------
    in_s
        In how long (s).
    after
        The job of this user whose end makes room for it, by its id.
    name
        What the user calls that job, or whose it is if it is not theirs.
    """

    in_s: float
    after: str | None
    name: str

    def __str__(self) -> str:
        """As a person is told: ``in about 25 min, when resnet50 has ended``."""
        minutes = round(self.in_s / 60)
        if self.in_s < 60:
            when = "in less than 1 min"
        elif minutes < 120:
            when = f"in about {minutes} min"
        elif minutes < 48 * 60:
            when = f"in about {round(minutes / 60)} h"
        else:
            when = f"in about {round(minutes / 60 / 24)} days"
        return f"{when}, when {self.name} has ended"


def starts(
    connection: Connection,
    numbers: Collection[int],
    user: str,
    now: datetime,
    ends: Mapping[int, float],
    elsewhere: Collection[str] = (),
) -> dict[int, ExpectedStart]:
    """When jobs of the queue will start, as far as that can be told.

    Parameters
    ----------
    numbers
        Of the jobs that are asked for.
    ends
        As in `of`.
    """
    queue = ledger.queue(connection, now, user, elsewhere=elsewhere)
    here = [one for one in queue if not one.elsewhere]
    asked = {one.id for one in here}.intersection(numbers)
    if not asked:
        return {}
    held = _expected(ledger.held(connection, user, elsewhere), ends)
    nodes, present = machines.known_nodes(connection), now.timestamp()
    found = outlooks(asked, here, nodes, held, present)
    names = {one.job_id: one.name for one in held} | {one.id: one.name for one in queue}
    ids = {number: _named(connection, number, user) for number in {o.after for o in found.values()}}
    return {
        number: ExpectedStart(max(0.0, it.at - present), ids[it.after], names[it.after])
        for number, it in found.items()
    }


def _expected(held: Sequence[Running], ends: Mapping[int, float]) -> list[Running]:
    """What is held, until its time limit or its expected end, whichever comes first."""
    return [
        replace(one, ends_at=min(one.ends_at, ends.get(one.job_id, one.ends_at))) for one in held
    ]


def of(
    connection: Connection,
    it: Submission,
    user: str,
    now: datetime,
    ends: Mapping[int, float] | None = None,
    elsewhere: Collection[str] = (),
) -> Forecast:
    """Plan with a job, or with the first stages of a pipeline, at the end of the queue.

    Parameters
    ----------
    ends
        When jobs that run are expected to end (s since the epoch), by their numbers.
    elsewhere
        Which executors are clusters.
    """
    nodes = machines.known_nodes(connection)
    cluster_nodes = machines.known_cluster_nodes(connection)
    queue = ledger.queue(connection, now, user, elsewhere=elsewhere)
    held = ledger.held(connection, user, elsewhere)
    last = max([*(job.id for job in queue), *(one.job_id for one in held)], default=0)
    leaves = dict(enumerate(it.leaves, last + 1))
    wants = {number: wanted(leaf, nodes, cluster_nodes) for number, leaf in leaves.items()}
    for number, leaf in leaves.items():
        spec = leaf.spec
        queue.append(
            Waiting(
                number,
                spec.name,
                wants[number],
                spec.priority,
                spec.time_limit_s,
                spec.nodes,
                spec.min_nodes,
                elsewhere=leaf.checked.executor if leaf.checked.executor in elsewhere else "",
                clusters=ledger.clusters_for(spec.image, elsewhere),
            )
        )
    decided = plan(queue, nodes, held, now.timestamp())
    most = Resources(
        max(one.cpu_cores for one in wants.values()),
        max(one.memory_gb for one in wants.values()),
        max(one.gpu_count for one in wants.values()),
        it.spec.gpu_type,
    )
    waits = {wait.job_id: wait for wait in decided.waits if wait.job_id in leaves}
    never = [wait for wait in waits.values() if not wait.feasible]
    if never and it.spec.job_type is JobType.PIPELINE:
        told = "; ".join(f"{leaves[wait.job_id].spec.name} {wait.reason}" for wait in never)
        return Forecast(most, None, told)
    first = last + 1
    if first in waits:
        expected = _expected(held, ends or {})
        here = [one for one in queue if not one.elsewhere]
        then = outlook(first, here, nodes, expected, now.timestamp())
        if then is None or not waits[first].feasible:
            return Forecast(most, None, waits[first].reason)
        in_s = max(0.0, then.at - now.timestamp())
        after = _named(connection, then.after, user) if then.after <= last else None
        return Forecast(most, None, waits[first].reason, starts_in_s=in_s, after=after)
    start = next(one for one in decided.starts if one.job_id == first)
    return _at_once(it, leaves[first].spec.name, start, most)


def _at_once(it: Submission, first: str, start: Start, most: Resources) -> Forecast:
    """What is told of a job, or of the first stage of a pipeline, that is given what it asks for.

    Parameters
    ----------
    first
        What that stage is called.
    """
    if start.is_elsewhere:
        there = start.placement.node
        told = f"would be handed over to {there}, which decides when and where it runs"
        return Forecast(most, None, told)
    node, gpus = start.placement.node, tuple(u for one in start.placements for u in one.gpus)
    if it.spec.is_parent:
        told = f"{first} would be started at once"
    elif it.spec.depends_on:
        told = "would be started when what it depends on has completed"
        return Forecast(most, node, told)
    else:
        told = "would be started at once"
    return Forecast(most, node, told, gpus, 0.0)


def _named(connection: Connection, number: int, user: str) -> str | None:
    """The id of a job, if it is this user's."""
    found = jobs.find(connection, str(number), user)
    return None if found is None else found.job_id
