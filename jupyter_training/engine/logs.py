"""Read a job's log: its last lines, or on from an offset, a bounded piece at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PAGE_BYTES = 1 << 20
"""The most that one answer is made of; the next one goes on where it ended."""

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
        Where it begins, and where to read on, in bytes from the start of the log.
    """

    lines: list[str]
    offset: int
    next_offset: int


def tail(path: Path, count: int) -> Page:
    """The last lines.

    A line that is still being printed is among them; read on from `next_offset` it comes again,
    whole.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = _start_of_last_lines(file, size, count)
            file.seek(start)
            content = file.read(size - start)
    except FileNotFoundError:
        return Page([], 0, 0)
    whole = content.rfind(b"\n") + 1
    return Page(_lines(content) if count else [], start, start + whole)


def page(path: Path, offset: int, *, complete: bool) -> Page:
    """Lines from an offset on.

    Parameters
    ----------
    complete
        Whether nothing more will be printed. Until then a last line without an end is left for the
        next page.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read(PAGE_BYTES)
    except FileNotFoundError:
        return Page([], offset, offset)
    if not complete or len(content) == PAGE_BYTES:
        whole = content.rfind(b"\n") + 1
        # A single line that fills a page is cut, or nothing would ever come of it.
        if whole or len(content) < PAGE_BYTES:
            content = content[:whole]
    return Page(_lines(content), offset, offset + len(content))


def _start_of_last_lines(file: BinaryIO, size: int, count: int) -> int:
    """Where the last `count` lines begin, or the last page if they are longer."""
    position, wanted = size, count
    first = max(0, size - PAGE_BYTES)
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
    if first:
        file.seek(first)
        return first + file.read(_BLOCK).find(b"\n") + 1
    return 0


def _lines(content: bytes) -> list[str]:
    lines = content.decode("utf-8", "replace").split("\n")
    if lines[-1] == "":
        lines.pop()
    return [_shown(line) for line in lines]


def _shown(line: str) -> str:
    if "\r" not in line:
        return line
    return next((part for part in reversed(line.split("\r")) if part), "")
