"""What there is of an attempt's metrics: the index, and the points in their files.

A job may have put anything in the place of these files, so only regular ones are read, and what is
no index is passed over.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from jupyter_training.jobs.progress import Observation

DIRECTORY = "metrics"
INDEX = "index.json"
VERSION = 1
"""Of what an index says."""

POINT_BYTES = 24

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
    for generation in sorted(generations(directory), reverse=True):
        try:
            text = read_file(directory / str(generation) / INDEX)
            return _index(generation, json.loads(text))
        except _NO_INDEX:
            continue  # it has just been begun, or the machine died before it was on the disk
    return Index()


def latest(attempt: Path) -> dict[str, float]:
    """The last value of each metric of an attempt, by its directory."""
    return read_index(attempt / DIRECTORY).latest()


def read_points(directory: Path, number: int, series: Series) -> bytes:
    """All points of a series, one after the other, each a step, a time and a value.

    It may be less than there should be if the machine has died.
    """
    pieces = []
    for generation, size in series.segments:
        try:
            pieces.append(read_file(points_file(directory, generation, number), size))
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


def generations(directory: Path) -> list[int]:
    """The generations that there are."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return [int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 10]


def points_file(directory: Path, generation: int, number: int) -> Path:
    """The file of a series that a generation has."""
    return directory / str(generation) / f"{number}.f64"


def _index(generation: int, said: Any) -> Index:
    """An index as it was written.

    Raises
    ------
    ValueError, KeyError, TypeError, IndexError
        If it is none.
    """
    if said["version"] != VERSION:
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


def is_whole(directory: Path, index: Index) -> bool:
    """Whether the files have what the index says."""
    try:
        return all(
            os.stat(points_file(directory, generation, number), follow_symlinks=False).st_size
            >= size
            for number, one in enumerate(index.series)
            for generation, size in one.segments
        )
    except OSError:
        return False
