"""Jobs that take too much memory: real ones, in a real cgroup where there is one, and watched."""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.executors import guard as guards
from jupyter_training.executors import local, memory, processes, records, supervisor
from jupyter_training.executors.base import Ended, Found, Launch
from jupyter_training.executors.local import LocalExecutor
from jupyter_training.jobs.lifecycle import Cause, diagnose

MB = 1 << 20
LIMIT = 150 * MB

pytestmark = pytest.mark.skipif(not processes.ON_LINUX, reason="other systems have no limits")

GROW = """
import os, time
def grow(megabytes):
    return [b"x" * 10_000_000 for _ in range(megabytes // 10)]
"""
"""Memory in pieces that are written to: never more than 300 MB in a test."""


@pytest.fixture(params=["cgroup", "watch"])
def home(request: pytest.FixtureRequest) -> memory.Home | None:
    """Both ways in turn: where groups are made, or None for the watch."""
    return real_home() if request.param == "cgroup" else None


def real_home() -> memory.Home:
    found = guards.find_home()
    if found is None:
        assert "CI" not in os.environ, "CI has to have memory cgroups, or they are never tested"
        pytest.skip("no memory cgroup can be made here; the watch is tested instead")
    return found


def groups(home: memory.Home | None, token: str) -> list[Path]:
    return [] if home is None else list(Path(home[1]).glob(f"{memory.PREFIX}{token}.*"))


async def start(
    executor: LocalExecutor, directory: Path, code: str, home: memory.Home | None, limit: int
) -> Found:
    """Start a job with a limit of less than 1 GB, which is the least that a person can ask for."""
    os.mkdir(directory)
    launch = Launch(
        token="-".join(directory.parts[-3:]),
        directory=directory,
        argv=(sys.executable, "-c", GROW + code),
        cwd=str(directory),
        env={},
        python_path=None,
        cpu_cores=1,
        memory_gb=1,
        gpus=(),
        time_limit_s=600,
    )
    request = {
        "token": launch.token,
        "directory": str(directory),
        "argv": launch.argv,
        "env": local.environment(os.environ, launch),
        "cwd": launch.cwd,
        "time_limit_s": launch.time_limit_s,
        "grace_s": 10,
        "log_limit": 0,
        "memory_bytes": limit,
        "memory_home": home,
    }
    launcher = await executor._open_launcher()
    reply = await launcher.start(launch.token, json.dumps(request).encode() + b"\n")
    assert reply is not None
    return Found(launch.token, directory, reply)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a file in another process has no event here
        await asyncio.sleep(0.01)


def run(directory: Path, code: str, home: memory.Home | None, limit: int = LIMIT) -> Ended:
    """Run a job to its end, and see that nothing of it is left.

    One that has written the file ``held`` is seen by its watch before it is told to ``go`` on.
    """

    async def go() -> Ended:
        executor = LocalExecutor(grace_s=10)
        try:
            found = await start(executor, directory, code, home, limit)
            if "held" in code:
                await until((directory / "held").exists)
                if home is None:
                    await until(looks(found.handle["pid"]))
                (directory / "go").touch()
            ended = await executor.wait(found)
            await until(lambda: not groups(home, found.token))
            await until(lambda: (directory / records.EXIT).exists())
            mark = f"{supervisor.TOKEN_VARIABLE}={found.token}".encode()
            assert [pid for pid in local._pids() if mark in local._environ(pid)] == []
            return ended
        finally:
            await executor.close()

    return asyncio.run(go())


def looks(pid: int) -> Callable[[], bool]:
    """Whether a supervisor has looked at all processes at least once from now on."""

    def has_read() -> int:
        return int(Path(f"/proc/{pid}/io").read_text().split()[1])

    def one_look() -> int:
        return sum(len(guards.proc(each, "stat")) for each in local._pids())

    # The one that it may be in the midst of does not count.
    enough = has_read() + 2 * one_look() + MB // 32
    return lambda: has_read() > enough


def exit_of(directory: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((directory / records.EXIT).read_text())
    return told


def test_a_job_over_its_limit_is_killed_and_told_why(
    tmp_path: Path, home: memory.Home | None
) -> None:
    ended = run(tmp_path / "t", "keep = grow(300); time.sleep(600)", home)
    assert ended.exit.signal == signal.SIGKILL
    cause, sentence = diagnose(ended.exit)
    assert cause is Cause.OUT_OF_MEMORY
    assert sentence.startswith("killed at 0.")
    assert sentence.endswith(" of 0.15 GB: ask for more memory with --memory")
    assert LIMIT * 0.9 < exit_of(tmp_path / "t")["peak_memory_gb"] * memory.GB < 350 * MB


def test_the_children_of_a_job_count_and_die_with_it(
    tmp_path: Path, home: memory.Home | None
) -> None:
    code = (
        "idle = os.fork()\n"
        "if idle == 0: time.sleep(600)\n"
        "greedy = os.fork()\n"
        "if greedy == 0:\n"
        "    while not os.path.exists('pids'): time.sleep(.01)\n"  # the watch takes its parent, too
        "    keep = grow(300); time.sleep(600)\n"
        "open('draft', 'w').write(f'{idle} {greedy}')\n"
        "os.rename('draft', 'pids')\n"
        "_, status = os.waitpid(greedy, 0)\n"
        "raise SystemExit(3)\n"
    )
    ended = run(tmp_path / "t", code, home)
    assert ended.exit.cause is Cause.OUT_OF_MEMORY
    # The kernel takes one process, and the script ends of that; the watch takes them all.
    expected = (3, None) if home else (None, signal.SIGKILL)
    assert (ended.exit.exit_code, ended.exit.signal) == expected
    pids = [int(pid) for pid in (tmp_path / "t" / "pids").read_text().split()]
    assert [pid for pid in pids if processes.start_time(pid) is not None] == []


def test_several_that_have_too_much_together_are_killed(
    tmp_path: Path, home: memory.Home | None
) -> None:
    code = (
        "child = os.fork()\n"
        "keep = grow(100)\n"
        "os.waitpid(child, 0) if child else time.sleep(600)\n"
        "raise SystemExit(1)\n"
    )
    assert run(tmp_path / "t", code, home).exit.cause is Cause.OUT_OF_MEMORY


def test_a_job_within_its_limit_is_left_alone(tmp_path: Path, home: memory.Home | None) -> None:
    code = (
        "keep = grow(100)\n"
        "open('held', 'w').close()\n"
        "while not os.path.exists('go'): time.sleep(.01)\n"
    )
    ended = run(tmp_path / "t", code, home)
    assert (ended.exit.exit_code, ended.exit.cause) == (0, None)
    record = exit_of(tmp_path / "t")
    assert record["detail"] == ""
    assert 95 * MB < record["peak_memory_gb"] * memory.GB < 130 * MB


def test_workers_that_share_the_memory_of_their_parent_count_once(
    tmp_path: Path, home: memory.Home | None
) -> None:
    code = (
        "keep = grow(100)\n"
        "for _ in range(6):\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(0.5)\n"
        "        os._exit(0)\n"
        "for _ in range(6): os.wait()\n"
    )
    ended = run(tmp_path / "t", code, home)
    assert (ended.exit.exit_code, ended.exit.cause) == (0, None)


def test_files_that_a_job_maps_or_reads_do_not_count(
    tmp_path: Path, home: memory.Home | None
) -> None:
    data = tmp_path / "data"
    data.write_bytes(bytes(200 * MB))
    code = (
        "import mmap\n"
        f"file = open({str(data)!r}, 'rb')\n"
        "mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        f"assert sum(mapped[at] for at in range(0, len(mapped), {mmap.PAGESIZE})) == 0\n"
        "while file.read(1 << 20): pass\n"
        "open('more', 'wb').write(bytes(20 << 20))\n"
        "time.sleep(0.2)\n"
    )
    ended = run(tmp_path / "t", code, home, limit=100 * MB)
    assert (ended.exit.exit_code, ended.exit.cause) == (0, None)
    assert exit_of(tmp_path / "t")["peak_memory_gb"] * memory.GB < 90 * MB


def test_shared_memory_counts(tmp_path: Path, home: memory.Home | None) -> None:
    code = (
        "import mmap\n"
        "shared = mmap.mmap(-1, 250 << 20)\n"
        "for at in range(0, len(shared), 4096): shared[at] = 1\n"
        "time.sleep(600)\n"
    )
    assert run(tmp_path / "t", code, home).exit.cause is Cause.OUT_OF_MEMORY


def test_a_job_that_replaces_its_worker_and_ends_well_has_succeeded(tmp_path: Path) -> None:
    code = (
        "for much in 300, 10:\n"
        "    worker = os.fork()\n"
        "    if worker == 0: grow(much); os._exit(0)\n"
        "    print(os.waitpid(worker, 0)[1])\n"
    )
    ended = run(tmp_path / "t", code, real_home())
    assert (ended.exit.exit_code, ended.exit.cause) == (0, None)
    assert (tmp_path / "t" / records.LOG).read_text() == "9\n0\n"


def test_other_jobs_and_the_launcher_stay_up(tmp_path: Path, home: memory.Home | None) -> None:
    async def go() -> None:
        executor = LocalExecutor(grace_s=10)
        try:
            code = "while not os.path.exists('go'): time.sleep(.01)"
            modest = await start(executor, tmp_path / "modest", code, home, LIMIT)
            launcher = await executor._open_launcher()
            greedy = await start(
                executor, tmp_path / "greedy", "x = grow(300); time.sleep(600)", home, LIMIT
            )
            assert (await executor.wait(greedy)).exit.cause is Cause.OUT_OF_MEMORY
            assert await executor._open_launcher() is launcher
            (tmp_path / "modest" / "go").touch()
            assert (await executor.wait(modest)).exit.exit_code == 0
        finally:
            await executor.close()

    asyncio.run(go())


def test_when_the_machine_runs_out_the_kernel_takes_the_job_first(
    tmp_path: Path, home: memory.Home | None
) -> None:
    ours = int(Path("/proc/self/oom_score_adj").read_text())
    code = (
        "for who in 'self', os.getppid(): print(open(f'/proc/{who}/oom_score_adj').read().strip())"
    )
    run(tmp_path / "t", code, home)
    job, its_supervisor = map(int, (tmp_path / "t" / records.LOG).read_text().split())
    assert its_supervisor == ours
    assert job == min(1000, ours + 500)


def test_a_job_that_cannot_be_started_leaves_no_group(tmp_path: Path) -> None:
    home = real_home()

    async def go() -> None:
        executor = LocalExecutor(grace_s=10)
        directory = tmp_path / "-".join(tmp_path.parts[-2:])
        directory.mkdir()
        launch = Launch(directory.name, directory, ("/",), "/", {}, None, 1, 1, (), None)
        try:
            found = await executor.start(launch)
            assert found.ended is not None
            assert found.ended.exit.cause is Cause.LAUNCH_FAILED
            await until(lambda: not groups(home, directory.name))
        finally:
            await executor.close()

    asyncio.run(go())


def test_a_job_gets_a_group_with_what_it_was_given(tmp_path: Path) -> None:
    home = real_home()

    async def go() -> None:
        executor = LocalExecutor(grace_s=10)
        directory = tmp_path / "-".join(tmp_path.parts[-2:])
        directory.mkdir()
        sleep = ("sleep", "600")
        launch = Launch(directory.name, directory, sleep, "/", {}, None, 1, 3, (), None)
        try:
            found = await executor.start(launch)
            [group] = groups(home, directory.name)
            limit = group / memory.FILES[home[0]]["limit"]
            assert int(limit.read_text()) == 3 * memory.GB
            [job] = processes.descendants(found.handle["pid"])
            assert (group / "cgroup.procs").read_text().split() == [str(job)]
            await executor.stop(found)
            await executor.wait(found)
            await until(lambda: not group.exists())
        finally:
            await executor.close()

    asyncio.run(go())


def test_the_group_of_a_supervisor_that_was_killed_is_removed_by_the_next_launcher(
    tmp_path: Path,
) -> None:
    home = real_home()

    async def go() -> None:
        first, second = LocalExecutor(grace_s=10), LocalExecutor(grace_s=10)
        try:
            lost = await start(first, tmp_path / "lost", "time.sleep(600)", home, LIMIT)
            lives = await start(first, tmp_path / "lives", "time.sleep(600)", home, LIMIT)
            assert len(groups(home, lost.token)) == 1
            os.kill(lost.handle["pid"], signal.SIGKILL)
            assert (await first.wait(lost)).exit.cause is Cause.NODE_LOST
            # A launcher of other tests, which run beside these, may come first.
            await second.open()
            await until(lambda: not groups(home, lost.token))
            assert len(groups(home, lives.token)) == 1
            await first.stop(lives)
            await first.wait(lives)
        finally:
            await first.close()
            await second.close()

    asyncio.run(go())
