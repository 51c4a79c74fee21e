"""Streams of logs, as a client sees them; every message is held against the OpenAPI document."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import websocket

from jupyter_training.server import openapi
from tests.conftest import Api
from tests.patience import PATIENCE_S
from tests.schemas import Draft202012Validator

_DOCUMENT = openapi.document("/")
_MESSAGE = Draft202012Validator(
    {"$ref": "#/components/schemas/LogMessage", "components": _DOCUMENT["components"]}
)


class Stream:
    """One who follows a log, and shows it as the document says.

    Attributes
    ----------
    lines, partial, content
        What it shows, and the bytes that it got.
    told
        All messages but those with lines and bytes.
    at
        From where it would go on.
    """

    def __init__(self, api: Api, job_id: str, **query: Any) -> None:
        url = str(api.http.base_url).replace("http", "ws", 1)
        self.socket = websocket.create_connection(
            f"{url}api/training-jobs/{job_id}/logs/stream?{urlencode(query)}",
            header=[f"Authorization: {api.http.headers['Authorization']}"],
            timeout=PATIENCE_S,
        )
        self.lines: list[str] = []
        self.times: list[str | None] = []
        self.partial: list[str] = []
        self.content = b""
        self.told: list[dict[str, Any]] = []
        self.attempt = self.at = 0
        self.code: int | None = None

    def next(self) -> dict[str, Any] | None:
        """Take a message; None for bytes."""
        kind, content = self.socket.recv_data()
        if kind == websocket.ABNF.OPCODE_CLOSE:
            self.code = int.from_bytes(content[:2], "big")
            self.close()
            return {"type": "closed"}
        if kind == websocket.ABNF.OPCODE_BINARY:
            self.content += content
            self.at += len(content)
            return None
        message: dict[str, Any] = json.loads(content)
        _MESSAGE.validate(message)
        self.at = message["next_offset"]
        if message["type"] == "lines":
            del self.lines[max(0, len(self.lines) - message["replaces"]) :]
            self.lines += message["lines"]
            self.partial = message["partial"]
            self.times += message.get("times", [])
        else:
            self.told.append(message)
            self.partial = []
            self.attempt = message.get("attempt", self.attempt)
        return message

    def until(self, enough: Callable[[Stream], bool]) -> Stream:
        """Take messages until it is as wanted."""
        deadline = time.monotonic() + PATIENCE_S
        while not enough(self):
            assert self.code is None, f"closed with {self.code}: {self.lines[-5:]}, {self.told}"
            assert time.monotonic() < deadline, (self.lines[-5:], self.partial)
            self.next()
        return self

    def to_the_end(self) -> Stream:
        """Take all messages, until the server closes."""
        return self.until(lambda it: it.code is not None)

    def to_the_break(self) -> None:
        """Take what there is of a connection that has broken."""
        with contextlib.suppress(websocket.WebSocketException, OSError):
            while self.code is None:
                self.next()
        self.close()

    def close(self) -> None:
        """Follow no longer."""
        self.socket.shutdown()  # type: ignore[no-untyped-call]

    @property
    def end(self) -> dict[str, Any]:
        """How it ended."""
        assert self.told[-1]["type"] == "end"
        return self.told[-1]

    @property
    def skipped(self) -> list[tuple[int, int, bool]]:
        """What was left out."""
        return [
            (one["offset"], one["next_offset"], one["kept"])
            for one in self.told
            if one["type"] == "skipped"
        ]


@contextmanager
def stream(api: Api, job_id: str, **query: Any) -> Iterator[Stream]:
    """Follow a log for a while."""
    it = Stream(api, job_id, **query)
    try:
        yield it
    finally:
        it.close()
