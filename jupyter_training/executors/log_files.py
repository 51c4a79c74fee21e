"""The files that a job's output goes to: the log, and beside it the times at which it was written.

The log is what the job printed, byte for byte, and byte *n* of it stays at *n*. One that grows
beyond its limit keeps its first half and as much of its end: what is between is given back to the
file system, as a hole in the file, so that the offsets of all else stay true. Where the file system
cannot do that, the log ends at its limit, and says so.

The times are records of an offset and the moment at which the byte there was written, one for each
burst and at most one in a tenth of a second. A record is written before the bytes that it is about:
of several with one offset the last one is right, and one that a kill has torn is not counted.

Standard library only, and no import that is not needed: every supervisor carries this.
"""

from __future__ import annotations

import ctypes
import os
import struct
import time

from jupyter_training.executors.records import LOG

TIME = struct.Struct("<Qd")
"""Of a record of the times: an offset (bytes), and when it was written (s since 1970, UTC)."""

_APART_S = 0.1
_BLOCK = 4096
_PUNCH_HOLE, _KEEP_SIZE = 2, 1

_libc = ctypes.CDLL(None, use_errno=True)


def log_name(rank: int | None) -> str:
    """The name of the log of a rank of a distributed job; None for what all of them print."""
    if rank is None:
        return LOG
    stem, _, ending = LOG.partition(".")
    return f"{stem}-{rank}.{ending}"


def times_name(log: str) -> str:
    """The name of the file that has the times of a log."""
    return os.path.splitext(log)[0] + ".times"


class Times:
    """Writes down when a log was written. What cannot be written is left out."""

    def __init__(self, log: str) -> None:
        head, tail = os.path.split(log)
        path = os.path.join(head, times_name(tail))
        self._last = 0.0
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            self._at = os.fstat(self._file).st_size // TIME.size * TIME.size
        except OSError:
            self._file = -1

    def note(self, offset: int, moment: float) -> None:
        """The byte at an offset is about to be written, or was, at this moment (s since 1970)."""
        if self._file < 0 or self._last <= moment < self._last + _APART_S:
            return
        self._last = moment
        try:
            if os.pwrite(self._file, TIME.pack(offset, moment), self._at) == TIME.size:
                self._at += TIME.size
        except OSError:
            pass

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Limit:
    """Keeps a log within its limit.

    Parameters
    ----------
    limit
        How much of it is kept (bytes); 0 for all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = -(-limit // 2 // _BLOCK) * _BLOCK
        # Not for each block: as much at a time as makes it cheap.
        self._step = max(_BLOCK, min(limit // 16, 16 << 20) // _BLOCK * _BLOCK)
        self._next = limit
        self.broken = False
        """Whether this file system cannot give back what is in the middle of a file."""

    def room(self, at: int) -> int | None:
        """How many bytes more can be written from an offset on; None if that does not matter."""
        return max(0, self._limit - at) if self.broken else None

    def grown(self, file: int, size: int) -> None:
        """A log has grown to this size (bytes)."""
        if not self._limit or size < self._next or self.broken:
            return
        end = (size - self._limit // 2) // _BLOCK * _BLOCK + self._step
        if end > self._head and not _punch(file, self._head, end - self._head):
            self.broken = True
        self._next = size + self._step


def _punch(file: int, offset: int, length: int) -> bool:
    """Give a part of a file back to the file system; whether it can do that."""
    if not hasattr(_libc, "fallocate64"):
        return False
    mode = _PUNCH_HOLE | _KEEP_SIZE
    begin, count = ctypes.c_longlong(offset), ctypes.c_longlong(length)
    return bool(_libc.fallocate64(file, mode, begin, count) == 0)


class LogFile:
    """The log of a job that writes into a pipe of ours.

    A full disk makes a gap in it, with a notice, and never stops the job.

    Parameters
    ----------
    limit
        How much of it is kept (bytes); 0 for all.
    """

    def __init__(self, path: str, limit: int = 0) -> None:
        # For reading too: some file systems punch holes in no other.
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self._at = os.fstat(self._file).st_size
        self._times, self._limit = Times(path), Limit(limit)
        self._lost = 0
        self._dropped = 0

    def write(self, chunk: bytes) -> None:
        """Write what the job has printed."""
        if self._lost and not self._tell_loss():
            self._lost += len(chunk)
            return
        room = self._limit.room(self._at)
        if room is not None and room < len(chunk):
            self._dropped += len(chunk) - room
            chunk = chunk[:room]
        self._times.note(self._at, time.time())
        view = memoryview(chunk)
        while view:
            try:
                written = os.write(self._file, view)
            except OSError:
                self._lost += len(view)
                break
            self._at += written
            view = view[written:]
        self._limit.grown(self._file, self._at)

    def _tell_loss(self) -> bool:
        notice = f"\n[jupyter-training: {self._lost} bytes of output lost, the disk was full]\n"
        try:
            self._at += os.write(self._file, notice.encode())
        except OSError:
            return False
        self._lost = 0
        return True

    def close(self) -> None:
        """Close it, with a notice if something is missing at its end."""
        if self._lost:
            self._tell_loss()
        if self._dropped:
            try:
                os.write(self._file, dropped_notice(self._dropped))
            except OSError:
                pass
        self._times.close()
        os.close(self._file)


def dropped_notice(count: int | None = None) -> bytes:
    """What the log says at its end if the rest was beyond its limit and there can be no hole."""
    what = "the rest of the output" if count is None else f"the last {count} bytes of output"
    why = "the log has reached its limit, and this file system cannot drop what is in its middle"
    return f"\n[jupyter-training: {what} left out: {why}]\n".encode()
