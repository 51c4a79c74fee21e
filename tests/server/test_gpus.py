"""GPUs are given exactly: those that are configured, and those that a fake driver tells of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests import fake_nvml
from tests.conftest import Api, Home, python
from tests.fake_nvml import FakeGpus

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


@pytest.fixture
def cards(home: Home, tmp_path: Path) -> FakeGpus:
    """Two cards of a fake driver, since no machine here has a real one."""
    fake = FakeGpus(tmp_path / "cards", ["NVIDIA A100-SXM4-80GB"] * 2)
    home.variables |= fake.environment(fake_nvml.build(tmp_path))
    return fake


def start(home: Home) -> Api:
    return home.start(cpu_cores=8, gpus=None, monitor_interval=0.2, schedule_interval=0.2).api


def gpus(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("api/training-resources").json()["nodes"][0]["gpus"]
    return found


def test_a_card_in_trouble_is_drained_says_why_and_comes_back(home: Home, cards: FakeGpus) -> None:
    cards.card(0, ecc_uncorrected=2)
    api = start(home)
    assert [gpu["model"] for gpu in gpus(api)] == ["NVIDIA A100-SXM4-80GB"] * 2
    assert "ECC" in gpus(api)[0]["unavailable"]
    assert gpus(api)[1]["unavailable"] is None
    one = api.submit(python(f"{SHOW} pass"), gpu_count=1, gpu_type="A100")["job_id"]
    assert api.ended(one)["gpus"] == sees(api, one) == [fake_nvml.uuid(1)]
    both = api.submit(python(f"{SHOW} pass"), gpu_count=2)["job_id"]
    told = api.until(both, lambda told: "ECC" in (told["reason"] or ""))
    assert told["status"] == "pending"
    cards.card(0, ecc_uncorrected=0)
    assert api.ended(both)["status"] == "completed"
    assert sees(api, both) == [fake_nvml.uuid(0), fake_nvml.uuid(1)]


def test_a_card_that_others_use_is_not_given_out_and_one_of_a_job_is_no_others(
    home: Home, cards: FakeGpus
) -> None:
    cards.uses(0, (os.getpid(), 1 << 30))
    api = start(home)
    assert f"(pid {os.getpid()}), not one of our jobs" in gpus(api)[0]["unavailable"]
    code = f"{SHOW} print(os.getpid(), flush=True); import time; time.sleep(600)"
    job_id = api.submit(python(code), gpu_count=1)["job_id"]
    assert sees(api, job_id) == [fake_nvml.uuid(1)]
    api.until(job_id, lambda _: len(api.log(job_id)) == 2)
    cards.uses(1, (int(api.log(job_id)[1]), 1 << 30))
    waiting = api.submit(python(f"{SHOW} pass"), gpu_count=1)["job_id"]
    cards.uses(0)
    assert api.ended(waiting)["gpus"] == [fake_nvml.uuid(0)]
    # It was read again since, and the job's own process is no reason to drain its card.
    assert [gpu["unavailable"] for gpu in gpus(api)] == [None, None]
    assert gpus(api)[1]["held_by"] == "test"


def test_a_driver_that_fails_never_breaks_the_server(home: Home, cards: FakeGpus) -> None:
    api = start(home)
    assert len(gpus(api)) == 2
    cards.fail("*", 999)
    job_id = api.submit(python("pass"))["job_id"]
    assert api.ended(job_id)["status"] == "completed"
    while not all(gpu["unavailable"] for gpu in gpus(api)):
        pass  # until the driver was asked again; the test has a time limit
    waits = api.submit(python("pass"), gpu_count=1)["job_id"]
    api.until(waits, lambda told: "drained" in (told["reason"] or ""))
    cards.fail("*", None)
    assert api.ended(waits)["status"] == "completed"
