"""Servers with a real Ray: what people see of their jobs there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Api, Home, Server, python
from tests.ray_cluster import NODES, RayCluster, with_ray


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory: pytest.TempPathFactory, ray_cluster: RayCluster) -> Iterator[Server]:
    """A server with 2 cores of its own and a cluster."""
    home = with_ray(Home(tmp_path_factory.mktemp("home")), ray_cluster.url)
    yield home.start()
    home.close()


@pytest.fixture
def api(on_ray: Server) -> Iterator[Api]:
    yield on_ray.api
    for job in on_ray.api.get("api/training-jobs?status=pending,scheduled,running").json():
        on_ray.api.post(f"api/training-jobs/{job['job_id']}/cancel")


def submit(api: Api, code: str, **fields: Any) -> str:
    job = api.submit(python(code), **{"executor": "ray", "gpu_count": 0, **fields})
    return str(job["job_id"])


def waits(api: Api, job: str, words: str) -> dict[str, Any]:
    """The job as soon as it waits at Ray for this."""
    return api.until(job, lambda it: it["status"] == "scheduled" and words in (it["reason"] or ""))


def test_a_job_gets_what_it_asks_ray_for_and_the_cluster_is_shown(api: Api) -> None:
    code = (
        "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['RAY_ADDRESS'] != '')"
        "\nprint('up', flush=True); sys.stdin.read(); import time; time.sleep(600)"
    )
    options = {"resources": "licence=1"}
    asked = {"cpu_cores": 2, "gpu_count": 2, "gpu_type": "A100", "executor_options": options}
    job = submit(api, code, **asked)
    api.printed(job, "up")
    assert api.log(job)[0] == "0,1 True"
    told = api.status(job, "running")
    assert (told["node"], told["gpus"]) == ("node1", ["node1/gpu:0", "node1/gpu:1"])
    second = submit(api, "", **asked)
    waits(api, second, "PENDING (It may be waiting for resources")
    api.until(second, lambda it: len(shown(api)["node1"]["held"]) == 1)
    assert shown(api).keys() == NODES.keys()
    assert [len(one["gpus"]) for one in shown(api).values()] == [4, 4, 4]
    assert {it["model"] for one in shown(api).values() for it in one["gpus"]} == {"A100"}
    wrong = {"name": "x", "command": "true", "executor": "ray"}
    for field, value, said in (
        ("gpu_type", "H100", "no node of the cluster has a GPU of type H100 (there are: A100)"),
        ("executor_options", {"resources": "licence"}, "'licence' should be like \"name=value\""),
    ):
        answer = api.post("api/training-jobs", json={**wrong, field: value})
        assert [one["message"] for one in answer.json()["errors"]] == [said]
    for one in (second, job):
        api.post(f"api/training-jobs/{one}/cancel")
        assert api.ended(one)["cause"] == "cancelled_by_user"


def shown(api: Api) -> dict[str, Any]:
    nodes = api.get("api/training-resources").json()["nodes"]
    return {one["name"]: one for one in nodes if one["executor"] == "ray"}
