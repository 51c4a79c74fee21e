"""What is asked for, and what a GPU is called."""

from __future__ import annotations

import pytest

from jupyter_training.jobs.spec import parse
from jupyter_training.scheduling.resources import Gpu, Node, Resources, matches, resolve


def asked(**fields: object) -> Resources:
    """What a job comes to on a machine with 2 cores, 8 GB and no GPU, and one with 64 cores."""
    small = Node("small", 2, 8)
    large = Node("large", 64, 512, tuple(Gpu(str(index)) for index in range(8)))
    nodes = [small] if fields.pop("only_small", False) else [small, large]
    return resolve(parse({"name": "x", "command": "x", **fields}), nodes)


def test_what_is_left_out_is_the_default_of_the_specification() -> None:
    assert asked() == Resources(cpu_cores=4, memory_gb=16, gpu_count=1)


def test_an_omission_never_makes_a_job_unschedulable() -> None:
    assert asked(only_small=True) == Resources(cpu_cores=2, memory_gb=8, gpu_count=0)


def test_an_explicit_number_is_never_changed() -> None:
    wanted = {"cpu_cores": 100, "memory_gb": 1000, "gpu_count": 0, "gpu_type": "A100"}
    assert asked(**wanted, only_small=True) == Resources(100, 1000, 0, "A100")


def test_without_any_machine_it_is_the_least() -> None:
    assert resolve(parse({"name": "x", "command": "x"}), []) == Resources(1, 1, 0)


@pytest.mark.parametrize(
    ("model", "wanted", "expected"),
    [
        ("NVIDIA A100-SXM4-80GB", "a100", True),
        ("NVIDIA GeForce RTX 4090", "RTX 4090", True),
        ("NVIDIA GeForce RTX 4090", "4090 rtx", True),
        ("NVIDIA RTX A1000", "A100", False),
        ("", "A100", False),
        ("", None, True),
    ],
)
def test_a_type_is_words_of_the_model(model: str, wanted: str | None, expected: bool) -> None:
    assert matches(Gpu("GPU-1", model), wanted) is expected
