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


def test_a_job_runs_prints_and_ends(tmp_path: Path) -> None:
    async def go() -> None:
        async with executor() as local:
            found = await local.start(
                python(tmp_path / "t", "import sys; print('out'); print('err', file=sys.stderr)")
            )
            assert found.started_at is not None
            ended = await local.wait(found)
            assert (ended.exit.exit_code, ended.exit.signal, ended.exit.cause) == (0, None, None)
            assert ended.at >= found.started_at
            assert log_of(found) == "out\nerr\n"

    asyncio.run(go())


@pytest.mark.parametrize(
    ("code", "exit_code", "number"),
    [
        ("raise SystemExit(3)", 3, None),
        ("import os; os.kill(os.getpid(), 9)", None, signal.SIGKILL),
        ("import os; os.kill(os.getpid(), 15)", None, signal.SIGTERM),
    ],
)
def test_exit_codes_and_signals(
    tmp_path: Path, code: str, exit_code: int | None, number: int | None
) -> None:
    async def go() -> None:
        async with executor() as local:
            ended = await local.wait(await local.start(python(tmp_path / "t", code)))
            assert (ended.exit.exit_code, ended.exit.signal) == (exit_code, number)

    asyncio.run(go())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"argv": ("no-such-program-here",)}, "No such file or directory"),
        ({"cwd": "/no/such/directory"}, "No such file or directory"),
        ({"argv": ("/",)}, "Permission denied"),
    ],
)
def test_what_cannot_be_started_says_why(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    async def go() -> None:
        async with executor() as local:
            found = await local.start(launch(tmp_path / "t", "true", **changes))
            assert found.started_at is None
            assert found.ended is not None
            assert found.ended.exit.cause is Cause.LAUNCH_FAILED
            assert told in found.ended.exit.detail

    asyncio.run(go())


def test_a_large_output_is_whole(tmp_path: Path) -> None:
    async def go() -> None:
        async with executor() as local:
            code = "for i in range(200_000): print('line', i)"
            found = await local.start(python(tmp_path / "t", code))
            await local.wait(found)
            assert log_of(found) == "".join(f"line {i}\n" for i in range(200_000))

    asyncio.run(go())


def test_stop_asks_first_and_a_script_can_save(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "def save(*_): print('saved'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, save); print('ready')\n"
        "time.sleep(600)"
    )

    async def go() -> None:
        async with executor() as local:
            found = await local.start(python(tmp_path / "t", code))
            await until(lambda: "ready" in log_of(found))
            await local.stop(found)
            ended = await local.wait(found)
            assert ended.exit.exit_code == 0
            assert log_of(found).endswith("saved\n")

    asyncio.run(go())


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
nested = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready'); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", nested], start_new_session=True)
if os.fork() == 0 and os.fork() == 0:
    os.setsid()  # a daemon, as daemons are made
time.sleep(600)
"""


def test_stop_kills_the_whole_tree_after_the_grace_period(tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(grace_s=0.2) as local:
            found = await local.start(python(tmp_path / "t", STUBBORN))
            await until(lambda: "ready" in log_of(found))
            tree = processes.descendants(found.handle["pid"])
            assert len(tree) == 4
            await local.stop(found)
            ended = await local.wait(found)
            assert ended.exit.signal == signal.SIGKILL
            assert [pid for pid in tree if processes.start_time(pid) is not None] == []

    asyncio.run(go())


def test_what_a_script_leaves_running_is_ended_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(p.pid)"
    )

    async def go() -> None:
        async with executor(grace_s=0.2) as local:
            found = await local.start(python(tmp_path / "t", code))
            ended = await local.wait(found)
            assert ended.exit.exit_code == 0
            assert processes.start_time(int(log_of(found))) is None

    asyncio.run(go())


def test_a_time_limit_ends_the_job(tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(grace_s=0.2) as local:
            found = await local.start(
                python(tmp_path / "t", "import time; time.sleep(600)", time_limit_s=0.3)
            )
            ended = await local.wait(found)
            assert ended.exit.cause is Cause.TIMED_OUT
            assert "time limit of 0.3 s" in ended.exit.detail

    asyncio.run(go())


def test_a_job_outlives_its_launcher_and_is_found_by_another(tmp_path: Path) -> None:
    code = (
        "import os, time\n"
        "print('ready')\n"
        "while not os.path.exists('go'): time.sleep(.01)\n"
        "print('done')"
    )

    async def go() -> None:
        async with executor() as first:
            found = await first.start(python(tmp_path / "t", code))
        async with executor() as second:
            again = await second.find("t", found.directory)
            assert again.handle["pid"] == found.handle["pid"]
            assert again.ended is None
            (found.directory / "go").touch()
            ended = await second.wait(again)
            assert ended.exit.exit_code == 0
            assert log_of(found) == "ready\ndone\n"

    asyncio.run(go())


def test_an_end_that_nobody_saw_is_read_from_the_record(tmp_path: Path) -> None:
    async def go() -> None:
        async with executor() as first:
            found = await first.start(python(tmp_path / "t", "raise SystemExit(7)"))
        await until(lambda: (found.directory / records.EXIT).exists())
        async with executor() as second:
            again = await second.find("t", found.directory)
            assert again.ended is not None
            assert again.ended.exit.exit_code == 7

    asyncio.run(go())


def test_an_attempt_that_was_given_up_never_starts(tmp_path: Path) -> None:
    async def go() -> None:
        async with executor() as local:
            wanted = python(tmp_path / "t", "print('ran')")
            lost = await local.find("t", wanted.directory)
            assert lost.ended is not None
            assert lost.ended.exit.cause is Cause.NODE_LOST
            late = await local.start(wanted)
            assert late.ended is not None
            assert late.started_at is None
            assert not (wanted.directory / records.LOG).exists()

    asyncio.run(go())


def test_an_attempt_is_started_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    async def go() -> None:
        async with executor() as local:
            wanted = python(tmp_path / "t", "print('ran')")
            first, second = await asyncio.gather(local.start(wanted), local.start(wanted))
            assert first.handle["pid"] == second.handle["pid"]
            await local.wait(first)
            assert log_of(first) == "ran\n"

    asyncio.run(go())


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


def test_a_record_of_another_boot_is_a_lost_node_and_its_pid_is_left_alone(tmp_path: Path) -> None:
    directory = tmp_path / "t"
    directory.mkdir()
    ours = {"pid": os.getpid(), "start_time": processes.start_time(os.getpid()), "started_at": 1.0}
    (directory / records.STARTED).write_text(json.dumps({**ours, "boot_id": "another"}))

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


def test_a_full_disk_leaves_a_notice_and_the_job_goes_on(tmp_path: Path) -> None:
    log = supervisor._Log("/dev/full")
    log.write(b"x" * 100)
    ours = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(ours, log._file)
    os.close(ours)
    log.write(b"more\n")
    log.close()
    text = (tmp_path / "log").read_text()
    assert "100 bytes of output lost" in text
    assert text.endswith("more\n")


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
        "PATH": "/bin",
        "PYTHONPATH": "/notebooks:/lib",
        "OMP_NUM_THREADS": "2",
        "PYTHONUNBUFFERED": "1",
        "LR": "-1e-3",
        "CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b",
        supervisor.TOKEN_VARIABLE: wanted.token,
    }


def test_a_job_without_gpus_sees_none(tmp_path: Path) -> None:
    async def go() -> None:
        async with executor() as local:
            code = "import os; print(repr(os.environ['CUDA_VISIBLE_DEVICES']))"
            found = await local.start(python(tmp_path / "t", code))
            await local.wait(found)
            assert log_of(found) == "''\n"

    asyncio.run(go())
