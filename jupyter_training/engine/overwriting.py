"""What a terminal would show of what was printed: lines that are written over, as bars are.

It knows what progress bars do (carriage return, backspace, erase, and moving up to an earlier line)
and keeps colours. Anything else that a terminal could be told is left out, and no byte is an error.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate

MAX_LINE = 1 << 20
"""A longer line is cut (characters): nothing would come of it otherwise."""

_ROWS = 64
"""So far up can a line be that is still written over."""

_COLUMNS = 2048
"""A longer line is not written over in parts, but replaced."""

_FAR = 1 << 16
"""A line that has been written over for so long (bytes) need not be read again from its start."""

_CONTROL = re.compile(
    r"\r|\x08"
    r"|\x1b\[(?P<numbers>[0-9;]{0,32})(?P<final>[A-LP-Zf-ln-~@`])"
    r"|\x1b\[[0-9;:<=>?!]{0,32}[ -/]{0,4}[@-~](?<!m)"
    r"|\x1b\][^\x07\x1b]{0,2048}(?:\x07|\x1b\\)"
    r"|\x1b[()][0-9A-Za-z]|\x1b[=>78cDEHMNOZ]"
)
"""All but what may stay in a line: text, tabs and colours."""

_ESCAPE = 2100
"""No escape sequence is longer, or it is none (characters)."""

_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;:<=>?!]{0,32}[ -/]{0,4}|\][^\x07\x1b]{0,2048}|[()])?\Z")
_NOT_COLOUR = re.compile(r"\x1b(?!\[[0-9;:]{0,32}m)")
_CELL = re.compile(r"(?:\x1b\[[0-9;:]{0,32}m)*[^\x1b]|\x1b\[[0-9;:]{0,32}m|\x1b")


@dataclass
class _Row:
    """A line as it is shown; in cells once it is written over."""

    start: int
    text: str = ""
    cells: list[str] | None = None

    def __str__(self) -> str:
        return self.text if self.cells is None else "".join(self.cells)

    def split(self) -> list[str]:
        """Its cells, which may be changed."""
        if self.cells is None:
            self.cells = _cells(self.text) if len(self.text) <= _COLUMNS else []
        return self.cells


@dataclass(frozen=True)
class Update:
    """How what is shown has changed.

    Attributes
    ----------
    replaces
        How many of the lines that were given before are to be taken back: they were written over.
    lines
        Lines that are finished, in their place.
    starts
        The byte at which each began; empty unless it was asked for.
    """

    lines: list[str] = field(default_factory=list)
    replaces: int = 0
    starts: list[int] = field(default_factory=list)


class Screen:
    """Feed it what was printed, in any pieces.

    Parameters
    ----------
    offset
        Of the first byte that it will be fed.
    starts
        Whether the byte is wanted at which each line began.
    """

    def __init__(self, offset: int = 0, *, starts: bool = False) -> None:
        self.at = self.resume = self._line = offset
        self.starts = starts
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._finished: deque[_Row] = deque(maxlen=_ROWS)
        self._rows = [_Row(offset)]
        self._row = 0
        self._column: int | None = None  # where the next character goes; None for the end

    @property
    def partial(self) -> list[str]:
        """The lines that may still change: usually one, and none behind a newline."""
        told = [str(row) for row in self._rows]
        if told[-1] == "":
            told.pop()
        return told

    @property
    def partial_starts(self) -> list[int]:
        """The byte at which each of those began."""
        return [row.start for row in self._rows][: len(self.partial)] if self.starts else []

    def feed(self, data: bytes) -> Update:
        """Go on.

        After it, `at` is the offset behind what was fed, and `resume` one from which another screen
        can go on without losing a line: that of the last line that is not finished.
        """
        begin, self.at = self.at, self.at + len(data)
        text = self._held + self._decoder.decode(data)
        self._held = ""
        escape = text.rfind("\x1b", max(0, len(text) - _ESCAPE))
        if escape >= 0 and _UNFINISHED.match(text, escape) is not None:
            self._held, text = text[escape:], text[:escape]
        newline, cr = data.rfind(b"\n"), data.rfind(b"\r")
        if newline >= 0:
            self.resume = self._line = begin + newline + 1
        elif cr >= 0 and begin + cr - self._line > _FAR:
            self.resume = begin + cr
        pieces = text.split("\n")
        ends = self._ends(data, begin, len(pieces) - 1)
        simple = len(self._rows) == 1 and self._column is None and self._rows[0].cells is None
        if simple and not _overwrites(text):
            update = self._append(pieces, ends)
        else:
            update = self._write(pieces, ends)
        if len(self._rows[-1].text) > MAX_LINE:
            long = self.end()
            return Update(update.lines + long.lines, update.replaces, update.starts + long.starts)
        return update

    def end(self) -> Update:
        """Nothing more belongs to these lines: what is partial is finished."""
        self._put(self._decoder.decode(b"", final=True))
        rows = self._rows[: len(self.partial)]
        self._rows, self._row, self._column = [_Row(self.at)], 0, None
        self._finished.extend(rows)
        self.resume = self._line = self.at
        return self._update(rows, 0)

    def _ends(self, data: bytes, begin: int, count: int) -> list[int]:
        """The offsets behind the newlines, if anybody wants to know."""
        if not self.starts:
            return [self._line] * count
        lengths = (len(line) + 1 for line in data.split(b"\n"))
        return [begin + end for end in accumulate(lengths)][:count]

    def _append(self, pieces: list[str], ends: list[int]) -> Update:
        """The usual: nothing is written over."""
        row = self._rows[0]
        if len(pieces) == 1:
            row.text += pieces[0]
            return Update()
        self._rows = [_Row(ends[-1], pieces.pop())]
        pieces[0] = row.text + pieces[0]
        starts = [row.start, *ends[:-1]]
        last = zip(starts[-_ROWS:], pieces[-_ROWS:], strict=True)
        self._finished.extend(_Row(start, line) for start, line in last)
        return Update(pieces, 0, starts if self.starts else [])

    def _write(self, pieces: list[str], ends: list[int]) -> Update:
        back = 0
        for number, piece in enumerate(pieces):
            if number:
                self._newline(ends[number - 1])
            at = 0
            for control in _CONTROL.finditer(piece):
                self._put(piece[at : control.start()])
                back += self._obey(control)
                at = control.end()
            self._put(piece[at:])
        rows, self._rows = self._rows[: self._row], self._rows[self._row :]
        self._row = 0
        self._finished.extend(rows)
        if len(self._rows) == 1 and self._column is None and self._rows[0].cells is not None:
            row = self._rows[0]
            row.text, row.cells = str(row), None
        return self._update(rows, back)

    def _update(self, rows: list[_Row], back: int) -> Update:
        starts = [row.start for row in rows] if self.starts else []
        return Update([str(row) for row in rows], back, starts)

    def _newline(self, offset: int) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append(_Row(offset))
        self._to(0)

    def _to(self, column: int) -> None:
        row = self._rows[self._row]
        self._column = None if column == 0 and not row.text and not row.cells else column

    def _put(self, text: str) -> None:
        if not text:
            return
        row = self._rows[self._row]
        if self._column is None and row.cells is None:
            row.text += text
            return
        cells, new = row.split(), _cells(text)
        row.text = ""
        at = len(cells) if self._column is None else self._column
        if at > len(cells):
            cells += " " * (at - len(cells))
        cells[at : at + len(new)] = new
        at += len(new)
        self._column = None if at >= len(cells) else at

    def _obey(self, control: re.Match[str]) -> int:
        """Do what is asked for; how many finished lines it took back."""
        if control[0] == "\r":
            self._to(0)
            return 0
        row = self._rows[self._row]
        final, numbers = control["final"], control["numbers"] or ""
        first = numbers.split(";")[0]
        count = min(int(first or 0), _COLUMNS)
        if control[0] == "\b" or final == "D":
            self._column = max(0, self._where(row) - max(count, 1))
        elif final == "C":
            self._column = min(self._where(row) + max(count, 1), _COLUMNS)
        elif final == "G":
            self._column = max(count, 1) - 1
        elif final == "K":
            self._erase(row, count)
        elif final in ("A", "F"):
            return self._up(max(count, 1), keeps_column=final == "A")
        elif final in ("B", "E"):
            self._row = min(self._row + max(count, 1), len(self._rows) - 1)
            self._to(0 if final == "E" else self._where(row))
        elif final == "J" and count == 0:
            self._erase(row, 0)
            del self._rows[self._row + 1 :]
        return 0

    def _where(self, row: _Row) -> int:
        return len(row.split()) if self._column is None else self._column

    def _erase(self, row: _Row, how: int) -> None:
        cells, at = row.split(), self._where(row)
        row.text = ""
        if how == 0:
            del cells[at:]
        elif how == 1:
            cells[: at + 1] = " " * min(at + 1, len(cells))
        elif how == 2:
            cells.clear()
        self._column = None if at == len(cells) else at

    def _up(self, count: int, *, keeps_column: bool) -> int:
        column = self._where(self._rows[self._row]) if keeps_column else 0
        back = 0
        while count > self._row and self._finished and len(self._rows) < 2 * _ROWS:
            self._rows.insert(0, self._finished.pop())
            self._row += 1
            back += 1
        self._row = max(0, self._row - count)
        self._column = column
        return back


def lines(content: bytes) -> list[str]:
    """The lines of something that is complete."""
    screen = Screen()
    return screen.feed(content).lines + screen.end().lines


def is_plain(content: bytes) -> bool:
    """Whether it takes no time to show this: nothing in it is for a terminal."""
    return b"\r" not in content and b"\b" not in content and b"\x1b" not in content


def _overwrites(text: str) -> bool:
    """Whether there is anything but text and colours in it; usually it takes no time to see."""
    if "\r" in text or "\b" in text:
        return True
    return "\x1b" in text and _NOT_COLOUR.search(text) is not None


def _cells(text: str) -> list[str]:
    return list(text) if "\x1b" not in text else _CELL.findall(text)
