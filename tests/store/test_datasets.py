"""The registry of data sets."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import Connection

from jupyter_training.jobs.children import parse
from jupyter_training.jobs.datasets import DataSetSpec
from jupyter_training.jobs.lifecycle import Exit, Status
from jupyter_training.jobs.spec import InvalidJob
from jupyter_training.scheduling.resources import Resources
from jupyter_training.store import datasets, submissions
from jupyter_training.store.datasets import InUse, NameTaken
from jupyter_training.store.records import DataSet
from tests.patience import PATIENCE_S
from tests.store.conftest import Store, after


def register(store: Store, name: str, path: str = "/data", by: str = "ada") -> DataSet:
    spec = DataSetSpec(name=name, path=path)
    dataset, _ = store.write(datasets.register, spec, path, username=by, now=after(0))
    assert isinstance(dataset, DataSet)
    return dataset


def test_one_is_found_by_number_and_by_name(store: Store) -> None:
    digits = register(store, "digits", "/data/digits")
    assert store.read(datasets.find, digits.id) == digits
    assert store.read(datasets.find, "digits") == digits
    assert store.read(datasets.find, "Digits") is None
    assert store.read(datasets.find, digits.id + 1) is None
    assert (digits.owner, digits.path, digits.created_at) == ("ada", "/data/digits", after(0))
    faces = register(store, "faces", by="bob")
    assert store.read(datasets.listing) == [digits, faces]


def test_a_name_is_given_once_and_again_to_the_same_path(store: Store) -> None:
    first = register(store, "digits", "/a")
    assert register(store, "digits", "/a", by="bob") == first
    with pytest.raises(NameTaken, match="the path /a, registered by ada"):
        register(store, "digits", "/b")
    assert store.read(datasets.listing) == [first]


def test_a_job_names_those_that_are_there(store: Store) -> None:
    one, other = register(store, "one"), register(store, "other")
    assert store.read(datasets.resolve, ["other", one.id, "one"]) == [other, one]
    for wrong, told in ((99, "the number 99"), ("none", "the name none")):
        with pytest.raises(InvalidJob, match=f"there is no data set with {told}"):
            store.read(datasets.resolve, [one.id, wrong])


def test_one_in_use_stays_until_the_job_has_ended(store: Store) -> None:
    digits = register(store, "digits")
    job = store.submit(dataset_ids=[digits.id])
    store.submit()
    with pytest.raises(InUse, match="is used by a job that has not ended"):
        store.write(datasets.remove, digits)
    store.run(job, Exit(exit_code=0))
    assert store.status(job) is Status.COMPLETED
    store.write(datasets.remove, digits)
    assert store.read(datasets.listing) == []
    assert register(store, "digits").id > digits.id  # the ended job means another one


def test_an_attempt_knows_its_data_sets(store: Store) -> None:
    one, other = register(store, "one"), register(store, "other")
    store.submit(dataset_ids=[other.id, one.id])
    (attempt,) = store.schedule()
    assert attempt.datasets == (other, one)


def test_a_submit_and_a_removal_at_once_never_both_succeed(store: Store) -> None:
    digits = register(store, "digits")
    holding, released = threading.Event(), threading.Event()
    outcome: list[str] = []

    def submit(connection: Connection) -> None:
        found = datasets.resolve(connection, ["digits"], keep=True)
        holding.set()
        assert released.wait(PATIENCE_S)
        put(connection, [one.id for one in found])

    def put(connection: Connection, numbers: list[int]) -> None:
        values: dict[str, Any] = {"username": "ada", "executor": "local", "idempotency_key": None}
        spec = parse({"name": "x", "command": "true", "dataset_ids": numbers})
        submissions.submit(
            connection, spec, Resources(1, 1, 0), job_id="job-x", now=after(0), **values
        )

    def remove() -> None:
        holding.wait(PATIENCE_S)
        released.set()
        try:
            store.write(datasets.remove, digits)
            outcome.append("removed")
        except InUse:
            outcome.append("in use")

    remover = threading.Thread(target=remove)
    remover.start()
    store.write(submit)
    remover.join(PATIENCE_S)
    assert outcome == ["in use"]
    assert store.read(datasets.listing) == [digits]
