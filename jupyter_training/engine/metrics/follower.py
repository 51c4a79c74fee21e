"""Follow what one attempt reports and prints: its progress and its metrics."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jupyter_training.engine.log_times import bursts
from jupyter_training.engine.metrics.index import DIRECTORY, Source
from jupyter_training.engine.metrics.sources import Tail, told
from jupyter_training.engine.metrics.store import Superseded, Writer
from jupyter_training.engine.workspace import METRICS
from jupyter_training.executors.records import LOG
from jupyter_training.jobs.progress import NAMES, LogReader, observed

_log = logging.getLogger(__name__)

READ_S = 0.25
"""How long one read of a log may take (s); what is left comes with the next one."""

DRAIN_S = 10.0
"""How long the last read of a log may take (s)."""

_BEHIND_BYTES = 64 << 20
"""If a log is read so much slower than it grows, what is in between is passed over."""

_END_BYTES = 2 << 20
"""So much of the end of a log is read in any case: bars and epoch lines are near it."""

_COMMIT_BYTES = 16 << 20
"""After so much of a log without a metric it is written down how far it was read."""

_COMMIT_POINTS = 200_000
"""So many points are written before more are read, as after a long time without a server."""

_LEAST_MOVE = 0.1
"""How far progress has to move to be observed (%)."""

_TRIES = 5
"""How often the last read begins again because another server has written in the meantime."""


@dataclass(frozen=True)
class Look:
    """What a read has found.

    Attributes
    ----------
    percent
        How far the attempt is, from 0 to 99; None if nothing told.
    moved
        Whether there are new points.
    """

    percent: int | None
    moved: bool


class Follower:
    """Reads the metrics file and the log of an attempt, and keeps the points that are in them.

    All of it blocks on files, so it is called in threads; two at a time wait for each other.

    Parameters
    ----------
    directory
        Of the attempt.
    clock
        Tells the time (s since 1970) that a point from a log gets if it was not written down when
        that was printed.
    log
        The name of its log; of a distributed job that of its first rank.
    """

    def __init__(
        self, directory: Path, clock: Callable[[], float] = time.time, *, log: str = LOG
    ) -> None:
        self._directory, self._log, self._clock = directory, log, clock
        self._lock = threading.Lock()
        self._begun = self._is_stuck = self._moved = False

    def read(self) -> Look:
        """Read on, not for long."""
        return self._read(READ_S, complete=False)

    def drain(self) -> Look:
        """Read to the end, when no process is left that could write more."""
        look = self._read(DRAIN_S, complete=True)
        for _ in range(_TRIES):
            if self._begun:
                break
            look = self._read(DRAIN_S, complete=True)
        return look

    def _read(self, budget_s: float, *, complete: bool) -> Look:
        with self._lock:
            if not self._begun or self._writer.is_superseded:
                # Another server has gone on with these, and may have ended since.
                self._begin()
            # What was read and cannot be written is not to become ever more.
            if self._is_stuck and not self._commit() and not complete:
                return Look(self._percent(), moved=False)
            self._moved = False
            self._take_in_reported(complete=complete)
            self._take_in_printed(budget_s, complete=complete)
            if self._writer.new or self._state() != self._committed:
                self._commit()
            return Look(self._percent(), self._moved)

    def _begin(self) -> None:
        """Go on from what is written down."""
        place = self._directory / DIRECTORY
        self._writer = Writer(place)
        try:
            sources = self._writer.index.sources
            self._log_reader = LogReader.restored(sources["log"])
            offsets = int(sources["reported_offset"]), int(sources["printed_offset"])
            told_so = sources["progress"]
            self._progress = None if told_so is None else float(told_so)
        except (KeyError, TypeError, ValueError):
            self._writer = Writer(place, afresh=True)
            self._log_reader, offsets, self._progress = LogReader(), (0, 0), None
        self._reported = Tail(self._directory / METRICS, offsets[0])
        self._printed = Tail(self._directory / self._log, offsets[1])
        self._is_stuck, self._begun = False, True
        self._committed = self._state()

    def _take_in_reported(self, *, complete: bool) -> None:
        for piece in self._reported.lines(complete=complete):
            now = self._clock()
            for line in piece.split("\n"):
                said = told(line) if line else None
                if said is None:
                    continue
                at = now if said.at is None else said.at
                if said.progress is not None:
                    self._note_reported(said.progress * 100, min(at, now))
                for name, value in said.values.items():
                    self._writer.add(Source.REPORTED, name, said.step, at, value)
            if self._writer.new >= _COMMIT_POINTS and not self._commit():
                return

    def _take_in_printed(self, budget_s: float, *, complete: bool) -> None:
        if not complete and self._printed.behind() > _BEHIND_BYTES:
            self._pass_over()
        self._feed_pieces(time.monotonic() + budget_s)
        if complete:
            self._pass_over()
            self._feed_pieces(math.inf)
            self._feed(b"\n", self._clock())  # a last line needs no end

    def _feed_pieces(self, deadline: float) -> None:
        tail = self._printed
        for piece in tail.pieces():
            start, now = tail.offset, self._clock()
            tail.offset += len(piece)
            fed, at = 0, now
            for offset, moment in bursts(self._directory / self._log, start, tail.offset):
                if offset > start:
                    self._feed(piece[fed : offset - start], at)
                    fed = offset - start
                at = min(moment, now)
            self._feed(piece[fed:], at)
            if time.monotonic() > deadline:
                return

    def _feed(self, piece: bytes, at: float) -> None:
        """Read what was printed at a moment."""
        for point in self._log_reader.feed(piece, at):
            self._writer.add(Source.PRINTED, point.name, point.step, point.at, point.value)
        # From when it was printed the remaining time is estimated, not from when it was read.
        self._observe(at)
        if self._log_reader.left_out:
            self._notice(_TOO_MANY_NAMES)

    def _pass_over(self) -> None:
        """Leave out what is too much, up to the last lines."""
        left_out = self._printed.behind() - _END_BYTES
        if left_out <= 0:
            return
        self._printed.offset += left_out
        self._feed(
            b"\n", self._clock()
        )  # the line that was begun is not to be mixed with another one
        self._notice(_PASSED_OVER)

    def _notice(self, notice: str) -> None:
        notices = self._writer.index.notices
        if notice not in notices:
            notices.append(notice)

    def _note_reported(self, progress: float, at: float) -> None:
        before, self._progress = self._progress, progress
        history = self._writer.index.history
        # A loop that reports at each of a million steps need not be observed that often.
        if before is None:
            self._writer.index.history = [(at, progress)]
        elif not history or abs(progress - history[-1][1]) >= _LEAST_MOVE:
            self._writer.index.history = observed(history, at, progress)

    def _observe(self, at: float) -> None:
        if self._progress is not None:
            return
        history, progress = self._writer.index.history, self._log_reader.progress
        if history and progress is not None and history[-1][1] <= progress < history[-1][1] + 1e-9:
            return  # it has not moved
        self._writer.index.history = observed(history, at, progress)

    def _reached(self) -> float | None:
        """How far it is, from 0 to 100; what it reports counts more than what it prints."""
        return self._log_reader.progress if self._progress is None else self._progress

    def _percent(self) -> int | None:
        reached = self._reached()
        return None if reached is None else min(int(reached + 1e-7), 99)

    def _state(self) -> tuple[object, ...]:
        """What is worth to be written down when it has changed."""
        index = self._writer.index
        return (
            self._progress,
            tuple(index.history[-1:]),
            tuple(index.notices),
            self._reported.offset,
            self._printed.offset // _COMMIT_BYTES,
        )

    def _commit(self) -> bool:
        """Write down what was found; False if that cannot be done now."""
        writer = self._writer
        new = writer.new
        writer.index.sources = {
            "progress": self._progress,
            "reported_offset": self._reported.offset,
            "printed_offset": self._printed.offset,
            "log": self._log_reader.state(),
        }
        try:
            writer.commit()
        except Superseded:
            self._begun = False  # the next read goes on where the other one is
            return False
        except OSError as error:
            if not self._is_stuck:
                _log.error("The metrics in %s cannot be written: %s", self._directory, error)
            self._is_stuck = True
            return False
        self._is_stuck, self._committed = False, self._state()
        self._moved = self._moved or new > 0
        return True


_TOO_MANY_NAMES = (
    f"The log has more than {NAMES} metrics by their names; only the first ones are kept."
)
_PASSED_OVER = (
    "The log grew faster than it could be read, so metrics that were printed may be missing. "
    "Those that are reported with report() are not."
)
