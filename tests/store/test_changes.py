"""What has changed: every change once, in the order of the commits."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from jupyter_training.jobs.lifecycle import Exit, Status
from jupyter_training.store import attempts, changes, families, jobs, transitions
from jupyter_training.store.database import Database
from jupyter_training.store.records import Change
from tests.patience import PATIENCE_S
from tests.postgres import Postgres
from tests.store.conftest import T0, Store, after


def told(store: Store, since: int = 0, owner: str | None = None) -> list[Change]:
    found: list[Change] = store.read(changes.since, since, owner=owner, limit=1000)
    return found


def test_every_change_of_a_job_is_told_once_and_in_order(store: Store) -> None:
    job = store.submit("fit")
    store.run(job, Exit(exit_code=3))
    store.cancel(job)
    store.write(jobs.run_again, store.job(job), by="ada", now=after(9))
    found = told(store)
    assert [one.change for one in found] == [
        *("submitted", "scheduled", "started", "retrying", "cancelled", "resubmitted")
    ]
    assert [one.status for one in found] == [
        *("pending", "scheduled", "running", "retrying", "cancelled", "pending")
    ]
    assert [one.attempt for one in found] == [0, 1, 1, 1, 1, 1]
    assert [one.sequence for one in found] == sorted({one.sequence for one in found})
    failed = found[3]
    assert (failed.name, failed.owner, failed.job_id) == ("fit", "ada", job.job_id)
    assert (failed.cause, failed.reason) == (
        "user_error",
        "the script ended with exit code 3; its log says why",
    )
    assert told(store, since=failed.sequence) == found[4:]
    assert store.read(changes.end) == found[-1].sequence


def test_a_deletion_is_told_and_its_number_never_given_again(store: Store) -> None:
    job = store.submit("fit")
    store.run(job)
    before = told(store)
    store.write(families.remove, store.job(job), now=after(1))
    (gone,) = told(store, since=before[-1].sequence)
    assert (gone.change, gone.job_id, gone.name) == ("deleted", job.job_id, "fit")
    assert told(store)[:-1] == before
    store.submit("next")
    assert told(store)[-1].sequence > gone.sequence


def test_progress_is_told_with_how_far_it_is(store: Store) -> None:
    job = store.submit()
    (attempt,) = store.schedule()
    store.start(attempt)

    def progress(connection: Connection) -> None:
        assert attempts.set_progress(connection, attempt.token, 40)
        changes.note(connection, job.id, changes.PROGRESS, now=after(2))

    store.write(progress)
    last = told(store)[-1]
    assert (last.change, last.status, last.progress) == ("progress", "running", 40)
    # It does not go back when it is not known any more.
    assert store.write(attempts.set_progress, attempt.token, None)
    assert store.job(job).progress == 40


def test_what_was_rolled_back_is_not_told(store: Store) -> None:
    job = store.submit()

    def half(connection: Connection) -> None:
        savepoint = connection.begin_nested()
        move(connection)
        savepoint.rollback()
        with connection.begin_nested():
            transitions.record(connection, job.id, "idle", now=T0, actor="monitor")

    def move(connection: Connection) -> None:
        transitions.move(connection, job.id, Status.PENDING, Status.CANCELLED, now=T0, actor="ada")

    def whole(connection: Connection) -> None:
        move(connection)
        raise RuntimeError

    store.write(half)
    with pytest.raises(RuntimeError):
        store.write(whole)
    assert [one.change for one in told(store)] == ["submitted", "idle"]
    # Nothing of it stays behind in the connection either.
    store.submit()
    assert [one.change for one in told(store)] == ["submitted", "idle", "submitted"]


def test_others_jobs_are_left_out(store: Store) -> None:
    store.submit("hers", by="ada")
    store.submit("his", by="bob")
    assert [one.name for one in told(store, owner="ada")] == ["hers"]
    assert [one.name for one in told(store)] == ["hers", "his"]


def test_what_is_old_is_forgotten_but_not_how_far_it_went(store: Store) -> None:
    job = store.submit()
    store.run(job)
    end = store.read(changes.end)
    assert store.read(changes.is_complete_since, 0)
    store.write(changes.prune, T0 + changes.KEPT + timedelta(seconds=1))
    assert store.read(changes.end) == end
    assert [one.sequence for one in told(store)] == [end]
    assert not store.read(changes.is_complete_since, 0)
    assert store.read(changes.is_complete_since, end - 1)


def test_a_commit_is_told_of_in_the_process_that_made_it(store: Store) -> None:
    calls: list[int] = []
    store.database.on_change = lambda: calls.append(store.read(changes.end))
    job = store.submit()
    assert calls == [told(store)[0].sequence]
    store.read(jobs.get, job.id)
    store.write(jobs.get, job.id)
    assert len(calls) == 1


def test_a_transaction_that_is_committed_late_is_not_missed(postgres: Postgres) -> None:
    """Numbers are given in the order of the commits, however long a transaction takes."""
    database = Database(postgres.new_database())
    database.migrate()
    store = Store(database)
    first, second = store.submit("first"), store.submit("second")
    seen = store.read(changes.end)
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with database.write() as connection:
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            transitions.record(connection, first.id, "idle", now=T0, actor="monitor")
            begun.set()
            assert go_on.wait(PATIENCE_S)

    thread = threading.Thread(target=slow)
    thread.start()
    assert begun.wait(PATIENCE_S)
    store.write(transitions.record, second.id, "busy", now=T0, actor="monitor")
    (quick,) = told(store, since=seen)
    assert (quick.name, quick.change) == ("second", "busy")
    go_on.set()
    thread.join(PATIENCE_S)
    (late,) = told(store, since=quick.sequence)
    assert (late.name, late.change) == ("first", "idle")
    database.close()


def test_many_writers_at_once_are_all_seen_by_one_who_reads_along(postgres: Postgres) -> None:
    database = Database(postgres.new_database())
    database.migrate()
    store = Store(database)
    several = [store.submit(f"job {n}") for n in range(4)]
    each, seen = 40, store.read(changes.end)

    def write(number: int) -> None:
        for _ in range(each):
            store.write(transitions.record, several[number].id, "idle", now=T0, actor="monitor")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    found: list[str] = []
    while len(found) < 4 * each:
        alive = any(thread.is_alive() for thread in threads)
        new = told(store, since=seen)
        found += [one.name for one in new]
        seen = new[-1].sequence if new else seen
        assert new or alive, f"only {len(found)} were seen"
    assert {name: found.count(name) for name in set(found)} == {job.name: each for job in several}
    for thread in threads:
        thread.join()
    database.close()
