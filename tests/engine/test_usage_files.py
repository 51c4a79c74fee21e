"""The file of what an attempt used, whatever was done to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_training.engine import usage_files
from jupyter_training.engine.usage_files import USAGE
from jupyter_training.jobs.usage import Consumption, GpuSample, Sample

GIB = 1024**3


def sample(at: float, gpus: int = 2) -> Sample:
    return Sample(at, Consumption(at / 2, 3 * GIB), (GpuSample(87.0, 70 * GIB),) * gpus)


def test_what_was_added_is_read_as_it_was(tmp_path: Path) -> None:
    several = [sample(1.25), Sample(2.5, Consumption(), (GpuSample(), GpuSample(0.0, None)))]
    for one in several:
        usage_files.append(tmp_path, one)
    assert list(usage_files.samples(tmp_path)) == several
    assert os.listdir(tmp_path) == [USAGE]


@pytest.mark.parametrize("cut", [1, 17, 47])
def test_a_piece_of_a_record_is_ignored_and_cut_off_before_the_next(
    tmp_path: Path, cut: int
) -> None:
    for at in (1.0, 2.0):
        usage_files.append(tmp_path, sample(at))
    path = tmp_path / USAGE
    path.write_bytes(path.read_bytes()[:-cut])
    assert list(usage_files.samples(tmp_path)) == [sample(1)]
    usage_files.append(tmp_path, sample(3))
    assert list(usage_files.samples(tmp_path)) == [sample(1), sample(3)]


@pytest.mark.parametrize(
    "content", [b"", b"jtus", b"something else " * 9, b"jtusage1\xff\xff\xff\xff"]
)
def test_what_a_job_wrote_there_is_no_usage_and_stays_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / USAGE).write_bytes(content)
    assert list(usage_files.samples(tmp_path)) == []
    usage_files.append(tmp_path, sample(1))
    assert (tmp_path / USAGE).read_bytes() == content


def test_numbers_that_cannot_be_are_not_known(tmp_path: Path) -> None:
    usage_files.append(tmp_path, sample(1, gpus=0))
    wild = usage_files.record_of(0)
    with (tmp_path / USAGE).open("ab") as file:
        file.write(wild.pack(float("nan"), 1, 1))
        file.write(wild.pack(1e300, 1, 1))
        file.write(wild.pack(2, float("inf"), -5))
        file.write(wild.pack(3, -1, 1e300))
    assert list(usage_files.samples(tmp_path)) == [sample(1, gpus=0), Sample(2), Sample(3)]


def test_neither_a_link_nor_a_pipe_is_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"jtusage1\0\0\0\0")
    (tmp_path / USAGE).symlink_to(victim)
    assert usage_files.read(tmp_path) == (0, b"")
    with pytest.raises(OSError, match="symbolic links"):
        usage_files.append(tmp_path, sample(1, gpus=0))
    assert victim.read_bytes() == b"jtusage1\0\0\0\0"
    (tmp_path / USAGE).unlink()
    os.mkfifo(tmp_path / USAGE)
    assert usage_files.read(tmp_path) == (0, b"")
    usage_files.append(tmp_path, sample(1, gpus=0))  # returns, and writes nothing


def test_there_is_nothing_to_read_where_nothing_was_written(tmp_path: Path) -> None:
    assert list(usage_files.samples(tmp_path / "no such attempt")) == []
    with pytest.raises(FileNotFoundError):
        usage_files.append(tmp_path / "no such attempt", sample(1))
