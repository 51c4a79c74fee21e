"""``api/training-notifications``: who can be told of jobs outside of Jupyter."""

from __future__ import annotations

from jupyter_training.engine import delivery
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import InvalidJob
from jupyter_training.server.handlers.base import BadRequest, TrainingHandler, endpoint


class NotificationsHandler(TrainingHandler):
    """The receivers."""

    @endpoint("read")
    async def get(self) -> None:
        """Those that this server knows by name, and what URLs may be given."""
        receivers = (await self.service()).receivers
        self.answer(
            {
                "available": delivery.is_there(),
                "receivers": receivers.names,
                "on": [occasion.value for occasion in receivers.on],
                "schemes": list(receivers.schemes),
            }
        )


class TestHandler(TrainingHandler):
    """A test of a receiver."""

    @endpoint("write")
    async def post(self) -> None:
        """Send something, and tell whether it arrived."""
        asked, service = self.body(), await self.service()
        to = asked.get("to") if isinstance(asked, dict) else None
        if not isinstance(to, str) or not to.strip() or not to.isprintable():
            told = FieldError("to", "should be a URL or the name of a receiver")
            raise BadRequest(f"to {told.message}.", [told])
        try:
            reason = await service.receivers.test(to)
        except InvalidJob as invalid:
            told = FieldError("to", invalid.errors[0].message)
            raise BadRequest(f"Nothing can be sent there: {told.message}.", [told]) from None
        self.answer({"delivered": reason is None, "reason": reason})


HANDLERS: list[tuple[str, type[TrainingHandler]]] = [
    (r"api/training-notifications", NotificationsHandler),
    (r"api/training-notifications/test", TestHandler),
]
