"""Distributed training with PyTorch: the same losses as alone, also after one rank has died."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Api, Home
from tests.executors.docker_engine import IMAGE, Engine
from tests.ray_cluster import RayCluster, at_length, with_ray
from tests.slurm import Slurm, with_slurm

SCRIPT = {
    "name": "ddp.py",
    "text": Path(__file__).with_name("ddp.py").read_text(encoding="utf-8"),
}
STEPS = 8


def losses(api: Api, job_id: str, attempt: int = 1) -> dict[int, float]:
    """The loss of each step, as the first rank told it."""
    lines = api.log(job_id, rank=0, attempt=attempt)
    told = (re.fullmatch(r"step (\d+) loss ([\d.]+)", line) for line in lines)
    return {int(one[1]): float(one[2]) for one in told if one is not None}


def train(api: Api, python: str = sys.executable, **fields: Any) -> dict[str, Any]:
    job = api.submit([python, "{script}"], script=SCRIPT, **{"memory_gb": 2, **fields})
    job = api.until(job["job_id"], lambda told: told["status"] in ("completed", "failed"))
    assert job["status"] == "completed", (job["reason"], api.log(job["job_id"]))
    return job


@pytest.fixture(scope="module")
def alone(server: Any) -> dict[int, float]:
    """The losses of one process that sees all of the data."""
    found = losses(server.api, train(server.api)["job_id"])
    assert list(found) == list(range(STEPS))
    assert found[STEPS - 1] < found[0]
    return found


def test_two_processes_of_a_node_started_by_torchrun(api: Api, alone: dict[int, float]) -> None:
    job = train(api, launcher="torchrun", procs_per_node=2)
    assert job["ranks"] == 2
    assert losses(api, job["job_id"]) == pytest.approx(alone, rel=1e-5)


def test_two_nodes_of_which_one_dies_and_that_go_on_from_the_checkpoint(
    api: Api, alone: dict[int, float]
) -> None:
    job = train(api, nodes=2, env_vars={"DIES": "1"})
    assert (job["attempt"], job["retry_count"], job["progress"]) == (2, 1, 100)
    events = api.get(f"api/training-jobs/{job['job_id']}/events").json()
    told = [one["reason"] for one in events if one["cause"] == "killed_by_signal"]
    assert told[0].startswith("rank 1 of 2 failed first: the script was ended by SIGKILL")
    first = losses(api, job["job_id"], attempt=1)
    second = losses(api, job["job_id"], attempt=2)
    assert api.log(job["job_id"], rank=0, attempt=2)[0] == "resumed at 5"
    assert min(second) == 5
    assert {**first, **second} == pytest.approx(alone, rel=1e-5)


def test_two_nodes_of_a_slurm_cluster(home: Home, slurm: Slurm, alone: dict[int, float]) -> None:
    on_two_nodes_of("slurm", with_slurm(home, slurm).start().api, alone)


@at_length
def test_two_nodes_of_a_ray_cluster(
    home: Home, ray_cluster: RayCluster, alone: dict[int, float]
) -> None:
    on_two_nodes_of("ray", with_ray(home, ray_cluster.url).start().api, alone)


def on_two_nodes_of(cluster: str, api: Api, alone: dict[int, float]) -> None:
    wanted: dict[str, Any] = {"nodes": 2, "gpu_count": 1, "executor": cluster}
    job = train(api, env_vars={"DIES": "1", "BY_HAND": "1"}, **wanted)
    events = api.get(f"api/training-jobs/{job['job_id']}/events").json()
    assert (job["retry_count"], job["ranks"]) == (1, 2), events
    assert job["attempt"] >= 2  # a busy machine may have lost one more, which costs no retry
    first, second = (part["node"] for part in job["parts"])
    assert first != second
    assert job["gpus"] == [f"{first}/gpu:0", f"{second}/gpu:0"]
    told: dict[int, float] = {}
    again: dict[int, float] = {}
    for attempt in range(1, job["attempt"] + 1):
        again = losses(api, job["job_id"], attempt=attempt)
        told |= again
    assert min(again) >= 5
    assert told == pytest.approx(alone, rel=1e-5)


def test_two_containers(home: Home, engine: Engine, alone: dict[int, float]) -> None:
    server = home.start(docker_url=engine.url)
    found = find_spec("torch")
    assert found is not None
    assert found.origin is not None
    packages = Path(found.origin).parents[1]
    libraries = home.path / "libraries"
    libraries.mkdir()
    for path in missing_in_the_image(packages / "torch" / "lib"):
        shutil.copy(path, libraries)
    for name, path in (("packages", packages), ("libraries", libraries)):
        answer = server.api.post("api/training-datasets", json={"name": name, "path": str(path)})
        assert answer.status_code == 201, answer.text
    job = train(
        server.api,
        "python3",
        image=IMAGE,
        nodes=2,
        dataset_ids=["packages", "libraries"],
        env_vars={
            "PYTHONPATH": "/training/datasets/packages",
            "LD_LIBRARY_PATH": "/training/datasets/libraries",
            "BY_HAND": "1",
        },
    )
    assert losses(server.api, job["job_id"]) == pytest.approx(alone, rel=1e-5)


def missing_in_the_image(directory: Path) -> set[Path]:
    """What PyTorch and the modules of the standard library need of the system."""
    modules = sorted(Path(sysconfig.get_path("stdlib"), "lib-dynload").glob("*.so"))
    several = [*modules, directory / "libtorch_cpu.so", directory / "libtorch_python.so"]
    command = ["ldd", *map(str, several)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {Path(one) for one in re.findall(r"=> (/[^\s:]+) \(0x", told)}
    return {one for one in found if directory not in one.parents and not one.match("libc.so*")}
