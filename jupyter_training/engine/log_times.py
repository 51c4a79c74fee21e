"""When a log was written: the times that whoever writes one keeps beside it."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from jupyter_training.executors.log_files import TIME, times_name

# What a job has put in the place of the file, such as a pipe, is not to be waited for.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def times(log: Path, starts: Sequence[int]) -> list[float | None]:
    """When the bytes at some offsets were written, to within a tenth of a second.

    Parameters
    ----------
    starts
        In ascending order.

    Returns
    -------
    list
        Seconds since 1970 in UTC; None where nobody wrote it down.
    """
    if not starts:
        return []
    try:
        file = os.open(log.with_name(times_name(log.name)), os.O_RDONLY)
    except OSError:
        return [None] * len(starts)
    try:
        # What a killed writer left unfinished is not counted.
        count = os.fstat(file).st_size // TIME.size
        first = max(0, _records_up_to(file, count, starts[0]) - 1)
        last = _records_up_to(file, count, starts[-1])
        content = os.pread(file, (last - first) * TIME.size, first * TIME.size)
    except OSError:
        return [None] * len(starts)
    finally:
        os.close(file)
    content = content[: len(content) // TIME.size * TIME.size]
    records = list(TIME.iter_unpack(content))
    offsets = [offset for offset, _ in records]
    found = (bisect_right(offsets, start) for start in starts)
    return [records[number - 1][1] if number else None for number in found]


def bursts(log: Path, start: int, end: int) -> list[tuple[int, float]]:
    """The pieces in which a part of a log was written.

    Returns
    -------
    list
        Where each begins, in ascending order, and when it was written (s since 1970, UTC). The
        first one may begin before `start`. It is empty where nobody wrote it down.
    """
    try:
        file = os.open(log.with_name(times_name(log.name)), _READ)
    except OSError:
        return []
    try:
        count = os.fstat(file).st_size // TIME.size
        first = max(0, _records_up_to(file, count, start) - 1)
        last = _records_up_to(file, count, end - 1)
        content = os.pread(file, (last - first) * TIME.size, first * TIME.size)
    except OSError:
        return []
    finally:
        os.close(file)
    # Of several with one offset the last one is right.
    found: dict[int, float] = {}
    for offset, moment in TIME.iter_unpack(content[: len(content) // TIME.size * TIME.size]):
        found[offset] = moment
    return sorted(found.items())


def _records_up_to(file: int, count: int, offset: int) -> int:
    """How many records there are of this offset and of those before it."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        record = os.pread(file, TIME.size, middle * TIME.size)
        if len(record) == TIME.size and TIME.unpack(record)[0] <= offset:
            low = middle + 1
        else:
            high = middle
    return low
