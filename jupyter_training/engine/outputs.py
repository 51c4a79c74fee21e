"""What a job has left in its output directory: listed a page at a time, and opened to be read.

Its names and its links were made by the job, at any moment and in any way. So a path is never
resolved by the system as a whole: each of its components is opened from within the directory before
it, without following links, and what was opened is what is looked at and read. Whatever is swapped
in between, nothing outside of the directory is reached.
"""

from __future__ import annotations

import errno
import hashlib
import heapq
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path

from jupyter_training.engine.output_paths import MAX_DEPTH, NoSuchOutput, RelativePath, shown

MAX_PAGE = 2_000
"""The most entries of one page."""

_SETTLED_NS = 2_000_000_000
"""A file that was changed this recently may be changed again without a trace in its times (ns)."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# Should a pipe have taken the place of a file at the last moment, opening it is not to hang.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class UnreadableOutput(RuntimeError):
    """It is there, and this server may not read it."""


class Kind(str, Enum):
    """What an entry is; other things are pipes, sockets and devices."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    OTHER = "other"


@dataclass(frozen=True)
class Entry:
    """Something in an output directory.

    Attributes
    ----------
    size
        Of a file, in bytes.
    modified_at
        None where the file system says something that is no date.
    """

    path: RelativePath
    kind: Kind
    size: int | None
    modified_at: datetime | None


@dataclass(frozen=True)
class Window:
    """Which part of a listing is wanted.

    Attributes
    ----------
    limit
        How many entries at most.
    after
        Where the page before ended: a path below the directory; empty for the first page.
    recursive
        Whether what is in its directories is wanted, too, each directory before what is in it.
    """

    limit: int
    after: RelativePath = ()
    recursive: bool = False


@dataclass(frozen=True)
class Listing:
    """A page of what is in a directory, in the order of the bytes of the names.

    Attributes
    ----------
    more
        Whether there is another page.
    """

    path: RelativePath
    entries: list[Entry]
    more: bool

    @property
    def end(self) -> RelativePath:
        """Where it ends, for the next page: a path below the directory."""
        return self.entries[-1].path[len(self.path) :]


class OpenFile:
    """A file that was opened, with what was true of it then.

    Attributes
    ----------
    size
        In bytes.
    modified_at
        As in `Entry`.
    tag
        An HTTP entity tag. It is weak for a file that was changed just now.
    """

    def __init__(self, descriptor: int, path: RelativePath, status: os.stat_result) -> None:
        self._descriptor = descriptor
        self.path, self.size = path, status.st_size
        self.modified_at = _moment(status)
        self.tag = _tag(status)

    def read(self, offset: int, count: int) -> bytes:
        """At most so many bytes from an offset on; none at the end of the file."""
        return os.pread(self._descriptor, count, offset)

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


def look(root: Path, path: RelativePath, window: Window, *, within: Path) -> Listing | OpenFile:
    """Look at what is at a path below an output directory.

    Parameters
    ----------
    root
        The output directory. It may not be there yet, and is empty then.
    within
        The installation's own directory. If `root` is below it, no link leads there either; if not,
        it was the job's own choice, which could read what is there, and only `root` itself must not
        be a link.

    Returns
    -------
    Listing or OpenFile
        A page of a directory, or a file, which is to be closed.

    Raises
    ------
    NoSuchOutput
        If there is nothing, or something that cannot be read as a file.
    UnreadableOutput
        If this server may not read it.
    """
    name = shown(path) if path else str(root)
    try:
        with _opened_root(root, within) as top:
            return _look(top, path, window)
    except FileNotFoundError:
        if path:
            raise NoSuchOutput(f"There is no {name} in the results of this job.") from None
        return Listing(path, [], more=False)
    except PermissionError as error:
        raise UnreadableOutput(f"The server may not read {name}: {error.strerror}.") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise NoSuchOutput(f"{name} is longer than a path can be.") from None
        raise


@contextmanager
def _opened_root(root: Path, within: Path) -> Iterator[int]:
    """Open the output directory."""
    below = root.relative_to(within).parts if root.is_relative_to(within) else (os.pardir,)
    if os.pardir in below:
        # Where it lies is its owner's matter, and their home or their disk may well be a link.
        base, below = root.parent, (root.name,)
    else:
        base = within
    start = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with _descended(start, tuple(os.fsencode(part) for part in below), str(root)) as top:
            yield top
    finally:
        os.close(start)


def _look(top: int, path: RelativePath, window: Window) -> Listing | OpenFile:
    with _descended(top, path[:-1]) as parent:
        if path:
            status = os.stat(path[-1], dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                return _open_file(parent, path, status)
        with _descended(parent, path[-1:], shown(path)) as directory:
            # One more than is shown tells whether there is a next page.
            found = []
            for entry in _entries(directory, path, window):
                found.append(entry)
                if len(found) > window.limit:
                    break
            return Listing(path, found[: window.limit], more=len(found) > window.limit)


@contextmanager
def _descended(start: int, parts: RelativePath, name: str | None = None) -> Iterator[int]:
    """Open a directory below another one, which stays open.

    Parameters
    ----------
    name
        What to call it in an error, if not by its path.
    """
    here = os.open(".", _DIRECTORY, dir_fd=start)
    try:
        for part in parts:
            assert part not in (b"", b".", b"..")
            try:
                below = os.open(part, _DIRECTORY, dir_fd=here)
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                status = os.stat(part, dir_fd=here, follow_symlinks=False)
                raise _refusal(name or shown(parts), status) from None
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _open_file(parent: int, path: RelativePath, status: os.stat_result) -> OpenFile:
    # Whoever writes to a pipe, or to a device, is not to notice that somebody looks.
    if not stat.S_ISREG(status.st_mode):
        raise _refusal(shown(path), status)
    try:
        descriptor = os.open(path[-1], _FILE, dir_fd=parent)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        # A link or a socket has taken its place.
        raise NoSuchOutput(f"{shown(path)} was replaced at this moment; ask again.") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _refusal(shown(path), status)
        return OpenFile(descriptor, path, status)
    except BaseException:
        os.close(descriptor)
        raise


def _refusal(name: str, status: os.stat_result) -> NoSuchOutput:
    told = {
        stat.S_IFLNK: "is a symbolic link, and those are not followed; ask for what it leads to",
        stat.S_IFREG: "is a file and not a directory",
        stat.S_IFDIR: "has become a directory at this moment; ask again",
    }.get(stat.S_IFMT(status.st_mode), "is neither a file nor a directory, and cannot be read")
    return NoSuchOutput(f"{name} {told}.")


def _entries(top: int, path: RelativePath, window: Window) -> Iterator[Entry]:
    """Everything in a directory that comes after a path, in order, as far as it is asked for."""
    after, count = window.after, window.limit + 1
    if not window.recursive:
        yield from _level(top, path, (), after[0] if after else None, count)
        return
    # From the inside to the outside: what is in the last one, then what follows it, and so on.
    levels = [
        _level(top, path, after[:depth], name, count)
        for depth, name in enumerate((*after[:MAX_DEPTH], None))
    ]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
            continue
        yield entry
        below = entry.path[len(path) :]
        if entry.kind is Kind.DIRECTORY and len(entry.path) < MAX_DEPTH:
            levels.append(_level(top, path, below, None, count))


def _level(
    top: int, path: RelativePath, below: RelativePath, after: bytes | None, count: int
) -> Iterator[Entry]:
    """The entries of one directory.

    However many there are it holds no more than so many of them, and however deep they are, no
    descriptor from one to the next.
    """
    while True:
        found = []
        try:
            with _descended(top, below) as here:
                names = _first_names(here, after, count)
                for name in names:
                    try:
                        status = os.stat(name, dir_fd=here, follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # it was there a moment ago
                    found.append(_entry((*path, *below, name), status))
        except (NoSuchOutput, FileNotFoundError, PermissionError):
            if below:
                return  # it is another thing now, or closed to us; it has been listed itself
            raise
        yield from found
        if len(names) < count:
            return
        after = names[-1]


def _first_names(directory: int, after: bytes | None, count: int) -> list[bytes]:
    with os.scandir(directory) as there:
        names = (os.fsencode(one.name) for one in there)
        return heapq.nsmallest(count, (name for name in names if after is None or name > after))


def _entry(path: RelativePath, status: os.stat_result) -> Entry:
    kind = {
        stat.S_IFREG: Kind.FILE,
        stat.S_IFDIR: Kind.DIRECTORY,
        stat.S_IFLNK: Kind.SYMLINK,
    }.get(stat.S_IFMT(status.st_mode), Kind.OTHER)
    size = status.st_size if kind is Kind.FILE else None
    return Entry(path, kind, size, _moment(status))


def _moment(status: os.stat_result) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000)
    except OverflowError:
        return None


def _tag(status: os.stat_result) -> str:
    """What stands for the content of a file."""
    facts = (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        # A program can set the time of the last change back, but not this one.
        status.st_ctime_ns,
    )
    tag = f'"{hashlib.sha256(repr(facts).encode()).hexdigest()[:20]}"'
    settled = time.time_ns() - status.st_ctime_ns > _SETTLED_NS
    return tag if settled else f"W/{tag}"
