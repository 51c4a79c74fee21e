"""Waiting for jobs, and ceasing to wait."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import Home, Server
from tests.notebook.conftest import Kernel
from tests.patience import PATIENCE_S, until
from tests.postgres import Postgres

INTERRUPTED = """
import os, signal, sys, threading, time
def interrupted_in(name):
    '''Interrupt this kernel as soon as a cell is in a function that asks the server.'''
    def called():
        frame = sys._current_frames()[threading.main_thread().ident]
        while frame is not None:
            yield frame.f_code.co_name
            frame = frame.f_back
    def run():
        while not {name, "ask"} <= set(called()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=run).start()
"""


@pytest.fixture(autouse=True, scope="module")
def waits(kernel: Kernel) -> None:
    """Have the kernel know jobs that wait for a pipe."""
    kernel.run(
        "from jupyter_training import as_completed, submit, wait_all\n"
        "def waits(pipe):\n"
        "    return submit(['sh', '-c', f'cat {pipe}'], name=pipe.name, cpu_cores=1, memory_gb=1,\n"
        "                  snapshot=False)\n"
        "from pathlib import Path\n" + INTERRUPTED
    )


def test_jobs_come_in_the_order_of_their_ends(kernel: Kernel, tmp_path: Path) -> None:
    for name in ("first", "second"):
        os.mkfifo(tmp_path / name)
    kernel.run(f"jobs = [waits(Path({str(tmp_path)!r}) / name) for name in ('first', 'second')]")
    kernel.run("ended = as_completed(jobs, timeout=300)")
    (tmp_path / "second").open("w").close()
    assert kernel.value("next(ended).name") == "second"
    (tmp_path / "first").open("w").close()
    assert kernel.value("[job.name for job in ended]") == ["first"]
    assert kernel.value("[job.name for job in wait_all(jobs)]") == ["first", "second"]


def test_waiting_comes_to_an_end_in_time(kernel: Kernel, server: Server, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    kernel.run(f"job = waits(Path({str(tmp_path / 'pipe')!r}))")
    error = kernel.run("wait_all([job], timeout=0.1)").error
    assert error.startswith("TimeoutError: pipe (job-")
    assert "had not ended after 0.1 s" in error
    assert kernel.run("job.wait(0.1)").error.startswith("TimeoutError")
    kernel.run("job.cancel()")
    assert kernel.value("[one.told['status'] for one in as_completed([job])]") == ["cancelled"]


def test_a_job_can_be_awaited_while_other_tasks_go_on(kernel: Kernel, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    kernel.run(f"job = waits(Path({str(tmp_path / 'pipe')!r}))")
    told = kernel.run(
        "import asyncio\n"
        "async def open_it():\n"
        f"    await asyncio.to_thread(open, {str(tmp_path / 'pipe')!r}, 'w')\n"
        "ended, _ = await asyncio.gather(job, open_it())\n"
        "ended.told['status']"
    )
    assert told.text == "'completed'"


def test_who_interrupts_a_wait_is_told_that_the_job_goes_on(
    kernel: Kernel, server: Server, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    kernel.run(f"job = waits(Path({str(tmp_path / 'pipe')!r}))")
    job_id = kernel.value("job.id")
    for name, code in (("wait", "job.wait()"), ("wait_all", "wait_all([job])")):
        cell = kernel.run(f"interrupted_in({name!r})\n{code}")
        assert cell.error.startswith("KeyboardInterrupt")
        # What matters is said, and no stack trace hides it.
        assert cell.reply["traceback"] == ["KeyboardInterrupt"]
        printed = "".join(one["content"].get("text", "") for one in cell.messages)
        assert "goes on" in printed or "go on" in printed
    server.api.status(job_id, "running")
    (tmp_path / "pipe").open("w").close()
    assert server.api.ended(job_id)["status"] == "completed"


WAITS = """
import sys
from jupyter_training import as_completed, get_job
job = get_job(sys.argv[1])
print('found', flush=True)
sys.stdin.readline()
print({'wait': job.wait, 'many': lambda: list(as_completed([job])),
       'logs': lambda: list(job.logs(follow=True))}[sys.argv[2]]())
print(job.status)
"""


@pytest.mark.parametrize("way", ["wait", "many", "logs"])
def test_who_waits_bears_that_the_database_is_away(
    own_postgres: Postgres, home: Home, tmp_path: Path, way: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    server = home.start(database_url=own_postgres.new_database())
    job_id = server.api.submit(["cat", str(tmp_path / "pipe")])["job_id"]
    server.api.status(job_id, "running")
    argv = [sys.executable, "-c", WAITS, job_id, way]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, env=home.env, text=True, stdin=pipe, stdout=pipe) as waiting:
        try:
            assert waiting.stdout is not None
            assert waiting.stdout.readline() == "found\n"
            own_postgres.stop()
            refused = (home.path / "server.log").read_text().count("503 GET")
            assert waiting.stdin is not None
            waiting.stdin.write("\n")
            waiting.stdin.flush()
            until(lambda: (home.path / "server.log").read_text().count("503 GET") > refused)
            own_postgres.start()
            (tmp_path / "pipe").open("w").close()
            told, _ = waiting.communicate(timeout=PATIENCE_S)
            assert told.endswith("\ncompleted\n")
            assert waiting.returncode == 0
        finally:
            waiting.kill()


def test_changes_are_told_as_soon_as_there_are_some(server: Server) -> None:
    api = server.api_of("who-has-no-other-jobs")
    since = api.get("api/training-changes").json()["sequence"]
    assert api.get(f"api/training-changes?since={since}&wait=1").json()["changes"] == []
    found: list[str] = []

    def wait() -> None:
        page = api.get(f"api/training-changes?since={since}&wait=60").json()
        found.extend(one["job_id"] for one in page["changes"])

    waiting = threading.Thread(target=wait)
    waiting.start()
    job = api.submit("true")
    waiting.join(PATIENCE_S)
    assert found[0] == job["job_id"]
    api.ended(job["job_id"])
    assert api.get("api/training-changes?since=0&wait=61").status_code == 400
