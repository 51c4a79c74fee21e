"""Whatever happens in whatever order, nothing is over-committed and no job loses its way."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection

from jupyter_training.jobs.lifecycle import ACTIVE, ENDED, Cause, Exit, Status, may_follow
from jupyter_training.store import attempts, jobs, leases, ledger, lists
from jupyter_training.store.database import Database
from jupyter_training.store.leases import SCHEDULER, Fenced, Lease
from jupyter_training.store.records import Attempt, Job, Server
from jupyter_training.store.tables import metadata
from tests.store.conftest import MACHINE, Store, after

TTL = timedelta(seconds=3)
SERVERS = tuple(Server(name, "host", pid, 1.0) for pid, name in enumerate(("ada", "bob")))


class Ledger(RuleBasedStateMachine):
    """Submits, turns, starts, ends, cancels, retries, changes of the lease, and time."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.database = Database(self.url)
        self.database.migrate()
        with self.database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        self.store = Store(self.database)
        self.now = 0.0
        self.jobs: list[Job] = []
        self.attempts: list[Attempt] = []
        self.leases: list[Lease] = []

    def teardown(self) -> None:
        self.database.close()

    @rule(server=st.sampled_from(SERVERS), dead=st.booleans())
    def a_server_wants_the_lease(self, server: Server, dead: bool) -> None:
        ttl, now = TTL, after(self.now)
        lease = self.store.write(leases.acquire, SCHEDULER, server, now, ttl, lambda _: dead)
        if lease is not None:
            self.leases.append(lease)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def a_turn_under_a_lease_of_any_age(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.leases))

        def turn(connection: Connection) -> list[Attempt]:
            leases.hold(connection, lease)
            return ledger.schedule(connection, [MACHINE], after(self.now))

        if lease is self.leases[-1]:
            self.attempts += self.store.write(turn)
        else:
            with pytest.raises(Fenced):
                self.store.write(turn)

    @rule(
        cpus=st.integers(1, 5),
        gpus=st.integers(0, 3),
        retries=st.integers(0, 1),
        priority=st.integers(0, 1),
    )
    def submit(self, cpus: int, gpus: int, retries: int, priority: int) -> None:
        self.jobs.append(
            self.store.submit(cpus=cpus, gpus=gpus, max_retries=retries, priority=priority)
        )

    @rule(seconds=st.floats(0.1, 5))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def an_attempt_starts(self, data: st.DataObject) -> None:
        # Also one that has ended long ago: a late report.
        self.store.start(data.draw(st.sampled_from(self.attempts)), self.now)

    @precondition(lambda self: self.attempts)
    @rule(
        data=st.data(),
        exit_=st.sampled_from(
            [Exit(exit_code=1), Exit(signal=9), Exit(cause=Cause.NODE_LOST), Exit(exit_code=0)]
        ),
    )
    def an_attempt_ends(self, data: st.DataObject, exit_: Exit) -> None:
        attempt = data.draw(st.sampled_from(self.attempts))
        self.store.start(attempt, self.now)  # whoever sees an end has seen the start
        self.store.end(attempt, exit_, self.now)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def somebody_cancels(self, data: st.DataObject) -> None:
        self.store.cancel(data.draw(st.sampled_from(self.jobs)), self.now)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def somebody_runs_it_again(self, data: st.DataObject) -> None:
        job = self.store.job(data.draw(st.sampled_from(self.jobs)))
        if job.status in ENDED:
            self.store.write(jobs.run_again, job, by="ada", now=after(self.now))

    @invariant()
    def nothing_is_over_committed(self) -> None:
        held = self.store.read(ledger.held)
        assert sum(one.holds.cpu_cores for one in held) <= MACHINE.cpu_cores
        assert sum(one.holds.memory_gb for one in held) <= MACHINE.memory_gb
        given = Counter(uuid for one in held for uuid in one.holds.gpus)
        assert set(given) <= {gpu.uuid for gpu in MACHINE.gpus}
        assert all(count == 1 for count in given.values())

    @invariant()
    def a_job_is_active_exactly_if_it_has_one_open_attempt(self) -> None:
        open_ = Counter(one.job_id for one in self.store.read(attempts.still_open))
        for job in self.jobs:
            assert open_[job.id] == (self.store.status(job) in ACTIVE)

    @invariant()
    def the_history_follows_the_table(self) -> None:
        for job in self.jobs:
            walked = [
                Status(event.to_status)
                for event in self.store.read(lists.history, job.id)
                if event.to_status
            ]
            assert walked[0] is Status.PENDING
            assert walked[-1] is self.store.status(job)
            assert all(may_follow(before, status) for before, status in pairwise(walked))


def test_no_sequence_breaks_the_ledger(database_url: str) -> None:
    machine = type("Ledger", (Ledger,), {"url": database_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
