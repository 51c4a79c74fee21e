"""GPUs are given exactly. There is none here, so they are configured and not detected."""

from __future__ import annotations

import os
from pathlib import Path

from tests.conftest import Api, Home, python

SHOW = "import os; print('sees', os.environ['CUDA_VISIBLE_DEVICES'], flush=True); "


def sees(api: Api, job_id: str) -> list[str]:
    """The GPUs that a job finds in its environment, once it has printed them."""
    api.until(job_id, lambda told: bool(api.log(job_id)) if told["attempt"] else False)
    return api.log(job_id)[0].removeprefix("sees ").split(",")


def test_two_jobs_never_see_the_same_gpu_and_a_third_one_waits(home: Home, tmp_path: Path) -> None:
    go, go_too = tmp_path / "go", tmp_path / "go-too"
    os.mkfifo(go)
    os.mkfifo(go_too)
    home.configure(
        "c.TrainingApp.gpus = "
        "['GPU-a=NVIDIA A100', 'GPU-b=NVIDIA A100', 'GPU-c=NVIDIA GeForce RTX 4090']"
    )
    api = home.start(cpu_cores=8, gpus=None).api
    waits = [f"{SHOW} open({str(fifo)!r}).read()" for fifo in (go, go_too)]
    first = api.submit(python(waits[0]), name="first", gpu_count=1, gpu_type="A100")["job_id"]
    second = api.submit(python(waits[1]), name="second", gpu_count=1)["job_id"]
    for job_id in (first, second):
        api.status(job_id, "running")
    held = {uuid for job_id in (first, second) for uuid in api.job(job_id)["gpus"]}
    assert len(held) == 2
    third = api.submit(python(SHOW), name="third", gpu_count=2)["job_id"]
    told = api.until(third, lambda told: told["reason"] is not None)
    assert (told["status"], told["reason"]) == (
        "pending",
        "waits for 2 GPUs (1 free), held by first, second",
    )
    never = api.submit(python(SHOW), gpu_count=2, gpu_type="RTX 4090")["job_id"]
    assert "asks for 2 GPUs of type RTX 4090" in str(
        api.until(never, lambda told: told["reason"] is not None)["reason"]
    )
    go.open("w").close()
    go_too.open("w").close()
    assert api.ended(third)["status"] == "completed"
    seen = {job_id: sees(api, job_id) for job_id in (first, second, third)}
    assert all(seen[job_id] == api.job(job_id)["gpus"] for job_id in seen)
    assert not set(seen[first]) & set(seen[second])
    assert len(seen[third]) == 2
