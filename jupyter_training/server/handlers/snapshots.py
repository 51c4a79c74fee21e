"""``api/training-snapshots``: contents by their hashes, and what code a job runs."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import quote

from jupyter_server.utils import ensure_async
from pydantic import BaseModel, ConfigDict, Field
from tornado.web import HTTPError, stream_request_body

from jupyter_training.engine.contents import Limits
from jupyter_training.engine.snapshots import Draft, NoSuchContent, TooLarge
from jupyter_training.jobs.contents import human_size
from jupyter_training.jobs.requests import InvalidRequest, checked
from jupyter_training.jobs.snapshots import MAX_OBJECTS, Digest
from jupyter_training.server.handlers.base import (
    RESOURCE,
    BadRequest,
    TrainingHandler,
    endpoint,
)
from jupyter_training.server.handlers.jobs import JOB
from jupyter_training.server.handlers.streaming import StreamingHandler
from jupyter_training.server.running import Closing, NotAvailable

_PIECE = 1 << 20
"""How much of a content is in memory for each transfer (bytes)."""

_LONGEST_NAME = 255
"""So long may the name of a file be."""


class InvalidQuestion(InvalidRequest):
    """A question that is none."""

    what = "This question is not understood"


class Question(BaseModel):
    """Which contents are missing.

    Attributes
    ----------
    digests
        Their SHA-256.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    digests: Annotated[list[Digest], Field(max_length=MAX_OBJECTS)]


class SnapshotsHandler(TrainingHandler):
    """All contents of a user."""

    @endpoint("read")
    async def get(self) -> None:
        """What may be uploaded."""
        contents = (await self.service()).contents
        limits = contents.limits
        self.answer(
            {
                "max_snapshot_bytes": limits.snapshot_bytes,
                "snapshot_ceiling_bytes": limits.ceiling_bytes,
                "max_snapshot_files": limits.snapshot_files,
                "max_content_bytes": limits.content_bytes,
                "own_directories": [str(one) for one in contents.own_directories],
            }
        )

    @endpoint("write")
    async def post(self) -> None:
        """Tell which of some contents are missing; the others are kept for a while."""
        body = self.body()
        if not isinstance(body, dict):
            raise BadRequest("The body should be a JSON object with digests.")
        wanted = checked(Question, body, InvalidQuestion)
        contents = (await self.service()).contents
        self.answer({"missing": await contents.missing(self.user, wanted.digests)})


@stream_request_body
class SnapshotHandler(StreamingHandler):
    """One content."""

    def initialize(self) -> None:
        """Nothing has come yet."""
        super().initialize()
        self._draft: Draft | None = None
        self._pieces: list[bytes] = []
        self._waiting = self._size = 0
        self._limit = Limits().content_bytes
        # A range, or a compressed answer, is not what was stored.
        self.request.headers.pop("Accept-Encoding", None)

    async def prepare(self) -> None:  # type: ignore[override]
        """Before anything of a content is taken in, look who sends it."""
        await super().prepare()
        if self.request.method != "PUT" or self._finished:
            return
        user = self.current_user
        allowed = user is not None and await ensure_async(
            self.authorizer.is_authorized(self, user, "write", RESOURCE)
        )
        if not allowed:
            raise HTTPError(403)
        try:
            contents = (await self.service()).contents
            self._limit = contents.limits.content_bytes
            self._draft = await contents.receive(self.user, self.path_kwargs["sha256"])
        except (NotAvailable, Closing, NoSuchContent):
            pass  # and so it is told when all was sent
        # A larger one is told so by us, and not by an end of the connection.
        self.request.connection.set_max_body_size(2**62)  # type: ignore[union-attr]

    async def data_received(self, chunk: bytes) -> None:
        """Take in a piece."""
        self._size += len(chunk)
        if self._draft is None or self._size > self._limit:
            return
        self._pieces.append(chunk)
        self._waiting += len(chunk)
        if self._waiting >= _PIECE:
            await self._write()

    async def _write(self) -> None:
        piece, self._pieces, self._waiting = b"".join(self._pieces), [], 0
        if self._draft is not None and piece:
            await asyncio.to_thread(self._draft.write, piece)

    @endpoint("write")
    async def put(self, sha256: str) -> None:
        """Store it."""
        contents = (await self.service()).contents
        if self._size > self._limit:
            raise TooLarge(
                f"It has {human_size(self._size)}; this server takes {human_size(self._limit)} at "
                "most (c.TrainingApp.value_limit_gb)."
            )
        if self._draft is None:  # the name is none, or the server was not ready
            self._draft = await contents.receive(self.user, sha256)
            raise NotAvailable("The server was not ready; send it again.")
        await self._write()
        new = await asyncio.to_thread(self._draft.finish)
        self.answer({"sha256": sha256, "size": self._size}, 201 if new else 200)

    @endpoint("read")
    async def get(self, sha256: str) -> None:
        """Send it."""
        contents = (await self.service()).contents
        file, size = await contents.open(self.user, sha256)
        try:
            self.set_header("Content-Type", "application/octet-stream")
            name = quote(self.get_query_argument("name", sha256)[:_LONGEST_NAME], safe="")
            self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
            self.set_header("X-Content-Type-Options", "nosniff")
            self.set_header("Content-Length", size)
            while piece := await asyncio.to_thread(file.read, _PIECE):
                if not await self.send_piece(piece):
                    self.break_off()
                    return
        finally:
            file.close()
        self.finish(set_content_type="application/octet-stream")

    @property
    def content_security_policy(self) -> str:
        """A browser runs nothing of what somebody has uploaded, even if it shows it."""
        return f"{super().content_security_policy}; sandbox"

    def compute_etag(self) -> str | None:
        """None: the path says it all."""
        return None

    def on_finish(self) -> None:
        """Let go of what was not finished."""
        super().on_finish()
        self._let_go()

    def on_connection_close(self) -> None:
        """Let go of what will not come any more."""
        super().on_connection_close()
        self._let_go()

    def _let_go(self) -> None:
        if self._draft is not None:
            # In a thread: another one may be writing a piece, which is waited for.
            asyncio.get_running_loop().run_in_executor(None, self._draft.close)


class CodeHandler(TrainingHandler):
    """What a job runs."""

    @endpoint("read")
    async def get(self, reference: str) -> None:
        """The command, the stored script, and the files of the snapshot."""
        code = await (await self.service()).contents.code(self.user, reference)
        manifest: dict[str, Any] | None = None
        if code.manifest is not None:
            manifest = code.manifest.model_dump()
        self.answer(
            {
                "job_id": code.job.job_id,
                "command": code.job.command,
                "working_dir": code.job.working_dir,
                "script": None if code.script is None else code.script.model_dump(),
                "snapshot": code.job.snapshot,
                "manifest": manifest,
            }
        )


class EnvironmentHandler(TrainingHandler):
    """With which software a job was submitted."""

    @endpoint("read")
    async def get(self, reference: str) -> None:
        """What was recorded; empty if nothing was."""
        found = await (await self.service()).contents.environment(self.user, reference)
        self.answer(found or {})


HANDLERS: list[tuple[str, type[TrainingHandler]]] = [
    (r"api/training-snapshots", SnapshotsHandler),
    (r"api/training-snapshots/(?P<sha256>[^/]+)", SnapshotHandler),
    (JOB + "/code", CodeHandler),
    (JOB + "/environment", EnvironmentHandler),
]
