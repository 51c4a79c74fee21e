"""What is asked for, and what a GPU is called."""

from __future__ import annotations

import pytest

from jupyter_training.jobs.children import parse
from jupyter_training.scheduling.resources import Gpu, Node, Resources, matches, nearest, resolve


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


A100 = "NVIDIA A100-SXM4-80GB"
RTX4090 = "NVIDIA GeForce RTX 4090"


@pytest.mark.parametrize(
    ("wanted", "model"),
    [
        (None, ""),
        ("A100", A100),
        ("a100-80gb", A100),
        ("A100 80 GB", A100),
        ("A100 SXM", A100),
        ("nvidia a100", A100),
        ("NVIDIA A100-SXM4-80GB", A100),
        ("A100", "NVIDIA A100 80GB PCIe"),
        ("RTX 4090", RTX4090),
        ("rtx4090", RTX4090),
        ("4090", RTX4090),
        ("4090 rtx", RTX4090),
        ("GeForce RTX 4090", RTX4090),
        ("RTX 4090 Laptop", "NVIDIA GeForce RTX 4090 Laptop GPU"),
        ("RTX 3080 Ti", "NVIDIA GeForce RTX 3080 Ti"),
        ("3080ti", "NVIDIA GeForce RTX 3080 Ti"),
        ("rtx3080ti", "NVIDIA GeForce RTX 3080 Ti"),
        ("4070 Ti Super", "NVIDIA GeForce RTX 4070 Ti SUPER"),
        ("H100", "NVIDIA H100 PCIe"),
        ("H100 PCIe", "NVIDIA H100 PCIe"),
        ("V100", "Tesla V100-SXM2-16GB"),
        ("nvidia v100", "Tesla V100-SXM2-16GB"),
        ("T4", "Tesla T4"),
        ("RTX PRO 6000", "NVIDIA RTX PRO 6000 Blackwell Server Edition"),
        ("RTX 6000", "NVIDIA RTX 6000 Ada Generation"),
        ("nvidia", "NVIDIA A2"),
    ],
)
def test_a_type_is_found_as_people_write_it(wanted: str | None, model: str) -> None:
    assert matches(Gpu("GPU-1", model), wanted)


@pytest.mark.parametrize(
    ("wanted", "model"),
    [
        ("A100", "NVIDIA RTX A1000"),
        ("A10", A100),
        ("A4", "NVIDIA A40"),
        ("A40", "NVIDIA A100-SXM4-40GB"),
        ("L40", "NVIDIA L40S"),
        ("H200", "NVIDIA GH200 480GB"),
        ("RTX 3080", "NVIDIA GeForce RTX 3080 Ti"),
        ("RTX 3080 Ti", "NVIDIA GeForce RTX 3080"),
        ("RTX 4070 Ti", "NVIDIA GeForce RTX 4070 Ti SUPER"),
        ("RTX 4090", "NVIDIA GeForce RTX 4090 D"),
        ("RTX 6000", "NVIDIA RTX PRO 6000 Blackwell Server Edition"),
        ("A100 40GB", A100),
        ("A100", ""),
        ("nvidia", "Tesla T4"),
    ],
)
def test_a_type_is_not_taken_for_another(wanted: str, model: str) -> None:
    assert not matches(Gpu("GPU-1", model), wanted)


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("RTX 3080", "NVIDIA GeForce RTX 3080 Ti"),
        ("A10", A100),
        ("a100 pcie", A100),
        ("MI300", None),
    ],
)
def test_what_a_person_may_have_meant(wanted: str, meant: str | None) -> None:
    assert nearest(wanted, [A100, "NVIDIA GeForce RTX 3080 Ti", "Tesla T4"]) == meant


def test_a_drained_card_still_counts_for_what_a_machine_could_hold() -> None:
    node = Node("a", 4, 16, (Gpu("GPU-1", A100), Gpu("GPU-2", A100, 80.0, "drained: too hot")))
    assert node.could_hold(Resources(1, 1, 2, "A100"))
    assert not node.could_hold(Resources(1, 1, 3, "A100"))
