"""The test cases of the specification, by their names, on a real server with real processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import NAP, Api, python


def test_tc_01_a_submitted_job_is_created_and_pending(api: Api) -> None:
    told = api.submit(python("print('hello')"), name="ResNet50 训练")
    assert told["status"] == "pending"
    assert told["job_id"].startswith("job-")
    assert told["submitted_at"].endswith("Z")
    assert api.job(told["job_id"])["name"] == "ResNet50 训练"
    assert api.history(told["job_id"])[0] == "pending"


def test_tc_02_with_enough_resources_a_job_is_scheduled_and_started(api: Api) -> None:
    job_id = api.submit(python("print('begun', flush=True); import time; time.sleep(600)"))[
        "job_id"
    ]
    told = api.status(job_id, "running")
    assert told["started_at"] >= told["scheduled_at"] >= told["submitted_at"]
    assert told["node"]
    api.printed(job_id, "begun")
    assert api.history(job_id) == ["pending", "scheduled", "running"]


def test_tc_03_without_enough_resources_a_job_stays_pending_and_says_why(api: Api) -> None:
    first = api.submit(NAP, name="first", cpu_cores=2)["job_id"]
    api.status(first, "running")
    second = api.submit(python("pass"), name="second", cpu_cores=1)["job_id"]
    told = api.until(second, lambda told: told["reason"] is not None)
    assert told["status"] == "pending"
    assert told["queue_position"] == 1
    assert told["reason"] == "waits for 1 CPU core (0 free), held by first"
    api.post(f"api/training-jobs/{first}/cancel")
    assert api.ended(second)["status"] == "completed"


def test_tc_04_a_job_that_ends_well_is_completed(api: Api) -> None:
    told = api.ended(api.submit(python("print('done')"))["job_id"])
    assert told["status"] == "completed"
    assert (told["progress"], told["exit_code"], told["cause"]) == (100, 0, "success")
    assert told["completed_at"] >= told["started_at"]
    assert api.history(told["job_id"]) == ["pending", "scheduled", "running", "completed"]
    assert api.log(told["job_id"]) == ["done"]


def test_tc_05_a_failed_job_is_retried(api: Api, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"""
import pathlib, sys
mark = pathlib.Path({str(mark)!r})
again = mark.exists()
mark.touch()
sys.exit(0 if again else 3)
"""
    told = api.ended(api.submit(python(code))["job_id"])
    assert (told["status"], told["retry_count"], told["attempt"]) == ("completed", 1, 2)
    assert api.history(told["job_id"]) == [
        *("pending", "scheduled", "running", "retrying"),
        *("scheduled", "running", "completed"),
    ]


def test_tc_06_after_its_last_retry_a_job_has_failed(api: Api) -> None:
    job_id = api.submit(python("print('no'); raise SystemExit(3)"), max_retries=2)["job_id"]
    told = api.ended(job_id)
    assert (told["status"], told["cause"], told["exit_code"]) == ("failed", "user_error", 3)
    assert (told["retry_count"], told["attempt"]) == (2, 3)
    assert told["reason"] == "the script ended with exit code 3; its log says why"
    assert told["completed_at"] is not None
    events = api.get(f"api/training-jobs/{job_id}/events").json()
    assert all(event["reason"] and event["actor"] for event in events)
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert api.history(job_id).count("retrying") == 2
    assert [api.log(job_id, attempt=number) for number in (1, 2, 3)] == [["no"]] * 3


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("no-such-program", "launch_failed"),
        ("grep --no-such-option x", "invalid_arguments"),
        (f"{sys.executable} -c '__import__(\"no-such\")'", "not_runnable"),
    ],
)
def test_what_a_retry_cannot_cure_is_not_retried(api: Api, script: str, cause: str) -> None:
    told = api.ended(api.submit(["sh", "-c", script])["job_id"])
    assert (told["status"], told["cause"], told["attempt"]) == ("failed", cause, 1)
    assert "no-such" in told["reason"]


def test_tc_07_a_running_job_is_cancelled_and_its_processes_end(api: Api, tmp_path: Path) -> None:
    # It has a child in a session of its own, and neither of them listens to SIGTERM.
    code = f"""
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
place = pathlib.Path({str(tmp_path)!r})
(place / str(os.getpid())).touch()
if os.fork() == 0:
    os.setsid()
    (place / str(os.getpid())).touch()
    print("begun", flush=True)
time.sleep(600)
"""
    job_id = api.submit(python(code))["job_id"]
    api.printed(job_id, "begun")
    assert api.cancel(job_id)["status"] == "cancelled"
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert len(pids) == 2
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    told = api.job(job_id)
    assert told["cause"] == "cancelled_by_user"
    assert told["reason"].startswith("cancelled by ")
    assert api.history(job_id) == ["pending", "scheduled", "running", "cancelled"]
    # Asking again is no error.
    assert api.post(f"api/training-jobs/{job_id}/cancel").json()["status"] == "cancelled"
