"""What is still to be told outside of Jupyter: written in the transaction of what it is about.

A row is one receiver of one occasion, and goes when that receiver was told, or nobody tries any
more. Whoever is about to tell *claims* it, by putting its next try off and signing it. One who dies
with a claim is followed by another when that time has come; on the same machine at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from jupyter_training.jobs.lifecycle import Cause, Status
from jupyter_training.jobs.notifications import Occasion, Receiver, is_news
from jupyter_training.jobs.spec import JobType
from jupyter_training.store.records import Server
from jupyter_training.store.tables import (
    training_attempts,
    training_jobs,
    training_notifications,
)

_INSERT = insert(training_notifications)
OCCASIONS = {one.value: one for one in Occasion}
"""By the words of `changes.note`."""

_ROWS = training_notifications.c


@dataclass(frozen=True)
class Culprit:
    """A job because of which another one has failed.

    Attributes
    ----------
    attempt
        The one that says why.
    """

    name: str
    job_id: str
    attempt: int


@dataclass(frozen=True)
class Notification:
    """One receiver of one occasion, claimed to be told.

    Attributes
    ----------
    claim
        What its row is signed with.
    tries
        How often it was tried before.
    began_at, node, gpus
        Of the attempt that it is about; of a job that is made of others, when the first of them
        began.
    results_of
        The public id of the job whose results are those of this one; None if it has none itself.
    culprit
        If it is made of others and has failed, which of them is to blame.
    """

    id: int
    claim: str
    receiver: Receiver
    occasion: Occasion
    at: datetime
    tries: int
    job: int
    job_id: str
    name: str
    attempt: int
    attempts: int
    reason: str | None
    progress: int
    working_dir: str | None
    output_path: str | None
    image: str | None
    began_at: datetime | None
    node: str | None
    gpus: tuple[str, ...]
    results_of: str | None
    culprit: Culprit | None


def put(
    connection: Connection,
    job: int,
    change: str,
    *,
    receivers: Sequence[dict[str, Any]] | None,
    owner: str,
    cancelled_by: str | None,
    attempt: int,
    cause: str | None,
    reason: str | None,
    progress: int,
    at: datetime,
) -> None:
    """Keep for each receiver of a job that it is to be told of a change, if it wants to.

    Parameters
    ----------
    change
        As in `changes.note`.
    receivers
        As they are kept with the job.
    """
    occasion = OCCASIONS.get(change)
    if occasion is None or not receivers:
        return
    why = Cause(cause) if cause else None
    if not is_news(occasion, owner=owner, cause=why, cancelled_by=cancelled_by):
        return
    rows = [
        {
            "job_id": job,
            "occasion": occasion.value,
            "receiver": kept,
            "attempt": attempt,
            "reason": reason,
            "progress": progress,
            "at": at,
            "tries": 0,
            "next_at": at,
        }
        for kept in receivers
        if occasion in Receiver.from_json(kept).on
    ]
    if rows:
        connection.execute(_INSERT, rows)


def next_at(connection: Connection) -> datetime | None:
    """When the next receiver is to be told; None if there is none."""
    found: datetime | None = connection.execute(select(func.min(_ROWS.next_at))).scalar_one()
    return found


def claim(
    connection: Connection,
    server: Server,
    now: datetime,
    ttl: timedelta,
    *,
    limit: int,
    busy: Collection[str] = (),
) -> list[Notification]:
    """Claim what is due, the oldest first.

    Parameters
    ----------
    ttl
        How long nobody else tells them.
    busy
        URLs that are left out.
    """
    query = (
        select(training_notifications)
        .where(_ROWS.next_at <= now)
        .order_by(_ROWS.next_at, _ROWS.id)
        .limit(limit + 4 * len(busy))
        .with_for_update(skip_locked=True)
    )
    found: list[tuple[Any, str]] = []
    for row in connection.execute(query):
        if row.receiver["url"] in busy or len(found) == limit:
            continue
        sign = secrets.token_hex(8)
        connection.execute(
            update(training_notifications)
            .where(_ROWS.id == row.id)
            .values(
                next_at=now + ttl,
                claim=sign,
                holder=server.name,
                host=server.host,
                pid=server.pid,
                pid_started=server.pid_started,
            )
        )
        found.append((row, sign))
    return [_notification(connection, row, sign) for row, sign in found]


def _notification(connection: Connection, row: Any, sign: str) -> Notification:
    job = connection.execute(
        select(
            training_jobs.c.uuid,
            training_jobs.c.name,
            training_jobs.c.max_retries,
            training_jobs.c.working_dir,
            training_jobs.c.output_path,
            training_jobs.c.image,
            training_jobs.c.job_type,
            training_jobs.c.origin,
            training_jobs.c.started_at.label("began_at"),
            training_attempts.c.started_at,
            training_attempts.c.node,
            training_attempts.c.gpus,
        )
        .select_from(
            training_jobs.outerjoin(
                training_attempts,
                and_(
                    training_attempts.c.job_id == training_jobs.c.id,
                    training_attempts.c.number == row.attempt,
                ),
            )
        )
        .where(training_jobs.c.id == row.job_id)
    ).one()
    occasion = Occasion(row.occasion)
    is_whole = row.attempt == 0 and occasion is Occasion.FAILED
    return Notification(
        row.id,
        sign,
        Receiver.from_json(row.receiver),
        occasion,
        row.at,
        row.tries,
        row.job_id,
        job.uuid,
        job.name,
        row.attempt,
        job.max_retries + 1,
        row.reason,
        row.progress,
        job.working_dir,
        job.output_path,
        job.image,
        job.started_at if row.attempt else job.began_at,
        job.node,
        tuple(job.gpus or ()),
        _results_of(job),
        _culprit(connection, row.job_id) if is_whole else None,
    )


def _results_of(job: Any) -> str | None:
    """A pipeline has no results of its own, and those of a search are those of its best trial."""
    if job.job_type == JobType.PIPELINE.value:
        return None
    is_search = job.job_type == JobType.HYPERPARAMETER.value
    found: str = ((is_search and job.origin) or job.uuid).partition("#")[0]
    return found


def _culprit(connection: Connection, number: int) -> Culprit | None:
    """The first part of a job that has failed; of one that has parts itself, the first of these."""
    jobs, found = training_jobs.c, None
    while True:
        row = connection.execute(
            select(jobs.id, jobs.uuid, jobs.name, jobs.attempt)
            .where(jobs.parent_id == number, jobs.status == Status.FAILED.value)
            .order_by(jobs.completed_at, jobs.id)
            .limit(1)
        ).one_or_none()
        if row is None:
            return found
        number = row.id
        found = Culprit(row.name, row.uuid, row.attempt) if row.attempt else None


def take_over(
    connection: Connection, server: Server, now: datetime, is_gone: Callable[[Server], bool]
) -> None:
    """Make due what servers of this machine had claimed that are gone."""
    query = select(training_notifications).where(
        _ROWS.claim.is_not(None), _ROWS.host == server.host, _ROWS.holder != server.name
    )
    for row in connection.execute(query).all():
        if is_gone(Server(row.holder, row.host, row.pid, row.pid_started)):
            connection.execute(
                update(training_notifications)
                .where(_ROWS.id == row.id, _ROWS.claim == row.claim)
                .values(next_at=now, claim=None)
            )


def told(connection: Connection, notification: Notification) -> bool:
    """The receiver was told, or is given up; whether it was still ours to tell."""
    gone = connection.execute(
        delete(training_notifications).where(
            _ROWS.id == notification.id, _ROWS.claim == notification.claim
        )
    )
    return gone.rowcount == 1


def put_off(connection: Connection, notification: Notification, until: datetime) -> None:
    """The receiver has failed, and is tried again."""
    connection.execute(
        update(training_notifications)
        .where(_ROWS.id == notification.id, _ROWS.claim == notification.claim)
        .values(next_at=until, claim=None, tries=notification.tries + 1)
    )
