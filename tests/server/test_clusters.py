"""A cluster that another package adds: its jobs are handed over, and found again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.conftest import Home, python
from tests.executors.another_package import install
from tests.patience import until


def test_jobs_are_handed_over_to_a_cluster_and_run_there_once(home: Home, tmp_path: Path) -> None:
    place = tmp_path / "packages"
    place.mkdir()
    install(place, desk="cluster_of_another_package:PLUGIN")
    home.variables["PYTHONPATH"] = os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])
    home.configure('c.TrainingApp.executors = ["local", "docker", "desk"]')
    api = home.start(cpu_cores=1).api

    runs = home.path / "runs"
    code = python(f"import os; os.write(os.open({str(runs)!r}, 1025 | os.O_CREAT), b'x')")
    nap = api.submit(python("import time; time.sleep(600)"))
    api.status(nap["job_id"], "running")
    blocked = api.submit(code)
    # Nothing here is free, and the one before it waits; this machine could never hold the second.
    handed = api.submit(code, executor="desk", executor_options={"drawer": "upper"})
    large = api.submit(code, cpu_cores=50)
    gone = api.submit(code, executor="desk", gpu_count=2)
    never = api.submit(code, cpu_cores=50, executor="local")
    hint = "; --executor desk sends such a job to a cluster"
    api.until(never["job_id"], lambda it: (it["reason"] or "").endswith(hint))
    api.post(f"api/training-jobs/{never['job_id']}/cancel")
    assert [one["executor"] for one in (nap, handed, large)] == ["local", "desk", "desk"]
    for one in (handed, large, gone):
        told = api.until(one["job_id"], lambda it: "waits at the desk" in (it["reason"] or ""))
        assert (told["status"], told["gpus"], told["queue_position"]) == ("scheduled", [], None)
    assert api.job(blocked["job_id"])["reason"].startswith("waits for 1 CPU core (0 free)")

    spec = {"name": "x", "command": "true", "cpu_cores": 50}
    told = api.post("api/training-jobs?dry_run=true", json=spec).json()
    assert told["reason"] == "would be handed over to desk, which decides when and where it runs"
    wrong = {**spec, "executor": "desk", "executor_options": {"drawer": "lower"}}
    (error,) = api.post("api/training-jobs", json=wrong).json()["errors"]
    assert error == {"field": "executor_options.drawer", "message": "there is only the upper one"}

    def nodes() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api.get("api/training-resources").json()["nodes"]
        return found

    until(lambda: len(nodes()) == 2)
    here, desk = nodes()
    assert (here["executor"], here["cpu_cores_free"], len(here["held"])) == (None, 0, 1)
    assert (desk["executor"], desk["state"], desk["cpu_cores_free"]) == ("desk", "tidy", 60)
    assert [gpu["state"] for gpu in desk["gpus"]] == ["free", "in_use"]

    assert api.cancel(gone["job_id"])["status"] == "cancelled"

    home.servers[0].kill()
    api = home.start(cpu_cores=1).api
    told = api.until(large["job_id"], lambda it: "waits at the desk" in (it["reason"] or ""))
    assert not runs.exists()
    (home.data_dir / "go").touch()
    for one in (handed, large):
        told = api.ended(one["job_id"])
        assert (told["status"], told["node"], told["gpus"]) == ("completed", "desk", ["desk/0"])
        assert api.history(one["job_id"]) == ["pending", "scheduled", "running", "completed"]
    assert runs.read_bytes() == b"xx"
    gang = api.submit(code, nodes=2, executor="desk", gpu_count=0)
    told = api.ended(gang["job_id"])
    assert (told["status"], len(told["parts"])) == ("completed", 2)
    assert runs.read_bytes() == b"xxxx"
    assert api.job(blocked["job_id"])["status"] == "pending"
