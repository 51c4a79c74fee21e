"""A container's output, from the engine's log of it into a file, byte for byte.

The engine's log of a container only grows, and reading it from the start gives the same bytes in
the same order each time. So byte *n* of it has one place in the file, whoever writes it and how
often: a server that was killed is followed by one that reads from the start and skips what is in
the file, and two that do it at the same time write the same. Nothing else has to be remembered, and
clocks do not matter. Reading a long log again costs the engine some seconds a gigabyte, once a
restart.

Of two streams each is exact. How they are mixed is the engine's account of it: it reads them from
two pipes, so that lines within microseconds of each other can change places. A line is in the log
when its newline is, or when it has 16 KB.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from jupyter_training.executors.container_states import time_of
from jupyter_training.executors.docker_engine import DockerEngine
from jupyter_training.executors.log_files import Limit, Times, dropped_notice

if TYPE_CHECKING:
    from docker import APIClient

_HEADER = struct.Struct(">BxxxL")
_FULL = 16384
"""The engine cuts longer lines into records of this size (bytes)."""

_TENTHS = len("2026-01-01T00:00:00.0")
"""So much of a timestamp tells it to a tenth of a second."""

_RETRY_S = 0.2
_CHUNK = 1 << 16


class Records:
    """The engine's framing of a log, undone.

    Each record is a line or a part of one, in a frame with a header and behind a timestamp.

    Attributes
    ----------
    last
        The last record, with its timestamp; empty if there was none.
    stamps
        Of what came with the last chunk: where it is in there, and the engine's timestamp, for each
        tenth of a second.
    """

    def __init__(self) -> None:
        self.last = b""
        self.stamps: list[tuple[int, bytes]] = []
        self._stamp = b""
        self._rest = b""
        self._long: set[int] = set()
        self._lacks_newline: set[int] = set()

    def feed(self, chunk: bytes) -> bytes:
        """What was printed, as far as it is complete with this chunk."""
        data, at, printed = self._rest + chunk, 0, []
        self.stamps, length = [], 0
        while len(data) - at >= _HEADER.size:
            stream, size = _HEADER.unpack_from(data, at)
            end = at + _HEADER.size + size
            if end > len(data):
                break
            self.last = data[at + _HEADER.size : end]
            stamp, _, text = self.last.partition(b" ")
            if stamp[:_TENTHS] != self._stamp[:_TENTHS]:
                self.stamps.append((length, stamp))
                self._stamp = stamp
            printed.append(self._text(stream, text))
            length += len(printed[-1])
            at = end
        self._rest = data[at:]
        return b"".join(printed)

    def _text(self, stream: int, text: bytes) -> bytes:
        """A record's text, with the newline before it that engines lose.

        They lose the one of a line that did not fit into a record. It is put back when it is
        certain that another line follows; a part of a line that is still going on has full size.
        """
        lost = stream in self._lacks_newline
        unfinished = not text.endswith(b"\n")
        full = unfinished and len(text) == _FULL
        if unfinished and not full and stream in self._long:
            self._lacks_newline.add(stream)
        else:
            self._lacks_newline.discard(stream)
        (self._long.add if full else self._long.discard)(stream)
        return b"\n" + text if lost else text

    @property
    def last_is_certain(self) -> bool:
        """Whether no other record can look like the last one."""
        return len(self.last.partition(b" ")[2]) != _FULL


class Full(Exception):
    """The log could not be written, and time was up."""


class ContainerLog:
    """The file that a container's output goes to.

    Parameters
    ----------
    offset
        Where in it the output begins (bytes).
    give_up
        While the disk is full, writing is tried again until this is set.
    patience_s
        Or until it has been full for so long (s). None for no limit: while the job runs, nothing
        is lost by waiting, for the engine has it.
    limit
        How much of it is kept (bytes); 0 for all.
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        give_up: threading.Event,
        patience_s: float | None,
        limit: int = 0,
    ) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._times, self._limit = Times(str(path)), Limit(limit)
        self._give_up, self._patience_s = give_up, patience_s
        self._have = max(0, os.fstat(self._file).st_size - offset)
        self.at = offset

    @property
    def cut_off(self) -> bool:
        """Whether it ends at its limit, for what is in the middle of it cannot be dropped."""
        return self._limit.broken

    def write(self, printed: bytes, stamps: Sequence[tuple[int, bytes]] = ()) -> None:
        """Write what comes next, unless it is there.

        Parameters
        ----------
        stamps
            Where in it which timestamps of the engine are.

        Raises
        ------
        Full
            If it could not be written.
        """
        there = min(self._have, len(printed))
        for position, stamp in stamps:
            moment = time_of(stamp.decode("ascii", "replace")) if position >= there else None
            if moment is not None:
                self._times.note(self.at + position, moment.timestamp())
        room = self._limit.room(self.at)
        if room is not None:
            printed = printed[: max(room, there)]
        self._have -= there
        self.at += there
        rest = memoryview(printed)[there:]
        full_since = None
        while rest:
            try:
                written = os.pwrite(self._file, rest, self.at)
            except OSError as error:
                now = time.monotonic()
                full_since = full_since or now
                out_of_time = self._patience_s is not None and now - full_since > self._patience_s
                if out_of_time or self._give_up.wait(_RETRY_S):
                    raise Full(error.strerror) from None
                continue
            full_since = None
            self.at += written
            rest = rest[written:]
        self._limit.grown(self._file, self.at)

    def close(self) -> None:
        """Close it."""
        self._times.close()
        os.close(self._file)


class Stream(Protocol):
    """An answer of the engine that goes on."""

    def __iter__(self) -> Iterator[bytes]:
        """What comes."""

    def close(self) -> None:
        """End it, from another thread."""


def log_stream(client: APIClient, container: str, *, follow: bool, tail: str = "all") -> Stream:
    """The engine's log of a container, as it comes."""
    from docker.errors import create_api_error_from_http_exception
    from docker.types.daemon import CancellableStream
    from requests import HTTPError

    wanted: dict[str, str | int] = {
        "stdout": 1,
        "stderr": 1,
        "timestamps": 1,
        "follow": int(follow),
        "tail": tail,
    }
    response = client.get(
        f"{client.base_url}/v{client.api_version}/containers/{container}/logs",
        params=wanted,
        stream=True,
        # A job may print nothing for days.
        timeout=(client.timeout, None if follow else client.timeout),
    )
    try:
        response.raise_for_status()
    except HTTPError as error:
        create_api_error_from_http_exception(error)
    stream: Stream = CancellableStream(response.iter_content(_CHUNK), response)
    return stream


class Copy(threading.Thread):
    """Follows a container's log into its file, in a thread of its own.

    It ends when the container has ended or the engine is away; `complete` then makes sure.

    Parameters
    ----------
    offset
        Where in the file the output begins (bytes).
    on_end
        Called in this thread.
    patience_s
        How long a full disk is waited for once the container has ended (s).
    log_limit
        How much of the output is kept (bytes); 0 for all.
    """

    def __init__(
        self,
        engine: DockerEngine,
        container: str,
        path: Path,
        offset: int,
        on_end: Callable[[], object],
        patience_s: float = 30,
        log_limit: int = 0,
    ) -> None:
        super().__init__(name=f"log of {container[:12]}", daemon=True)
        self._engine, self._container, self._path, self._offset = engine, container, path, offset
        self._on_end, self._patience_s, self._log_limit = on_end, patience_s, log_limit
        self._records = Records()
        self._give_up = threading.Event()
        self._cut_off: str | None = None
        self._file: ContainerLog | None = None
        self._stream: Stream | None = None
        self._lock = threading.Lock()

    def run(self) -> None:
        """Copy until there is no more."""
        with contextlib.suppress(Exception):  # whoever waits for the container looks for itself
            self._copy(self._engine.client(), follow=True)
        self._on_end()

    def _copy(self, client: APIClient, *, follow: bool) -> None:
        self._records = Records()
        stream = log_stream(client, self._container, follow=follow)
        file = None
        try:
            with self._lock:
                self._stream = stream
            if follow and self._give_up.is_set():
                return
            patience_s = None if follow else self._patience_s
            file = self._file = ContainerLog(
                self._path, self._offset, self._give_up, patience_s, self._log_limit
            )
            for chunk in stream:
                printed = self._records.feed(chunk)
                file.write(printed, self._records.stamps)
        except Full as error:
            self._cut_off = str(error)
        finally:
            with self._lock:
                self._stream = None
            if file is not None:
                file.close()
            _close(stream)

    def complete(self, client: APIClient) -> None:
        """Make sure that all is in the file. The container has ended. It blocks.

        A stream that ends does not say why; so the last record of all is compared with the last
        one that came, and if need be all is read once more.
        """
        self._let_it_end()
        if self._cut_off is None and not self._has_last(client):
            self._copy(client, follow=False)
        if self._cut_off is not None:
            notice = f"\n[jupyter-training: the rest of the output is lost: {self._cut_off}]\n"
            self._append(notice.encode())
        elif self._file is not None and self._file.cut_off:
            self._append(dropped_notice())

    def _append(self, notice: bytes) -> None:
        with contextlib.suppress(OSError), self._path.open("ab") as file:
            file.write(notice)

    def _let_it_end(self) -> None:
        """It has some way to go after the container's end, perhaps, unless it is stuck."""
        stuck_since, before = time.monotonic(), -1
        while self.is_alive():
            self.join(_RETRY_S)
            at = self._file.at if self._file is not None else 0
            if at != before:
                stuck_since, before = time.monotonic(), at
            elif time.monotonic() - stuck_since > self._patience_s:
                self.close()
                self.join()

    def _has_last(self, client: APIClient) -> bool:
        last = Records()
        stream = log_stream(client, self._container, follow=False, tail="1")
        try:
            for chunk in stream:
                last.feed(chunk)
        finally:
            _close(stream)
        return last.last == self._records.last and last.last_is_certain

    def close(self) -> None:
        """End it before the container does."""
        self._give_up.set()
        with self._lock:
            if self._stream is not None:
                _close(self._stream)


def _close(stream: Stream) -> None:
    with contextlib.suppress(OSError):  # another thread was first
        stream.close()
