"""The database is away, or the disk is full: jobs go on, people are told, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import cast

import pytest

from jupyter_training.engine.service import TrainingService
from jupyter_training.server.identity import TrainingTokens
from jupyter_training.server.running import NotAvailable, Running
from tests.conftest import Api, Home, Server
from tests.patience import PATIENCE_S, until
from tests.postgres import Postgres

ASK = {"name": "x", "command": "true", "cpu_cores": 1, "memory_gb": 1}


def waits_for(gate: Path, then: str = "exit 0") -> list[str]:
    """The command of a job that goes on when somebody opens the other end of a pipe."""
    os.mkfifo(gate)
    return ["sh", "-c", f"cat {gate}; {then}"]


def refused(api: Api) -> str:
    """What somebody is told who asks while nothing can be written."""
    answer = api.post("api/training-jobs", json=ASK)
    assert answer.status_code == 503
    assert answer.json()["reason"] == "database_unavailable"
    return str(answer.json()["message"])


def test_jobs_go_on_while_the_database_is_away_and_are_recorded_when_it_is_back(
    own_postgres: Postgres, home: Home, tmp_path: Path
) -> None:
    server = home.start(database_url=own_postgres.new_database())
    gate, record = tmp_path / "gate", tmp_path / "record"
    job_id = server.api.submit(waits_for(gate, f"echo ran >>{record}; exit 0"))["job_id"]
    server.api.status(job_id, "running")
    own_postgres.stop()
    assert "cannot be used at the moment" in refused(server.api)
    assert server.api.get(f"api/training-jobs/{job_id}").status_code == 503
    gate.open("w").close()
    until(lambda: (home.data_dir / "jobs" / job_id / "attempt-1" / "exit.json").exists())
    back = datetime.now(timezone.utc)
    own_postgres.start()
    until(lambda: server.api.get(f"api/training-jobs/{job_id}").status_code == 200)
    told = server.api.ended(job_id)
    assert (told["status"], told["attempt"], told["exit_code"]) == ("completed", 1, 0)
    assert datetime.fromisoformat(told["completed_at"].replace("Z", "+00:00")) <= back
    assert record.read_text() == "ran\n"
    assert server.api.history(job_id) == ["pending", "scheduled", "running", "completed"]
    # And it schedules again.
    assert server.api.ended(server.api.submit("true")["job_id"])["status"] == "completed"


def test_a_database_that_says_nothing_holds_nobody_up_for_ever(
    own_postgres: Postgres, home: Home
) -> None:
    server = home.start(database_url=own_postgres.new_database())
    own_postgres.pause()
    try:
        told = refused(server.api)
        assert "does not answer" in told or "cannot be used at the moment" in told
        # Jupyter itself serves as ever.
        assert server.api.http.get("api/status").status_code == 200
    finally:
        own_postgres.resume()
    until(lambda: server.api.get("api/training-jobs").status_code == 200)
    assert server.api.ended(server.api.submit("true")["job_id"])["status"] == "completed"


def test_who_asks_too_early_is_told_what_hinders_the_server(tmp_path: Path) -> None:
    service = cast("TrainingService", object())

    async def ask() -> None:
        running = Running(TrainingTokens(tmp_path))
        early = [asyncio.create_task(running.service()) for _ in range(2)]
        await asyncio.sleep(0)
        running.hinder("away")
        for one in early:
            with pytest.raises(NotAvailable, match="away"):
                await one
        running.hinder("full")
        with pytest.raises(NotAvailable, match="full"):
            await running.service()
        running.started.set_result(service)
        assert await running.service() is service

    asyncio.run(ask())


def test_a_server_that_starts_before_its_database_waits_for_it(
    own_postgres: Postgres, home: Home
) -> None:
    url = own_postgres.new_database()
    own_postgres.stop()
    server = home.start(database_url=url, wait=False)
    until(lambda: server.answers)
    answer = server.api.get("api/training-jobs")
    assert answer.status_code == 503
    assert "cannot be used at the moment" in answer.json()["message"]
    own_postgres.start()
    until(lambda: server.api.get("api/training-jobs").status_code == 200)
    assert server.api.ended(server.api.submit("true")["job_id"])["status"] == "completed"


def test_a_server_with_a_wrong_setting_runs_nothing_by_others_than_were_meant(home: Home) -> None:
    """Jupyter itself goes on, and has read no more than what stands before it."""
    gpus = ["GPU-a", "GPU-b=NVIDIA A100", " GPU-a=NVIDIA A100"]
    home.configure(f"c.TrainingApp.gpus = {gpus}\nc.TrainingApp.docker_images = ['some/image']")
    server = home.start(gpus=None, data_dir=home.path / "elsewhere", wait=False)
    until(lambda: server.answers)
    answer = server.api.post("api/training-jobs", json=ASK)
    assert (answer.status_code, answer.json()["reason"]) == (503, "not_available")
    told = "gpus: GPU-a is named more than once"
    assert f"not available here: a setting is wrong: {told}" in answer.json()["message"]
    # Nor does it write anything where it was started.
    assert not [*home.path.glob("secret*"), *home.path.glob("*/secret*")]
    # A server that is started for a command ends with that, and is not waited for.
    command = [sys.executable, "-m", "jupyter_training", "list"]
    done = subprocess.run(
        command, env=home.env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (done.returncode, told in done.stderr) == (1, True), done.stderr


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A disk of its own that is soon full."""
    place.mkdir(parents=True)
    as_root = [] if os.getuid() == 0 else ["sudo", "-n"]
    options = f"size=6m,uid={os.getuid()},gid={os.getgid()}"
    subprocess.run([*as_root, "mount", "-t", "tmpfs", "-o", options, "disk", place], check=True)
    try:
        yield
    finally:
        subprocess.run([*as_root, "umount", "--lazy", place], check=True)


def fill(path: Path) -> None:
    """Take all the space that is left."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                pass


@pytest.mark.parametrize("end", ["exit 0", "exit 7"])
def test_a_full_disk_makes_a_gap_in_the_log_and_loses_no_end(
    home: Home, tmp_path: Path, end: str
) -> None:
    disk, gate, printed = tmp_path / "disk", tmp_path / "gate", tmp_path / "printed"
    os.mkfifo(printed)
    script = f"seq 100000; : >{printed}; cat {gate}; echo last; {end}"
    os.mkfifo(gate)
    with small_disk(disk):
        server = home.start(data_dir=disk / "training")
        job_id = server.api.submit(["sh", "-c", f"echo first; cat {gate}; {script}"], max_retries=0)
        job = job_id["job_id"]
        server.api.printed(job, "first")
        fill(disk / "filler")
        assert "The disk of the training database is full" in refused(server.api)
        gate.open("w").close()
        printed.open("rb").close()  # it has printed what there is no space for
        (disk / "filler").unlink()
        gate.open("w").close()
        told = server.api.ended(job)
        assert told["exit_code"] == int(end[-1])
        # What was in the pipe when there was space again comes after the gap.
        log = server.api.log(job, tail=50_000)
        assert log[-1] == "last"
        assert any("bytes of output lost, the disk was full" in line for line in log)
        assert server.api.ended(server.api.submit("true")["job_id"])["status"] == "completed"
        with sqlite3.connect(disk / "training" / "training.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.close()
        server.stop()


def test_after_a_reboot_a_job_that_died_with_the_machine_is_tried_again_for_free(
    home: Home,
) -> None:
    first = home.start()
    job_id = first.api.submit(["sleep", "600"], max_retries=0)["job_id"]
    first.api.status(job_id, "running")
    started = home.data_dir / "jobs" / job_id / "attempt-1" / "started.json"
    text = started.read_text()
    first.kill()
    supervisor = int(text.partition('"pid": ')[2].partition(",")[0])
    os.kill(supervisor, 9)
    # What a reboot leaves behind: the record of a process of another boot.
    boot = text.partition('"boot_id": "')[2].partition('"')[0]
    started.write_text(text.replace(boot, "the boot before"))
    second = home.start()
    told = second.api.until(job_id, lambda job: job["attempt"] == 2 and job["status"] == "running")
    assert told["retry_count"] == 0
    events = second.api.get(f"api/training-jobs/{job_id}/events").json()
    lost = next(event for event in events if event["cause"] == "node_lost")
    assert "the machine was restarted" in lost["reason"]


def test_a_job_for_which_there_is_no_place_fails_and_the_others_are_started(
    api: Api, server: Server, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    api.submit(waits_for(gate), cpu_cores=2)
    first, second = (api.submit("true")["job_id"] for _ in range(2))
    (server.home.data_dir / "jobs" / first).write_text("somebody's")
    gate.open("w").close()
    told = api.ended(first)
    assert (told["status"], told["cause"]) == ("failed", "launch_failed")
    assert "File exists" in told["reason"]
    assert api.ended(second)["status"] == "completed"
