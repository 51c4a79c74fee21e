"""Distributed jobs in containers: a private network, names, and nothing left of either."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_training.executors.containers import ATTEMPT, DIRECTORY, INSTALLATION
from jupyter_training.points import VARIABLE, Point
from jupyter_training.server.identity import TrainingTokens
from tests.conftest import Home, Server
from tests.executors.docker_engine import IMAGE, Engine
from tests.patience import PATIENCE_S, until

IN_IMAGE: dict[str, Any] = {"image": IMAGE, "nodes": 2, "cpu_cores": 1, "memory_gb": 1}
TALK = """
import os, socket, time
place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
print("I am", socket.gethostname(), os.environ["GLOO_SOCKET_IFNAME"], flush=True)
if os.environ["RANK"] == "0":
    with socket.socket() as server:
        server.bind(place)
        server.listen()
        print("heard", server.accept()[0].recv(99).decode())
else:
    while True:
        try:
            peer = socket.create_connection(place)
            break
        except OSError:
            time.sleep(0.01)
    peer.sendall(b"rank " + os.environ["RANK"].encode())
"""
FAIL = """
import os, sys, time
from jupyter_training import report
report(step=1, loss=float(os.environ["RANK"]) + 1)
first = os.path.join(os.environ["JUPYTER_TRAINING_CHECKPOINT_DIR"], "first")
if os.environ["RANK"] == "1":
    while not os.path.exists(first): time.sleep(0.01)
    sys.exit("out of patience")
open(first, "w").close()
time.sleep(600)
"""


def script(text: str) -> dict[str, Any]:
    return {"command": ["python3", "{script}"], "script": {"name": "cell.py", "text": text}}


@pytest.fixture
def server(engine: Engine, home: Home) -> Server:
    return home.start(docker_url=engine.url, gpus=2)


def ours(home: Home) -> dict[str, str]:
    """What finds the containers and networks of a home's servers, as others use the engine, too."""
    return {"label": f"{INSTALLATION}={TrainingTokens(home.data_dir).installation}"}


def left(engine: Engine, home: Home) -> tuple[list[Any], list[Any]]:
    """The containers and networks of ours that are left, once none is being removed any more."""
    client, label = engine.client, ours(home)

    def found() -> tuple[list[Any], list[Any]]:
        return client.containers(all=True, filters=label), client.networks(filters=label)

    try:
        until(lambda: not any(found()))
        return found()
    finally:
        client.close()


def test_nodes_are_containers_that_find_each_other_by_name(
    server: Server, engine: Engine, home: Home
) -> None:
    api = server.api
    job = api.ended(api.submit(**script(TALK), gpu_count=1, **IN_IMAGE)["job_id"])
    assert job["status"] == "completed", job["reason"]
    log = api.log(job["job_id"])
    assert sorted(log) == [
        "[rank 0] I am node-0 eth0",
        "[rank 0] heard rank 1",
        "[rank 1] I am node-1 eth0",
    ]
    assert [one["gpus"] for one in job["parts"]] == [["0"], ["1"]]
    assert left(engine, home) == ([], [])


def test_a_rank_that_fails_in_its_container_ends_the_others(
    server: Server, engine: Engine, home: Home
) -> None:
    api = server.api
    job = api.ended(api.submit(**script(FAIL), max_retries=0, **IN_IMAGE)["job_id"])
    assert (job["status"], job["cause"]) == ("failed", "user_error")
    assert job["reason"].startswith("rank 1 of 2 failed first: the script ended with exit code 1")
    metrics = server.home.data_dir / "jobs" / job["job_id"] / "attempt-1" / "metrics.jsonl"
    assert metrics.read_text().count("loss") == 1
    assert '"loss": 1.0' in metrics.read_text()
    assert left(engine, home) == ([], [])


def test_containers_of_a_gang_outlive_the_server_and_are_ended_whole(
    home: Home, engine: Engine
) -> None:
    first = home.start(docker_url=engine.url)
    waits = "import time; print('ready', flush=True); time.sleep(600)"
    job_id = first.api.submit(**script(waits), **IN_IMAGE)["job_id"]
    for rank in (0, 1):
        first.api.printed(job_id, f"[rank {rank}] ready")
    first.kill()
    client = engine.client
    label = ours(home)
    there = client.containers(filters=label)
    assert len(there) == 2
    tokens = {one["Labels"][ATTEMPT].partition(".")[0] for one in there}
    assert [one["Labels"][ATTEMPT] for one in client.networks(filters=label)] == list(tokens)
    client.close()
    second = home.start(docker_url=engine.url)
    second.api.status(job_id, "running")
    assert second.api.cancel(job_id)["status"] == "cancelled"
    assert left(engine, home) == ([], [])


def test_a_network_that_a_crash_has_left_is_removed_and_no_other(
    home: Home, engine: Engine
) -> None:
    client = engine.client
    installation = TrainingTokens(home.data_dir).installation
    labels = {INSTALLATION: installation, ATTEMPT: "abc", DIRECTORY: str(home.path / "gone")}
    client.create_network("jupyter-training-abc", labels=labels)
    client.create_network("not-ours", labels={**labels, INSTALLATION: "another"})
    home.start(docker_url=engine.url)
    until(lambda: not client.networks(names=["jupyter-training-abc"]))
    assert client.networks(names=["not-ours"])
    client.remove_network("not-ours")
    client.close()


@pytest.mark.parametrize("point", [Point.NODE_STARTED, Point.NODE_ENDED])
def test_a_server_that_dies_between_two_nodes_leaves_nothing_half(
    home: Home, engine: Engine, point: Point
) -> None:
    home.variables[VARIABLE] = point.value
    first = home.start(docker_url=engine.url)
    first.api.submit_to_one_that_dies(**script(TALK), **IN_IMAGE)
    assert first.process.wait(PATIENCE_S) == -9
    home.variables.clear()
    api = home.start(docker_url=engine.url).api
    job = api.ended(api.only_job())
    assert (job["status"], job["retry_count"]) == ("completed", 0), job["reason"]
    assert left(engine, home) == ([], [])
