"""Who schedules: a lease with a fencing token.

The holder renews it; when it stops doing so, another server takes it with the next epoch. Every
write of the scheduler begins with `hold`, in the same transaction: a server that was paused and
wakes up after it was replaced finds a later epoch there, and writes nothing.

It runs out by the database's clock where that has one: those of two machines may differ. Whenever
it changes hands, and whenever somebody finds that it has lost it, the servers' history says so.

A server on the same machine need not wait for the lease to run out when it can see that the
process which held it is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_training.store.records import Server
from jupyter_training.store.tables import leases
from jupyter_training.store.transitions import record

SCHEDULER = "scheduler"

_HOLD = (
    select(leases.c.epoch).where(leases.c.name == bindparam("the_name")).with_for_update(read=True)
)


class Fenced(RuntimeError):
    """Another server has taken the lease; whatever this one wanted to write is void."""


@dataclass(frozen=True)
class Lease:
    """The right to schedule, as of one epoch."""

    name: str
    epoch: int
    holder: str


def clock(connection: Connection) -> datetime:
    """The time by which leases run out."""
    if connection.dialect.name == "sqlite":  # a file, which has no clock
        return datetime.now(timezone.utc)
    told: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return told


def acquire(
    connection: Connection,
    name: str,
    server: Server,
    now: datetime,
    ttl: timedelta,
    is_gone: Callable[[Server], bool],
) -> Lease | None:
    """Take the lease if it is free, ran out, or its holder is known to be dead.

    Returns
    -------
    Lease or None
        None while another server holds it.
    """
    row = connection.execute(
        select(leases).where(leases.c.name == name).with_for_update()
    ).one_or_none()
    mine = {
        "holder": server.name,
        "host": server.host,
        "pid": server.pid,
        "pid_started": server.pid_started,
        "expires_at": now + ttl,
        "given_back": False,
    }
    if row is None:
        try:
            with connection.begin_nested():
                connection.execute(insert(leases).values(name=name, epoch=1, **mine))
        except IntegrityError:  # another server was faster
            return None
        return _taken(connection, Lease(name, 1, server.name), now, "it is the first to have it")
    holder = Server(row.holder, row.host, row.pid, row.pid_started)
    gone = is_gone(holder)
    if row.expires_at > now and not gone:
        return None
    connection.execute(
        update(leases).where(leases.c.name == name).values(epoch=row.epoch + 1, **mine)
    )
    if row.given_back:
        why = f"after {holder.name} gave it back"
    elif gone:
        why = f"after the process of {holder.name} ended"
    else:
        why = f"after {holder.name} had not renewed it in time"
    return _taken(connection, Lease(name, row.epoch + 1, server.name), now, why)


def _taken(connection: Connection, lease: Lease, now: datetime, why: str) -> Lease:
    told = f"{lease.holder} holds the {lease.name} lease, epoch {lease.epoch}: {why}"
    record(connection, None, "lease", now=now, actor=lease.holder, reason=told)
    return lease


def fenced(connection: Connection, lease: Lease, now: datetime) -> None:
    """Write that a server found out that it had been replaced; it wrote nothing else meanwhile."""
    told = f"{lease.holder} no longer holds the {lease.name} lease of epoch {lease.epoch}"
    record(connection, None, "fenced", now=now, actor=lease.holder, reason=told)


def hold(connection: Connection, lease: Lease) -> None:
    """Make sure, for the rest of this transaction, that the lease was not taken by another.

    Raises
    ------
    Fenced
        If it was.
    """
    epoch = connection.execute(_HOLD, {"the_name": lease.name}).scalar_one()
    if epoch != lease.epoch:
        raise Fenced(f"{lease.holder} no longer holds the {lease.name} lease")


def between_turns(connection: Connection) -> None:
    """Let no turn of the scheduler be taken before this transaction has ended.

    A turn changes many jobs in an order of its own. Whoever changes several of them, too, waits for
    it here, and not in its middle for one job while it waits for another.
    """
    query = select(leases.c.epoch).where(leases.c.name == SCHEDULER)
    connection.execute(query.with_for_update()).one_or_none()


def renew(connection: Connection, lease: Lease, now: datetime, ttl: timedelta) -> None:
    """Hold it for longer.

    Raises
    ------
    Fenced
        If another server has taken it.
    """
    hold(connection, lease)
    connection.execute(
        update(leases).where(leases.c.name == lease.name).values(expires_at=now + ttl)
    )


def release(connection: Connection, lease: Lease, now: datetime) -> None:
    """Give it back, so that the next server need not wait."""
    given = connection.execute(
        update(leases)
        .where(leases.c.name == lease.name, leases.c.epoch == lease.epoch)
        .values(expires_at=now, given_back=True)
    )
    if given.rowcount:
        told = f"{lease.holder} gave the {lease.name} lease of epoch {lease.epoch} back"
        record(connection, None, "lease", now=now, actor=lease.holder, reason=told)
