"""Servers with a real Ray: what people see of their jobs there, and what nothing can lose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupyter_training.doctor.ray import look
from tests.clusters import appends, runs_of, submit_to_servers_that_die
from tests.conftest import Api, Home, Server, python
from tests.ray_cluster import CPUS, GPUS, NODES, RayCluster, at_length, with_ray

NAP = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory: pytest.TempPathFactory, ray_cluster: RayCluster) -> Iterator[Server]:
    """A server with 2 cores of its own and a cluster."""
    home = with_ray(Home(tmp_path_factory.mktemp("home")), ray_cluster.url)
    server = home.start()
    yield server
    home.close()


@pytest.fixture
def api(on_ray: Server) -> Iterator[Api]:
    yield on_ray.api
    on_ray.api.cancel_all()


def submit(api: Api, code: str, **fields: Any) -> str:
    job = api.submit(python(code), **{"executor": "ray", "gpu_count": 0, **fields})
    return str(job["job_id"])


def waits(api: Api, job: str, words: str) -> dict[str, Any]:
    """The job as soon as it waits at Ray for this."""
    return api.until(job, lambda it: it["status"] == "scheduled" and words in (it["reason"] or ""))


def losses(api: Api, job: str) -> list[str]:
    """Why attempts of a job were lost."""
    events = api.get(f"api/training-jobs/{job}/events").json()
    return [one["reason"] for one in events if one["cause"] == "node_lost"]


def test_a_job_gets_what_it_asks_ray_for_and_the_cluster_is_shown(
    api: Api, ray_cluster: RayCluster
) -> None:
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
    assert [len(one["gpus"]) for one in shown(api).values()] == [GPUS] * len(NODES)
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
    examined = look(ray_cluster.url, {}, True, Path("/tmp"))
    cores, gpus = CPUS * len(NODES), GPUS * len(NODES)
    size = f"{len(NODES)} nodes with {cores} CPU cores and {gpus} GPUs"
    assert (str(examined.size), examined.trouble) == (size, "")
    assert not examined.size.is_elsewhere


def shown(api: Api) -> dict[str, Any]:
    nodes = api.get("api/training-resources").json()["nodes"]
    return {one["name"]: one for one in nodes if one["executor"] == "ray"}


MEET = """
import os, pathlib, socket, time
rank, where = int(os.environ["RANK"]), (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
kept = pathlib.Path(os.environ["JUPYTER_TRAINING_CHECKPOINT_DIR"], "step")
if rank == 0:
    with socket.create_server(where) as server:
        with server.accept()[0] as other:
            print("heard", other.recv(100).decode(), flush=True)
    if "STAYS" in os.environ and not kept.exists():
        kept.write_text("7")
        print("saved", flush=True)
        time.sleep(600)
    print("resumed at", kept.read_text() if kept.exists() else 0, flush=True)
else:
    while True:
        try:
            with socket.create_connection(where, 60) as other:
                other.sendall(f"rank {rank} of {os.environ['WORLD_SIZE']}".encode())
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    if "STAYS" in os.environ and os.environ["JUPYTER_TRAINING_ATTEMPT"] == "1":
        time.sleep(600)
os._exit(int(os.environ.get("FAILS", 0)) * rank)
"""

PAIR = {"job_type": "distributed", "nodes": 2, "cpu_cores": 3, "gpu_count": 1}


@at_length
def test_two_nodes_meet_in_a_placement_group_and_again_when_one_is_lost(
    api: Api, ray_cluster: RayCluster
) -> None:
    holders = [submit(api, NAP, cpu_cores=3) for _ in range(2)]
    for one in holders:
        api.status(one, "running")
    job = submit(api, MEET, env_vars={"STAYS": "1"}, **PAIR)
    waits(api, job, "waits for 2 nodes of Ray at the same time")
    for one in holders:
        api.post(f"api/training-jobs/{one}/cancel")
    api.until(job, lambda it: "[rank 0] saved" in api.log(job))
    told = api.status(job, "running")  # Ray is asked for where it runs
    assert "[rank 0] heard rank 1 of 2" in api.log(job)
    first, second = (one["node"] for one in told["parts"])
    assert first != second
    assert told["gpus"] == [f"{first}/gpu:0", f"{second}/gpu:0"]
    # Its driver may be anywhere; the head is not to be lost here.
    lost = second if second != "node1" else first
    ray_cluster.kill_node(lost)
    try:
        told = api.ended(job)
    finally:
        ray_cluster.start()
    assert (told["status"], told["attempt"], told["retry_count"]) == ("completed", 2, 0)
    assert [line for line in api.log(job) if "rank 0" in line] == [
        "[rank 0] heard rank 1 of 2",
        "[rank 0] resumed at 7",
    ]
    assert len(losses(api, job)) == 1
    told = api.ended(submit(api, MEET, env_vars={"FAILS": "3"}, max_retries=0, **PAIR))
    assert (told["status"], told["exit_code"]) == ("failed", 3)


@at_length
def test_a_distributed_job_names_the_directory_that_one_of_its_nodes_does_not_see(
    on_ray: Server, api: Api, ray_cluster: RayCluster
) -> None:
    ray_cluster.kill_node("node3")
    ray_cluster.start_node("node3", unseen=on_ray.home.data_dir)
    try:
        ray_cluster.until_up()
        told = api.ended(submit(api, NAP, nodes=3))
    finally:
        ray_cluster.kill_node("node3")
        ray_cluster.start()
    assert (told["status"], told["cause"], told["attempt"]) == ("failed", "launch_failed", 1)
    assert f"the node at {NODES['node3']} does not see" in told["reason"]
    assert "jobs on Ray need a directory that all nodes share" in told["reason"]


@at_length
def test_what_no_node_could_ever_hold_says_so_and_fewer_nodes_do(api: Api) -> None:
    large, five = submit(api, "", cpu_cores=64), submit(api, "", nodes=5)
    waits(api, large, "no node of Ray has 64 CPU cores, the largest has 4): ask for less")
    waits(api, five, "waits for 5 nodes of Ray at the same time, but it has only 3: ask for fewer")
    code = "import os; print(*(os.environ[name] for name in ('RANK', 'WORLD_SIZE', 'NNODES')))"
    elastic = submit(api, code, job_type="distributed", nodes=5, min_nodes=2)
    told = api.ended(elastic)
    assert (told["status"], told["ranks"]) == ("completed", 3), told["reason"]
    assert sorted(api.log(elastic)) == [f"[rank {one}] {one} 3 3" for one in range(3)]


RESUMES = """
import fcntl, os, pathlib, time
rank = os.environ.get("RANK", "0")
kept = pathlib.Path(os.environ["JUPYTER_TRAINING_CHECKPOINT_DIR"], "step-" + rank)
alone = open(kept.with_name("alone-" + rank), "w")
fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)  # no attempt runs beside another one
print("resumed at", kept.read_text() if kept.exists() else 0, flush=True)
if not kept.exists():
    kept.write_text("7")
    print("saved", flush=True)
    time.sleep(600)
"""


@at_length
@pytest.mark.parametrize("goes_on", [False, True], ids=["killed", "out-of-sight"])
def test_a_node_that_is_lost_gives_its_job_to_another_attempt(
    api: Api, ray_cluster: RayCluster, goes_on: bool
) -> None:
    job = submit(api, RESUMES, executor_options={"resources": "worker=1"})
    api.printed(job, "saved")
    node = str(api.status(job, "running")["node"])
    if goes_on:
        ray_cluster.lose_sight_of(node)
    else:
        ray_cluster.kill_node(node)
    try:
        told = api.ended(job)
    finally:
        if goes_on:
            ray_cluster.kill_node(node)
        ray_cluster.start()
    assert (told["status"], told["attempt"], told["retry_count"]) == ("completed", 2, 0)
    assert api.log(job) == ["resumed at 7"]
    (lost,) = losses(api, job)
    assert "Ray has lost the node of job" in lost


@at_length
def test_a_server_that_dies_while_it_submits_loses_and_doubles_nothing(
    home: Home, ray_cluster: RayCluster, tmp_path: Path
) -> None:
    home = with_ray(home, ray_cluster.url)
    submit_to_servers_that_die(home, "ray", tmp_path / "runs")


@at_length
def test_the_job_server_hangs_while_jobs_are_submitted(
    api: Api, ray_cluster: RayCluster, tmp_path: Path
) -> None:
    runs, go = tmp_path / "runs", tmp_path / "go"
    code = f"{appends(runs)}\nimport time\nwhile not os.path.exists({str(go)!r}): time.sleep(.1)"
    running = submit(api, code)
    api.status(running, "running")
    with ray_cluster.hanging():
        late = [submit(api, appends(runs)) for _ in range(3)]
        waits(api, late[-1], "Ray does not answer")
        assert api.job(running)["status"] == "running"
        go.touch()
        # Its end is known from its own records.
        assert api.ended(running)["status"] == "completed"
    for job in late:
        assert api.ended(job)["status"] == "completed"
    assert runs_of(runs) == dict.fromkeys([running, *late], 1)


@at_length
def test_the_head_is_killed_and_started_again_while_jobs_are_submitted(
    api: Api, ray_cluster: RayCluster, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    on_workers: dict[str, Any] = {"executor_options": {"resources": "worker=1"}}
    napping = submit(api, RESUMES, job_type="distributed", nodes=2, **on_workers)
    api.until(napping, lambda it: sum("saved" in line for line in api.log(napping)) == 2)
    before = [submit(api, appends(runs)) for _ in range(3)]
    ray_cluster.kill_node("node1")
    during = [submit(api, appends(runs)) for _ in range(3)]
    waits(api, during[-1], "Ray does not answer")
    assert api.job(napping)["status"] == "running"
    ray_cluster.start_node("node1")
    api.until(napping, lambda it: losses(api, napping) != [])
    for name in NODES:  # those that were there before do not belong to the new head
        if name != "node1":
            ray_cluster.kill_node(name)
    ray_cluster.start()
    for job in (*before, *during, napping):
        told = api.ended(job)
        assert (told["status"], told["retry_count"]) == ("completed", 0), told["reason"]
    assert sorted(api.log(napping)) == ["[rank 0] resumed at 7", "[rank 1] resumed at 7"]
    # What ran when its node was killed may have told it, and its next attempt again.
    ran = runs_of(runs)
    assert ran.keys() == {*before, *during}
    for job, count in ran.items():
        assert count <= api.job(job)["attempt"]


@at_length
def test_what_somebody_does_in_ray_is_told(api: Api, ray_cluster: RayCluster) -> None:
    job = submit(api, NAP)
    api.printed(job, "up")
    with httpx.Client(base_url=ray_cluster.url, trust_env=False) as ray:
        (known,) = (
            one["submission_id"]
            for one in ray.get("/api/jobs/").json()
            if one["metadata"].get("jupyter_training.job") == job
        )
        assert ray.post(f"/api/jobs/{known}/stop").is_success
    told = api.ended(job)
    assert (told["status"], told["cause"]) == ("cancelled", "cancelled_by_user")
    assert "somebody in Ray" in told["reason"]


SEARCH = {
    "metric": "loss",
    "trials": 3,
    "parallel": 3,
    "seed": 1,
    "space": {"x": {"type": "uniform", "low": 0, "high": 1}},
}


@at_length
def test_a_search_and_a_pipeline(api: Api) -> None:
    code = "from jupyter_training import report; report(step=0, loss=({x} - 0.3) ** 2)"
    on_ray: dict[str, Any] = {"executor": "ray", "gpu_count": 0}
    search = api.submit(python(code), search=SEARCH, **on_ray)["job_id"]
    hands_on = (
        "import os; print(*os.listdir(os.environ.get('JUPYTER_TRAINING_INPUTS', '/nowhere')))"
    )
    stages = [
        {"name": "prepare", "command": python("")},
        {"name": "fit", "command": python(hands_on), "depends_on": ["prepare"]},
    ]
    spec = {"name": "pipe", "stages": stages, "cpu_cores": 1, "memory_gb": 1, **on_ray}
    pipe = api.post("api/training-jobs", json=spec).json()["job_id"]
    told = api.ended(search)
    assert (told["status"], told["search"]["states"]["complete"]) == ("completed", 3)
    trials = api.get(f"api/training-jobs/{search}/trials").json()
    for one in trials["trials"]:
        assert one["value"] == pytest.approx((one["params"]["x"] - 0.3) ** 2)
    assert api.ended(pipe)["status"] == "completed"
    for parent in (search, pipe):
        for child in api.get(f"api/training-jobs/{parent}/children").json():
            assert (child["executor"], child["node"] in NODES) == ("ray", True)
            if child["name"] == "pipe/fit":
                assert api.log(child["job_id"]) == ["prepare"]
