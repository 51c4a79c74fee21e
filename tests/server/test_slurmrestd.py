"""Servers that reach a real Slurm by its slurmrestd: the same jobs, without Slurm's commands."""

from __future__ import annotations

import http.server
import json
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_training.doctor.slurm import look
from jupyter_training.executors.slurm import transport
from jupyter_training.executors.slurm_transport import Way
from tests.clusters import appends
from tests.conftest import Api, Home, Server
from tests.patience import PATIENCE_S
from tests.server.test_slurm import NAP, submit, waits
from tests.slurm import CONFIGURATION, Slurm, with_slurm


def by_rest(home: Home, slurm: Slurm, url: str, more: str = "") -> Home:
    """A home whose servers find no commands of Slurm, but this."""
    way = f'c.Slurm.commands = "/no/such/directory"\nc.Slurm.rest_url = "{url}"\n'
    with_slurm(home, slurm).configure(CONFIGURATION + way + more)
    return home


@pytest.fixture(scope="module")
def on_slurm(
    tmp_path_factory: pytest.TempPathFactory, slurm: Slurm, slurm_rest: str
) -> Iterator[Server]:
    """A server that reaches the cluster by its slurmrestd."""
    home = by_rest(Home(tmp_path_factory.mktemp("home")), slurm, slurm_rest)
    yield home.start()
    home.close()


@pytest.fixture
def api(on_slurm: Server) -> Iterator[Api]:
    yield on_slurm.api
    on_slurm.api.cancel_all()


def test_a_job_gets_what_it_asks_for(api: Api, slurm: Slurm) -> None:
    slurm.until_idle()
    names = "'CUDA_VISIBLE_DEVICES', 'SLURM_MEM_PER_NODE', 'SLURM_JOB_PARTITION'"
    code = f"import json, os; print(json.dumps([os.environ[one] for one in ({names})]))"
    asked = {"cpu_cores": 2, "memory_gb": 2, "gpu_count": 2, "gpu_type": "A100"}
    options = {"partition": "small", "exclude": "node3"}
    job = submit(api, code, executor_options=options, time_limit_s=600, **asked)
    told = api.ended(job)
    assert told["status"] == "completed", told["reason"]
    assert (told["node"], told["gpus"]) == ("node1", ["node1/gpu:0", "node1/gpu:1"])
    assert json.loads(api.log(job)[-1]) == ["0,1", "2048", "small"]
    refused = api.ended(submit(api, "", executor_options={"partition": "moon"}, gpu_count=0))
    assert (refused["status"], refused["cause"]) == ("failed", "launch_failed")
    assert "partition" in refused["reason"].lower()


def test_a_distributed_job_is_one_allocation_and_its_nodes_are_shown(api: Api) -> None:
    code = "import os; print(*(os.environ[name] for name in ('RANK', 'WORLD_SIZE', 'NNODES')))"
    gang = {"job_type": "distributed", "nodes": 3, "cpu_cores": 4, "gpu_count": 0}
    holder = submit(api, NAP, cpu_cores=4, gpu_count=0)
    api.status(holder, "running")
    blocked = submit(api, code, **gang)
    elastic = submit(api, code, **gang, min_nodes=2)
    told = api.ended(elastic)
    assert (told["status"], told["ranks"]) == ("completed", 2), told["reason"]
    assert [api.log(elastic, rank=rank) for rank in (0, 1)] == [["0 2 2"], ["1 2 2"]]
    waits(api, blocked, "PENDING (Resources)")
    nodes = api.get("api/training-resources").json()["nodes"]
    held = {one["name"]: [it["cpu_cores"] for it in one["held"]] for one in nodes}
    assert held[api.job(holder)["node"]] == [4]
    assert api.cancel(holder)["status"] == "cancelled"
    told = api.ended(blocked)
    assert (told["status"], told["ranks"]) == ("completed", 3), told["reason"]


def test_slurmrestd_and_the_controller_die_while_jobs_are_submitted(
    api: Api, slurm: Slurm, tmp_path: Path
) -> None:
    runs, jobs = tmp_path / "runs", []
    slurm.until_saved()
    for daemon, begin in (
        ("slurmrestd", slurm.start_rest),
        ("slurmctld", slurm.start_controller),
    ):
        jobs += [submit(api, appends(runs), gpu_count=0) for _ in range(2)]
        slurm.kill(daemon)
        jobs += [submit(api, appends(runs), gpu_count=0) for _ in range(2)]
        waits(api, jobs[-1], "does not answer")
        begin()
        slurm.until_up()
        try:
            for job in jobs:
                told = api.ended(job)
                assert told["status"] == "completed", told["reason"]
        finally:
            slurm.until_up()
    ran = [line.split()[0] for line in runs.read_text().splitlines()]
    assert sorted(ran) == sorted(jobs)


def test_the_doctor_sees_it(slurm_rest: str) -> None:
    found = look(Way("/no/such/directory", rest_url=slurm_rest), Path("/tmp"))
    assert (str(found.size), found.trouble) == ("3 nodes with 12 CPU cores and 12 GPUs", "")
    assert found.version[0].isdecimal()
    nowhere = look(Way(rest_url="unix:///no/such/socket"), Path("/tmp"))
    assert "slurmrestd at unix:///no/such/socket does not answer" in nowhere.trouble


class Picky(http.server.BaseHTTPRequestHandler):
    """Knows nobody, and keeps what it was told."""

    told: queue.SimpleQueue[tuple[str | None, ...]]

    def do_GET(self) -> None:
        self.told.put(tuple(self.headers.get(f"X-SLURM-USER-{one}") for one in ("NAME", "TOKEN")))
        body = b"Authentication failure"
        self.send_response(401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_token_is_read_each_time_and_one_that_is_not_taken_is_told(
    home: Home, slurm: Slurm, tmp_path: Path
) -> None:
    Picky.told = queue.SimpleQueue()
    file = tmp_path / "token"
    file.write_text("SLURM_JWT=first\n")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Picky) as picky:
        threading.Thread(target=picky.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{picky.server_port}"
        more = f'c.Slurm.rest_token_file = "{file}"\nc.Slurm.rest_user = "me"\n'
        api = by_rest(home, slurm, url, more).start().api
        job = submit(api, "", gpu_count=0)
        waits(api, job, "it does not take the token of this user")
        assert Picky.told.get(timeout=PATIENCE_S) == ("me", "first")
        file.write_text("second")
        while Picky.told.get(timeout=PATIENCE_S) != ("me", "second"):
            pass
        picky.shutdown()


def test_what_only_sbatch_takes_is_refused() -> None:
    both = Way(sbatch_options=["--exclusive"], rest_url="http://host:6820")
    with pytest.raises(ValueError, match=r"c\.Slurm\.sbatch_options are for sbatch"):
        transport(both, "i1")
    assert look(both, Path("/tmp")).trouble.startswith("c.Slurm.sbatch_options are for sbatch")
    with pytest.raises(ValueError, match=r"there is no sbatch in /no.*c\.Slurm\.rest_url"):
        transport(Way("/no"), "i1")
