"""What is still to be told: written with what it is about, and claimed by one server at a time."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from jupyter_training.jobs.children import parse
from jupyter_training.jobs.lifecycle import Exit
from jupyter_training.jobs.notifications import DEFAULT, Occasion, Receiver
from jupyter_training.scheduling.resources import Resources
from jupyter_training.store import families, jobs, outbox, submissions, transitions
from jupyter_training.store.outbox import Notification
from jupyter_training.store.records import Job, Server
from jupyter_training.store.tables import training_jobs
from tests.store.conftest import T0, Store, after

ONE = Receiver("json://one", None, DEFAULT)
OTHER = Receiver("json://other", "other", (Occasion.RETRYING, Occasion.IDLE))
HERE, THERE = Server("here", "titan", 1, 1.0), Server("there", "titan", 2, 2.0)
CLAIM = timedelta(seconds=100)


def submit(store: Store, *receivers: Receiver, **fields: Any) -> Job:
    spec = parse({"name": "fit", "command": "true", "notify": ["json://one"], **fields})
    job, _ = store.write(
        submissions.submit,
        spec,
        Resources(1, 1, 0),
        job_id=f"job-{fields.get('name', 'fit')}",
        username="ada",
        executor="local",
        idempotency_key=None,
        now=T0,
        receivers=receivers,
    )
    assert isinstance(job, Job)
    return job


def claim(store: Store, at: float, server: Server = HERE, **more: Any) -> list[Notification]:
    options = {"limit": 10, **more}
    found: list[Notification] = store.write(outbox.claim, server, after(at), CLAIM, **options)
    return found


def test_each_receiver_gets_what_it_asked_for(store: Store) -> None:
    job = submit(store, ONE, OTHER)
    assert store.job(job).receivers == (ONE, OTHER)
    store.run(job, Exit(exit_code=3), at=1)
    (told,) = claim(store, 1)
    assert (told.receiver, told.occasion, told.attempt) == (OTHER, Occasion.RETRYING, 1)
    assert (told.job_id, told.name, told.attempts) == (job.job_id, "fit", 4)
    assert told.reason == "the script ended with exit code 3; its log says why"
    assert (told.began_at, told.node) == (after(1), "a")
    store.run(job, at=10)
    (told,) = claim(store, 10)
    assert (told.receiver, told.occasion, told.attempt) == (ONE, Occasion.COMPLETED, 2)


def test_idle_gpus_are_told_of_as_ends_are(store: Store) -> None:
    job = submit(store, ONE, OTHER)
    idle = "its GPUs have been idle for 30 min"
    store.write(transitions.record, job.id, "idle", now=T0, actor="monitor", reason=idle)
    store.write(transitions.record, job.id, "busy", now=T0, actor="monitor")
    found = claim(store, 1)
    assert {one.receiver for one in found} == {ONE, OTHER}
    assert {(one.occasion, one.reason) for one in found} == {(Occasion.IDLE, idle)}


def test_what_is_rolled_back_is_not_told(store: Store) -> None:
    job = submit(store, ONE)
    (attempt,) = store.schedule()
    store.start(attempt)

    def half(connection: Any) -> None:
        transitions.record(connection, job.id, "idle", now=T0, actor="monitor")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write(half)
    assert store.read(outbox.next_at) is None


def test_only_who_did_not_cancel_it_is_told_that_a_job_was_cancelled(store: Store) -> None:
    job = submit(store, ONE)
    store.cancel(job)
    assert store.read(outbox.next_at) is None
    again = submit(store, ONE, name="again")
    store.write(jobs.request_cancel, again, by="admin", now=after(1))
    (told,) = claim(store, 1)
    assert (told.occasion, told.reason) == (Occasion.CANCELLED, "cancelled by admin")


def test_what_one_server_tells_no_other_does_until_its_claim_is_over(store: Store) -> None:
    store.run(submit(store, ONE))
    (mine,) = claim(store, 0)
    assert claim(store, 99, THERE) == []
    (theirs,) = claim(store, 100, THERE)
    assert theirs.id == mine.id
    # Whoever comes back late changes nothing.
    assert not store.write(outbox.told, mine)
    store.write(outbox.put_off, mine, after(500))
    assert store.write(outbox.told, theirs)
    assert store.read(outbox.next_at) is None


def test_what_a_dead_server_of_this_machine_had_claimed_is_told_at_once(store: Store) -> None:
    store.run(submit(store, ONE))
    claim(store, 0, THERE)
    store.write(outbox.take_over, HERE, after(1), lambda _: False)
    assert claim(store, 1) == []
    store.write(outbox.take_over, HERE, after(1), lambda server: server == THERE)
    (mine,) = claim(store, 1)
    store.write(outbox.take_over, HERE, after(2), lambda _: True)  # it is its own
    assert store.write(outbox.told, mine)


def test_a_receiver_that_failed_waits_and_others_do_not(store: Store) -> None:
    everything = Receiver("json://all", None, tuple(Occasion))
    store.run(submit(store, ONE, everything))
    first, second = claim(store, 0)
    store.write(outbox.put_off, first, after(7))
    assert store.write(outbox.told, second)
    assert claim(store, 6) == []
    assert store.read(outbox.next_at) == after(7)
    (again,) = claim(store, 7)
    assert (again.receiver, again.tries) == (first.receiver, 1)


def test_a_receiver_that_is_busy_does_not_keep_others_waiting(store: Store) -> None:
    everything = Receiver("json://all", None, tuple(Occasion))
    store.run(submit(store, ONE, everything))
    (told,) = claim(store, 0, busy=[ONE.url], limit=1)
    assert told.receiver == everything


def test_a_deleted_job_is_not_told_of(store: Store) -> None:
    job = submit(store, ONE)
    store.run(job)
    store.write(families.remove, store.job(job), now=after(1))
    assert claim(store, 1) == []


def test_the_specification_that_executors_get_has_no_urls(store: Store) -> None:
    stage = {"name": "a", "command": "true", "notify": [ONE.url]}
    within = {"name": "b", "stages": [stage]}
    job = submit(store, ONE, command=None, stages=[stage, within])
    kept = store.read(
        lambda c: c.execute(
            select(training_jobs.c.spec).where(training_jobs.c.id == job.id)
        ).scalar_one()
    )
    assert ONE.url not in json.dumps(kept)
    assert [one["name"] for one in kept["stages"]] == ["a", "b"]


def test_what_an_earlier_version_has_kept_of_stages_is_understood(store: Store) -> None:
    stages = [{"name": "a", "command": "true", "gpu_count": 0}]
    job = submit(store, ONE, command=None, stages=stages)
    spec = parse({"name": "fit", "stages": stages})
    whole = spec.model_dump(mode="json")
    assert whole["stages"][0]["priority"] == 0
    store.write(lambda c: c.execute(update(training_jobs).values(spec=whole)))
    read = store.read(jobs.spec_of, job.id)
    assert read == spec
    assert read.stages[0].model_fields_set == {"name", "command", "gpu_count"}
