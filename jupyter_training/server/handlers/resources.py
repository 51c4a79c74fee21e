"""``api/training-resources`` and what else is not about one job."""

from __future__ import annotations

from jupyter_training.server import openapi, representation
from jupyter_training.server.handlers.base import MAX_NUMBER, TrainingHandler, endpoint
from jupyter_training.server.handlers.jobs import MAX_WAIT_S
from jupyter_training.server.machines import holdings


class ResourcesHandler(TrainingHandler):
    """The machines."""

    @endpoint("read")
    async def get(self) -> None:
        """What there is, what is free, and who holds the rest."""
        service = await self.service()
        self.answer(holdings(await service.holdings(self.user)))


class ServerEventsHandler(TrainingHandler):
    """The servers' history."""

    @endpoint("read")
    async def get(self) -> None:
        """Who schedules, since when, and after whom; newest first."""
        service = await self.service()
        before = self.integer("before", None, least=1, most=MAX_NUMBER)
        limit = self.integer("limit", 100, least=1, most=1000)
        assert limit is not None
        self.answer(representation.events(await service.history_of_servers(before, limit)))


class ChangesHandler(TrainingHandler):
    """What has changed in a user's jobs."""

    @endpoint("read")
    async def get(self) -> None:
        """What came after a sequence number, as the events tell it; or how far they have come."""
        service = await self.service()
        since = self.integer("since", None, least=0, most=MAX_NUMBER)
        limit = self.integer("limit", 100, least=1, most=1000)
        assert limit is not None
        wait_s = self.count("wait", 0, most=MAX_WAIT_S)
        found = await service.changes(self.user, since, limit, wait_s)
        self.answer(representation.changes(found))


class OpenApiHandler(TrainingHandler):
    """The description of this interface."""

    @endpoint("read")
    async def get(self) -> None:
        """The OpenAPI document."""
        self.answer(openapi.document(self.base_url))


class ReleaseHandler(TrainingHandler):
    """The end of a server that was started only for its jobs."""

    @endpoint("write")
    async def post(self) -> None:
        """Say that this client needs it no more; it ends if nobody else does."""
        self.answer({"ends": await self.running.release(self.client)})


HANDLERS: list[tuple[str, type[TrainingHandler]]] = [
    (r"api/training-resources", ResourcesHandler),
    (r"api/training-events", ServerEventsHandler),
    (r"api/training-changes", ChangesHandler),
    (r"api/training-openapi.json", OpenApiHandler),
    (r"api/training-server/release", ReleaseHandler),
]
