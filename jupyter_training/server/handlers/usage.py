"""``api/training-jobs/…/usage`` and ``api/training-usage``: what jobs use, and have held."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone

from jupyter_training.engine.usage import LEAST_POINTS, By
from jupyter_training.jobs.requests import FieldError
from jupyter_training.server import usage_messages
from jupyter_training.server.handlers.base import MAX_NUMBER, BadRequest, TrainingHandler, endpoint

MAX_POINTS = 20_000

_USUAL = timedelta(days=30)
"""How far back hours are counted if nobody says how far."""


class JobUsageHandler(TrainingHandler):
    """What one attempt of a job used over time."""

    @endpoint("read")
    async def get(self, reference: str) -> None:
        """Series of a bounded number of points, with peaks, sums and what was asked for."""
        most = self.integer("max_points", 500, least=LEAST_POINTS, most=MAX_POINTS)
        attempt = self.integer("attempt", None, least=1, most=MAX_NUMBER)
        assert most is not None
        service = await self.service()
        series = await service.usage.series(self.user, reference, attempt, most)
        self.finish(await asyncio.to_thread(lambda: json.dumps(usage_messages.series(series))))


class UsageHandler(TrainingHandler):
    """Who has held how much."""

    @endpoint("read")
    async def get(self) -> None:
        """GPU-hours, core-hours and GB-hours within a time."""
        until = self._time("until", datetime.now(timezone.utc))
        since = self._time("since", until - _USUAL)
        if since >= until:
            told = FieldError("since", "should be before until")
            raise BadRequest(f"since {told.message}.", [told])
        word = self.get_query_argument("by", By.JOB.value)
        try:
            by = By(word)
        except ValueError:
            told = FieldError("by", f"should be one of {', '.join(By)}")
            raise BadRequest(f"by {told.message}, not {word[:40]!r}.", [told]) from None
        service = await self.service()
        self.answer(
            usage_messages.account(await service.usage.account(self.user, since, until, by))
        )

    def _time(self, name: str, default: datetime) -> datetime:
        text = self.get_query_argument(name, None)
        if text is None:
            return default
        try:
            # Before Python 3.11 this does not know Z.
            moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
            return moment.replace(tzinfo=moment.tzinfo or timezone.utc).astimezone(timezone.utc)
        except (ValueError, OverflowError):
            told = FieldError(name, "should be a time such as 2026-01-26T10:00:00Z or a date")
            raise BadRequest(f"{name} {told.message}, not {text[:40]!r}.", [told]) from None


HANDLERS: list[tuple[str, type[TrainingHandler]]] = [
    (r"api/training-jobs/(?P<reference>[^/]+)/usage", JobUsageHandler),
    (r"api/training-usage", UsageHandler),
]
