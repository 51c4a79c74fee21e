"""``api/training-datasets``: register, list, look, remove."""

from __future__ import annotations

from typing import Any

from jupyter_server.utils import url_path_join

from jupyter_training.server.handlers.base import TrainingHandler, endpoint
from jupyter_training.server.representation import time
from jupyter_training.store.records import DataSet


class DataSetsHandler(TrainingHandler):
    """All data sets."""

    @endpoint("read")
    async def get(self) -> None:
        """List them, by name."""
        service = await self.service()
        self.answer([_represented(one) for one in await service.datasets.listing()])

    @endpoint("write")
    async def post(self) -> None:
        """Register one; the same again changes nothing."""
        request, service = self.body(), await self.service()
        dataset, created = await service.datasets.register(self.user, request)
        location = url_path_join(self.base_url, "api/training-datasets", str(dataset.id))
        self.set_header("Location", location)
        self.answer(_represented(dataset), 201 if created else 200)


class DataSetHandler(TrainingHandler):
    """One data set."""

    @endpoint("read")
    async def get(self, dataset: str) -> None:
        """Look at it."""
        service = await self.service()
        self.answer(_represented(await service.datasets.find(dataset)))

    @endpoint("write")
    async def delete(self, dataset: str) -> None:
        """Remove it from the registry; its files stay."""
        await (await self.service()).datasets.remove(self.user, dataset)
        self.set_status(204)
        self.finish()


def _represented(it: DataSet) -> dict[str, Any]:
    return {
        "id": it.id,
        "name": it.name,
        "path": it.path,
        "description": it.description,
        "owner": it.owner,
        "created_at": time(it.created_at),
    }


HANDLERS: list[tuple[str, type[TrainingHandler]]] = [
    (r"api/training-datasets", DataSetsHandler),
    (r"api/training-datasets/(?P<dataset>[^/]+)", DataSetHandler),
]
