"""``api/training-jobs/…/outputs``: what a job has left, as lists and as downloads."""

from __future__ import annotations

import asyncio
import mimetypes
import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from jupyter_training.engine import output_paths
from jupyter_training.engine.output_paths import NoSuchOutput, RelativePath
from jupyter_training.engine.outputs import (
    MAX_PAGE,
    Listing,
    OpenFile,
    UnreadableOutput,
    Window,
)
from jupyter_training.jobs.requests import FieldError
from jupyter_training.server import representation
from jupyter_training.server.handlers.base import BadRequest, TrainingHandler, endpoint
from jupyter_training.server.handlers.streaming import StreamingHandler

CHUNK_BYTES = 1 << 20
"""How much of a file is in memory for each download."""


class OutputsHandler(StreamingHandler):
    """A directory or a file that a job has left."""

    def initialize(self) -> None:
        """Make what is served what is stored: ranges and tags are those of the file itself."""
        super().initialize()
        # Where a server compresses its answers, this asks it not to.
        self.request.headers.pop("Accept-Encoding", None)

    @endpoint("read")
    async def get(self, reference: str, path: str = "") -> None:
        """List a directory, or send a file or a range of it."""
        await self._answer(reference, path)

    @endpoint("read")
    async def head(self, reference: str, path: str = "") -> None:
        """Tell what a GET would, without what it sends."""
        await self._answer(reference, path)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """As always, but the name of a file need not be UTF-8."""
        if name == "path":
            return value.decode("utf-8", "surrogateescape")
        return super().decode_argument(value, name)

    @property
    def content_security_policy(self) -> str:
        """A browser runs nothing of what a job has written, even if it shows it."""
        return f"{super().content_security_policy}; sandbox"

    def compute_etag(self) -> str | None:
        """None: a file has its own, and a list is not worth one."""
        return None

    async def _answer(self, reference: str, path: str) -> None:
        service, window = await self.service(), self._window()
        try:
            found = await service.output(self.user, reference, output_paths.parse(path), window)
        except NoSuchOutput as nothing:
            self.refuse(404, "no_such_output", str(nothing))
            return
        except UnreadableOutput as closed:
            self.refuse(403, "unreadable_output", str(closed))
            return
        if isinstance(found, Listing):
            self.answer(representation.outputs(found))
            return
        try:
            await self._send(found)
        finally:
            found.close()

    def _window(self) -> Window:
        limit = self.integer("limit", 1000, least=1, most=MAX_PAGE)
        assert limit is not None
        recursive = self.flag("recursive")
        try:
            after = output_paths.decode(self.get_query_argument("after", ""))
        except NoSuchOutput:
            told = FieldError("after", "should be what `next` was in the answer before")
            raise BadRequest(f"after {told.message}.", [told]) from None
        return Window(limit, after, recursive=recursive)

    async def _send(self, file: OpenFile) -> None:
        """Send a file as a download."""
        # What another site embeds is refused, as for all files that Jupyter serves.
        self.check_xsrf_cookie()
        kind = _content_type(file.path)
        self._describe(file)
        if self._is_known(file):
            self.set_status(304)
            self.finish(set_content_type=kind)
            return
        start, end = 0, file.size
        if self.request.method == "GET" and self._range_holds(file):
            wanted = parse_range(self.request.headers.get("Range", ""), file.size)
            if wanted is not None:
                start, end = wanted
                if start >= end:
                    self.set_header("Content-Range", f"bytes */{file.size}")
                    self.clear_header("Content-Disposition")
                    told = f"There is nothing in this range: the file has {file.size} bytes."
                    self.refuse(416, "no_such_range", told)
                    return
                self.set_status(206)
                self.set_header("Content-Range", f"bytes {start}-{end - 1}/{file.size}")
        self.set_header("Content-Type", kind)
        self.set_header("Content-Length", end - start)
        if self.request.method == "GET" and not await self._stream(file, start, end):
            # Not as long as it was said to be. The client can go on with a Range later.
            self.break_off()
            return
        self.finish(set_content_type=kind)

    async def _stream(self, file: OpenFile, start: int, end: int) -> bool:
        """Send the bytes; False if it came to nothing."""
        while start < end:
            piece = await asyncio.to_thread(file.read, start, min(CHUNK_BYTES, end - start))
            if not piece:
                self.log.warning("A file that is being downloaded became shorter")
                return False
            start += len(piece)
            if not await self.send_piece(piece):
                return False
        return True

    def _describe(self, file: OpenFile) -> None:
        """The headers of a file, whether it is sent or not."""
        name = quote(output_paths.text(file.path[-1:]), safe="")
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("ETag", file.tag)
        if file.modified_at is not None:
            self.set_header("Last-Modified", file.modified_at)

    def _is_known(self, file: OpenFile) -> bool:
        """Whether the client has it already."""
        if "If-None-Match" in self.request.headers:
            return self.check_etag_header()
        since = _date(self.request.headers.get("If-Modified-Since"))
        if since is None or file.modified_at is None:
            return False
        return file.modified_at.replace(microsecond=0) <= since

    def _range_holds(self, file: OpenFile) -> bool:
        """Whether the file is still the one that a client has the beginning of."""
        known = self.request.headers.get("If-Range")
        if known is None:
            return True
        # A weak tag, or a time, may stand for two contents.
        return known == file.tag and not known.startswith("W/")


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Which bytes a ``Range`` header asks for.

    Parameters
    ----------
    size
        Of the whole, in bytes.

    Returns
    -------
    tuple or None
        The first byte, and the one behind the last; nothing in between if there are none. None for
        the whole, also where the header is not understood or asks for several ranges.
    """
    asked = re.fullmatch(r"\s*bytes\s*=\s*(\d{0,30})\s*-\s*(\d{0,30})\s*", header, re.ASCII)
    if asked is None or asked[1] == asked[2] == "":
        return None
    if not asked[1]:
        return max(0, size - int(asked[2])), size
    first = int(asked[1])
    last = int(asked[2]) if asked[2] else size - 1
    if asked[2] and last < first:
        return None
    return first, min(last + 1, size)


def _content_type(path: RelativePath) -> str:
    kind, encoding = mimetypes.guess_type(output_paths.text(path[-1:]))
    if encoding is not None:
        return "application/gzip" if encoding == "gzip" else "application/octet-stream"
    return kind or "application/octet-stream"


def _date(header: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(header or "")
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=timezone.utc)


_OUTPUTS = r"api/training-jobs/(?P<reference>[^/]+)/outputs"

HANDLERS: list[tuple[str, type[TrainingHandler]]] = [
    (_OUTPUTS, OutputsHandler),
    (_OUTPUTS + r"/(?P<path>.*)", OutputsHandler),
]
