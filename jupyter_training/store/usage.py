"""What attempts have used and held: peaks and sums, idle GPUs, and GPU-hours.

What an attempt uses over time is in a file of its own (`engine.usage_files`); here is what a person
sees at a glance. What the meter tells is written in turns, under the lease.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from jupyter_training.jobs.holding import Holding
from jupyter_training.jobs.usage import Totals
from jupyter_training.store.tables import (
    customers,
    past_holdings,
    training_attempts,
    training_jobs,
)
from jupyter_training.store.transitions import record

METER = "meter"


@dataclass(frozen=True)
class Metered:
    """An attempt, what it was given, and what is written of its use."""

    number: int
    started_at: datetime | None
    ended_at: datetime | None
    cpu_cores: int
    memory_gb: int
    gpus: tuple[str, ...]
    totals: Totals


_attempts, _jobs = training_attempts.c, training_jobs.c
_OPEN = (_attempts.token == bindparam("the_token"), _attempts.ended_at.is_(None))
_SET = update(training_attempts).where(*_OPEN)
_FIND = select(
    _attempts.job_id,
    _attempts.number,
    _attempts.gpus,
    _attempts.idle_since,
    _attempts.hung_since,
).where(*_OPEN)


def metered(connection: Connection, job_id: int, number: int) -> Metered:
    """An attempt of a job; an empty one before its first."""
    row = connection.execute(
        select(training_attempts).where(_attempts.job_id == job_id, _attempts.number == number)
    ).one_or_none()
    if row is None:
        return Metered(number, None, None, 0, 0, (), Totals())
    # How long the GPUs were looked at is not written; as a share it makes no difference.
    share = row.gpu_utilization_percent
    totals = Totals(
        None if row.usage_until is None else row.usage_until.timestamp(),
        row.cpu_seconds,
        row.peak_memory_bytes,
        row.peak_gpu_memory_bytes,
        0.0 if share is None else 1.0,
        0.0 if share is None else share / 100,
    )
    return Metered(
        row.number,
        row.started_at,
        row.ended_at,
        row.cpu_cores,
        row.memory_gb,
        tuple(row.gpus),
        totals,
    )


def set_totals(connection: Connection, token: str, totals: Totals) -> None:
    """Write what an attempt has used, if it is still open."""
    until = totals.until
    connection.execute(
        _SET,
        {
            "the_token": token,
            "cpu_seconds": totals.cpu_seconds,
            "peak_memory_bytes": totals.peak_memory_bytes,
            "peak_gpu_memory_bytes": totals.peak_gpu_memory_bytes,
            "gpu_utilization_percent": totals.gpu_utilization_percent,
            "usage_until": None if until is None else datetime.fromtimestamp(until, timezone.utc),
        },
    )


def set_idle(connection: Connection, token: str, since: datetime | None, now: datetime) -> None:
    """Write that the GPUs of an open attempt do nothing, or work again, and that in its history.

    What was written before is not written again.

    Parameters
    ----------
    since
        Since when they do nothing; None if they work.
    """
    row = connection.execute(_FIND, {"the_token": token}).one_or_none()
    if row is None or (row.idle_since is None) == (since is None):
        return
    connection.execute(_SET, {"the_token": token, "idle_since": since})
    count = len(row.gpus)
    its = "its GPU has" if count == 1 else f"its {count} GPUs have"
    if since is not None:
        kind, told = "idle", f"{its} done nothing since {since:%Y-%m-%d %H:%M} UTC"
    else:
        kind = "busy"
        works = "its GPU works" if count == 1 else "its GPUs work"
        told = f"{works} again, after {_minutes(now - row.idle_since)} without work"
    _record(connection, row, kind, told, now)


def set_hung(
    connection: Connection, token: str, since: datetime | None, first: str, now: datetime
) -> None:
    """Write that an open attempt hangs, or does something again, and that in its history.

    What was written before is not written again.

    Parameters
    ----------
    since
        Since when it does nothing; None if it does something.
    first
        Which of its ranks was it first, in words; empty if it has no several.
    """
    row = connection.execute(_FIND, {"the_token": token}).one_or_none()
    if row is None or (row.hung_since is None) == (since is None):
        return
    connection.execute(_SET, {"the_token": token, "hung_since": since, "hung_first": first or None})
    if since is not None:
        kind, told = "hung", hangs(since, first, date="%Y-%m-%d %H:%M")
    else:
        kind = "moved"
        told = f"does something again, after {_minutes(now - row.hung_since)} without a sign of it"
    _record(connection, row, kind, told, now)


def _record(connection: Connection, row: Any, kind: str, told: str, now: datetime) -> None:
    """Append what the meter has seen of an attempt to its job's history."""
    record(connection, row.job_id, kind, now=now, actor=METER, of_attempt=row.number, reason=told)


def hangs(since: datetime, first: str | None, *, date: str = "%H:%M") -> str:
    """What a person reads of a job that hangs."""
    told = f"seems to hang: no output, no CPU time and no work of GPUs since {since:{date}} UTC"
    return f"{told} ({first})" if first else told


def _minutes(past: timedelta) -> str:
    minutes = round(past.total_seconds() / 60)
    return "a moment" if minutes < 1 else f"{minutes} minute{'s' if minutes != 1 else ''}"


def holdings(
    connection: Connection, since: datetime, until: datetime, *, username: str | None = None
) -> list[Holding]:
    """What was held within a time, also by jobs that were deleted since.

    Parameters
    ----------
    username
        Whose; None for everybody's.
    """
    own = [] if username is None else [customers.c.username == username]
    there = (
        select(training_attempts, _jobs.uuid, _jobs.name, _jobs.customer_id, customers.c.username)
        .select_from(training_attempts.join(training_jobs).join(customers))
        .where(
            _attempts.scheduled_at < until,
            or_(_attempts.ended_at.is_(None), _attempts.ended_at > since),
            *own,
        )
    )
    gone = (
        select(past_holdings, customers.c.username)
        .select_from(past_holdings.join(customers))
        .where(past_holdings.c.held_since < until, past_holdings.c.held_until > since, *own)
    )
    return [
        Holding(
            row.job_id,
            row.uuid,
            row.name,
            row.customer_id,
            row.username,
            row.scheduled_at,
            row.ended_at,
            row.cpu_cores,
            row.memory_gb,
            len(row.gpus),
        )
        for row in connection.execute(there)
    ] + [
        Holding(
            row.job_id,
            row.job_uuid,
            None,
            row.customer_id,
            row.username,
            row.held_since,
            row.held_until,
            row.cpu_cores,
            row.memory_gb,
            row.gpu_count,
        )
        for row in connection.execute(gone)
    ]


def keep_holdings(connection: Connection, job_id: int) -> None:
    """Keep what a job has held, before it is deleted: its GPU-hours were used all the same."""
    rows = connection.execute(
        select(training_attempts, _jobs.uuid, _jobs.customer_id)
        .select_from(training_attempts.join(training_jobs))
        .where(_attempts.job_id == job_id, _attempts.ended_at.is_not(None))
    )
    kept = [
        {
            "job_id": job_id,
            "job_uuid": row.uuid,
            "customer_id": row.customer_id,
            "held_since": row.scheduled_at,
            "held_until": row.ended_at,
            "cpu_cores": row.cpu_cores,
            "memory_gb": row.memory_gb,
            "gpu_count": len(row.gpus),
        }
        for row in rows
    ]
    if kept:
        connection.execute(insert(past_holdings), kept)
