"""Wake the other servers of this machine that share the database.

Every server listens on a FIFO of its own; a byte in it says that something has changed, and what
that is stands in the database. A FIFO that nobody reads belongs to a server that is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

_SUFFIX = ".fifo"


class Bus:
    """This server's place among those that wake each other.

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
        """Begin to listen."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.mkfifo(self._own, 0o600)
        self._reader = os.open(self._own, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        # Held open, so that the end of the last other writer is not the end of the file.
        self._writer = os.open(self._own, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        asyncio.get_running_loop().add_reader(self._reader, self._woken)

    def close(self) -> None:
        """Listen no longer."""
        if self._reader < 0:
            return
        asyncio.get_running_loop().remove_reader(self._reader)
        self._own.unlink(missing_ok=True)
        os.close(self._reader)
        os.close(self._writer)
        self._reader = self._writer = -1

    def wake_others(self) -> None:
        """Tell every other server that something has changed."""
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
