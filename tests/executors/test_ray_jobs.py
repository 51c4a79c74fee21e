"""What is asked of Ray, and what its answers mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.executors import ray_node
from jupyter_training.executors.base import GangLaunch, Launch
from jupyter_training.executors.cluster_node import NO_PYTHON, NOT_SHARED
from jupyter_training.executors.ray import url_of
from jupyter_training.executors.ray_client import headers_of
from jupyter_training.executors.ray_jobs import (
    START_TIMEOUT,
    RayJob,
    Site,
    again,
    end_of,
    jobs_of,
    lost,
    names_of,
    nodes_of,
    not_begun,
    pairs,
    reason,
    submission,
    usage_of,
)
from jupyter_training.jobs.lifecycle import Cause, Exit

DIRECTORY = Path("/shared/jobs/job-1/attempt-1")
SITE = Site("here", "/env/bin/python", "/env/packages", {"big one": "A100-80G"})
GB = 1024**3


def launch(**changes: Any) -> Launch:
    values: dict[str, Any] = {
        "token": "t0",
        "directory": DIRECTORY,
        "argv": ("python", "train.py"),
        "cwd": "/home",
        "env": {"SECRET": "s"},
        "python_path": None,
        "cpu_cores": 3,
        "memory_gb": 2,
        "gpus": (),
        "time_limit_s": None,
        "job_id": "job-1",
        "name": "fit it",
    }
    return Launch(**{**values, **changes})


def job(**changes: Any) -> RayJob:
    return replace(RayJob("t0", "RUNNING", "", "", None, "", "t0", str(DIRECTORY)), **changes)


def test_an_attempt_is_submitted_under_its_token_with_what_it_asks_for() -> None:
    options = {"resources": "tpu=1, disk=0.5", "labels": "zone=eu"}
    asked = launch(gpus=("", ""), gpu_type="A100 80GB", options=options)
    told = submission(asked, SITE, 10.2, ["A100-80G", "V100"])
    assert told["submission_id"] == "t0"
    assert (told["entrypoint_num_cpus"], told["entrypoint_num_gpus"]) == (3, 2)
    assert told["entrypoint_memory"] == 2 * GB
    kinds = told["entrypoint_resources"]
    assert kinds == {"accelerator_type:A100 80GB": 0.001, "tpu": 1.0, "disk": 0.5}
    assert told["entrypoint_label_selector"] == {"zone": "eu"}
    assert told["runtime_env"] == {"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": "16"}}
    assert "/env/bin/python -I -S -c" in told["entrypoint"]
    assert "secret" not in str(told).lower()  # anybody reads that in Ray's dashboard
    # What Ray lists is enough to submit it again.
    (listed,) = jobs_of([{**told, "status": "PENDING"}, {"status": "RUNNING"}], "here")
    assert again(listed) == told
    assert jobs_of([told], "elsewhere") == []


@pytest.mark.parametrize(
    ("asked", "kind"), [("a100", "A100"), ("NVIDIA A100", "A100"), ("Big One", "A100-80G")]
)
def test_an_accelerator_is_found_by_what_people_write(asked: str, kind: str) -> None:
    told = submission(launch(gpus=("",), gpu_type=asked), SITE, 1, ["A100", "V100"])
    assert list(told["entrypoint_resources"]) == [f"accelerator_type:{kind}"]


def test_a_distributed_job_is_a_driver_that_holds_nothing_itself() -> None:
    nodes = tuple(launch(token=f"t0.{index}") for index in range(2))
    gang = GangLaunch(**{**vars(launch()), "nodes": nodes})
    told = submission(gang, SITE, 1)
    assert not any(name.startswith("entrypoint_") for name in told)
    assert "ray_gang" in told["entrypoint"]


@pytest.mark.parametrize("wrong", ["one", "=1", "one=", "a=1,b"])
def test_pairs_that_are_none_are_named(wrong: str) -> None:
    with pytest.raises(ValueError, match='should be like "name=value"'):
        pairs(wrong)


def test_why_a_job_waits_is_told_in_the_words_of_ray() -> None:
    said = (
        "Job has not started yet. It may be waiting for resources (CPUs, GPUs). "
        "It may be waiting for the runtime environment to be set up."
    )
    assert reason(job(state="PENDING", message=said)) == (
        "PENDING (It may be waiting for resources (CPUs, GPUs))"
    )
    given_up = job(state="FAILED", error=START_TIMEOUT)
    assert (given_up.waits, given_up.is_over, given_up.is_forgotten) == (True, False, True)
    assert "is submitted again" in reason(given_up)


@pytest.mark.parametrize(
    ("changes", "cause", "said"),
    [
        ({"exit_code": NOT_SHARED}, Cause.LAUNCH_FAILED, "does not see /shared/jobs/job-1"),
        ({"exit_code": NO_PYTHON}, Cause.LAUNCH_FAILED, "has no /p: put the environment where"),
        ({"error": "JOB_SUPERVISOR_ACTOR_DIED"}, Cause.NODE_LOST, "has lost the node"),
        ({"state": "STOPPED"}, Cause.CANCELLED_BY_USER, "somebody in Ray"),
        ({"message": "a\nruntime_env setup failed: no"}, Cause.LAUNCH_FAILED, "setup failed: no"),
    ],
)
def test_why_a_job_never_began(changes: dict[str, Any], cause: Cause, said: str) -> None:
    told = not_begun(job(**{"state": "FAILED", **changes}), DIRECTORY, "/p")
    assert told.cause is cause
    assert said in told.detail


def test_a_job_that_no_node_could_hold_says_what_it_lacks() -> None:
    told = submission(launch(gpus=("", ""), options={"resources": "licence=1"}), SITE, 1)
    listed = {**told, "status": "PENDING", "message": "Job has not started yet."}
    (waiting,) = jobs_of([listed], "here")
    has = {"CPU": 8, "memory": 9 * GB, "GPU": 1, "licence": 2}
    small = {"state": "ALIVE", "resources_total": has}
    gone = {"state": "DEAD", "resources_total": {**has, "GPU": 2}}
    told_so = reason(waiting, [small, gone])
    assert told_so.startswith(
        "PENDING (no node of Ray has 2 GPUs, the largest has 1): ask for less"
    )
    assert reason(waiting, [small, {**gone, "state": "ALIVE"}]) == "PENDING"
    assert reason(waiting, []) == "PENDING"
    told = submission(launch(options={"labels": "zone=eu, market=!spot"}), SITE, 1)
    (waiting,) = jobs_of([{**told, "status": "PENDING"}], "here")
    named = {**small, "labels": {"zone": "eu", "market": "spot"}}
    assert "has the labels zone=eu, market=!spot)" in reason(waiting, [small, named])
    assert reason(waiting, [{**named, "labels": {"zone": "eu"}}]) == "PENDING"
    assert reason(replace(waiting, state="RUNNING"), [small]) == ""


def test_a_script_can_reach_the_cluster_that_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    of_node = {"RAY_ADDRESS": "head:6379", "RAY_AUTH_MODE": "token", "CUDA_VISIBLE_DEVICES": "1"}
    for name, value in {**of_node, "RAY_JOB_CONFIG_JSON_ENV_VAR": "{}"}.items():
        monkeypatch.setenv(name, value)
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert ray_node.of_ray(1) == of_node
    assert ray_node.of_ray(0) == {**of_node, "CUDA_VISIBLE_DEVICES": ""}
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://head:8265")
    assert (url_of(""), url_of("http://other:1")) == ("http://head:8265", "http://other:1")


def test_whose_doing_an_end_is() -> None:
    told_to = Exit(signal=15, cause=Cause.NODE_LOST, detail="told to stop")
    stopped = job(state="STOPPED")
    calm: dict[str, Any] = {"asked": False, "revoked": False}
    assert end_of(told_to, stopped, **calm).cause is Cause.CANCELLED_BY_USER
    assert end_of(told_to, stopped, asked=True, revoked=False) == told_to
    assert end_of(told_to, None, **calm) == told_to
    assert end_of(Exit(exit_code=3), stopped, **calm) == Exit(exit_code=3)
    assert end_of(Exit(signal=9), None, asked=False, revoked=True) == lost(None)
    # A job that has not ended when it was asked to is stopped by us.
    assert lost(stopped).cause is Cause.CANCELLED_BY_USER
    assert lost(stopped, by_us=True).cause is Cause.NODE_LOST
    assert lost(None).detail == "Ray does not know its job any more: it was restarted"


NODES: list[dict[str, Any]] = [
    {
        "node_id": "aa" * 28,
        "node_ip": "10.0.0.1",
        "node_name": "big",
        "state": "ALIVE",
        "resources_total": {"CPU": 8.0, "GPU": 2.0, "memory": 8.5 * GB, "accelerator_type:A100": 1},
    },
    {"node_id": "bb" * 28, "node_ip": "10.0.0.2", "node_name": "", "state": "ALIVE"},
    {"node_id": "cc" * 28, "node_ip": "10.0.0.2", "node_name": "10.0.0.2", "state": "DEAD"},
]


def test_nodes_are_shown_by_their_names_with_what_is_free() -> None:
    usage = {("aA" * 28): {"CPU": [2.5, 8.0], "GPU": [0.5, 2.0], "memory": [GB, 8.5 * GB]}}
    told = {"clusterStatus": {"loadMetricsReport": {"usageByNode": usage}}}
    big, other = nodes_of(NODES, usage_of(told))
    assert (big.node.name, big.node.cpu_cores, big.node.memory_gb) == ("big", 8, 8)
    assert [(gpu.uuid, gpu.model) for gpu in big.node.gpus] == [
        ("big/gpu:0", "A100"),
        ("big/gpu:1", "A100"),
    ]
    assert (big.cpu_cores_free, big.memory_gb_free, big.gpus_held) == (
        5,
        7,
        frozenset({"big/gpu:0"}),
    )
    assert (other.node.name, other.node.gpus) == ("10.0.0.2", ())
    assert usage_of(None) == {}


def test_names_tell_nodes_apart() -> None:
    same = [{**one, "node_name": "worker", "node_ip": "10.0.0.9"} for one in NODES[:2]]
    assert list(names_of(same).values()) == ["10.0.0.9-aaaaaaaa", "10.0.0.9-bbbbbbbb"]


def test_headers_are_those_of_rays_own_client(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    env = {"RAY_JOB_HEADERS": '{"X": "1"}', "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")}
    assert headers_of(env) == {"X": "1", "Authorization": "Bearer abc"}
    assert headers_of({}) == {}
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("usual")
    assert headers_of({"HOME": str(tmp_path)}) == {"Authorization": "Bearer usual"}
    assert headers_of({"HOME": str(tmp_path), "RAY_AUTH_MODE": "disabled"}) == {}
    with pytest.raises(ValueError, match="RAY_JOB_HEADERS should be a JSON object"):
        headers_of({"RAY_JOB_HEADERS": "X: 1"})
