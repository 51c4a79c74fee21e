"""What is said of Docker and of GPUs, which are optional unless somebody has asked for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.doctor import devices
from jupyter_training.doctor.checks import Verdict
from jupyter_training.doctor.facts import (
    DockerFacts,
    DockerTrouble,
    DriverFacts,
    DriverTrouble,
    GpuFacts,
)
from jupyter_training.doctor.settings import Settings
from tests.doctor.test_basics import says

SETTINGS = Settings(Path("/data"), "sqlite:////data/training.db")
BY_DOCKER = replace(SETTINGS, default_executor="docker")
HERE = "unix:///var/run/docker.sock"
ENGINE = DockerFacts(
    HERE, True, True, version="27.3.1", api="1.47", storage="overlay2", cgroup="2",
    runtimes=("io.containerd.runc.v2", "runc"),
)  # fmt: skip
AWAY = DockerFacts(
    HERE, True, True, trouble=DockerTrouble.AWAY,
    words=f"the Docker engine at {HERE} does not answer (Connection refused); if it stays so, …",
)  # fmt: skip
A100, RTX = GpuFacts("GPU-a", 0, "NVIDIA A100", 80.0), GpuFacts("GPU-b", 1, "RTX 4090", 23.99)
CARDS = DriverFacts("550.54", (A100, RTX), on_bus=2)


def test_an_engine_is_told_with_its_figures() -> None:
    words = ["Docker 27.3.1 (API 1.47) at unix:", "storage driver overlay2, cgroups of version 2"]
    says(devices.docker(ENGINE, SETTINGS), Verdict.OK, *words)
    says(devices.docker(replace(ENGINE, is_rootless=True), SETTINGS), Verdict.OK, "1.47, rootless")


def test_an_engine_that_no_job_is_sent_to_is_no_problem() -> None:
    elsewhere = replace(SETTINGS, executors=("local", "slurm"))
    for facts in (ENGINE, AWAY):
        says(devices.docker(facts, elsewhere), Verdict.ABSENT, "No job is sent to Docker")
    says(devices.docker(ENGINE, replace(elsewhere, default_executor="docker")), Verdict.OK)


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        (
            {},
            Verdict.PROBLEM,
            ["does not answer (Connection refused). →", "sudo systemctl start docker"],
        ),
        ({"is_installed": False}, Verdict.ABSENT, ["no Docker engine here", "install one"]),
        (
            {"trouble": DockerTrouble.FORBIDDEN},
            Verdict.PROBLEM,
            ["this user may not use it", "sudo usermod -aG docker $USER"],
        ),
        (
            {"trouble": DockerTrouble.FORBIDDEN, "is_installed": False},
            Verdict.PROBLEM,
            ["this user may not use it"],
        ),
        (
            {"trouble": DockerTrouble.UNUSABLE, "words": "what is in x is damaged; repair it"},
            Verdict.PROBLEM,
            ["What is in x is damaged. → Repair it."],
        ),
        ({"trouble": DockerTrouble.REFUSED}, Verdict.PROBLEM, ["refuses", "journalctl"]),
        (
            {"rootless_url": "unix:///run/user/7/docker.sock"},
            Verdict.PROBLEM,
            ['docker_url to "unix:///run/user/7/docker.sock"'],
        ),
        (
            {"is_local": False, "url": "tcp://far:2376"},
            Verdict.PROBLEM,
            ["Start it on its machine"],
        ),
    ],
)
def test_an_engine_that_cannot_be_used(
    changes: dict[str, Any], verdict: Verdict, words: list[str]
) -> None:
    facts = replace(AWAY, **changes)
    says(devices.docker(facts, SETTINGS), verdict, *words)
    configured = devices.docker(facts, replace(SETTINGS, docker_url=facts.url))
    says(configured, Verdict.PROBLEM)
    needed = devices.docker(facts, BY_DOCKER)
    says(needed, Verdict.PROBLEM, 'default_executor to "local"', blocks=True)


def test_an_engine_that_lacks_something() -> None:
    network = devices.docker(
        replace(ENGINE, network_missing=True), replace(BY_DOCKER, docker_network="jobs")
    )
    says(network, Verdict.PROBLEM, "no network jobs", "docker network create jobs", blocks=True)
    memory = devices.docker(replace(ENGINE, limits_memory=False), SETTINGS)
    says(memory, Verdict.PROBLEM, "cannot limit the memory")


def test_gpus_are_told_with_their_figures() -> None:
    words = ["NVIDIA driver 550.54, 2 GPUs", "0: NVIDIA A100, 80 GB; 1: RTX 4090, 24 GB"]
    says(devices.gpus(CARDS, SETTINGS), Verdict.OK, *words)
    used = replace(CARDS, gpus=(replace(A100, in_use="in use by X (pid 7)"),))
    says(devices.gpus(used, SETTINGS), Verdict.OK, "1 GPU: 0: NVIDIA A100, 80 GB, in use by X")


@pytest.mark.parametrize(
    ("facts", "verdict", "words"),
    [
        (
            DriverFacts(trouble=DriverTrouble.NO_LIBRARY),
            Verdict.ABSENT,
            ["no NVIDIA GPU here, and no driver"],
        ),
        (
            DriverFacts(trouble=DriverTrouble.NO_LIBRARY, on_bus=2),
            Verdict.PROBLEM,
            ["has 2 NVIDIA cards, but no NVIDIA driver", "Install the driver"],
        ),
        (
            DriverFacts(trouble=DriverTrouble.NOT_LOADED, on_bus=1),
            Verdict.PROBLEM,
            ["library of the NVIDIA driver is here, but the driver is not loaded.", "modprobe"],
        ),
        (DriverFacts(trouble=DriverTrouble.FORBIDDEN), Verdict.PROBLEM, ["this user may not"]),
        (DriverFacts(trouble=DriverTrouble.MISMATCH), Verdict.PROBLEM, ["Restart the machine"]),
        (
            DriverFacts(trouble=DriverTrouble.OTHER, words="the driver fails with 999"),
            Verdict.PROBLEM,
            ["The driver fails with 999."],
        ),
        (DriverFacts("550.54"), Verdict.ABSENT, ["no GPU"]),
    ],
)
def test_gpus_that_cannot_be_used(facts: DriverFacts, verdict: Verdict, words: list[str]) -> None:
    says(devices.gpus(facts, SETTINGS), verdict, *words)
    says(devices.gpus(facts, replace(SETTINGS, gpus=2)), Verdict.PROBLEM, blocks=True)
    says(devices.gpus(facts, replace(SETTINGS, gpus=0)), Verdict.OK, "None are for jobs")


def test_a_drained_card_is_a_problem_with_its_reason() -> None:
    ill = replace(A100, trouble="reports uncorrectable ECC errors")
    words = ["GPU-a reports uncorrectable ECC errors", "nvidia-smi"]
    one = devices.gpus(replace(CARDS, gpus=(ill, RTX)), replace(SETTINGS, gpus=("GPU-b",)))
    says(one, Verdict.PROBLEM, *words)
    every = replace(CARDS, gpus=(ill,))
    says(devices.gpus(every, SETTINGS), Verdict.PROBLEM, *words)
    says(devices.gpus(every, replace(SETTINGS, gpus=1)), Verdict.PROBLEM, *words, blocks=True)


def test_configured_gpus_have_to_be_there() -> None:
    for gpus in (2, ("GPU-a=NVIDIA A100", "GPU-b"), ("MIG-1",)):
        says(devices.gpus(CARDS, replace(SETTINGS, gpus=gpus)), Verdict.OK)
    for gpus, name in ((3, "reserve 2,"), (("GPU-a", "GPU-z=A100"), "reserve GPU-z,")):
        wrong = devices.gpus(CARDS, replace(SETTINGS, gpus=gpus))
        says(wrong, Verdict.PROBLEM, name, "nvidia-smi -L", blocks=True)


def test_gpus_in_docker() -> None:
    toolkit = ["no NVIDIA runtime (runtimes: io.containerd.runc.v2, runc)", "nvidia-ctk runtime"]
    says(devices.docker_gpus(ENGINE, CARDS, SETTINGS), Verdict.PROBLEM, *toolkit)
    asked_for = replace(BY_DOCKER, gpus=("GPU-a",))
    says(devices.docker_gpus(ENGINE, CARDS, asked_for), Verdict.PROBLEM, *toolkit, blocks=True)
    none = DriverFacts(trouble=DriverTrouble.NO_LIBRARY)
    says(devices.docker_gpus(ENGINE, none, SETTINGS), Verdict.ABSENT, "there is no GPU for it")
    says(devices.docker_gpus(ENGINE, None, SETTINGS), Verdict.ABSENT)
    off = replace(SETTINGS, gpus=0)
    says(devices.docker_gpus(ENGINE, CARDS, off), Verdict.ABSENT, "none is needed")
    with_runtime = replace(ENGINE, runtimes=("nvidia", "runc"))
    says(devices.docker_gpus(with_runtime, CARDS, SETTINGS), Verdict.OK, "nvidia, runc")
    says(devices.docker_gpus(replace(ENGINE, has_hook=True), CARDS, SETTINGS), Verdict.OK, "hook")
    cdi = replace(ENGINE, has_cdi=True)
    says(devices.docker_gpus(cdi, CARDS, SETTINGS), Verdict.PROBLEM, "CDI, by which version 27.3")
    says(devices.docker_gpus(replace(cdi, version="29.0.1"), CARDS, SETTINGS), Verdict.OK, "CDI")
