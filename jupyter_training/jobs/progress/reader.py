"""Read what a script prints, and know how far it is and what it measured."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from jupyter_training.jobs.progress.course import Counter, Course
from jupyter_training.jobs.progress.lines import line
from jupyter_training.jobs.progress.names import Kind, about, kind
from jupyter_training.jobs.progress.rule import ANYTHING, LINE_BYTES, NOTHING, Memory, Said
from jupyter_training.jobs.progress.rules import RULES
from jupyter_training.jobs.progress.values import pairs

NAMES = 200
"""So many metrics, and no more, are kept apart in one log."""

_VERSION = 2


def _any_of(texts: Collection[bytes]) -> bytes:
    """A pattern for any of some texts that looks at each place only once, unlike one with `|`."""
    if b"" in texts:
        return b""  # what goes on from here makes no difference
    after: dict[bytes, set[bytes]] = {}
    for text in texts:
        after.setdefault(text[:1], set()).add(text[1:])
    ways = [re.escape(first) + _any_of(rest) for first, rest in sorted(after.items())]
    return b"(?:" + b"|".join(ways) + b")"


_BAR_AND_MORE = re.compile(
    rb"%\|[^|]{0,1000}\|[^|\[\]]{0,60}\[[^\[\]]{0,400}\](?=[ ]{0,8}[A-Za-z0-9{(])"
)


def _apart(piece: bytes) -> tuple[bytes, ...]:
    """What was printed apart: a bar that goes on has no end of line, and others print behind it."""
    if b"%|" in piece and (found := _BAR_AND_MORE.search(piece)) is not None:
        return piece[: found.end()], piece[found.end() :]
    return (piece,) if piece else ()


_NUMBER_OR_HEADER = re.compile(rb"\d|[Ee]poch|[Ii]ter|/ +\||^ *E +#")
_NEEDED = re.compile(
    _any_of({n.encode() for it in RULES if it.needs is not ANYTHING for n in it.needs})
)


@dataclass(frozen=True)
class Point:
    """One value of a metric.

    Attributes
    ----------
    step
        Over all epochs, in what the script counts: batches, samples, rounds, or epochs where it
        says nothing finer.
    epoch
        As it was printed, so the first one may be 0; None if none was.
    name
        As it was printed, but see `jupyter_training.jobs.progress.names`.
    value
        May be NaN or infinite.
    at
        When it was read, as the caller said.
    """

    step: int
    epoch: float | None
    name: str
    value: float
    at: float


class LogReader:
    """Feed it what a script prints, from the first byte on, in any pieces.

    Only whole lines are read, where a carriage return ends a line too.

    Attributes
    ----------
    left_out
        Whether there were more than `NAMES` metrics, so that some are missing.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._offset = 0
        self._memory = Memory()
        self._course = Course()
        self._last: dict[str, tuple[int, float]] = {}
        self.left_out = False

    @property
    def offset(self) -> int:
        """How many bytes were fed."""
        return self._offset

    @property
    def progress(self) -> float | None:
        """From 0 to 100; None if that is not known, or not any more. See `Course.share`."""
        share = self._course.share
        return None if share is None else share * 100

    @property
    def percent(self) -> int | None:
        """The same in whole numbers, and at most 99: a hundred is for a job that has ended."""
        progress = self.progress
        return None if progress is None else min(int(progress + 1e-7), 99)

    def feed(self, chunk: bytes, at: float = 0.0) -> list[Point]:
        """Read on.

        Parameters
        ----------
        at
            The time that the points get.

        Returns
        -------
        list of Point
            In the order of the lines. A value that is printed again for the same step is not among
            them; another value for the same step is, and the last one is the right one.
        """
        points: list[Point] = []
        self._offset += len(chunk)
        *lines, rest = chunk.replace(b"\r", b"\n").split(b"\n")
        for piece in lines:
            if self._line:
                self._append(piece)
                piece = bytes(self._line)
                self._line.clear()
            for part in _apart(piece[:LINE_BYTES]):
                if self._is_worth_a_look(part):
                    self._read(part, at, points)
                else:
                    self._memory.transferring = False
        self._append(rest)
        return points

    def state(self) -> dict[str, Any]:
        """What to go on from after `offset`, as JSON can have it."""
        return {
            "version": _VERSION,
            "offset": self._offset,
            "line": self._line.decode("latin-1"),
            "memory": asdict(self._memory),
            "course": asdict(self._course),
            # JSON has no NaN.
            "last": {name: [step, repr(value)] for name, (step, value) in self._last.items()},
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> LogReader:
        """A reader that goes on at the `offset` of a state.

        Raises
        ------
        ValueError
            If it is no such state, or one of another version; then read the log from its start.
        """
        reader = cls()
        try:
            if state["version"] != _VERSION:
                raise ValueError(f"a state of version {state['version']}")
            reader._offset = int(state["offset"])
            reader._line = bytearray(state["line"].encode("latin-1"))
            reader._memory = Memory(**state["memory"])
            course = dict(state["course"])
            main = course.pop("main")
            reader._course = Course(**course, main=None if main is None else Counter(**main))
            reader._last = {
                name: (int(step), float(value)) for name, (step, value) in state["last"].items()
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the state of a log reader: {error}") from error
        return reader

    def _is_worth_a_look(self, piece: bytes) -> bool:
        # Most lines of a flood go no further than this.
        memory = self._memory
        if _NUMBER_OR_HEADER.search(piece) is None and not (memory.heard or memory.section):
            return False
        return bool(memory.columns or memory.section) or _NEEDED.search(piece.lower()) is not None

    def _append(self, piece: bytes) -> None:
        self._line += piece[: LINE_BYTES - len(self._line)]

    def _read(self, told: bytes, at: float, points: list[Point]) -> None:
        it = line(told)
        for rule in RULES:
            said = rule(it, self._memory)
            if said is not None:
                break
        else:
            self._memory.transferring = False
            return
        if said is NOTHING:
            return
        if self._course.is_aside(said):
            # What is counted together on the way is no result yet.
            said = replace(said, scope="eval", values=None if said.n == said.of else {})
        values = said.values
        if values is None:
            values = pairs(it.text)
            if said.scope:
                values = about(said.scope, dict(values))
        result = any(kind(name) is Kind.RESULT for name in values)
        step = self._course.hear(said, result=result, metrics=bool(values))
        self._memory.heard = self._memory.heard or said.counts
        for name, value in values.items():
            self._note(name, value, said, step, at, points)

    def _note(
        self, name: str, value: float, said: Said, step: int | None, at: float, points: list[Point]
    ) -> None:
        before = self._last.get(name)
        if before is None and len(self._last) >= NAMES:
            self.left_out = True
            return
        if said.n == 0 and before is not None and _same(before[1], value):
            return  # a bar that begins shows what the one before it has measured
        if step is None:
            # Nothing counts, so these are counted.
            step = 0 if before is None else before[0] + 1
        elif before is not None and before[0] == step and _same(before[1], value):
            return
        self._last[name] = step, value
        # A line about a validation may name an epoch that is not the present one.
        epoch = self._course.epoch if said.epoch is None else said.epoch
        points.append(Point(step, epoch, name, value, at))


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


class LogProgress:
    """How far a script has come, for who wants to know no more than that."""

    def __init__(self) -> None:
        self._reader = LogReader()

    @property
    def percent(self) -> int | None:
        """From 0 to 99; None if nothing was recognized. See `LogReader.percent`."""
        return self._reader.percent

    def feed(self, chunk: bytes) -> None:
        """Read on."""
        self._reader.feed(chunk)
