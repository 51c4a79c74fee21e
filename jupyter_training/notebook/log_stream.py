"""A job's log as it comes: over a WebSocket, which is opened again where it broke.

The server says with each message from where it would go on; so what comes after a break follows
what came before it, whichever server it is by then.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from socket import SHUT_RDWR
from typing import Any

import orjson
import websocket

from jupyter_training.notebook.asking import ask
from jupyter_training.notebook.client import ServerGone, TrainingError

_PATIENCE_S = 60.0
"""How long a server that is gone is waited for (s)."""

_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0


class LogStream:
    """The messages of a job's log; close it, or use it in a `with` statement.

    Parameters
    ----------
    reference
        The job.
    query
        What the interface takes: `attempt`, `tail` or `offset`, `complete`.

    Attributes
    ----------
    attempt, offset
        Where it is.
    """

    def __init__(self, reference: str, **query: str | int) -> None:
        self._reference, self._query = reference, query
        self._socket: websocket.WebSocket | None = None
        self._ended = False
        self.attempt = self.offset = 0

    def __enter__(self) -> LogStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hear no more; also from another thread."""
        self._ended = True
        self._drop()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The messages, to the end of the job."""
        while (message := self.next(None)) is not None:
            yield message

    def next(self, timeout_s: float | None) -> dict[str, Any] | None:
        """The next message.

        Parameters
        ----------
        timeout_s
            How long to wait for it (s); None for as long as it takes.

        Returns
        -------
        dict or None
            Of the type ``idle`` if there was none in time; None if there is no more.

        Raises
        ------
        TrainingError
            If the server says no.
        ServerGone
            If no server answers for a minute.
        """
        pause_s, gone_since = _PAUSE_S, None
        while not self._ended:
            try:
                if self._socket is None:
                    self._socket = self._open()
                    continue  # unless it was closed meanwhile
                message = self._take(self._socket, timeout_s)
            except websocket.WebSocketTimeoutException:
                return {"type": "idle"}
            except (websocket.WebSocketException, OSError, TrainingError) as error:
                self._drop()
                if isinstance(error, TrainingError) and not error.may_pass:
                    raise
                now = time.monotonic()
                gone_since = now if gone_since is None else gone_since
                if now - gone_since > _PATIENCE_S:
                    raise ServerGone(f"No training server answers ({error}).") from None
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            if message is not None:
                return message
        self._drop()
        return None

    def _open(self) -> websocket.WebSocket:
        query = dict(self._query)
        if self.attempt:
            query.pop("tail", None)
            query.update(attempt=self.attempt, offset=self.offset)
        return ask(lambda client: client.log_stream(self._reference, query))

    def _take(self, socket: websocket.WebSocket, timeout_s: float | None) -> dict[str, Any] | None:
        """A message, with what is to be known of it noted; None for one that says nothing new."""
        socket.settimeout(timeout_s)
        kind, content = socket.recv_data()
        if kind != websocket.ABNF.OPCODE_TEXT:
            raise websocket.WebSocketConnectionClosedException("the connection was closed")
        message: dict[str, Any] = orjson.loads(content)
        self.offset = message["next_offset"]
        if message["type"] == "attempt":
            known, self.attempt = self.attempt, message["attempt"]
            return None if known == self.attempt else message
        if message["type"] == "end":
            self.close()
        return message

    def _drop(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            # To close it alone would not wake a thread that waits for a message.
            if socket.sock is not None:
                with contextlib.suppress(OSError):
                    socket.sock.shutdown(SHUT_RDWR)
            socket.shutdown()  # type: ignore[no-untyped-call]


class Shown:
    """What is to be seen of a log: the lines, and below them what may still change.

    Parameters
    ----------
    most
        How many lines are kept; the oldest are forgotten.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.lines: list[str] = []
        self.partial: list[str] = []

    def take(self, message: dict[str, Any]) -> None:
        """Take a message in."""
        kind = message["type"]
        if kind == "attempt":
            self.lines.clear()
        if kind == "lines":
            del self.lines[max(0, len(self.lines) - message["replaces"]) :]
            self.lines += message["lines"][-self._most :]
            self.partial = message["partial"]
        elif kind in ("attempt", "skipped"):
            self.partial = []
        if kind == "skipped":
            self.lines.append(left_out(message))
        del self.lines[: -self._most]

    def last(self) -> list[str]:
        """The lines at the end of it."""
        return [*self.lines, *self.partial][-self._most :]


def left_out(message: dict[str, Any]) -> str:
    """What is said in place of what was left out."""
    count = message["next_offset"] - message["offset"]
    size = f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count} bytes"
    why = "more came than can be shown" if message["kept"] else "the log has reached its limit"
    return f"[{size} left out from byte {message['offset']} on: {why}]"
