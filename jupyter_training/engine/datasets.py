"""What a person can ask of the registry of data sets: register, list, look, remove."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timezone

from jupyter_training.engine.engine import Engine
from jupyter_training.jobs.datasets import parse
from jupyter_training.store import datasets
from jupyter_training.store.records import DataSet


class NoSuchDataSet(LookupError):
    """There is no such data set."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"There is no data set {reference}.")


class NotYours(PermissionError):
    """Somebody else registered the data set."""


class DataSets:
    """The registry of data sets. It is one for all users: a data set is there to be shared."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._workspace = engine, engine.workspace

    async def register(self, user: str, request: object) -> tuple[DataSet, bool]:
        """Give a path a name that jobs can ask for.

        Returns
        -------
        dataset
            The new data set, or the one that has this name and this path already.
        created
            Whether it is new.

        Raises
        ------
        InvalidDataSet
            With every wrong field; also if the path is not there, not readable or not allowed.
        NameTaken
            If another one has this name.
        """
        spec = parse(request)
        path = await asyncio.to_thread(self._workspace.dataset_path, spec.path)
        now = datetime.now(timezone.utc)
        return await self._engine.write(
            lambda c: datasets.register(c, spec, str(path), username=user, now=now)
        )

    async def listing(self) -> list[DataSet]:
        """All of them, by name."""
        return await self._engine.read(datasets.listing)

    async def find(self, reference: str) -> DataSet:
        """One of them, by its number or its name.

        Raises
        ------
        NoSuchDataSet
            If there is none.
        """
        is_number = reference.isascii() and reference.isdigit() and len(reference) < 19
        called = int(reference) if is_number else reference
        if "\0" in reference:  # no name has that, and not every database can be asked for it
            raise NoSuchDataSet(reference)
        found = await self._engine.read(lambda c: datasets.find(c, called))
        if found is None:
            raise NoSuchDataSet(reference)
        return found

    async def asked_for(self, references: Sequence[int | str]) -> list[DataSet]:
        """Those that a job asks for.

        Raises
        ------
        InvalidJob
            If there is no such data set.
        """
        if not references:
            return []
        return await self._engine.read(lambda c: datasets.resolve(c, references))

    async def remove(self, user: str, reference: str) -> None:
        """Forget a data set; its files stay.

        Raises
        ------
        NoSuchDataSet
            If there is none.
        NotYours
            If somebody else registered it.
        InUse
            If a job that has not ended needs it.
        """
        dataset = await self.find(reference)
        if dataset.owner != user:
            raise NotYours(
                f"The data set {dataset.name} was registered by {dataset.owner}, who alone can "
                "remove it."
            )
        await self._engine.write(lambda c: datasets.remove(c, dataset))
