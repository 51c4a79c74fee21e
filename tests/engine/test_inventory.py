"""What this machine has, as configured or detected."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_training.engine.gpus import UNKNOWN
from jupyter_training.engine.inventory import (
    GB,
    Machine,
    as_detected,
    detect_cpu_cores,
    detect_memory_gb,
)
from jupyter_training.scheduling.resources import Gpu


def test_what_is_configured_is_taken() -> None:
    node = Machine(cpu_cores=3, memory_gb=5, gpus=2).read({})
    assert (node.cpu_cores, node.memory_gb) == (3, 5)
    assert node.gpus == (Gpu("0"), Gpu("1"))


@pytest.mark.parametrize(
    ("gpus", "found"),
    [
        (0, ()),
        ([], ()),
        (["GPU-1", "GPU-2 = NVIDIA A100"], (Gpu("GPU-1"), Gpu("GPU-2", "NVIDIA A100"))),
    ],
)
def test_gpus(gpus: int | Sequence[str], found: tuple[Gpu, ...]) -> None:
    assert Machine(cpu_cores=1, memory_gb=1, gpus=gpus).read({}).gpus == found


def test_what_the_driver_tells_of_a_configured_card_counts() -> None:
    well = Gpu("GPU-1a", "NVIDIA A100", 80.0)
    ill = Gpu("GPU-2b", "NVIDIA A100", 80.0, "drained: has fallen off the bus")
    assert as_detected(Gpu("GPU-1a"), [well, ill]) == well
    assert as_detected(Gpu("GPU-2b", "A100"), [well, ill]) == replace(ill, model="A100")
    assert as_detected(Gpu("GPU-1"), [well, ill]) == replace(well, uuid="GPU-1")
    assert as_detected(Gpu("GPU-3"), [well]) == Gpu("GPU-3", unavailable=UNKNOWN)
    # A part of a card and an index are not among what the driver lists.
    for other in (Gpu("MIG-3"), Gpu("0")):
        assert as_detected(other, [well]) == other
    assert as_detected(Gpu("GPU-3"), []) == Gpu("GPU-3")


def test_without_a_driver_there_are_no_gpus() -> None:
    assert Machine(cpu_cores=1, memory_gb=1, gpus="auto").read({}).gpus == ()


def test_the_limits_of_a_container_count(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert detect_cpu_cores(tmp_path) == len(os.sched_getaffinity(0))
    whole = detect_memory_gb(tmp_path)
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text(f"{1 * GB}\n")
    assert detect_cpu_cores(tmp_path) == 1
    assert detect_memory_gb(tmp_path) == 1 <= whole


def test_the_limits_of_an_older_container_count(tmp_path: Path) -> None:
    for path, value in (
        ("cpu/cpu.cfs_quota_us", 100_000),
        ("cpu/cpu.cfs_period_us", 100_000),
        ("memory/memory.limit_in_bytes", GB),
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(f"{value}\n")
    assert (detect_cpu_cores(tmp_path), detect_memory_gb(tmp_path)) == (1, 1)
