"""What a person can ask about the use of the machine: series of an attempt, and GPU-hours.

A long series is thinned out by min-max: it is cut into parts, and of each the lowest and the
highest value stay, so that no peak is lost (the first step of J. Van Der Donckt et al.,
"MinMaxLTTB", 2023). All series of an attempt keep the same moments, so that they can be drawn above
each other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_training.engine import usage_files
from jupyter_training.engine.engine import Engine
from jupyter_training.engine.finding import attempt_of, job_of
from jupyter_training.jobs.holding import Holding, Hours, hours_by
from jupyter_training.jobs.usage import GpuSample, Sample, Totals, is_gap
from jupyter_training.store import usage
from jupyter_training.store.records import Job
from jupyter_training.store.usage import Metered

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_POINTS = 10
"""Fewer points are no curve."""


class By(str, Enum):
    """What hours are summed up by."""

    JOB = "job"
    USER = "user"
    CUSTOMER = "customer"


@dataclass(frozen=True)
class Point:
    """A moment in the life of an attempt, or a time at which nobody looked.

    Attributes
    ----------
    at
        When (s since the epoch).
    cpu_cores
        How many were used on average since the point before.
    """

    at: float
    cpu_cores: float | None
    memory_bytes: int | None
    gpus: tuple[GpuSample, ...]


@dataclass(frozen=True)
class Series:
    """What an attempt used over time.

    Attributes
    ----------
    points
        Oldest first. Where nobody looked for a while there is one without values.
    samples
        How many there are of which these were chosen.
    totals
        Peaks and sums over all of them.
    peak_cpu_cores
        The most CPU cores at once.
    """

    job: Job
    attempt: Metered
    points: list[Point]
    samples: int
    totals: Totals
    peak_cpu_cores: float | None


@dataclass(frozen=True)
class Group:
    """What the hours of a sum have in common; None where they differ.

    Attributes
    ----------
    job_id, job_uuid, job_name
        A job. A deleted one has no name.
    """

    customer_id: int
    username: str
    job_id: int | None = None
    job_uuid: str | None = None
    job_name: str | None = None


@dataclass(frozen=True)
class Account:
    """Who has held how much within a time."""

    since: datetime
    until: datetime
    by: By
    hours: dict[Group, Hours]


class Usage:
    """The questions about the use of the machine."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._workspace = engine, engine.workspace

    async def series(
        self, user: str, reference: str, attempt: int | None, max_points: int
    ) -> Series:
        """What an attempt of a job used over time, by default the latest.

        Raises
        ------
        NoSuchJob
            If there is no such job or attempt.
        """
        job = await job_of(self._engine, user, reference)
        number = attempt_of(job, attempt)
        found = await self._engine.read(lambda c: usage.metered(c, job.id, number))
        directory = self._workspace.attempt(job.job_id, number)
        return await asyncio.to_thread(_series, job, found, directory, max_points)

    async def account(self, user: str, since: datetime, until: datetime, by: By) -> Account:
        """Who has held how much; by job it is this user's jobs, otherwise everybody's sums.

        Everybody sees who holds what at the moment anyway, see `TrainingService.holdings`; what
        others call their jobs is theirs.
        """
        whose = user if by is By.JOB else None
        found = await self._engine.read(lambda c: usage.holdings(c, since, until, username=whose))
        now = datetime.now(timezone.utc)
        key = _job_of if by is By.JOB else _customer_of
        return Account(since, until, by, hours_by(found, key, since=since, until=until, now=now))


def _job_of(it: Holding) -> Group:
    return Group(it.customer_id, it.username, it.job_id, it.job_uuid, it.job_name)


def _customer_of(it: Holding) -> Group:
    return Group(it.customer_id, it.username)


def _series(job: Job, attempt: Metered, directory: Path, max_points: int) -> Series:
    started = attempt.started_at.timestamp() if attempt.started_at is not None else 0.0
    points, totals = points_of(usage_files.samples(directory), started)
    # The end knows more than the samples, and is only in the record.
    record = attempt.totals
    if attempt.ended_at is not None and record != Totals():
        totals = record
    cores = [point.cpu_cores for point in points if point.cpu_cores is not None]
    samples = sum(1 for point in points if not _is_empty(point))
    chosen = thinned(points, max_points)
    return Series(job, attempt, chosen, samples, totals, max(cores, default=None))


def points_of(samples: Any, started_at: float) -> tuple[list[Point], Totals]:
    """Samples as points, with one without values wherever nobody looked for a while.

    Parameters
    ----------
    samples
        Oldest first.
    started_at
        When the attempt began (s since the epoch).
    """
    points: list[Point] = []
    totals = Totals()
    before_at, before_cpu_s = started_at, 0.0
    one: Sample
    for one in samples:
        if one.at <= before_at:
            continue
        totals = totals.with_sample(one)
        past_s = one.at - before_at
        if points and is_gap(before_at - started_at, past_s):
            points.append(Point(before_at + past_s / 2, None, None, (GpuSample(),) * len(one.gpus)))
        cores = None
        if one.used.cpu_seconds is not None:
            cores = max(0.0, one.used.cpu_seconds - before_cpu_s) / past_s
            before_cpu_s = max(before_cpu_s, one.used.cpu_seconds)
        before_at = one.at
        points.append(Point(one.at, cores, one.used.memory_bytes, one.gpus))
    return points, totals


def _is_empty(point: Point) -> bool:
    return point == Point(point.at, None, None, (GpuSample(),) * len(point.gpus))


def thinned(points: list[Point], most: int) -> list[Point]:
    """As many of the points at most, with the peaks of every series, both ends, and the gaps."""
    if len(points) <= most:
        return points
    import numpy as np

    curves: list[list[float | None]] = [
        [point.cpu_cores for point in points],
        [_number(point.memory_bytes) for point in points],
    ]
    for index in range(len(points[-1].gpus)):
        curves.append([point.gpus[index].utilization_percent for point in points])
        curves.append([_number(point.gpus[index].memory_bytes) for point in points])
    each = max(2, (most - 2) // len(curves))
    chosen = [np.array([0, len(points) - 1])]
    for curve in curves:
        values = np.array([np.nan if one is None else one for one in curve], dtype=np.float64)
        chosen.append(_low_and_high(values, each))
    # Gaps are few; in a file that was tampered with they may not be.
    gaps = [index for index, point in enumerate(points) if _is_empty(point)][:most]
    kept = np.unique(np.concatenate([*chosen, np.array(gaps, dtype=np.intp)]))
    return [points[index] for index in kept[: 2 * most]]


def _number(value: int | None) -> float | None:
    return value


def _low_and_high(values: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """The places of the lowest and the highest value of each part of a curve."""
    import numpy as np
    from tsdownsample import MinMaxDownsampler

    known = np.flatnonzero(~np.isnan(values))
    if len(known) <= most:
        return known
    downsampler: Any = MinMaxDownsampler
    chosen = downsampler().downsample(np.ascontiguousarray(values[known]), n_out=most - most % 2)
    return known[np.asarray(chosen, dtype=np.intp)]
