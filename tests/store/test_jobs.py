"""Jobs as people see them."""

from __future__ import annotations

import pytest

from jupyter_training.jobs.lifecycle import Status
from jupyter_training.store import attempts, families, jobs, ledger, lists, machines
from jupyter_training.store.lists import Filter
from jupyter_training.store.transitions import StaleWrite
from tests.store.conftest import MACHINE, Store, after


def test_a_submitted_job_is_found_by_its_owner_only(store: Store) -> None:
    job = store.submit("digits", by="ada", env_vars={"A": "é"})
    assert store.read(jobs.find, job.job_id, "ada") == job
    assert store.read(jobs.find, str(job.id), "ada") == job
    assert store.read(jobs.find, job.job_id, None) == job
    assert store.read(jobs.find, job.job_id, "bob") is None
    assert store.read(jobs.find, "9" * 30, "ada") is None
    assert (job.owner, job.status, job.env_vars) == ("ada", Status.PENDING, {"A": "é"})
    assert job.submitted_at == after(0)


def test_a_key_is_each_customers_own(store: Store) -> None:
    first = store.submit(by="ada", key="k")
    assert store.submit(by="ada", key="k").id == first.id
    assert store.submit(by="bob", key="k").id != first.id


def test_a_list_is_filtered(store: Store) -> None:
    made = [store.submit(name, description=text) for name, text in (("50%", "x"), ("500", "a_b"))]
    store.submit("50%", by="bob")
    ids = [job.id for job in made]

    def listed(**wanted: object) -> list[int]:
        found = store.read(lists.listing, Filter("ada", **wanted))  # type: ignore[arg-type]
        return [job.id for job in found]

    assert listed() == ids[::-1]
    assert listed(text="50%") == ids[:1]
    assert listed(text="a_b") == ids[1:]
    assert listed(text=made[0].job_id) == ids[:1]
    assert listed(limit=1) == ids[1:]
    assert listed(before=ids[1]) == ids[:1]
    assert listed(status=(Status.RUNNING, Status.FAILED)) == []
    assert listed(status=(Status.PENDING,), job_type="single") == ids[::-1]


def test_places_in_the_queue(store: Store) -> None:
    first, second, urgent = store.submit(), store.submit(), store.submit(priority=1)
    ids = [first.id, second.id, urgent.id]
    assert store.read(lists.queue_positions, ids) == {urgent.id: 1, first.id: 2, second.id: 3}
    store.cancel(first)
    assert store.read(lists.queue_positions, ids) == {urgent.id: 1, second.id: 2}


def test_why_a_job_waits_names_only_ones_own(store: Store) -> None:
    mine = store.submit("mine", cpus=2, by="ada")
    store.submit("secret", cpus=2, by="bob")
    waits = store.submit("waits", cpus=1, by="ada")
    store.write(machines.put_node, MACHINE, after(0))
    assert store.read(ledger.why_not, after(0), "ada")[mine.id] == "is about to be started"
    store.schedule()
    told = store.read(ledger.why_not, after(0), "ada")[waits.id]
    assert told == "waits for 1 CPU core (0 free), held by mine, a job of bob"


def test_a_name_that_no_job_can_have_is_that_of_none(store: Store) -> None:
    job = store.submit()
    assert store.read(jobs.find, job.job_id, "ada") == job
    assert store.read(jobs.find, f"{job.job_id}\0", "ada") is None
    assert store.read(jobs.find, "9" * 30, "ada") is None


def test_cancel_while_it_waits(store: Store) -> None:
    job = store.submit()
    assert store.cancel(job, at=3).status is Status.CANCELLED
    assert store.job(job).completed_at == after(3)
    assert store.cancel(job, at=4) == store.job(job)
    assert store.history(job) == ["pending", "cancelled"]


def test_cancel_while_it_runs_is_only_asked_for(store: Store) -> None:
    job = store.submit()
    (attempt,) = store.schedule()
    store.start(attempt)
    assert store.cancel(job, at=1).status is Status.RUNNING
    store.cancel(job, at=2)
    assert store.read(attempts.cancel_requests) == [attempt.token]
    assert store.history(job) == ["pending", "scheduled", "running", "cancel"]
    assert store.job(job).cancel_requested_at == after(1)


def test_an_ended_job_stays_as_it_is_when_it_is_cancelled(store: Store) -> None:
    job = store.submit()
    store.run(job)
    assert store.cancel(job).status is Status.COMPLETED


def test_run_again(store: Store) -> None:
    job = store.submit()
    with pytest.raises(StaleWrite, match="only an ended job can be run again"):
        store.write(jobs.run_again, job, by="ada", now=after(1))
    store.run(job)
    again = store.write(jobs.run_again, store.job(job), by="ada", now=after(9))
    assert (again.status, again.progress, again.completed_at) == (Status.PENDING, 0, None)
    assert store.run(job, at=9) is Status.COMPLETED
    assert store.job(job).attempt == 2


def test_only_an_ended_job_is_removed_and_its_number_is_not_used_again(store: Store) -> None:
    job = store.submit()
    with pytest.raises(StaleWrite, match="has not ended"):
        store.write(families.remove, job, now=after(0))
    store.run(job)
    store.write(families.remove, job, now=after(0))
    assert store.read(jobs.find, job.job_id, None) is None
    assert store.read(lists.history, job.id) == []
    assert store.submit().id > job.id


def test_counts(store: Store) -> None:
    job = store.submit()
    store.submit()
    assert store.read(lists.count_unended) == 2
    store.run(job)
    assert store.read(lists.count_unended) == 1
    assert store.read(lists.count_waiting) == 0  # the other one was started, too
