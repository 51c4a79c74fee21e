"""``…/logs``: what a job has printed, page by page, and as it comes."""

from __future__ import annotations

import asyncio

from tornado.websocket import WebSocketClosedError, WebSocketHandler

from jupyter_training.engine.following import Follower, Wanted
from jupyter_training.engine.job_logs import Which
from jupyter_training.engine.log_frames import Ended
from jupyter_training.engine.log_hub import Closed, Deleted
from jupyter_training.executors.tasks import cancelled
from jupyter_training.server import log_messages, representation
from jupyter_training.server.handlers.base import (
    MAX_NUMBER,
    BadRequest,
    TrainingHandler,
    endpoint,
)
from jupyter_training.server.handlers.jobs import JOB, MAX_WAIT_S

MAX_LINES = 100_000
MAX_RANK = 1_000_000

NORMAL, GOING_AWAY, DELETED, TROUBLE = 1000, 1001, 4404, 1011
"""With which code a stream is closed: RFC 6455 (7.4.1), and one of our own."""

PING_S = 20
"""How often a client is asked whether it is still there, and how long it may take to answer (s)."""


class LogsHandler(TrainingHandler):
    """What a job has printed."""

    @endpoint("read")
    async def get(self, reference: str) -> None:
        """The last lines, those before an offset, or those from one on."""
        service = await self.service()
        which = Which(
            self.integer("attempt", None, least=1, most=MAX_NUMBER),
            self.integer("rank", None, least=0, most=MAX_RANK),
        )
        timestamps = self.flag("timestamps")
        lines = self.integer("lines", None, least=1, most=MAX_LINES)
        offset = self.integer("offset", None, least=0, most=MAX_NUMBER)
        before = self.integer("before", None, least=0, most=MAX_NUMBER)
        if offset is not None and before is not None:
            raise BadRequest("offset and before exclude each other.")
        ask, user = service.logs, self.user
        if offset is not None:
            wait_s = self.count("wait", 0, most=MAX_WAIT_S)
            page = await ask.page(
                user, reference, which, offset, wait_s, count=lines, timestamps=timestamps
            )
        else:
            tail = self.count("tail", 100, most=MAX_LINES) if lines is None else lines
            page = await ask.before(user, reference, which, before, tail, timestamps=timestamps)
        self.answer(representation.log(page))


class LogStreamHandler(TrainingHandler, WebSocketHandler):
    """What a job prints, as it comes, to the end of the job."""

    _sending: asyncio.Task[None] | None = None
    _follower: Follower
    _timestamps: bool

    @endpoint("read")
    async def get(self, reference: str) -> None:  # type: ignore[override]
        """Become a WebSocket, if this user may follow that log."""
        kind = self.get_query_argument("format", "lines")
        if kind not in ("lines", "bytes"):
            raise BadRequest("format should be lines or bytes.")
        wanted = Wanted(
            attempt=self.integer("attempt", None, least=1, most=MAX_NUMBER),
            offset=self.count("offset", 0, most=MAX_NUMBER),
            tail=self.integer("tail", None, least=0, most=MAX_LINES),
            rank=self.integer("rank", None, least=0, most=MAX_RANK),
            raw=kind == "bytes",
            complete=self.flag("complete"),
            timestamps=self.flag("timestamps"),
        )
        if wanted.tail is not None and self.get_query_argument("offset", None) is not None:
            raise BadRequest("offset and tail exclude each other.")
        self._timestamps = wanted.timestamps
        self._follower = await (await self.service()).logs.follow(self.user, reference, wanted)
        try:
            # It returns when the connection is closed.
            await WebSocketHandler.get(self)
        finally:
            if self._sending is not None:
                await cancelled([self._sending])

    def open(self, *_: str, **__: str) -> None:
        """Begin to send."""
        self.set_nodelay(True)
        self._sending = asyncio.create_task(self._send())

    def on_message(self, message: str | bytes) -> None:
        """Nothing is expected from a client."""

    @property
    def ping_interval(self) -> float:
        """How often to ping (s)."""
        return PING_S

    @property
    def ping_timeout(self) -> float:
        """How long a client may take to answer (s)."""
        return PING_S

    async def _send(self) -> None:
        code, why = NORMAL, ""
        sent: asyncio.Future[None] | None = None
        try:
            async for frame in self._follower.frames():
                message = log_messages.message(frame, timestamps=self._timestamps)
                # The next frame is made while this one is sent, and no more than that: a client
                # that is slow holds up nothing but this.
                if sent is not None:
                    await sent
                sent = self.write_message(message.content, binary=message.binary)
                sent.add_done_callback(_bear)
                if isinstance(frame, Ended):
                    why = frame.job.status.value
        except WebSocketClosedError:
            return
        except Deleted:
            code, why = DELETED, "the job was deleted"
        except Closed:
            code, why = GOING_AWAY, "this server ends; ask again, from the offset that you have"
        except Exception:
            self.log.exception("A log could not be followed")
            code, why = TROUBLE, "the log could not be read; the server's own log says more"
        self.close(code, why)


def _bear(sent: asyncio.Future[None]) -> None:
    """Whoever waits for the next frame when the connection ends, learns it from the connection."""
    if not sent.cancelled():
        sent.exception()


HANDLERS: list[tuple[str, type[TrainingHandler]]] = [
    (JOB + "/logs", LogsHandler),
    (JOB + "/logs/stream", LogStreamHandler),
]
