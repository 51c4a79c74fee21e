"""The registry of data sets. Everybody may use one; whoever registered it may remove it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select
from sqlalchemy.exc import IntegrityError

from jupyter_training.jobs.datasets import DataSetSpec
from jupyter_training.jobs.lifecycle import ENDED, Status
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import InvalidJob
from jupyter_training.store.records import DataSet
from jupyter_training.store.submissions import customer_id
from jupyter_training.store.tables import (
    customers,
    has_status,
    training_datasets,
    training_jobs,
)

_DATASETS: Select[Any] = select(training_datasets, customers.c.username).select_from(
    training_datasets.join(customers)
)


class NameTaken(RuntimeError):
    """There is a data set of this name, with another path."""


class InUse(RuntimeError):
    """A job that has not ended needs the data set."""


def register(
    connection: Connection, spec: DataSetSpec, path: str, *, username: str, now: datetime
) -> tuple[DataSet, bool]:
    """Give a path a name that jobs can ask for.

    Returns
    -------
    dataset
        The new data set, or the one that has this name and this path already.
    created
        Whether it is new.

    Raises
    ------
    NameTaken
        If another one has this name.
    """
    values = {
        "customer_id": customer_id(connection, username, now),
        "name": spec.name,
        "path": path,
        "description": spec.description,
        "created_at": now,
    }
    there = None
    while there is None:  # unless somebody removes it at this very moment
        try:
            with connection.begin_nested():
                connection.execute(insert(training_datasets).values(values))
            created = True
        except IntegrityError:
            created = False
        there = find(connection, spec.name)
    if there.path != path:
        raise NameTaken(
            f"There is a data set {there.name} already, with the path {there.path}, registered by "
            f"{there.owner}; choose another name."
        )
    return there, created


def listing(connection: Connection) -> list[DataSet]:
    """All of them, by name."""
    query = _DATASETS.order_by(training_datasets.c.name)
    return [_dataset(row) for row in connection.execute(query)]


def find(connection: Connection, reference: int | str) -> DataSet | None:
    """One of them, by its number or its name."""
    row = connection.execute(_called(_DATASETS, reference)).one_or_none()
    return None if row is None else _dataset(row)


def of_job(connection: Connection, numbers: Sequence[int]) -> tuple[DataSet, ...]:
    """Those with these numbers that are still there, in this order."""
    found = (find(connection, number) for number in numbers)
    return tuple(one for one in found if one is not None)


def resolve(
    connection: Connection, references: Sequence[int | str], *, keep: bool = False
) -> list[DataSet]:
    """Those that a job asks for, each once.

    Parameters
    ----------
    keep
        Whether none of them may be removed before the transaction ends, which has to be one that
        writes.

    Raises
    ------
    InvalidJob
        If there is no such data set.
    """
    found: dict[int, DataSet] = {}
    for reference in references:
        query = _called(_DATASETS, reference)
        if keep:
            query = query.with_for_update(read=True, of=training_datasets)
        row = connection.execute(query).one_or_none()
        if row is None:
            called = "the number" if isinstance(reference, int) else "the name"
            told = f"there is no data set with {called} {reference}"
            raise InvalidJob([FieldError("dataset_ids", told)])
        found[row.id] = _dataset(row)
    return list(found.values())


def remove(connection: Connection, dataset: DataSet) -> None:
    """Forget a data set; its files stay.

    Raises
    ------
    InUse
        If a job that has not ended needs it.
    """
    table = training_datasets
    # Whoever submits a job with it now waits, and finds it gone.
    connection.execute(select(table.c.id).where(table.c.id == dataset.id).with_for_update())
    query = select(training_jobs.c.dataset_ids).where(has_status(frozenset(Status) - ENDED))
    users = sum(dataset.id in ids for (ids,) in connection.execute(query))
    if users:
        jobs = "a job that has" if users == 1 else f"{users} jobs that have"
        raise InUse(f"The data set {dataset.name} is used by {jobs} not ended.")
    connection.execute(delete(table).where(table.c.id == dataset.id))


def _called(query: Select[Any], reference: int | str) -> Select[Any]:
    column = training_datasets.c
    return query.where(
        column.id == reference if isinstance(reference, int) else column.name == reference
    )


def _dataset(row: Row[Any]) -> DataSet:
    return DataSet(row.id, row.name, row.path, row.description, row.username, row.created_at)
