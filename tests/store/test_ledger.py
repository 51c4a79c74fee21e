"""The course of a job, as the scheduling server writes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_training.jobs.lifecycle import Cause, Exit, Status
from jupyter_training.store import attempts, ledger, lists
from jupyter_training.store.transitions import StaleWrite, move
from tests.store.conftest import Store, after

FAILED = Exit(exit_code=1)
LOST = Exit(cause=Cause.NODE_LOST, detail="reboot")


def test_the_whole_life_of_a_job(store: Store) -> None:
    job = store.submit(gpus=1, at=0)
    (attempt,) = store.schedule(at=1)
    assert store.status(job) is Status.SCHEDULED
    assert store.job(job).gpus == attempt.placement.gpus == ("g0",)
    store.start(attempt, at=2)
    store.write(attempts.set_progress, attempt.token, 40)
    assert (store.status(job), store.job(job).progress) == (Status.RUNNING, 40)
    assert store.end(attempt, at=3) is Status.COMPLETED
    done = store.job(job)
    assert (done.progress, done.cause, done.exit_code) == (100, Cause.SUCCESS, 0)
    times = (done.submitted_at, done.scheduled_at, done.started_at, done.completed_at)
    assert times == tuple(after(seconds) for seconds in range(4))
    assert store.history(job) == ["pending", "scheduled", "running", "completed"]
    assert store.read(ledger.held) == []


def test_no_more_is_claimed_than_there_is(store: Store) -> None:
    made = [store.submit(cpus=2) for _ in range(3)]
    assert [attempt.job_id for attempt in store.schedule()] == [made[0].id, made[1].id]
    assert store.schedule() == []
    assert sum(one.holds.cpu_cores for one in store.read(ledger.held)) == 4


def test_it_is_looked_deep_enough_into_the_queue(store: Store) -> None:
    for _ in range(20):
        store.submit(cpus=64)
    small = store.submit()
    assert [attempt.job_id for attempt in store.schedule()] == [small.id]


def test_a_failure_is_retried_after_a_while_in_its_old_place(store: Store) -> None:
    job, later = store.submit(cpus=4, max_retries=1), store.submit(cpus=4)
    assert store.run(job, FAILED, at=0) is Status.RETRYING
    assert store.job(job).not_before == after(1)
    assert store.read(ledger.next_retry_at, after(0)) == after(1)
    # While it backs off, others may run; afterwards it is first again.
    assert store.run(later, FAILED, at=0.5) is Status.RETRYING
    assert store.run(job, FAILED, at=2) is Status.FAILED
    told = store.job(job)
    assert (told.retry_count, told.attempt, told.completed_at) == (1, 2, after(2))


def test_a_lost_machine_costs_no_retry(store: Store) -> None:
    job = store.submit(max_retries=0)
    for at in (0, 10, 20):
        assert store.run(job, LOST, at=at) is Status.RETRYING
    assert store.job(job).retry_count == 0


def test_a_stale_token_changes_nothing(store: Store) -> None:
    job = store.submit()
    (first,) = store.schedule()
    store.start(first)
    store.end(first, LOST)
    (second,) = store.schedule(at=10)
    before = store.job(job)
    store.start(first, at=11)
    store.write(attempts.set_progress, first.token, 99)
    assert store.end(first, at=12) is None
    assert store.end(replace(first, token="nobody")) is None
    assert store.job(job) == before
    store.start(second, at=13)
    assert store.end(second, at=14) is Status.COMPLETED


def test_a_report_that_comes_twice_counts_once(store: Store) -> None:
    job = store.submit()
    (attempt,) = store.schedule()
    for _ in range(2):
        store.start(attempt)
    assert store.end(attempt) is Status.COMPLETED
    assert store.end(attempt) is None
    assert store.history(job) == ["pending", "scheduled", "running", "completed"]


def test_what_never_started_can_end(store: Store) -> None:
    job = store.submit()
    (attempt,) = store.schedule()
    missing = Exit(cause=Cause.LAUNCH_FAILED, detail="no such program")
    assert store.end(attempt, missing) is Status.FAILED
    assert store.job(job).reason == "could not be started: no such program"


def test_an_end_can_be_written_whatever_the_job_has_printed(store: Store) -> None:
    job = store.submit()
    (attempt,) = store.schedule()
    store.start(attempt)
    told = Exit(cause=Cause.INVALID_ARGUMENTS, detail="error: invalid \0\ud800" + "x" * 10**6)
    assert store.end(attempt, told) is Status.FAILED
    reason = store.job(job).reason or ""
    assert "error: invalid \N{REPLACEMENT CHARACTER}?x" in reason
    assert len(reason) < 10**5


@pytest.mark.parametrize("exit_", [Exit(exit_code=0), FAILED, Exit(signal=9), LOST])
def test_a_cancelled_job_ends_as_cancelled_however_its_process_ended(
    store: Store, exit_: Exit
) -> None:
    job = store.submit()
    (attempt,) = store.schedule()
    store.start(attempt)
    store.cancel(job)
    assert store.end(attempt, exit_) is Status.CANCELLED
    assert store.read(attempts.cancel_requests) == []


def test_progress_is_of_a_running_job_and_begins_again_with_each_attempt(store: Store) -> None:
    job = store.submit()
    (attempt,) = store.schedule()
    store.write(attempts.set_progress, attempt.token, 10)
    assert store.job(job).progress == 0
    store.start(attempt)
    store.write(attempts.set_progress, attempt.token, 10)
    store.end(attempt, FAILED)
    assert store.job(job).progress == 10
    store.schedule(at=10)
    assert store.job(job).progress == 0


def test_open_attempts_are_found_with_all_that_a_start_needs(store: Store) -> None:
    job = store.submit(command=["python", "{script}"], script={"name": "a.py", "text": "pass"})
    (claimed,) = store.schedule()
    store.start(claimed)
    (found,) = store.read(attempts.still_open)
    assert (found.token, found.job_uuid, found.handle) == (claimed.token, job.job_id, {"pid": 1})
    assert found.spec == claimed.spec
    store.end(claimed)
    assert store.read(attempts.still_open) == []


def test_a_status_that_somebody_else_has_changed_is_left_alone(store: Store) -> None:
    job = store.submit()
    store.cancel(job)
    for before, after_ in (
        (Status.PENDING, Status.SCHEDULED),
        (Status.CANCELLED, Status.RUNNING),
    ):
        with pytest.raises(StaleWrite):
            store.write(move, job.id, before, after_, now=after(1), actor="x")
    assert store.history(job) == ["pending", "cancelled"]
    assert all(event.reason for event in store.read(lists.history, job.id))
