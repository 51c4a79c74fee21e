"""Which executor a job gets, and what it is told if that one cannot."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_training.jobs.children import parse
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.scheduling.choice import Images, Offer, Rule, choose, problems, rule
from jupyter_training.scheduling.resources import Gpu, Node

HERE = [Node("here", 8, 32, (Gpu("GPU-0", "NVIDIA A100"),))]
OFFERS = {
    "local": Offer(),
    "docker": Offer(Images.ALWAYS),
    "slurm": Offer(options={"partition": "", "account": ""}),
    "ray": Offer(Images.EITHER, {"resources": ""}),
}
TOO_LARGE = Rule("slurm", too_large=True)


def job(**fields: Any) -> JobSpec:
    return parse({"name": "j", "command": "true", **fields})


def chosen(spec: JobSpec, *rules: Rule, default: str = "local") -> str:
    return choose(spec, OFFERS, rules, default, HERE)


def test_a_job_gets_what_it_names_and_else_the_default() -> None:
    assert chosen(job()) == "local"
    assert chosen(job(), default="slurm") == "slurm"
    assert chosen(job(executor="slurm")) == "slurm"
    assert chosen(job(executor="moon"), TOO_LARGE) == "moon"


def test_what_only_one_understands_goes_there() -> None:
    assert chosen(job(image="pytorch:2")) == "docker"
    assert chosen(job(image="pytorch:2"), default="ray") == "ray"
    assert chosen(job(executor_options={"partition": "gpu"})) == "slurm"
    assert chosen(job(executor_options={"resources": "x"}, image="pytorch:2")) == "ray"
    # Nobody does: whoever is the default says so.
    assert chosen(job(executor_options={"partition": "gpu"}, image="pytorch:2")) == "local"


@pytest.mark.parametrize(
    ("fields", "too_large"),
    [
        ({}, False),
        ({"cpu_cores": 8, "gpu_count": 1}, False),
        ({"cpu_cores": 9}, True),
        ({"gpu_count": 2}, True),
        ({"gpu_count": 1, "gpu_type": "h100"}, True),
        ({"nodes": 2, "gpu_count": 1}, True),
        ({"nodes": 2, "min_nodes": 1, "gpu_count": 1}, False),
        ({"nodes": 4, "cpu_cores": 2, "memory_gb": 8, "gpu_count": 0}, False),
    ],
)
def test_what_this_machine_could_never_hold_goes_to_the_cluster(
    fields: dict[str, Any], too_large: bool
) -> None:
    assert chosen(job(**fields), TOO_LARGE) == ("slurm" if too_large else "local")


def test_the_first_rule_that_is_true_decides() -> None:
    rules = [
        Rule("ray", job_type="Distributed", nodes=3),
        Rule("slurm", nodes=2),
        Rule("docker", gpus=1),
        Rule("slurm", gpu_type="A100"),
    ]
    assert chosen(job(nodes=3), *rules) == "ray"
    assert chosen(job(nodes=2), *rules) == "slurm"
    # The third one is true, but a job without an image is nothing for it.
    assert chosen(job(gpu_count=1, gpu_type="a100"), *rules) == "slurm"
    assert chosen(job(gpu_count=1), *rules) == "local"
    assert chosen(job(gpu_count=1, image="pytorch:2"), *rules) == "docker"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"executor": "slurm"}, "should say an executor and when"),
        ({"nodes": 2}, "should say an executor and when"),
        ({"executor": "slurm", "moon": 1}, "knows nothing of 'moon'"),
        ({"executor": "slurm", "nodes": "2"}, "nodes of a rule should be a int, not '2'"),
        ({"executor": "slurm", "nodes": True}, "nodes of a rule should be a int, not True"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(told: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        rule(told)
    assert rule({"executor": "slurm", "too_large": True}) == TOO_LARGE


@pytest.mark.parametrize(
    ("fields", "executor", "told"),
    [
        ({}, "moon", "there is no executor 'moon'; choose one of: docker, local, ray, slurm"),
        ({"image": "x"}, "local", "an image needs the executor docker or ray, not local"),
        ({}, "docker", "the executor docker needs an image to run"),
        (
            {"executor_options": {"partition": "gpu"}},
            "local",
            "the executor local has no option partition (it has none); slurm has",
        ),
        (
            {"executor_options": {"moon": 1}},
            "slurm",
            "the executor slurm has no option moon (it has partition, account)",
        ),
    ],
)
def test_what_an_executor_has_not_got_is_told(
    fields: dict[str, Any], executor: str, told: str
) -> None:
    assert [one.message for one in problems(job(**fields), executor, OFFERS)] == [told]


def test_who_has_an_image_and_nobody_for_it_is_told_what_to_do() -> None:
    alone = {"slurm": Offer(instead_of_images="call apptainer in the command")}
    (found,) = problems(job(image="x"), "slurm", alone)
    told = "the executor slurm runs jobs without an image; call apptainer in the command"
    assert (found.field, found.message) == ("image", told)


def test_what_it_has_is_no_problem() -> None:
    assert problems(job(), "local", OFFERS) == []
    assert problems(job(image="x"), "ray", OFFERS) == []
    assert problems(job(executor_options={"partition": "gpu"}), "slurm", OFFERS) == []
