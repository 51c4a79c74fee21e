"""A real database of each kind, and jobs in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from jupyter_training.jobs.children import parse
from jupyter_training.jobs.lifecycle import Exit, RetryPolicy, Status
from jupyter_training.scheduling.resources import Gpu, Node, Resources
from jupyter_training.store import attempts, jobs, ledger, lists, submissions
from jupyter_training.store.database import Database
from jupyter_training.store.records import Attempt, Job

T0 = datetime(2026, 1, 26, 10, tzinfo=timezone.utc)
MACHINE = Node("a", 4, 16, (Gpu("g0"), Gpu("g1")))


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


class Store:
    """The store as the tests speak of it; each call is a transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._numbers = itertools.count(1)
        self.count = 0

    def write(self, change: Any, *args: Any, **kwargs: Any) -> Any:
        with self.database.write() as connection:
            return change(connection, *args, **kwargs)

    def read(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        with self.database.read() as connection:
            return query(connection, *args, **kwargs)

    def submit(
        self,
        name: str = "job",
        cpus: int = 1,
        gpus: int = 0,
        by: str = "ada",
        key: str | None = None,
        at: float = 0,
        **fields: Any,
    ) -> Job:
        spec = parse({"name": name, "command": "true", **fields})
        job, _ = self.write(
            submissions.submit,
            spec,
            Resources(cpus, 1, gpus),
            job_id=f"job-{next(self._numbers)}",
            username=by,
            executor="local",
            idempotency_key=key,
            now=after(at),
        )
        assert isinstance(job, Job)
        return job

    def job(self, job: Job) -> Job:
        found = self.read(jobs.get, job.id)
        assert isinstance(found, Job)
        return found

    def status(self, job: Job) -> Status:
        return self.job(job).status

    def schedule(self, at: float = 0, machine: Node = MACHINE) -> list[Attempt]:
        claimed: list[Attempt] = self.write(ledger.schedule, [machine], after(at))
        return claimed

    def start(self, attempt: Attempt, at: float = 0) -> None:
        self.write(attempts.started, attempt.token, {"pid": 1}, after(at))

    def end(
        self, attempt: Attempt, exit_: Exit | None = None, at: float = 0, base_s: float = 1
    ) -> Status | None:
        status: Status | None = self.write(
            attempts.ended,
            attempt.token,
            exit_ or Exit(exit_code=0),
            ended_at=after(at),
            now=after(at),
            retries=RetryPolicy(base_s=base_s),
            spread=0.0,
        )
        return status

    def run(self, job: Job, exit_: Exit | None = None, at: float = 0) -> Status | None:
        """Take a job through one attempt."""
        (attempt,) = [one for one in self.schedule(at) if one.job_id == job.id]
        self.start(attempt, at)
        return self.end(attempt, exit_, at)

    def cancel(self, job: Job, at: float = 0) -> Job:
        cancelled = self.write(jobs.request_cancel, job, by="ada", now=after(at))
        assert isinstance(cancelled, Job)
        return cancelled

    def history(self, job: Job) -> list[str]:
        return [event.to_status or event.kind for event in self.read(lists.history, job.id)]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)
