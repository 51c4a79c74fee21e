"""What is written of the use of attempts, and what is read back of what they held."""

from __future__ import annotations

from jupyter_training.jobs.lifecycle import Status
from jupyter_training.jobs.usage import Totals
from jupyter_training.store import families, lists, usage
from tests.store.conftest import T0, Store, after

GB = 1024**3


def test_peaks_are_in_the_record_of_the_job(store: Store) -> None:
    job = store.submit(gpus=1)
    (attempt,) = store.schedule()
    store.start(attempt, at=1)
    totals = Totals(T0.timestamp() + 11, 12.5, 6 * GB, 70 * GB, 10, 7.5)
    store.write(usage.set_totals, attempt.token, totals)
    found = store.job(job)
    assert (found.cpu_seconds, found.peak_memory_bytes) == (12.5, 6 * GB)
    assert (found.peak_gpu_memory_bytes, found.gpu_utilization_percent) == (70 * GB, 75.0)
    assert (found.attempt_started_at, found.usage_until) == (after(1), after(11))


def test_a_report_on_an_attempt_that_has_ended_changes_nothing(store: Store) -> None:
    job = store.submit(gpus=1, max_retries=0)
    (attempt,) = store.schedule()
    store.start(attempt, at=1)
    store.end(attempt, at=2)
    events = store.read(lists.history, job.id)
    store.write(usage.set_totals, attempt.token, Totals(1.0, 99.0, 99, 99))
    store.write(usage.set_idle, attempt.token, after(1), after(2))
    assert (store.job(job).cpu_seconds, store.job(job).idle_since) == (None, None)
    assert store.read(lists.history, job.id) == events


def test_idle_gpus_are_in_the_history_once_however_often_it_is_reported(store: Store) -> None:
    job = store.submit(gpus=1)
    (attempt,) = store.schedule()
    store.start(attempt, at=1)
    for _ in range(2):
        store.write(usage.set_idle, attempt.token, after(60), after(1900))
    assert store.job(job).idle_since == after(60)
    for _ in range(2):
        store.write(usage.set_idle, attempt.token, None, after(2760))
    assert store.job(job).idle_since is None
    told = [
        (event.kind, event.attempt, event.reason)
        for event in store.read(lists.history, job.id)
        if event.kind in ("idle", "busy")
    ]
    assert told == [
        ("idle", 1, "its GPU has done nothing since 2026-01-26 10:01 UTC"),
        ("busy", 1, "its GPU works again, after 45 minutes without work"),
    ]


def test_what_was_held_is_known_also_of_a_job_that_was_deleted(store: Store) -> None:
    kept, deleted = store.submit(gpus=1, by="ada"), store.submit(gpus=1, by="bob")
    first, second = store.schedule(at=10)
    for attempt in (first, second):
        store.start(attempt, at=11)
    store.end(second, at=70)
    assert store.status(deleted) is Status.COMPLETED
    store.write(families.remove, store.job(deleted), now=after(80))
    found = store.read(usage.holdings, T0, after(100))
    assert [
        (one.job_id, one.username, one.since, one.until, one.gpu_count, one.job_name is None)
        for one in found
    ] == [
        (kept.id, "ada", after(10), None, 1, False),
        (deleted.id, "bob", after(10), after(70), 1, True),
    ]
    assert [one.username for one in store.read(usage.holdings, T0, after(100), username="bob")] == [
        "bob"
    ]
    assert [one.username for one in store.read(usage.holdings, after(70), after(100))] == ["ada"]
    assert store.read(usage.holdings, T0, after(10)) == []
