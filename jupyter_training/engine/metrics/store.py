"""The files in which the points of an attempt's metrics are.

Points are appended, and then an index is put in the place of the one before it. It names the
series, says how many bytes of their files count, and how far the sources were read. So the two
change at once: whenever a writer dies, the next one goes on from an index that is true, and reads
again what was not yet in it. What is in a file beyond what counts was never there.

Each writer has a *generation*, a directory of its own, and adds to no file of another one. A server
that was replaced and does not know it yet does no harm: readers look at the latest generation only,
and that has copied what counted of those before it. A writer that finds a later generation than its
own begins again from there.

Series have numbers and not their names in the names of files, as it is the job that names them.
"""

from __future__ import annotations

import json
import os
from array import array
from pathlib import Path
from typing import Any

from jupyter_training.engine.metrics.index import (
    INDEX,
    VERSION,
    Index,
    Series,
    Source,
    generations,
    is_whole,
    points_file,
    read_index,
)
from jupyter_training.points import Point, reach

MAX_SERIES = 500
"""So many series of an attempt, and no more, are kept."""

MAX_NAME = 200
"""A name is cut to so many characters."""


class Superseded(RuntimeError):
    """Another writer has begun after this one."""


class Writer:
    """Adds points. Nothing of them is there before `commit`.

    Parameters
    ----------
    directory
        Of the metrics; it is made when it is needed.
    afresh
        Begin with nothing, whatever is there.

    Attributes
    ----------
    index
        What is there; what is not about points is the caller's to change, and kept by a commit.
    """

    def __init__(self, directory: Path, *, afresh: bool = False) -> None:
        self._directory = directory
        self._before = max(generations(directory), default=0)
        self.index = Index() if afresh else read_index(directory)
        if not is_whole(directory, self.index):
            # The machine died before all of it was on the disk. The sources have it all.
            self.index = Index()
        self._own: int | None = None
        self._numbers = {(one.source, one.name): n for n, one in enumerate(self.index.series)}
        self._new: dict[int, array[float]] = {}
        self._left_out: dict[str, None] = {}

    @property
    def is_superseded(self) -> bool:
        """Whether another writer has begun after this one."""
        mine = self._before if self._own is None else self._own
        return (self._directory / str(mine + 1)).exists()

    @property
    def new(self) -> int:
        """How many points no commit has had yet."""
        return sum(len(points) for points in self._new.values()) // 3

    def add(self, source: Source, name: str, step: float | None, at: float, value: float) -> None:
        """Add a point.

        Parameters
        ----------
        step
            None for the one after that of the point before it.
        at
            When (s since 1970).
        """
        name = name[:MAX_NAME]
        number = self._numbers.get((source, name))
        if number is None:
            number = len(self.index.series)
            if number >= MAX_SERIES:
                self._leave_out(name)
                return
            self._numbers[source, name] = number
            self.index.series.append(Series(name, source, latest=(-1.0, at, value)))
        series = self.index.series[number]
        if step is None:
            step = series.latest[0] + 1
        series.latest = (step, at, value)
        points = self._new.get(number)
        if points is None:
            points = self._new[number] = array("d")
        points.extend(series.latest)

    def commit(self) -> None:
        """Put what was added on the disk, together with the index.

        Raises
        ------
        OSError
            If it cannot be written; then nothing is there that was not before, and it may be tried
            again.
        Superseded
            If another writer has begun.
        """
        if self._own is None:
            self._claim()
        elif self.is_superseded:
            raise Superseded
        assert self._own is not None
        sizes: dict[int, int] = {}
        for number, points in self._new.items():
            segments = self.index.series[number].segments
            offset = segments[-1][1] if segments and segments[-1][0] == self._own else 0
            sizes[number] = _write_at(
                points_file(self._directory, self._own, number), offset, points
            )
        if sizes:
            reach(Point.METRICS_WRITTEN)
        said = self._said(sizes)
        path = self._directory / str(self._own) / INDEX
        draft = path.with_name(INDEX + ".draft")
        draft.write_text(json.dumps(said))
        draft.replace(path)
        for number, size in sizes.items():
            segments = self.index.series[number].segments
            if segments and segments[-1][0] == self._own:
                segments.pop()
            segments.append((self._own, size))
        self.index.generation = self._own
        self.index.commits += 1
        self._new.clear()
        reach(Point.METRICS_COMMITTED)

    def _claim(self) -> None:
        """Begin a generation; of two that try only one does."""
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            (self._directory / str(self._before + 1)).mkdir(mode=0o700)
        except FileExistsError:
            raise Superseded from None
        self._own = self._before + 1
        self.index.commits = 0

    def _said(self, sizes: dict[int, int]) -> dict[str, Any]:
        series = []
        for number, one in enumerate(self.index.series):
            segments = list(one.segments)
            if number in sizes:
                if segments and segments[-1][0] == self._own:
                    segments.pop()
                segments.append((self._own or 0, sizes[number]))
            series.append([one.name, one.source.value, segments, one.latest])
        return {
            "version": VERSION,
            "commits": self.index.commits + 1,
            "series": series,
            "history": self.index.history,
            "notices": self.index.notices,
            "sources": self.index.sources,
        }

    def _leave_out(self, name: str) -> None:
        if name in self._left_out or len(self._left_out) >= _NAMED:
            return
        self._left_out[name] = None
        start = f"Only the first {MAX_SERIES} metrics are kept"
        others = ", ".join(self._left_out) + (", …" if len(self._left_out) == _NAMED else "")
        notices = [one for one in self.index.notices if not one.startswith(start)]
        self.index.notices = [*notices, f"{start}; not among them are: {others}."]


_NAMED = 5
"""So many of the names that are left out are told."""


def _write_at(path: Path, offset: int, points: array[float]) -> int:
    """Write points at an offset, over whatever was there.

    Returns
    -------
    int
        Where they end.
    """
    content = memoryview(_little_endian(points))
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while content:
            written = os.pwrite(file, content, offset)
            content, offset = content[written:], offset + written
    finally:
        os.close(file)
    return offset


def _little_endian(points: array[float]) -> bytes:
    if array("H", [1]).tobytes() == b"\1\0":
        return points.tobytes()
    swapped = array("d", points)
    swapped.byteswap()
    return swapped.tobytes()
