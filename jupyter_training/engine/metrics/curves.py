"""Read the points of metrics: as curves of a bounded number of points, or all of them.

A curve of many points is thinned out by M4: of each part of it the first, the last, the lowest and
the highest point stay, so that it looks the same, and no peak is lost (U. Jugel, Z. Jerzak, G.
Hackenbroich and V. Markl, "M4: a visualization-oriented time series data aggregation", 2014).
NaN has no place in that order, so the first NaN of each part stays as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from tsdownsample import M4Downsampler

from jupyter_training.engine.metrics.index import DIRECTORY, Index, Series, Source, read_points

LEAST_POINTS = 10
"""Fewer points are no curve."""

ALL_POINTS = 200_000
"""So many points at most are in one answer; each of very many curves has fewer then."""

_CSV_POINTS = 20_000

_LAST_TIME = 2.5e11
"""Years after this have more than four digits (s since 1970)."""

Array: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """The points of one metric.

    Attributes
    ----------
    points
        How many there are; the arrays may have fewer.
    steps, times, values
        Times in seconds since 1970.
    """

    name: str
    source: Source
    points: int
    steps: Array
    times: Array
    values: Array


@dataclass(frozen=True)
class Curves:
    """The metrics of an attempt.

    Attributes
    ----------
    names
        Of all there are, in the order in which they came.
    notices
        What is missing, in sentences.
    """

    names: list[str]
    curves: list[Curve]
    notices: list[str]


def curves(attempt: Path, index: Index, names: Sequence[str] | None, max_points: int) -> Curves:
    """Curves of an attempt's metrics.

    Parameters
    ----------
    attempt
        Its directory.
    index
        What there is.
    names
        Which ones, in this order; those that are not there are left out. None for all.
    max_points
        How many points of each, at least `LEAST_POINTS`.
    """
    place = attempt / DIRECTORY
    wanted = _wanted(index, names)
    most = max(min(max_points, ALL_POINTS // max(len(wanted), 1)), LEAST_POINTS)
    found = []
    for number, series in wanted:
        points = _points(place, number, series)
        chosen = points[chosen_points(points[:, 2], most)]
        found.append(Curve(series.name, series.source, len(points), *chosen.T))
    return Curves([one.name for one in index.shown()], found, index.notices)


def csv(attempt: Path, index: Index, names: Sequence[str] | None) -> Iterator[bytes]:
    """All points of an attempt's metrics as lines of CSV, some at a time.

    The columns are the metric, where it comes from, the step, the time in UTC and the value.
    """
    place = attempt / DIRECTORY
    yield b"metric,source,step,time,value\r\n"
    for number, series in _wanted(index, names):
        points = _points(place, number, series)
        head = f"{_quoted(series.name)},{series.source.value},"
        for start in range(0, len(points), _CSV_POINTS):
            part = points[start : start + _CSV_POINTS]
            rows = zip(_numbers(part[:, 0]), _times(part[:, 1]), _numbers(part[:, 2]), strict=True)
            text = "".join(f"{head}{step},{at},{value}\r\n" for step, at, value in rows)
            yield text.encode("utf-8", "replace")


def chosen_points(values: Array, most: int) -> npt.NDArray[np.intp]:
    """Which points of a curve stay if it may not have more than so many."""
    count = len(values)
    if count <= most:
        return np.arange(count)
    missing = np.isnan(values)
    if not missing.any():
        return _m4(values, most)
    # Of each part four points, and a fifth that is NaN.
    parts = (most - 1) // 5
    present = np.flatnonzero(~missing)
    kept = present if len(present) <= 4 * parts else present[_m4(values[present], 4 * parts + 1)]
    nans = np.flatnonzero(missing)
    part_of_nan = nans * parts // count
    first = np.flatnonzero(np.diff(part_of_nan, prepend=-1))
    return np.union1d(kept, nans[first])


def _m4(values: Array, most: int) -> npt.NDArray[np.intp]:
    downsampler: Any = M4Downsampler  # without types
    chosen = downsampler().downsample(np.ascontiguousarray(values), n_out=(most - 1) // 4 * 4)
    # It may miss the very last point, where rounding has put that behind the last part. And in a
    # part of equal values one point is several of the four.
    return np.union1d(chosen.astype(np.intp), [len(values) - 1])


def _wanted(index: Index, names: Sequence[str] | None) -> list[tuple[int, Series]]:
    numbers = {id(one): number for number, one in enumerate(index.series)}
    by_name = {one.name: (numbers[id(one)], one) for one in index.shown() if one.segments}
    if names is None:
        return list(by_name.values())
    return [by_name[name] for name in dict.fromkeys(names) if name in by_name]


def _points(place: Path, number: int, series: Series) -> Array:
    """All points of a series, a row for each."""
    content = read_points(place, number, series)
    points = np.frombuffer(content, dtype="<f8").reshape(-1, 3).astype(np.float64, copy=False)
    if series.source is Source.PRINTED and len(points):
        # What is printed again for a step, as the loss so far of an epoch, replaces what was there.
        last_of_step = np.append(points[1:, 0] != points[:-1, 0], True)
        points = points[last_of_step]
    return points


def _quoted(name: str) -> str:
    if any(character in name for character in ',"\r\n'):
        return '"' + name.replace('"', '""') + '"'
    return name


def _numbers(values: Array) -> list[str]:
    """Numbers as spreadsheets and pandas read them: NaN, inf, and whole ones without a point."""
    return [text[:-2] if (text := repr(one)).endswith(".0") else text for one in values.tolist()]


def _times(seconds: Array) -> list[str]:
    known = np.isfinite(seconds) & (np.abs(seconds) < _LAST_TIME)
    moments = np.where(known, seconds * 1000, 0).round().astype("datetime64[ms]")
    texts: list[str] = np.datetime_as_string(moments, unit="ms", timezone="UTC").tolist()
    return [text if is_known else "" for text, is_known in zip(texts, known.tolist(), strict=True)]
