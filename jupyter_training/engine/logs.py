"""Read a job's log: its last lines, those before an offset or on from it, in bounded pieces.

A log that has reached its limit has a hole where its middle was, see `executors.log_files`: the
offsets of what is left stay what they were, and readers jump over the hole.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from jupyter_training.engine.overwriting import Screen

PAGE_BYTES = 1 << 20
"""The most that one answer is made of; the next one goes on where it ended."""

_TAIL_BYTES = 64 << 20
_LINE_BYTES = 1000
"""The most that somebody can begin with who follows a log, in all and for each line (bytes)."""

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Page:
    """A piece of a log.

    Attributes
    ----------
    lines
        Without their ends. Of a line that was written over and over, as progress bars are, what a
        terminal would show at last.
    offset, next_offset
        Where it begins, and where to read on, in bytes from the start of the log. It begins behind
        the offset that was asked for if what was there is not kept.
    size
        Of the whole log, in bytes.
    starts
        The byte at which each of the lines began.
    """

    lines: list[str]
    offset: int
    next_offset: int
    size: int = 0
    starts: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Piece:
    """Bytes of a log.

    Attributes
    ----------
    offset
        Where they begin: behind what was asked for if that is not kept.
    size
        Of the whole log, in bytes.
    """

    offset: int
    content: bytes
    size: int

    @property
    def end(self) -> int:
        """Where to read on."""
        return self.offset + len(self.content)


def tail(path: Path, count: int) -> Page:
    """The last lines.

    A line that is still being printed is among them; read on from `next_offset` it comes again,
    whole.
    """
    return before(path, None, count)


def before(path: Path, end: int | None, count: int) -> Page:
    """The last lines before an offset; before the end of the log if it is None.

    If what is right before it is not kept, the last ones before the hole that is there: then
    `next_offset` is where that begins.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            end = size if end is None else _end_of_kept(file.fileno(), min(end, size))
            start = _start_of_last_lines(file, end, count)
            file.seek(start)
            content = file.read(end - start)
    except FileNotFoundError:
        return Page([], 0, 0)
    whole = content.rfind(b"\n") + 1 if end == size else len(content)
    return _page(content if count else b"", start, start + whole, size)


def page(path: Path, offset: int, *, complete: bool, count: int | None = None) -> Page:
    """Lines from an offset on.

    Parameters
    ----------
    complete
        Whether nothing more will be printed. Until then a last line without an end is left for the
        next page.
    count
        How many lines at most.
    """
    try:
        piece = read(path, offset, PAGE_BYTES)
    except FileNotFoundError:
        return Page([], offset, offset)
    content = piece.content
    cut = _end_of_lines(content, count) if count is not None else None
    if cut is not None:
        content = content[:cut]
    elif piece.end < piece.size or not complete:
        whole = content.rfind(b"\n") + 1
        # A single line that fills a page, or ends in a hole, is cut, or nothing would ever come.
        if whole or (piece.end == piece.size and len(content) < PAGE_BYTES):
            content = content[:whole]
    return _page(content, piece.offset, piece.offset + len(content), piece.size)


def read(path: Path, offset: int, limit: int) -> Piece:
    """Bytes from an offset on, or from the end of the hole that it is in.

    Raises
    ------
    FileNotFoundError
        If there is no log yet.
    """
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if offset >= size:
            return Piece(offset, b"", size)
        start, end = _kept(file.fileno(), offset, size)
        return Piece(start, os.pread(file.fileno(), min(limit, end - start), start), size)


def start_of_tail(path: Path, count: int) -> int:
    """Where the last lines begin, for who reads on from there; 0 if there is no log yet."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            most = max(PAGE_BYTES, min(count * _LINE_BYTES, _TAIL_BYTES))
            return _start_of_last_lines(file, size, count, most)
    except FileNotFoundError:
        return 0


def _page(content: bytes, offset: int, next_offset: int, size: int) -> Page:
    screen = Screen(offset, starts=True)
    several = screen.feed(content), screen.end()
    lines = [line for update in several for line in update.lines]
    return Page(lines, offset, next_offset, size, [at for one in several for at in one.starts])


def _kept(file: int, offset: int, size: int) -> tuple[int, int]:
    """The bytes that are kept, from an offset or the end of the hole there to the next hole.

    A hole need not begin or end where a block does; what it takes of one is zeros. Nothing from
    `size` on is looked at, although there may be more.
    """
    at = offset
    while True:
        try:
            start = os.lseek(file, at, os.SEEK_DATA)
            if start >= size:
                return size, size  # nothing but a hole up to there
            end = behind = min(os.lseek(file, start, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return size, size  # nothing but a hole up to the end
            return at, size  # holes are not known here
        if start > offset:
            block = os.pread(file, min(_BLOCK, end - start), start)
            start += len(block) - len(block.lstrip(b"\0"))
        if end < size:
            begin = max(start, end - _BLOCK)
            block = os.pread(file, end - begin, begin)
            end -= len(block) - len(block.rstrip(b"\0"))
        if start < end:
            return start, end
        at = behind


def _start_of_last_lines(file: BinaryIO, size: int, count: int, most: int = PAGE_BYTES) -> int:
    """Where the last `count` lines begin, or the last `most` bytes if they are longer."""
    position, wanted = size, count
    page = max(0, size - most)
    first = _last_kept(file.fileno(), page, size)
    while position > first:
        begin = max(first, position - _BLOCK)
        file.seek(begin)
        block = file.read(position - begin)
        if position == size and block.endswith(b"\n"):
            wanted += 1  # this one ends the last line and begins none
        end = len(block)
        while (end := block.rfind(b"\n", 0, end)) >= 0:
            wanted -= 1
            if wanted <= 0:
                return begin + end + 1
        position = begin
    if first == page and first:
        file.seek(first)
        return first + file.read(_BLOCK).find(b"\n") + 1
    return first


def _last_kept(file: int, first: int, size: int) -> int:
    """Where what is kept without a hole begins, of the bytes from `first` to the end."""
    start, end = _kept(file, first, size)
    while end < size:
        start, end = _kept(file, end, size)
    return start


def _end_of_kept(file: int, end: int) -> int:
    """An offset; if it is in a hole or at the end of one, where that begins."""
    if not end or _last_kept(file, max(0, end - _BLOCK), end) < end:
        return end
    kept = 0
    start, behind = _kept(file, 0, end)
    while start < end:
        kept = behind
        start, behind = _kept(file, behind, end)
    return kept


def _end_of_lines(content: bytes, count: int) -> int | None:
    """Where so many lines end; None if there are not so many."""
    at = 0
    for _ in range(count):
        at = content.find(b"\n", at) + 1
        if not at:
            return None
    return at
