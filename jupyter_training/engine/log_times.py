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
    records = _records(log, starts[0], starts[-1])
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
    # Of several with one offset the last one is right.
    return sorted(dict(_records(log, start, end - 1)).items())


def _records(log: Path, first: int, last: int) -> list[tuple[int, float]]:
    """Where pieces of a log begin and when they were written, as it is in the file.

    They are those behind the first offset and up to the last one, and the one before them; none if
    there is no such file.
    """
    try:
        file = os.open(log.with_name(times_name(log.name)), _READ)
    except OSError:
        return []
    try:
        # What a killed writer left unfinished is not counted.
        count = os.fstat(file).st_size // TIME.size
        begin = max(0, _records_up_to(file, count, first) - 1)
        end = _records_up_to(file, count, last)
        content = os.pread(file, (end - begin) * TIME.size, begin * TIME.size)
    except OSError:
        return []
    finally:
        os.close(file)
    return list(TIME.iter_unpack(content[: len(content) // TIME.size * TIME.size]))


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
