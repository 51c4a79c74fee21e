"""Wake the other servers that share the database: it has changed, and what has is to be read there.

With SQLite all of them are on one machine. Every server listens on a FIFO of its own, and a FIFO
that nobody reads belongs to a server that is gone. With PostgreSQL the database passes it on.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Connection

from jupyter_training.executors.tasks import cancelled
from jupyter_training.store import channel

_SUFFIX = ".fifo"

_AGAIN_S = 1.0
"""How soon to listen again after the database went away (s)."""


class Bus(Protocol):
    """This server's place among those that wake each other."""

    def open(self) -> None:
        """Begin to listen."""

    async def close(self) -> None:
        """Listen no longer."""

    def announce(self, connection: Connection) -> None:
        """Called at the end of a transaction that others may want to know of."""

    def wake_others(self) -> None:
        """Called after its commit."""


class PostgresBus:
    """Servers that share a PostgreSQL database.

    Parameters
    ----------
    url
        Of the database.
    name
        This server's name.
    on_wake
        Called on the event loop after another server has committed something.
    """

    def __init__(self, url: URL, name: str, on_wake: Callable[[], None]) -> None:
        self._url, self._name, self._on_wake = url, name, on_wake
        self._listening: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to listen; see `Bus`."""
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Listen no longer; see `Bus`."""
        if self._listening is not None:
            await cancelled([self._listening])

    def announce(self, connection: Connection) -> None:
        """Tell the others when this is committed; see `Bus`."""
        channel.announce(connection, self._name)

    def wake_others(self) -> None:
        """Nothing to do: the commit has told them."""

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(channel.CONNECTION_LOST, OSError):
                async with channel.listening(self._url) as senders:
                    self._on_wake()  # whatever was told before is not told again
                    async for sender in senders:
                        if sender != self._name:
                            self._on_wake()
            await asyncio.sleep(_AGAIN_S)


class FifoBus:
    """Servers of one machine that share a file.

    Parameters
    ----------
    directory
        Where the FIFOs are.
    name
        This server's name.
    on_wake
        Called on the event loop after another server has called `wake_others`.
    """

    def __init__(self, directory: Path, name: str, on_wake: Callable[[], None]) -> None:
        self._directory, self._on_wake = directory, on_wake
        self._own = directory / f"{name}{_SUFFIX}"
        self._reader = self._writer = -1

    def open(self) -> None:
        """Begin to listen; see `Bus`."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Others see it when it is read: one that nobody reads they remove.
        draft = self._own.with_suffix(".draft")
        os.mkfifo(draft, 0o600)
        self._reader = os.open(draft, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        draft.rename(self._own)
        # Held open, so that the end of the last other writer is not the end of the file.
        self._writer = os.open(self._own, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        asyncio.get_running_loop().add_reader(self._reader, self._woken)

    async def close(self) -> None:
        """Listen no longer; see `Bus`."""
        if self._reader < 0:
            return
        asyncio.get_running_loop().remove_reader(self._reader)
        self._own.unlink(missing_ok=True)
        os.close(self._reader)
        os.close(self._writer)
        self._reader = self._writer = -1

    def announce(self, connection: Connection) -> None:
        """Nothing to do: others are told when it is committed."""

    def wake_others(self) -> None:
        """Tell every other server that something has changed; see `Bus`."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self._directory) as entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIX) and entry.name != self._own.name:
                    _wake(entry.path)

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 65536)
        self._on_wake()


def _wake(path: str) -> None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody reads it
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        return
    try:
        if stat.S_ISFIFO(os.fstat(file).st_mode):
            with contextlib.suppress(BlockingIOError, BrokenPipeError):  # it is full of wakes
                os.write(file, b"\n")
    finally:
        os.close(file)
