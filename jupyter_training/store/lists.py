"""Jobs as lists: which there are, who waits before whom, and what happened to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from jupyter_training.jobs.lifecycle import ENDED, WAITING, Status
from jupyter_training.store.jobs import JOBS
from jupyter_training.store.records import Event, Job
from jupyter_training.store.tables import SEQUENCE, customers, training_events, training_jobs


@dataclass(frozen=True)
class Filter:
    """Which jobs a list shows.

    Attributes
    ----------
    text
        Stands in the name, the description or the job id.
    before
        Only jobs with a smaller number: where the next page begins.
    with_children
        Whether jobs are wanted, too, that are parts of others.
    parent, after
        Only the children of the job with this number, in the order in which they were made, and
        only those with a greater number: where the next page begins.
    """

    username: str
    status: tuple[Status, ...] = ()
    job_type: str | None = None
    text: str | None = None
    before: int | None = None
    limit: int = 100
    with_children: bool = False
    parent: int | None = None
    after: int = 0


def listing(connection: Connection, wanted: Filter) -> list[Job]:
    """Jobs, newest first; the children of one, oldest first."""
    query = JOBS.where(customers.c.username == wanted.username)
    if wanted.parent is not None:
        query = query.where(training_jobs.c.parent_id == wanted.parent)
    elif not wanted.with_children:
        query = query.where(training_jobs.c.parent_id.is_(None))
    if wanted.status:
        query = query.where(training_jobs.c.status.in_([one.value for one in wanted.status]))
    if wanted.job_type:
        query = query.where(training_jobs.c.job_type == wanted.job_type)
    if wanted.text:
        text = wanted.text
        query = query.where(
            or_(
                training_jobs.c.name.icontains(text, autoescape=True),
                training_jobs.c.description.icontains(text, autoescape=True),
                training_jobs.c.uuid == text,
            )
        )
    number = training_jobs.c.id
    if wanted.before is not None:
        query = query.where(number < wanted.before)
    if wanted.after:
        query = query.where(number > wanted.after)
    query = query.order_by(number.desc() if wanted.parent is None else number).limit(wanted.limit)
    return [Job.from_row(row) for row in connection.execute(query).mappings()]


def history(connection: Connection, number: int) -> list[Event]:
    """What happened to a job, oldest first."""
    return _events(
        connection,
        select(training_events)
        .where(training_events.c.job_id == number)
        .order_by(training_events.c.id),
    )


def history_of_servers(connection: Connection, before: int | None, limit: int) -> list[Event]:
    """What happened to the servers, newest first: who schedules, since when, and after whom."""
    query = select(training_events).where(training_events.c.job_id.is_(None))
    if before is not None:
        query = query.where(training_events.c.id < before)
    return _events(connection, query.order_by(training_events.c.id.desc()).limit(limit))


def _events(connection: Connection, query: Select[Any]) -> list[Event]:
    return [
        Event(
            row.id,
            row.at,
            row.actor,
            row.kind,
            row.from_status,
            row.to_status,
            row.attempt,
            row.cause,
            row.reason,
        )
        for row in connection.execute(query)
    ]


def queue_positions(connection: Connection, numbers: Sequence[int]) -> dict[int, int]:
    """How many jobs are served before each of these, plus one; only for those that wait."""
    if not numbers:
        return {}
    other = training_jobs.alias()
    place = func.coalesce(other.c.parent_id, other.c.id)
    waiting = [status.value for status in WAITING]
    query = select(
        training_jobs.c.id,
        select(func.count())
        .select_from(other)
        .where(
            other.c.status.in_(waiting),
            other.c.hold.is_(None),
            or_(
                other.c.priority > training_jobs.c.priority,
                and_(
                    other.c.priority == training_jobs.c.priority,
                    or_(
                        place < SEQUENCE,
                        and_(place == SEQUENCE, other.c.id <= training_jobs.c.id),
                    ),
                ),
            ),
        )
        .scalar_subquery(),
    ).where(
        training_jobs.c.id.in_(numbers),
        training_jobs.c.status.in_(waiting),
        training_jobs.c.hold.is_(None),
    )
    return {int(number): int(position) for number, position in connection.execute(query)}


def count_unended(connection: Connection) -> int:
    """How many jobs still want something from the scheduler."""
    return _count(connection, frozenset(Status) - ENDED)


def count_waiting(connection: Connection) -> int:
    """How many jobs are in the queue."""
    return _count(connection, WAITING, training_jobs.c.hold.is_(None))


def _count(
    connection: Connection, statuses: frozenset[Status], *others: ColumnElement[bool]
) -> int:
    there = training_jobs.c.status.in_([status.value for status in statuses])
    return int(connection.execute(select(func.count()).where(there, *others)).scalar_one())
