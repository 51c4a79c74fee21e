"""What is true after the death of a server."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.conftest import NAP, Api, Home, python
from tests.patience import PATIENCE_S


def test_a_job_outlives_a_killed_server_and_the_next_one_finishes_its_record(
    home: Home, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    first = home.start()
    code = f"print('one'); open({str(go)!r}).read(); print('two'); raise SystemExit(7)"
    job_id = first.api.submit(python(code), max_retries=0)["job_id"]
    first.api.printed(job_id, "one")
    first.kill()
    second = home.start()
    assert second.api.status(job_id, "running")["attempt"] == 1
    go.open("w").close()
    told = second.api.ended(job_id)
    assert (told["status"], told["exit_code"], told["attempt"]) == ("failed", 7, 1)
    assert second.api.log(job_id) == ["one", "two"]
    assert second.api.history(job_id) == ["pending", "scheduled", "running", "failed"]


def test_an_end_that_no_server_saw_is_recorded_as_it_was(home: Home, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    first = home.start()
    job_id = first.api.submit(python(f"open({str(go)!r}).read(); print('end')"))["job_id"]
    first.api.status(job_id, "running")
    first.kill()
    go.open("w").close()
    record = home.data_dir / "jobs" / job_id / "attempt-1" / "exit.json"
    supervisor = _supervisor(record.with_name("started.json"))
    _gone(supervisor)
    written, before = json.loads(record.read_text())["ended_at"], time.time()
    told = home.start().api.ended(job_id)
    assert told["status"] == "completed"
    assert _seconds(told["completed_at"]) == pytest.approx(written, abs=0.01)
    assert written <= before  # when no server was there yet that could have seen it


def test_a_job_that_waits_is_started_by_the_next_server(home: Home) -> None:
    first = home.start()
    blocker = first.api.submit(NAP, cpu_cores=2)["job_id"]
    first.api.status(blocker, "running")
    waiting = first.api.submit(python("pass"), cpu_cores=2)["job_id"]
    first.kill()
    second = home.start()
    assert second.api.job(waiting)["status"] == "pending"
    assert second.api.cancel(blocker)["status"] == "cancelled"
    assert second.api.ended(waiting)["status"] == "completed"


def test_a_job_whose_supervisor_was_killed_ends_and_is_tried_again(home: Home) -> None:
    server = home.start()
    job_id = server.api.submit(python("print('up'); import time; time.sleep(600)"))["job_id"]
    server.api.printed(job_id, "up")
    started = home.data_dir / "jobs" / job_id / "attempt-1" / "started.json"
    os.kill(_supervisor(started), signal.SIGKILL)
    told = server.api.until(job_id, lambda told: told["attempt"] == 2)
    assert told["retry_count"] == 0
    assert "node_lost" in [event["cause"] for event in _events(server.api, job_id)]


def test_two_servers_share_the_jobs_and_one_takes_over(home: Home) -> None:
    first, second = home.start(), home.start()
    job_id = second.api.submit(python("print('hi')"))["job_id"]
    assert second.api.ended(job_id)["status"] == "completed"
    first.kill()
    assert second.api.ended(second.api.submit(["true"])["job_id"])["status"] == "completed"


def test_a_server_that_ends_in_order_leaves_its_jobs_running(home: Home) -> None:
    first = home.start()
    job_id = first.api.submit(NAP)["job_id"]
    first.api.status(job_id, "running")
    first.stop()
    assert not list((home.path / "runtime" / "training-servers").glob("*.json"))
    second = home.start()
    assert second.api.job(job_id)["status"] == "running"


def _supervisor(started: Path) -> int:
    pid: int = json.loads(started.read_text())["pid"]
    return pid


def _gone(pid: int) -> None:
    """Return when a process is gone."""
    try:
        file = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([file], [], [], PATIENCE_S)[0], "still there"
    os.close(file)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def _events(api: Api, job_id: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = api.get(f"api/training-jobs/{job_id}/events").json()
    return found
