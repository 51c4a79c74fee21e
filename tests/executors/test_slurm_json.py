"""What slurmrestd takes and tells, in each version of its interface: values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.executors.base import GangLaunch
from jupyter_training.executors.slurm_jobs import SlurmJob
from jupyter_training.executors.slurm_json import (
    VERSIONS,
    exit_code_in,
    jobs_in,
    nodes_in,
    number_in,
    number_of,
    past_job_in,
    release_in,
    socket_of,
    submission,
    trouble_in,
)
from jupyter_training.executors.slurm_request import Wanted, wanted
from tests.executors.test_slurm_jobs import DIRECTORY, SITE, launch

OLD, *_, NEW = reversed(VERSIONS)
ENV = {"PATH": "/bin", "LANG": "C.UTF-8"}
NOW = 1_000_000.0


def full() -> Wanted:
    options = {"partition": "gpu", "constraint": "fast&new", "nodelist": "n1,n2", "exclude": "n3"}
    asked = {"gpus": ("", ""), "gpu_type": "A100", "time_limit_s": 3600.0, "priority": -5}
    return wanted(launch(**asked, options=options), SITE, 10, ["a100"])


def number(value: float | None) -> dict[str, Any]:
    """As newer versions write one."""
    there = value is not None and math.isfinite(value)
    return {"set": there, "infinite": value == math.inf, "number": value if there else 0}


def test_a_job_is_asked_for_as_of_sbatch() -> None:
    told = submission(full(), OLD, ENV)
    assert told["script"] == full().script
    assert told["job"] == {
        "name": "fit",
        "comment": "jupyter-training:i1:job-1:t1",
        "current_working_directory": str(DIRECTORY),
        "standard_output": "/dev/null",
        "no_requeue": True,
        "nodes": "1-1",
        "tasks": 1,
        "tasks_per_node": 1,
        "cpus_per_task": 4,
        "memory_per_node": "16G",
        "gres": "gpu:a100:2",
        "time_limit": 62,
        "nice": 5,
        "partition": "gpu",
        "constraint": "fast&new",
        "nodelist": "n1,n2",
        "exclude_nodes": "n3",
        "environment": ENV,
    }


@pytest.mark.parametrize("version", [one for one in VERSIONS if one != OLD])
def test_a_job_is_asked_for_with_the_names_and_numbers_of_newer_versions(version: str) -> None:
    told = submission(full(), version, ENV)
    assert set(told) == {"job"}
    assert told["job"] == {
        "name": "fit",
        "comment": "jupyter-training:i1:job-1:t1",
        "current_working_directory": str(DIRECTORY),
        "standard_output": "/dev/null",
        "requeue": False,
        "nodes": "1-1",
        "tasks": 1,
        "tasks_per_node": 1,
        "cpus_per_task": 4,
        "memory_per_node": number(16 * 1024),
        "kill_warning_flags": ["BATCH_JOB"],
        "kill_warning_signal": "TERM",
        "kill_warning_delay": number(10),
        "tres_per_node": "gres/gpu:a100:2",
        "time_limit": number(62),
        "nice": 5,
        "partition": "gpu",
        "constraints": "fast&new",
        "required_nodes": ["n1", "n2"],
        "excluded_nodes": ["n3"],
        "environment": ["PATH=/bin", "LANG=C.UTF-8"],
        "script": full().script,
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_a_distributed_job_asks_for_its_nodes(version: str) -> None:
    several = tuple(launch(token=f"t1.{index}") for index in range(3))
    gang = GangLaunch(**vars(launch(cpu_cores=12)), nodes=several)
    told = submission(wanted(gang, SITE, 10), version, ENV)["job"]
    assert (told["nodes"], told["tasks"], told["tasks_per_node"]) == ("3-3", 3, 1)
    elastic = GangLaunch(**vars(launch(cpu_cores=12)), nodes=several, min_nodes=2)
    told = submission(wanted(elastic, SITE, 10), version, ENV)["job"]
    assert (told["nodes"], told["minimum_cpus_per_node"]) == ("2-3", 4)
    assert not {"tasks", "tasks_per_node"} & set(told)


def told_job(**changes: Any) -> dict[str, Any]:
    return {
        "job_id": 7,
        "job_state": "RUNNING",
        "state_reason": "None",
        "comment": "jupyter-training:i1:job-1:t1",
        "user_name": "me",
        "nodes": "n[1-2]",
        "current_working_directory": "/d",
        "end_time": NOW + 60,
        "time_limit": 5,
        "exit_code": 0,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, SlurmJob("7", "RUNNING", "None", "n[1-2]", 60.0, "/d", "t1")),
        (
            {"job_state": ["RUNNING"], "end_time": number(NOW + 9), "time_limit": number(5)},
            SlurmJob("7", "RUNNING", "None", "n[1-2]", 9.0, "/d", "t1"),
        ),
        (
            {"time_limit": number(math.inf), "end_time": number(NOW + 3e7)},
            SlurmJob("7", "RUNNING", "None", "n[1-2]", math.inf, "/d", "t1"),
        ),
        (
            {"time_limit": None, "end_time": NOW + 3e7},
            SlurmJob("7", "RUNNING", "None", "n[1-2]", math.inf, "/d", "t1"),
        ),
        (
            {"job_state": ["PENDING"], "state_reason": "Resources", "nodes": "", "end_time": 0},
            SlurmJob("7", "PENDING", "Resources", "", math.inf, "/d", "t1"),
        ),
        (
            {"job_state": ["CANCELLED", "COMPLETING"]},
            SlurmJob("7", "COMPLETING", "None", "n[1-2]", math.inf, "/d", "t1"),
        ),
    ],
)
def test_jobs_are_told_in_any_version(changes: dict[str, Any], found: SlurmJob) -> None:
    assert jobs_in({"jobs": [told_job(**changes)]}, "i1", "me", NOW) == [found]


def test_jobs_of_others_are_none_of_ours() -> None:
    others: list[dict[str, Any]] = [
        {"comment": "jupyter-training:i2:job-1:t1"},
        {"comment": "hello"},
        {"comment": None},
        {"user_name": "mallory"},
    ]
    told = {"jobs": [told_job(**one) for one in others]}
    assert jobs_in(told, "i1", "me", NOW) == []
    assert jobs_in({}, "i1", "me", NOW) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (0, 0),
        (113 << 8, 113),
        ({"status": ["ERROR"], "return_code": number(114)}, 114),
        ({"status": ["SIGNALED"], "return_code": number(None)}, None),
        (None, None),
    ],
)
def test_exit_codes_are_told_in_any_version(code: Any, found: int | None) -> None:
    assert exit_code_in({"jobs": [told_job(exit_code=code)]}, "7") == found
    assert exit_code_in({"jobs": [told_job(exit_code=code)]}, "8") is None


def test_what_accounting_tells_of_a_job() -> None:
    told = {
        "job_id": 7,
        "state": {"current": ["TIMEOUT"], "reason": "None"},
        "nodes": "n1",
        "working_directory": "/d",
    }
    assert past_job_in({"jobs": [told]}, "7") == SlurmJob(
        "7", "TIMEOUT", "", "n1", math.inf, "/d", ""
    )
    running = {**told, "state": {"current": "RUNNING"}}
    assert past_job_in({"jobs": [running]}, "7") is None
    assert past_job_in({"jobs": [{**told, "nodes": "None assigned"}]}, "7") == SlurmJob(
        "7", "TIMEOUT", "", "", math.inf, "/d", ""
    )


@pytest.mark.parametrize(
    "state",
    [
        {"state": "mixed", "state_flags": ["PLANNED"], "alloc_memory": 1024},
        {"state": ["MIXED", "PLANNED"], "effective_cpus": 8, "alloc_memory": number(1024)},
    ],
)
def test_nodes_are_told_in_any_version(state: dict[str, Any]) -> None:
    told = {
        "name": "node1",
        "hostname": "host1",
        "cpus": 8,
        "alloc_cpus": 6,
        "real_memory": 4096,
        "gres": "gpu:a100:2",
        "gres_used": "gpu:a100:1(IDX:1)",
    }
    (found,) = nodes_in({"nodes": [{**told, **state}]})
    assert found.host == "host1"
    assert (found.node.state, found.node.cpu_cores_free) == ("mixed+planned", 2)
    assert found.node.memory_gb_free == 3
    assert [gpu.model for gpu in found.node.node.gpus] == ["a100", "a100"]
    assert found.node.gpus_held == {"node1/gpu:1"}
    away = {"state": ["DOWN", "NOT_RESPONDING"]}
    (lost,) = nodes_in({"nodes": [{**told, **away}]})
    assert lost.node.cpu_cores_free == 0
    assert lost.node.node.gpus[0].unavailable == "drained: its node is down+not_responding"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (5, 5.0),
        (number(5), 5.0),
        (number(math.inf), math.inf),
        (number(None), None),
        (None, None),
        ("5", None),
    ],
)
def test_numbers_may_be_unset_or_infinite(value: Any, found: float | None) -> None:
    assert number_of(value) == found


def test_the_number_of_a_submitted_job() -> None:
    assert number_in({"job_id": 12}) == "12"
    assert number_in({"result": {"job_id": 13}}) == "13"
    assert number_in({"job_id": 0, "result": None}) is None


def test_what_went_wrong_becomes_one_sentence() -> None:
    told = [
        {"error": "Unspecified error", "description": "Unable to process key"},
        {"error": "Failure during parsing", "error_code": 9001},
        {"error": "Failure during parsing"},
        "odd",
        {},
    ]
    words = "Unable to process key: Unspecified error; Failure during parsing; odd"
    assert trouble_in({"errors": told}) == words
    assert trouble_in({"errors": []}) == ""
    assert trouble_in({}) == ""


def test_which_slurm_it_is() -> None:
    assert release_in({"meta": {"Slurm": {"release": "22.05.8"}}}) == "22.05.8"
    assert release_in({"meta": {"slurm": {"release": "24.11.5"}}}) == "24.11.5"
    assert release_in({}) == "unknown"


def test_a_socket_is_told_from_an_address() -> None:
    assert socket_of("unix:///run/slurmrestd.socket") == Path("/run/slurmrestd.socket")
    assert socket_of("unix:/run/slurmrestd.socket") == Path("/run/slurmrestd.socket")
    assert socket_of("http://host:6820") is None
