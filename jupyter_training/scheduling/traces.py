"""What others have published of the jobs of a cluster: when each came, how long it took, its GPUs.

A *trace* is a table with a heading, as in the traces of Microsoft's Philly cluster (M. Jeon et al.,
"Analysis of Large-Scale Multi-Tenant GPU Clusters for DNN Training Workloads", 2019) and of the
simulators that use them. Which columns it has besides those is of no interest here.
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from statistics import fmean

_COLUMNS = {
    "when it came": ("submit_time", "submitted_at", "timestamp"),
    "how long it took": ("duration", "duration_s"),
    "its GPUs": ("num_gpus", "num_gpu", "gpu_count", "gpus"),
}

UNITS = {"s": 1.0, "ms": 0.001}
"""In which times may be written, and how many seconds that is."""

_LONG_S = 1e6
"""If jobs took longer than this many seconds on the average, 11 days, they are no seconds."""


class TraceError(ValueError):
    """A table that is no trace; its text says where and why."""


@dataclass(frozen=True)
class Traced:
    """One job of a trace.

    Attributes
    ----------
    at
        When it was submitted (s), in any clock.
    duration_s
        How long it ran without waiting (s).
    gpu_count
        How many GPUs it had, on all its nodes together.
    """

    at: float
    duration_s: float
    gpu_count: int


@dataclass(frozen=True)
class Trace:
    """The jobs of a trace, in the order in which they were submitted, and the unit of its times."""

    jobs: tuple[Traced, ...]
    unit: str


def read(lines: Iterable[str], unit: str | None = None) -> Trace:
    """Read a trace.

    Parameters
    ----------
    lines
        Of a file of comma-separated values with a heading.
    unit
        Of its numbers, see `UNITS`; None to take milliseconds if jobs would otherwise have taken
        more than 11 days on the average. When a job was submitted may also be a date and a time.

    Raises
    ------
    TraceError
        If a column is missing, or a value is none.
    """
    rows = csv.DictReader(lines)
    names = _columns(rows.fieldnames or ())
    told: list[tuple[float, float, int]] = []
    are_dates = False
    try:
        for row in rows:
            at, is_date = _time(row, names[0])
            are_dates |= is_date
            duration, gpus = _number(row, names[1]), _number(row, names[2])
            if gpus != int(gpus):
                raise TraceError(f"{names[2]} {row[names[2]]!r} is no whole number")
            told.append((at, duration, int(gpus)))
    except (TraceError, csv.Error) as error:
        raise TraceError(f"line {rows.line_num}: {error}") from None
    if not told:
        raise TraceError("there is no job in it")
    if unit is None:
        is_long = fmean(duration for _, duration, _ in told) > _LONG_S
        unit = "ms" if is_long and not are_dates else "s"
    scale = UNITS[unit]
    jobs = (
        Traced(at if are_dates else at * scale, duration * scale, gpus)
        for at, duration, gpus in told
    )
    return Trace(tuple(sorted(jobs, key=lambda job: job.at)), unit)


def _columns(heading: Sequence[str]) -> list[str]:
    """What the columns are called in this heading."""
    there = {name.strip().casefold(): name for name in heading}
    found = []
    for what, names in _COLUMNS.items():
        name = next((there[one] for one in names if one in there), None)
        if name is None:
            raise TraceError(f"no column says of a job {what}: {', '.join(names)}")
        found.append(name)
    return found


def _number(row: Mapping[str, str | None], name: str) -> float:
    try:
        number = float(row[name] or "")
    except ValueError:
        number = -1
    if number < 0 or not isfinite(number):
        raise TraceError(f"{name} {row[name]!r} is no number from 0")
    return number


def _time(row: Mapping[str, str | None], name: str) -> tuple[float, bool]:
    """A time, and whether it was a date."""
    try:
        return _number(row, name), False
    except TraceError:  # in this order, as eight digits are a date, too
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(row[name] or "").timestamp(), True
        raise
