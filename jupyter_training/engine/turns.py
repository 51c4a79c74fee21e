"""What one turn of the scheduler writes: a single transaction, under the lease.

It begins by making sure of the lease. Then it writes what the monitor has reported, looks for what
nobody follows, writes what follows for other jobs, and plans and claims. Only when all of that is
on disk is anything prepared, and then started by the caller.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection

from jupyter_training.engine import families, launches
from jupyter_training.engine.agenda import Due
from jupyter_training.engine.bus import Bus
from jupyter_training.engine.meter import Hung, Idled, Metered
from jupyter_training.engine.monitor import (
    Finished,
    HandedOver,
    Monitor,
    Prepared,
    Progressed,
    Report,
    Started,
)
from jupyter_training.engine.workspace import Workspace
from jupyter_training.executors.base import Launch
from jupyter_training.jobs.lifecycle import RetryPolicy
from jupyter_training.jobs.spec import JobType
from jupyter_training.points import Point, reach
from jupyter_training.scheduling.resources import Node
from jupyter_training.store import attempts, changes, leases, ledger, usage
from jupyter_training.store.database import Database
from jupyter_training.store.leases import Lease
from jupyter_training.store.records import Attempt
from jupyter_training.store.transitions import StaleWrite

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Turn:
    """What one turn has written, and what it has found in a sweep.

    Attributes
    ----------
    found
        Open attempts that nobody followed.
    claimed
        New attempts, with how to launch them or why that cannot be.
    to_stop
        Tokens of attempts that somebody wants to be stopped.
    moved
        The numbers of the jobs that were moved because of others.
    outside
        By the numbers of jobs, what is to be done outside of turns before they are looked at again.
    again_at
        By the numbers of parents, when to look at them again.
    """

    found: list[Attempt]
    claimed: list[tuple[Attempt, Launch | OSError]]
    to_stop: list[str]
    looked_at_queue: bool
    next_retry_at: datetime | None
    moved: set[int] = field(default_factory=set)
    outside: dict[int, Callable[[], Any]] = field(default_factory=dict)
    again_at: dict[int, datetime] = field(default_factory=dict)


class TurnWriter:
    """Writes turns. It blocks, so it is called in a thread.

    Parameters
    ----------
    monitor
        Knows which attempts are followed, and which executors there are.
    server
        This server's name, for the history.
    coordinators
        Who decides what becomes of parents, by their type.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus,
        workspace: Workspace,
        monitor: Monitor,
        retries: RetryPolicy,
        server: str,
        coordinators: Mapping[JobType, families.Coordinator] = families.COORDINATORS,
    ) -> None:
        self._database, self._bus, self._workspace = database, bus, workspace
        self._monitor, self._retries, self._server = monitor, retries, server
        self._coordinators = coordinators

    def write(self, lease: Lease, node: Node, reports: list[Report], due: Due) -> Turn:
        """Write one turn, and prepare what it has claimed.

        Raises
        ------
        Fenced
            If another server holds the lease by now; then nothing was written.
        """
        reach(Point.TURN_BEGUN)
        with self._database.write() as connection:
            leases.hold(connection, lease)
            now = datetime.now(timezone.utc)
            self._write_reports(connection, reports, now)
            # Before anything is claimed: what is found is never an attempt about to be started.
            clusters = self._monitor.clusters
            found = self._adopt(connection, node, clusters, now) if due.sweep else []
            advance = self._advance(connection, {one.job_id for one in reports}, due, now)
            looks = due.queue or bool(advance.changed)
            claimed = ledger.schedule(connection, [node], now, clusters) if looks else []
            if claimed:
                began = [one.job_id for one in claimed if one.parent is not None]
                advance.add(families.begun(connection, self._coordinators, began, now))
            asks = due.cancels or bool(advance.changed)
            to_stop = attempts.cancel_requests(connection) if asks else []
            retry_at = ledger.next_retry_at(connection, now) if looks else None
            if reports or claimed or advance.changed:
                self._bus.announce(connection)
            reach(Point.TURN_WRITTEN)
        reach(Point.TURN_COMMITTED)
        # Only what is on disk by now may have effects in the world.
        prepared = [(attempt, self._prepare(attempt)) for attempt in claimed]
        if prepared:
            reach(Point.PREPARED)
        return Turn(
            found,
            prepared,
            to_stop,
            looks,
            retry_at,
            advance.changed,
            advance.outside,
            advance.again_at,
        )

    def _advance(
        self, connection: Connection, ran: set[int], due: Due, now: datetime
    ) -> families.Advance:
        """Write what follows from changes of jobs for others; first, as it frees jobs to start."""
        return families.advance(
            connection,
            self._coordinators,
            due.changed,
            due.told,
            now,
            ran=ran,
            measured=due.measured,
            reuse=self._workspace.reuse,
            look_at_all=due.families,
        )

    def _prepare(self, attempt: Attempt) -> Launch | OSError:
        try:
            return launches.prepare(self._workspace, attempt)
        except (OSError, RuntimeError, ValueError) as error:
            if not isinstance(error, OSError):
                # One job must not keep all others from being started.
                _log.exception("Job %s cannot be prepared", attempt.job_uuid)
                error = OSError(str(error))
            return error

    def _adopt(
        self, connection: Connection, node: Node, clusters: Collection[str], now: datetime
    ) -> list[Attempt]:
        found = [
            attempt
            for attempt in attempts.still_open(connection)
            if attempt.executor in clusters or attempt.placement.node == node.name
            if self._monitor.could_follow(attempt)
        ]
        for attempt in found:
            attempts.adopted(connection, attempt, self._server, now)
        return found

    def _write_reports(self, connection: Connection, reports: list[Report], now: datetime) -> None:
        for report in reports:
            try:
                with connection.begin_nested():
                    self._write_report(connection, report, now)
            except StaleWrite as stale:
                _log.warning("A report on job %d came too late: %s", report.job_id, stale)
                attempts.came_too_late(connection, report.job_id, str(stale), self._server, now)

    def _write_report(self, connection: Connection, report: Report, now: datetime) -> None:
        match report:
            case HandedOver():
                attempts.waits(connection, report.token, report.handle, report.reason, now)
            case Prepared():
                attempts.prepares(connection, report.token, report.reason, now)
            case Started():
                attempts.started(
                    connection, report.token, report.handle, report.at, report.placements
                )
            case Progressed():
                if attempts.set_progress(connection, report.token, report.percent):
                    changes.note(connection, report.job_id, changes.PROGRESS, now=now)
            case Metered():
                usage.set_totals(connection, report.token, report.totals)
            case Idled():
                usage.set_idle(connection, report.token, report.since, report.at)
            case Hung():
                usage.set_hung(
                    connection, report.token, report.since, report.first_silent, report.at
                )
            case Finished():
                if report.totals is not None:
                    usage.set_totals(connection, report.token, report.totals)
                attempts.ended(
                    connection,
                    report.token,
                    report.exit,
                    ended_at=report.at,
                    now=now,
                    retries=self._retries,
                    spread=random.random(),
                )
