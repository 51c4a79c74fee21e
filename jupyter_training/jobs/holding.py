"""How much jobs have held, and for how long: GPU-hours and the like, from their attempts.

What counts is what was *held*: from the moment when an attempt was given its resources to the end
of its last process, used or not, as nobody else could have it. Every attempt counts, also one that
failed and was tried again.

Everything here is a value or a pure function.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

_K = TypeVar("_K", bound=Hashable)


@dataclass(frozen=True)
class Holding:
    """What an attempt holds or held.

    Attributes
    ----------
    job_id, job_uuid, job_name
        Its job: number, public name and what its owner calls it. No name if it was deleted.
    username, customer_id
        Whose job it is.
    since, until
        From when to when; until None it holds it still.
    cpu_cores, memory_gb, gpu_count
        What.
    """

    job_id: int
    job_uuid: str
    job_name: str | None
    customer_id: int
    username: str
    since: datetime
    until: datetime | None
    cpu_cores: int
    memory_gb: int
    gpu_count: int


@dataclass(frozen=True)
class Hours:
    """Sums over attempts.

    Attributes
    ----------
    gpu_hours, core_hours, gb_hours
        GPUs, CPU cores and GB of 1024**3 bytes of memory, each times the hours that they were held.
    attempts, jobs
        How many held something in that time.
    """

    gpu_hours: float = 0.0
    core_hours: float = 0.0
    gb_hours: float = 0.0
    attempts: int = 0
    jobs: int = 0


def hours_by(
    holdings: Iterable[Holding],
    key: Callable[[Holding], _K],
    *,
    since: datetime,
    until: datetime,
    now: datetime,
) -> dict[_K, Hours]:
    """Sum up what was held within a time, for each key; the greatest consumer of GPUs first.

    Parameters
    ----------
    since, until
        What was held before or after does not count.
    now
        Until when that counts which is still held.
    """
    sums: dict[_K, list[float]] = {}
    jobs: dict[_K, set[int]] = {}
    for one in holdings:
        begin, end = max(one.since, since), min(one.until or now, until, now)
        hours = (end - begin).total_seconds() / 3600
        if hours <= 0:
            continue
        group = key(one)
        entry = sums.setdefault(group, [0.0, 0.0, 0.0, 0])
        for place, held in enumerate((one.gpu_count, one.cpu_cores, one.memory_gb)):
            entry[place] += held * hours
        entry[3] += 1
        jobs.setdefault(group, set()).add(one.job_id)
    found = {
        group: Hours(gpu, core, gb, int(attempts), len(jobs[group]))
        for group, (gpu, core, gb, attempts) in sums.items()
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1].gpu_hours, -item[1].core_hours)))
