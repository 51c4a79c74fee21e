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
import stat
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from jupyter_training.jobs.progress import Observation
from jupyter_training.points import Point, reach

DIRECTORY = "metrics"

MAX_SERIES = 500
"""So many series of an attempt, and no more, are kept."""

MAX_NAME = 200
"""A name is cut to so many characters."""

POINT_BYTES = 24

_INDEX = "index.json"
_NO_INDEX = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)
_VERSION = 1


class Source(str, Enum):
    """Where points come from."""

    REPORTED = "reported"
    """The script called `report`."""
    PRINTED = "printed"
    """They were read from its log."""


@dataclass
class Series:
    """The points of one metric from one source.

    Attributes
    ----------
    segments
        The generations whose files have some of the points, in order, and how many bytes of each
        count.
    latest
        Step, time (s since 1970) and value of the last point.
    """

    name: str
    source: Source
    segments: list[tuple[int, int]] = field(default_factory=list)
    latest: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def count(self) -> int:
        """How many points there are."""
        return sum(size for _, size in self.segments) // POINT_BYTES


@dataclass
class Index:
    """What there is.

    Attributes
    ----------
    generation, commits
        Whose index it is, and the how manieth; 0 and 0 while there is none.
    history
        When the progress has moved, and how far it was.
    notices
        What is missing, in sentences.
    sources
        How far the sources were read; for the follower.
    """

    generation: int = 0
    commits: int = 0
    series: list[Series] = field(default_factory=list)
    history: list[Observation] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    sources: dict[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """What stands for the points that there are."""
        return f"{self.generation}.{self.commits}"

    def shown(self) -> list[Series]:
        """One series for each name: what a script reports is not also taken from its log."""
        reported = {one.name for one in self.series if one.source is Source.REPORTED}
        return [
            one for one in self.series if one.source is Source.REPORTED or one.name not in reported
        ]

    def latest(self) -> dict[str, float]:
        """The last value of each metric."""
        return {one.name: one.latest[2] for one in self.shown()}


def read_index(directory: Path) -> Index:
    """The index of an attempt's metrics; an empty one if there is none.

    Parameters
    ----------
    directory
        Of the metrics.
    """
    for generation in sorted(_generations(directory), reverse=True):
        try:
            text = read_file(directory / str(generation) / _INDEX)
            return _index(generation, json.loads(text))
        except _NO_INDEX:
            continue  # it has just been begun, or the machine died before it was on the disk
    return Index()


def read_points(directory: Path, number: int, series: Series) -> bytes:
    """All points of a series, one after the other, each a step, a time and a value.

    It may be less than there should be if the machine has died.
    """
    pieces = []
    for generation, size in series.segments:
        try:
            pieces.append(read_file(_file(directory, generation, number), size))
        except OSError:
            continue
    return b"".join(piece[: len(piece) - len(piece) % POINT_BYTES] for piece in pieces)


def read_file(path: Path, size: int | None = None) -> bytes:
    """The content of a file, or its first bytes, if it is one: a job may have put anything there.

    Raises
    ------
    OSError
        If it is none.
    """
    file = open_regular(path)
    try:
        there = os.fstat(file).st_size
        left = there if size is None else min(size, there)
        pieces = []
        while left > 0 and (piece := os.read(file, left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(file)


def open_regular(path: Path) -> int:
    """Open a file to read it, but no link, pipe or device.

    Raises
    ------
    OSError
        If it is none of these, or not there.
    """
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(f"{path} is not a regular file")
    return file


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
        self._before = max(_generations(directory), default=0)
        self.index = Index() if afresh else read_index(directory)
        if not _is_whole(directory, self.index):
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
    def has_new(self) -> bool:
        """Whether there are points that no commit has had yet."""
        return bool(self._new)

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
            sizes[number] = _write_at(_file(self._directory, self._own, number), offset, points)
        if sizes:
            reach(Point.METRICS_WRITTEN)
        said = self._said(sizes)
        path = self._directory / str(self._own) / _INDEX
        draft = path.with_name(_INDEX + ".draft")
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
            "version": _VERSION,
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


def _generations(directory: Path) -> list[int]:
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return [int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 10]


def _file(directory: Path, generation: int, number: int) -> Path:
    return directory / str(generation) / f"{number}.f64"


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


def _index(generation: int, said: Any) -> Index:
    """An index as it was written.

    Raises
    ------
    ValueError, KeyError, TypeError, IndexError
        If it is none.
    """
    if said["version"] != _VERSION:
        raise ValueError(f"an index of version {said['version']}")
    return Index(
        generation,
        int(said["commits"]),
        [_series(*one) for one in said["series"]],
        [(float(at), float(progress)) for at, progress in said["history"]],
        [str(one) for one in said["notices"]],
        dict(said["sources"]),
    )


def _series(
    name: str, source: str, segments: Sequence[Sequence[int]], latest: Sequence[float]
) -> Series:
    step, at, value = latest
    counts = [(int(generation), int(size)) for generation, size in segments]
    return Series(str(name), Source(source), counts, (float(step), float(at), float(value)))


def _is_whole(directory: Path, index: Index) -> bool:
    """Whether the files have what the index says."""
    try:
        return all(
            os.stat(_file(directory, generation, number), follow_symlinks=False).st_size >= size
            for number, one in enumerate(index.series)
            for generation, size in one.segments
        )
    except OSError:
        return False
