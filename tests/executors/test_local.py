"""Real processes under real supervisors."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.executors import processes, records, supervisor
from jupyter_training.executors.base import Found, Launch
from jupyter_training.executors.local import LocalExecutor, environment
from jupyter_training.jobs.lifecycle import Cause


def launch(directory: Path, *argv: str, **changes: Any) -> Launch:
    directory.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = {
        "token": directory.name,
        "directory": directory,
        "argv": argv,
        "cwd": str(directory),
        "env": {},
        "python_path": None,
        "cpu_cores": 1,
        "memory_gb": 1,
        "gpus": (),
        "time_limit_s": None,
    }
    return Launch(**{**values, **changes})


def python(directory: Path, code: str, **changes: Any) -> Launch:
    return launch(directory, sys.executable, "-c", code, **changes)


def log_of(found: Found) -> str:
    return (found.directory / records.LOG).read_text()


@asynccontextmanager
async def executor(grace_s: float = 10) -> AsyncIterator[LocalExecutor]:
    local = LocalExecutor(grace_s)
    try:
        yield local
    finally:
        await local.close()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a file in another process has no event here
        await asyncio.sleep(0.01)


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
nested = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready'); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", nested], start_new_session=True)
if os.fork() == 0 and os.fork() == 0:
    os.setsid()  # a daemon, as daemons are made
time.sleep(600)
"""


def test_when_the_supervisor_is_killed_nothing_of_the_job_is_left(tmp_path: Path) -> None:
    async def go() -> None:
        async with executor() as local:
            found = await local.start(python(tmp_path / "t", STUBBORN))
            await until(lambda: "ready" in log_of(found))
            tree = processes.descendants(found.handle["pid"])
            os.kill(found.handle["pid"], signal.SIGKILL)
            ended = await local.wait(found)
            assert ended.exit.cause is Cause.NODE_LOST
            assert [pid for pid in tree if processes.start_time(pid) is not None] == []

    asyncio.run(go())


def test_a_script_below_a_shell_is_asked_too_when_half_of_the_time_is_over(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "def save(*_): print('saved'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, save); print('ready'); time.sleep(600)"
    )

    async def go() -> None:
        # In the other half it has to end by itself, however busy the machine is.
        async with executor(grace_s=20) as local:
            # A shell that waits for a child does nothing about a signal but end.
            command = ("sh", "-c", 'trap "" TERM; "$0" -c "$1"; echo over', sys.executable, code)
            found = await local.start(launch(tmp_path / "t", *command))
            await until(lambda: "ready" in log_of(found))
            await local.stop(found)
            assert (await local.wait(found)).exit.exit_code == 0
            assert log_of(found) == "ready\nsaved\nover\n"

    asyncio.run(go())


def test_a_record_of_another_boot_is_a_lost_node_and_its_pid_is_left_alone(tmp_path: Path) -> None:
    directory = tmp_path / "t"
    directory.mkdir()
    ours = {"pid": os.getpid(), "start_time": processes.start_time(os.getpid()), "started_at": 1.0}
    (directory / records.STARTED).write_text(
        json.dumps({**ours, "token": "t", "boot_id": "another"})
    )

    async def go() -> None:
        async with executor() as local:
            found = await local.find("t", directory)
            assert found.ended is not None
            assert "restarted" in found.ended.exit.detail

    asyncio.run(go())


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1, "boot_id": null}'])
def test_a_damaged_record_is_a_lost_node(tmp_path: Path, content: str) -> None:
    directory = tmp_path / "t"
    directory.mkdir()
    (directory / records.STARTED).write_text(content)

    async def go() -> None:
        async with executor() as local:
            found = await local.find("t", directory)
            assert found.ended is not None
            assert found.ended.exit.cause is Cause.NODE_LOST

    asyncio.run(go())


def test_a_launcher_that_was_killed_is_replaced(tmp_path: Path) -> None:
    async def go() -> None:
        async with executor() as local:
            first = await local.start(python(tmp_path / "one", "print(1)"))
            await local.wait(first)
            assert local._launcher is not None
            os.kill(local._launcher._process.pid, signal.SIGKILL)
            await local._launcher._reading
            second = await local.start(python(tmp_path / "two", "print(2)"))
            await local.wait(second)
            assert log_of(second) == "2\n"

    asyncio.run(go())


def test_the_environment_of_a_job() -> None:
    wanted = launch(
        Path("/tmp"),
        "true",
        env={"LR": "-1e-3"},
        gpus=("GPU-a", "GPU-b"),
        cpu_cores=2,
        python_path="/notebooks",
    )
    server = {
        "PATH": "/bin",
        "PYTHONPATH": "/lib",
        "JUPYTER_TOKEN": "secret",
        "JPY_API_TOKEN": "secret",
        "JUPYTERHUB_API_TOKEN": "secret",
        "CUDA_VISIBLE_DEVICES": "7",
    }
    assert environment(server, wanted) == {
        "PATH": f"{Path(sys.executable).parent}:/bin",
        "PYTHONPATH": "/notebooks:/lib",
        "OMP_NUM_THREADS": "2",
        "PYTHONUNBUFFERED": "1",
        "LR": "-1e-3",
        "CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b",
        supervisor.TOKEN_VARIABLE: wanted.token,
    }
    chosen = launch(Path("/tmp"), "true", env={"PATH": "/mine"})
    assert environment(server, chosen)["PATH"] == "/mine"
