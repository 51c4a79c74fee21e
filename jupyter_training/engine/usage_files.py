"""What an attempt used over time: a file of packed records in its directory.

The file begins with a mark and the number of GPUs; records follow, all of one length, oldest first:
a time, the CPU time so far, the memory, and for each GPU its utilisation and memory; NaN stands for
what is not known. It is only appended to, so whatever dies leaves whole records and perhaps a piece
of one at the end, which is ignored, and cut off before the next one is written.

A local job can write there too. What is read is therefore checked, and bounded.
"""

from __future__ import annotations

import math
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from jupyter_training.jobs.usage import Consumption, GpuSample, Sample
from jupyter_training.points import Point, reach

USAGE = "usage.bin"

_HEADER = struct.Struct("<8sI")
_MARK = b"jtusage1"
_MOST_GPUS = 1024
_MOST_BYTES = 64 << 20
"""Much more than the records of a year (bytes); of a longer file the end is read."""

_LATEST = 2.0**37
"""No record is of a later moment (s since 1970); NaN is no moment at all."""

# A job could put something there that blocks, or a link to something that is not its own.
_CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def record_of(gpus: int) -> struct.Struct:
    """The format of a record with so many GPUs."""
    return struct.Struct("<ddd" + "fd" * gpus)


def append(directory: Path, sample: Sample) -> None:
    """Add a sample. It blocks.

    Raises
    ------
    OSError
        If it cannot be written, for example because the job was deleted or the disk is full. What
        is in the file stays readable.
    """
    record = record_of(len(sample.gpus))
    path = directory / USAGE
    reach(Point.USAGE_BEGUN)
    if not path.exists():
        _create(path, len(sample.gpus))
    file = os.open(path, os.O_RDWR | os.O_APPEND | _CAREFULLY)
    try:
        size = os.fstat(file).st_size
        if _gpus_in(file) != len(sample.gpus):
            return  # it is not ours any more
        torn = (size - _HEADER.size) % record.size
        if torn:
            os.ftruncate(file, size - torn)
        os.write(file, record.pack(*_values(sample)))
    finally:
        os.close(file)
    reach(Point.USAGE_WRITTEN)


def read(directory: Path) -> tuple[int, bytes]:
    """The records of an attempt. It blocks.

    Returns
    -------
    gpus
        How many GPUs are in each; see `record_of`.
    records
        Whole ones, oldest first; empty if there are none.
    """
    try:
        file = os.open(directory / USAGE, os.O_RDONLY | _CAREFULLY)
    except OSError:
        return 0, b""
    try:
        gpus = _gpus_in(file)
        if gpus is None:
            return 0, b""
        length = record_of(gpus).size
        count = (os.fstat(file).st_size - _HEADER.size) // length
        last = min(count, _MOST_BYTES // length)
        records = os.pread(file, last * length, _HEADER.size + (count - last) * length)
        return gpus, records[: len(records) // length * length]
    except OSError:
        return 0, b""
    finally:
        os.close(file)


def samples(directory: Path) -> Iterator[Sample]:
    """The samples of an attempt, oldest first. It blocks."""
    gpus, records = read(directory)
    for at, cpu_s, memory, *rest in record_of(gpus).iter_unpack(records):
        if not 0 <= at < _LATEST:
            continue
        pairs = zip(rest[::2], rest[1::2], strict=True)
        yield Sample(
            at,
            Consumption(_known(cpu_s), _whole(memory)),
            tuple(GpuSample(_known(share), _whole(used)) for share, used in pairs),
        )


def _create(path: Path, gpus: int) -> None:
    draft = path.with_name(f"{USAGE}.{os.getpid()}")
    draft.write_bytes(_HEADER.pack(_MARK, gpus))
    draft.rename(path)


def _gpus_in(file: int) -> int | None:
    """The number of GPUs that a file says; None if it is no such file."""
    if not stat.S_ISREG(os.fstat(file).st_mode):
        return None
    header = os.pread(file, _HEADER.size, 0)
    if len(header) < _HEADER.size:
        return None
    mark, gpus = _HEADER.unpack(header)
    return gpus if mark == _MARK and gpus <= _MOST_GPUS else None


def _values(sample: Sample) -> Iterator[float]:
    yield sample.at
    for value in (sample.used.cpu_seconds, sample.used.memory_bytes):
        yield math.nan if value is None else value
    for gpu in sample.gpus:
        for value in (gpu.utilization_percent, gpu.memory_bytes):
            yield math.nan if value is None else value


def _known(value: float) -> float | None:
    return value if math.isfinite(value) and value >= 0 else None


def _whole(value: float) -> int | None:
    return int(value) if math.isfinite(value) and 0 <= value < 2**60 else None
