"""``api/training-jobs/…/metrics``: what a job has measured, as curves or as CSV."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

from jupyter_training.engine.metrics.curves import LEAST_POINTS
from jupyter_training.engine.metrics.queries import Wanted
from jupyter_training.server import representation
from jupyter_training.server.handlers.base import MAX_NUMBER, TrainingHandler, endpoint
from jupyter_training.server.handlers.jobs import MAX_WAIT_S
from jupyter_training.server.handlers.streaming import StreamingHandler

MAX_POINTS = 20_000


class MetricsHandler(StreamingHandler):
    """The metrics of one attempt."""

    @endpoint("read")
    async def get(self, reference: str) -> None:
        """Curves of a bounded number of points, or all points as CSV if that is accepted.

        With ``wait`` and ``If-None-Match`` the answer comes when there is something new.
        """
        if "text/csv" in self.request.headers.get("Accept", ""):
            await self.send_csv(reference)
            return
        service, wanted = await self.service(), self._wanted()
        wait_s = self.count("wait", 0, most=MAX_WAIT_S)
        known = self.request.headers.get("If-None-Match")
        found = await service.metrics.curves(
            self.user, reference, wanted, known=(known or "").strip('"'), wait_s=wait_s
        )
        self.set_header("ETag", f'"{found.tag}"')
        self.set_header("Vary", "Accept")
        if f'"{found.tag}"' == known:
            self.set_status(304)
            self.finish()
            return
        text = await asyncio.to_thread(lambda: json.dumps(representation.metrics(found)))
        self.finish(text)

    async def send_csv(self, reference: str) -> None:
        """Send every point as a line."""
        service = await self.service()
        job, attempt, pieces = await service.metrics.csv(self.user, reference, self._wanted())
        self.check_xsrf_cookie()  # as for all downloads
        name = quote(f"{job.name}-{job.job_id}-{attempt}-metrics.csv", safe="")
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
        self.set_header("X-Content-Type-Options", "nosniff")
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            if not await self.send_piece(piece):
                self.break_off()
                return
        self.finish(set_content_type="text/csv; charset=utf-8")

    def compute_etag(self) -> str | None:
        """None: the tag is set above, and also stands for what is to come."""
        return None

    def _wanted(self) -> Wanted:
        most = self.integer("max_points", 500, least=LEAST_POINTS, most=MAX_POINTS)
        assert most is not None
        return Wanted(
            attempt=self.integer("attempt", None, least=1, most=MAX_NUMBER),
            names=tuple(name for name in self.get_query_arguments("names") if name),
            max_points=most,
        )


class MetricsCsvHandler(MetricsHandler):
    """The same as a file to download."""

    @endpoint("read")
    async def get(self, reference: str) -> None:
        """Every point as a line."""
        await self.send_csv(reference)


_METRICS = r"api/training-jobs/(?P<reference>[^/]+)/metrics"

HANDLERS: list[tuple[str, type[TrainingHandler]]] = [
    (_METRICS, MetricsHandler),
    (_METRICS + ".csv", MetricsCsvHandler),
]
