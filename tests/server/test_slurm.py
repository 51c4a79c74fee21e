"""Servers with a real Slurm: what people see of their jobs there, and what nothing can lose."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clusters import appends, submit_to_servers_that_die
from tests.conftest import Api, Home, Server, python
from tests.patience import until
from tests.slurm import CONFIGURATION, NODES, Slurm, with_slurm


@pytest.fixture(scope="module")
def on_slurm(tmp_path_factory: pytest.TempPathFactory, slurm: Slurm) -> Iterator[Server]:
    """A server with 2 cores of its own and a cluster, which hears of all that happens there."""
    home = with_slurm(Home(tmp_path_factory.mktemp("home")), slurm)
    yield home.start(monitor_interval=3600)
    home.close()


@pytest.fixture
def api(on_slurm: Server) -> Iterator[Api]:
    yield on_slurm.api
    on_slurm.api.cancel_all()


def submit(api: Api, code: str, **fields: Any) -> str:
    job = api.submit(python(code), **{"executor": "slurm", **fields})
    return str(job["job_id"])


def waits(api: Api, job: str, words: str) -> dict[str, Any]:
    """The job as soon as it waits at Slurm for this."""
    return api.until(job, lambda it: it["status"] == "scheduled" and words in (it["reason"] or ""))


def nodes(api: Api) -> list[dict[str, Any]]:
    found = api.get("api/training-resources").json()["nodes"]
    assert isinstance(found, list)
    return found


NAP = "import time; print('up', flush=True); time.sleep(600)"


def test_a_job_gets_what_it_asks_slurm_for(api: Api, slurm: Slurm) -> None:
    code = (
        "import json, os; names = ('CUDA_VISIBLE_DEVICES', 'SLURM_CPUS_PER_TASK',"
        " 'SLURM_MEM_PER_NODE', 'SLURM_JOB_PARTITION', 'SLURMD_NODENAME')\n"
        "print(json.dumps({name: os.environ.get(name) for name in names}))"
    )
    options = {"partition": "small"}
    asked = {"cpu_cores": 2, "memory_gb": 2, "gpu_count": 2, "gpu_type": "A100"}
    slurm.until_idle()
    job = submit(api, code, executor_options=options, time_limit_s=600, **asked)
    told = api.ended(job)
    assert told["status"] == "completed", told["reason"]
    assert (told["node"], told["gpus"]) == ("node1", ["node1/gpu:0", "node1/gpu:1"])
    assert json.loads(api.log(job)[-1]) == {
        "CUDA_VISIBLE_DEVICES": "0,1",
        "SLURM_CPUS_PER_TASK": "2",
        "SLURM_MEM_PER_NODE": "2048",
        "SLURM_JOB_PARTITION": "small",
        "SLURMD_NODENAME": "node1",
    }
    events = api.get(f"api/training-jobs/{job}/events").json()
    assert "runs with 2 CPU cores, 2 GB, GPU node1/gpu:0, node1/gpu:1 on node1" in [
        event["reason"] for event in events
    ]
    wrong = {"name": "x", "command": "true", "executor": "slurm", "gpu_type": "H100"}
    (error,) = api.post("api/training-jobs", json=wrong).json()["errors"]
    assert error["field"] == "gpu_type"
    assert "there are: a100" in error["message"]
    refused = api.ended(submit(api, "", executor_options={"partition": "moon"}, gpu_count=0))
    assert (refused["status"], refused["cause"]) == ("failed", "launch_failed")
    assert "invalid partition specified: moon" in refused["reason"]


def test_backfill_past_a_blocked_job_and_the_cluster_is_shown(api: Api, slurm: Slurm) -> None:
    holder = submit(api, NAP, cpu_cores=3, time_limit_s=3600, gpu_count=0)
    api.status(holder, "running")
    three = {"job_type": "distributed", "nodes": 3, "cpu_cores": 4, "gpu_count": 0}
    blocked = submit(api, "", time_limit_s=3600, **three)
    waits(api, blocked, "PENDING (Resources)")
    small = submit(api, "print('past')", cpu_cores=1, time_limit_s=600, gpu_count=0)
    assert api.ended(small)["status"] == "completed"
    assert api.job(blocked)["status"] == "scheduled"
    slurm.until_cleared_up()
    # What is too large for this machine goes there by itself.
    large = api.submit(python(NAP), cpu_cores=4, gpu_count=0, time_limit_s=3600)
    assert large["executor"] == "slurm"
    place = api.job(holder)["node"]
    until(lambda: [one["cpu_cores_free"] for one in nodes(api) if one["name"] == place] == [1])
    shown = nodes(api)
    assert {one["name"] for one in shown if one["executor"] == "slurm"} == set(NODES)
    assert all(one["gpu_count"] == 4 for one in shown if one["executor"] == "slurm")
    held = [it for one in shown for it in one["held"] if one["name"] == place]
    assert [one["cpu_cores"] for one in held] == [3]
    for one in (blocked, large["job_id"], holder):
        assert api.cancel(one)["status"] == "cancelled"


def test_a_job_that_bears_it_starts_with_fewer_nodes_than_it_asks_for(
    api: Api, slurm: Slurm
) -> None:
    slurm.until_idle()
    holder = submit(api, NAP, cpu_cores=4, gpu_count=0)
    api.status(holder, "running")
    whole = {"job_type": "distributed", "nodes": 3, "cpu_cores": 4, "gpu_count": 1}
    code = "import os; print(*(os.environ[name] for name in ('RANK', 'WORLD_SIZE', 'NNODES')))"
    elastic = submit(api, code, min_nodes=1, **whole)
    told = api.ended(elastic)
    assert (told["status"], told["ranks"]) == ("completed", 2), told["reason"]
    assert len({part["node"] for part in told["parts"]} - {api.job(holder)["node"]}) == 2
    assert [api.log(elastic, rank=rank) for rank in (0, 1)] == [["0 2 2"], ["1 2 2"]]
    events = api.get(f"api/training-jobs/{elastic}/events").json()
    assert any("runs with 2 nodes: " in (event["reason"] or "") for event in events)


def test_the_controller_dies_while_jobs_are_submitted(
    api: Api, slurm: Slurm, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    slurm.until_saved()
    first = [submit(api, appends(runs), gpu_count=0) for _ in range(4)]
    slurm.kill("slurmctld")
    second = [submit(api, appends(runs), gpu_count=0) for _ in range(4)]
    waits(api, second[-1], "Slurm does not answer")
    slurm.start_controller()
    try:
        for job in (*first, *second):
            told = api.ended(job)
            assert told["status"] == "completed", told["reason"]
    finally:
        slurm.until_up()
    ran = [line.split()[0] for line in runs.read_text().splitlines()]
    assert sorted(ran) == sorted([*first, *second])


def test_a_node_that_is_lost_gives_its_job_to_another_attempt(
    api: Api, slurm: Slurm, tmp_path: Path
) -> None:
    code = (
        "import os, pathlib, time\n"
        "kept = pathlib.Path(os.environ['JUPYTER_TRAINING_CHECKPOINT_DIR'], 'step')\n"
        "print('resumed at', kept.read_text() if kept.exists() else 0, flush=True)\n"
        "if not kept.exists():\n"
        "    kept.write_text('7'); print('saved', flush=True); time.sleep(600)\n"
    )
    job = submit(api, code, gpu_count=0)
    api.until(job, lambda it: "saved" in api.log(job))
    node = api.status(job, "running")["node"]  # Slurm is asked for that
    try:
        slurm.lose(node)  # the job goes on
        told = api.ended(job)
    finally:
        slurm.restart_node(node)
    assert (told["status"], told["attempt"], told["retry_count"]) == ("completed", 2, 0)
    assert api.log(job) == ["resumed at 7"]
    events = api.get(f"api/training-jobs/{job}/events").json()
    (lost,) = (one["reason"] for one in events if one["cause"] == "node_lost")
    assert lost.startswith(f"the machine that ran it was lost: {node}, Slurm's job")
    assert lost.endswith("is NODE_FAIL (NodeDown)")


def test_a_node_that_cannot_begin_a_job_is_no_somebody_who_cancels_it(
    api: Api, slurm: Slurm
) -> None:
    held = slurm.command("sbatch", "--parsable", "--hold", "--output=/dev/null", "--wrap=true")
    # There is no place for the script of the next job, as on a disk that is full.
    places = [slurm.place / f"spool-{node}" / f"job{int(held) + 1:05}" for node in NODES]
    try:
        for place in places:
            (place / "slurm_script").mkdir(parents=True)
        job = submit(api, "print('up')", gpu_count=0)
        told = api.ended(job)
    finally:
        slurm.command("scancel", held.strip())
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
    assert (told["status"], told["attempt"], told["retry_count"]) == ("completed", 2, 0)
    events = api.get(f"api/training-jobs/{job}/events").json()
    (lost,) = (one["reason"] for one in events if one["cause"] == "node_lost")
    assert "could not begin it, and Slurm has cancelled job" in lost


def test_a_search_and_a_pipeline_run_there_with_their_metrics_and_results(api: Api) -> None:
    loss = "(float(sys.argv[1]) - 2) ** 2"
    fit = f"import sys; from jupyter_training import report; report(loss={loss})"
    space = {"x": {"type": "choice", "values": [1, 2, 3]}}
    search = {"trials": 3, "parallel": 3, "metric": "loss", "sampler": "grid", "space": space}
    searched = api.submit(
        [*python(fit), "{x}"], executor="slurm", job_type="hyperparameter", search=search
    )["job_id"]
    output, inputs = "JUPYTER_TRAINING_OUTPUT_DIR", "JUPYTER_TRAINING_INPUTS"
    writes = f"import os; open(os.environ[{output!r}] + '/data', 'w').write('7')"
    reads = f"import os; print(open(os.environ[{inputs!r}] + '/prepare/data').read())"
    small = {"cpu_cores": 1, "memory_gb": 1, "gpu_count": 0}
    last = {"executor_options": {"partition": "small"}, "depends_on": ["prepare"]}
    stages = [
        {"name": "prepare", "command": python(writes), **small},
        {"name": "fit", "command": python(reads), **small, **last, "gpu_count": 1},
    ]
    pipeline = {"name": "pipe", "job_type": "pipeline", "executor": "slurm", "stages": stages}
    piped = api.post("api/training-jobs", json=pipeline).json()["job_id"]
    told = api.ended(searched)
    assert (told["status"], told["executor"]) == ("completed", "slurm")
    assert told["reason"].startswith("best loss 0 in trial ")
    assert api.ended(piped)["status"] == "completed"
    _, fitted = api.get(f"api/training-jobs/{piped}/children").json()
    (gpu,) = fitted["gpus"]  # which one, is Slurm's business: trials run beside it
    assert (fitted["node"], gpu.partition(":")[0]) == ("node1", "node1/gpu")
    assert api.log(fitted["job_id"]) == ["7"]


def test_what_somebody_does_in_slurm_is_told(api: Api, slurm: Slurm) -> None:
    job = submit(api, NAP, gpu_count=0)
    api.printed(job, "up")
    slurm.command("scancel", "--name=test")
    told = api.ended(job)
    assert (told["status"], told["cause"]) == ("cancelled", "cancelled_by_user")
    assert "somebody in Slurm" in told["reason"]
    several = submit(api, NAP, gpu_count=0, nodes=2)
    api.status(several, "running")
    slurm.command("scancel", "--name=test")
    told = api.ended(several)
    assert (told["status"], told["attempt"]) == ("cancelled", 1), told["reason"]
    assert "somebody in Slurm" in told["reason"]
    # Slurm takes what no node will ever have, and lets it fail.
    told = api.ended(submit(api, "", gpu_count=9))
    assert (told["status"], told["cause"], told["attempt"]) == ("failed", "launch_failed", 1)
    assert "have what it asks for (BadConstraints); ask for less" in told["reason"]


def test_a_distributed_job_names_the_directory_that_one_of_its_nodes_does_not_see(
    on_slurm: Server, api: Api, slurm: Slurm
) -> None:
    slurm.restart_node("node3", unseen=on_slurm.home.data_dir)
    try:
        asked = {"gpu_count": 1, "nodes": 2, "executor_options": {"nodelist": "node[2-3]"}}
        told = api.ended(submit(api, NAP, **asked))
    finally:
        slurm.restart_node("node3")
    assert (told["status"], told["cause"], told["attempt"]) == ("failed", "launch_failed", 1)
    assert "jobs on Slurm need a directory that all nodes share" in told["reason"]


def test_a_directory_that_nodes_do_not_see_is_named(home: Home, slurm: Slurm) -> None:
    with_slurm(home, slurm).configure(CONFIGURATION + 'c.Slurm.python = "/no/python"\n')
    api = home.start().api
    told = api.ended(submit(api, "", gpu_count=0))
    assert (told["status"], told["cause"]) == ("failed", "launch_failed")
    assert "has no /no/python: put the environment where all nodes see it" in told["reason"]


def test_a_server_that_dies_while_it_submits_loses_and_doubles_nothing(
    home: Home, slurm: Slurm, tmp_path: Path
) -> None:
    submit_to_servers_that_die(with_slurm(home, slurm), "slurm", tmp_path / "runs")
