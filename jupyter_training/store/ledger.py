"""The ledger: who waits, what is held, and who is given what next.

An attempt that has not ended holds its resources; the open attempts *are* the ledger.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, or_, select

from jupyter_training.jobs.lifecycle import WAITING, Status
from jupyter_training.scheduling.demand import Running, Waiting
from jupyter_training.scheduling.policy import plan
from jupyter_training.scheduling.resources import Node, Resources
from jupyter_training.store import attempts, machines
from jupyter_training.store.records import Attempt, placements_of
from jupyter_training.store.tables import (
    SEQUENCE,
    customers,
    has_status,
    training_attempts,
    training_jobs,
)

QUEUE_DEPTH = 100
"""How far down the queue one pass looks; the default of Slurm's ``default_queue_depth``."""

_FIRST_LOOK = 8
"""How far it looks at first: most often that is enough to fill what is free."""

# The statements are built here, once: that costs more than to run them.
_jobs, _attempts = training_jobs.c, training_attempts.c

_QUEUE = (
    select(
        _jobs.id,
        customers.c.username,
        _jobs.name,
        _jobs.priority,
        _jobs.time_limit_s,
        _jobs.cpu_cores,
        _jobs.memory_gb,
        _jobs.gpu_count,
        _jobs.gpu_type,
        _jobs.nodes,
        _jobs.min_nodes,
        _jobs.executor,
        _jobs.image,
        SEQUENCE.label("sequence"),
    )
    .select_from(training_jobs.join(customers))
    .where(
        has_status(WAITING),
        _jobs.hold.is_(None),
        or_(_jobs.not_before.is_(None), _jobs.not_before <= bindparam("now")),
    )
    .order_by(_jobs.priority.desc(), SEQUENCE, _jobs.id)
    .limit(bindparam("depth"))
)
_ELSEWHERE = _jobs.executor.in_(bindparam("elsewhere", expanding=True))
_QUEUE_HERE, _QUEUE_ELSEWHERE = _QUEUE.where(~_ELSEWHERE), _QUEUE.where(_ELSEWHERE)
_NEXT_RETRY = select(func.min(_jobs.not_before)).where(
    _jobs.status == Status.RETRYING.value, _jobs.not_before > bindparam("now")
)
_HELD = (
    select(training_attempts, _jobs.name, _jobs.time_limit_s, customers.c.username)
    .select_from(training_attempts.join(training_jobs).join(customers))
    .where(_attempts.ended_at.is_(None))
    .order_by(_attempts.id)
)
_HELD_HERE = _HELD.where(_attempts.executor.not_in(bindparam("elsewhere", expanding=True)))


def queue(
    connection: Connection,
    now: datetime,
    viewer: str | None = None,
    depth: int = QUEUE_DEPTH,
    elsewhere: Collection[str] = (),
) -> list[Waiting]:
    """The head of the queue: jobs that wait and whose back-off is over.

    Parameters
    ----------
    viewer
        Whose jobs are called by their names; None for everybody's.
    depth
        How many at most, of those for our machines and of those for clusters.
    elsewhere
        Which executors are clusters with schedulers of their own.
    """
    asked: dict[str, Any] = {"now": now, "depth": depth}
    if not elsewhere:
        return _queue(connection.execute(_QUEUE, asked), viewer, elsewhere)
    asked["elsewhere"] = sorted(elsewhere)
    return [
        job
        for query in (_QUEUE_HERE, _QUEUE_ELSEWHERE)
        for job in _queue(connection.execute(query, asked), viewer, elsewhere)
    ]


def _queue(
    rows: Iterable[Row[Any]], viewer: str | None, elsewhere: Collection[str]
) -> list[Waiting]:
    return [
        Waiting(
            row.id,
            called(row.name, row.username, viewer),
            Resources(row.cpu_cores, row.memory_gb, row.gpu_count, row.gpu_type),
            row.priority,
            row.time_limit_s,
            row.nodes,
            row.min_nodes,
            row.sequence,
            row.executor if row.executor in elsewhere else "",
            clusters_for(row.image, elsewhere),
        )
        for row in rows
    ]


def clusters_for(image: str | None, elsewhere: Collection[str]) -> tuple[str, ...]:
    """Which of the clusters a job could have been sent to: they run jobs without an image."""
    return tuple(sorted(elsewhere)) if image is None else ()


def next_retry_at(connection: Connection, now: datetime) -> datetime | None:
    """When the next back-off ends."""
    found: datetime | None = connection.execute(_NEXT_RETRY, {"now": now}).scalar_one()
    return found


def held(
    connection: Connection, viewer: str | None = None, elsewhere: Collection[str] = ()
) -> list[Running]:
    """What every open attempt holds of our machines, and when it ends at the latest (s since 1970).

    The nodes of a gang are told one by one.

    Parameters
    ----------
    viewer, elsewhere
        As for `queue`. What clusters run holds nothing here.
    """
    if not elsewhere:
        return _held(connection.execute(_HELD), viewer)
    # On a cluster there may be thousands, and each turn asks.
    return _held(connection.execute(_HELD_HERE, {"elsewhere": sorted(elsewhere)}), viewer)


def held_elsewhere(
    connection: Connection, viewer: str | None, elsewhere: Collection[str]
) -> dict[str, list[Running]]:
    """What open attempts that run on clusters have there, by the names of their executors."""
    if not elsewhere:
        return {}
    rows = [row for row in connection.execute(_HELD) if row.started_at is not None]
    return {
        name: _held((row for row in rows if row.executor == name), viewer) for name in elsewhere
    }


def _held(rows: Iterable[Row[Any]], viewer: str | None) -> list[Running]:
    found: list[Running] = []
    for row in rows:
        since = row.started_at or row.scheduled_at
        ends_at = math.inf if row.time_limit_s is None else since.timestamp() + row.time_limit_s
        name = called(row.name, row.username, viewer)
        found += [Running(row.job_id, name, one, ends_at) for one in placements_of(row._mapping)]
    return found


def called(name: str, owner: str, viewer: str | None) -> str:
    """What a job is called for who looks: those of others keep their names."""
    return name if viewer in (None, owner) else f"a job of {owner}"


def schedule(
    connection: Connection,
    nodes: Sequence[Node],
    now: datetime,
    elsewhere: Collection[str] = (),
) -> list[Attempt]:
    """Plan, and claim what the plan starts: one transaction from the look to the ledger.

    The scheduling server calls it in a transaction that holds its lease.

    Parameters
    ----------
    elsewhere
        Which executors are clusters. At most `QUEUE_DEPTH` jobs are handed over to them at a time.

    Returns
    -------
    list of Attempt
        The new attempts, still to be started.
    """
    holding = held(connection, elsewhere=elsewhere)
    for depth in (_FIRST_LOOK, QUEUE_DEPTH):
        waiting = queue(connection, now, depth=depth, elsewhere=elsewhere)
        decided = plan(waiting, nodes, holding, now.timestamp(), explain=False)
        # What is decided about the first jobs does not depend on those behind them.
        there = [job.elsewhere != "" for job in waiting]
        if there.count(True) < depth and (decided.full or there.count(False) < depth):
            break
    claimed = [attempts.claim(connection, start, now) for start in decided.starts]
    return [attempt for attempt in claimed if attempt is not None]


def why_not(
    connection: Connection, now: datetime, viewer: str, elsewhere: Collection[str] = ()
) -> dict[int, str]:
    """Why each job at the head of the queue is not running, from the very plan that decides it."""
    waiting = queue(connection, now, viewer, elsewhere=elsewhere)
    holding = held(connection, viewer, elsewhere)
    decided = plan(waiting, machines.known_nodes(connection), holding, now.timestamp())
    reasons = {wait.job_id: wait.reason for wait in decided.waits}
    return reasons | {start.job_id: "is about to be started" for start in decided.starts}
