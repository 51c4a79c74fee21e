"""Jobs that take too much memory: real ones, in a real cgroup where there is one, and watched."""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        time_limit_s=60,
    )
    request = {
        "token": launch.token,
        "directory": str(directory),
        "argv": launch.argv,
        "env": local.environment(os.environ, launch),
        "cwd": launch.cwd,
        "time_limit_s": launch.time_limit_s,
        "grace_s": 10,
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
    """Run a job to its end, and see that nothing of it is left."""

    async def go() -> Ended:
        executor = LocalExecutor(grace_s=10)
        try:
            found = await start(executor, directory, code, home, limit)
            ended = await executor.wait(found)
            await until(lambda: not groups(home, found.token))
            await until(lambda: (directory / records.EXIT).exists())
            mark = f"{supervisor.TOKEN_VARIABLE}={found.token}".encode()
            assert [pid for pid in local._pids() if mark in local._environ(pid)] == []
            return ended
        finally:
            await executor.close()

    return asyncio.run(go())


def exit_of(directory: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((directory / records.EXIT).read_text())
    return told


def test_a_job_over_its_limit_is_killed_and_told_why(
    tmp_path: Path, home: memory.Home | None
) -> None:
    ended = run(tmp_path / "t", "keep = grow(300); time.sleep(60)", home)
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
        "if idle == 0: time.sleep(60)\n"
        "greedy = os.fork()\n"
        "if greedy == 0: keep = grow(300); time.sleep(60)\n"
        "open('pids', 'w').write(f'{idle} {greedy}')\n"
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
        "os.waitpid(child, 0) if child else time.sleep(60)\n"
        "raise SystemExit(1)\n"
    )
    assert run(tmp_path / "t", code, home).exit.cause is Cause.OUT_OF_MEMORY


def test_a_job_within_its_limit_is_left_alone(tmp_path: Path, home: memory.Home | None) -> None:
    ended = run(tmp_path / "t", "keep = grow(100); time.sleep(0.2)", home)
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
        "time.sleep(60)\n"
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
                executor, tmp_path / "greedy", "x = grow(300); time.sleep(60)", home, LIMIT
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
        sleep = ("sleep", "60")
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
            lost = await start(first, tmp_path / "lost", "time.sleep(60)", home, LIMIT)
            lives = await start(first, tmp_path / "lives", "time.sleep(60)", home, LIMIT)
            os.kill(lost.handle["pid"], signal.SIGKILL)
            assert (await first.wait(lost)).exit.cause is Cause.NODE_LOST
            assert len(groups(home, lost.token)) == 1
            await second.open()
            await until(lambda: not groups(home, lost.token))
            assert len(groups(home, lives.token)) == 1
            await first.stop(lives)
            await first.wait(lives)
        finally:
            await first.close()
            await second.close()

    asyncio.run(go())


# ---- the watch, by what it sees ----


@contextmanager
def tree(code: str, cwd: Path) -> Iterator[int]:
    """Processes below another one, whose pid it is, when one of them has printed something."""
    outer = f"import os\nif os.fork() == 0:\n    exec({GROW + code!r})\nos.wait()"
    with subprocess.Popen(
        [sys.executable, "-c", outer],
        cwd=cwd,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def is_asleep(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return "State:\tS" in status and "Name:\tpython" in status


def peak_mb(watch: guards.Watch) -> float:
    peak = watch.account()[2]
    assert peak is not None
    return peak * memory.GB / MB


def test_the_watch_counts_a_page_once_however_many_have_it(tmp_path: Path) -> None:
    code = (
        "keep = grow(100)\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0: time.sleep(600)\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    with tree(code, tmp_path) as supervisor_pid:
        watch = guards.Watch(LIMIT, supervisor_pid)
        assert [watch.look(), watch.look()] == [False, False]
        assert 95 < peak_mb(watch) < 130
        watch = guards.Watch(90 * MB, supervisor_pid)
        # They could be one process that is about to start a program: it looks again.
        assert [watch.look(), watch.look()] == [False, True]


def test_the_watch_does_not_count_a_parent_twice_while_it_starts_a_program(tmp_path: Path) -> None:
    # The child of a vfork hangs before its exec, for nobody writes into what it opens.
    os.mkfifo(tmp_path / "fifo")
    code = (
        "keep = grow(100)\n"
        "actions = [(os.POSIX_SPAWN_OPEN, 0, 'fifo', os.O_RDONLY, 0)]\n"
        "print('ready', flush=True)\n"
        "os.posix_spawn('/bin/true', ['true'], {}, file_actions=actions)\n"
    )
    with tree(code, tmp_path) as supervisor_pid:
        while len(pids := processes.descendants(supervisor_pid)) < 2 or not is_asleep(max(pids)):
            pass
        statuses = [memory.figures(guards._proc(pid, "status")) for pid in pids]
        assert sum(map(memory.bound, statuses)) > 190 * MB
        watch = guards.Watch(LIMIT, supervisor_pid)
        assert [watch.look(), watch.look()] == [False, False]
        assert 95 < peak_mb(watch) < 130


def test_a_job_that_cannot_join_its_group_is_watched_instead(tmp_path: Path) -> None:
    launch = {
        "argv": ["true"],
        "env": dict(os.environ),
        "cwd": str(tmp_path),
        "umask": 0o022,
        "memory_bytes": LIMIT,
    }
    group = FakeV2Group(LIMIT, fake_cgroup_v2_tree(tmp_path), "t.1")
    (tmp_path / f"{memory.PREFIX}t.1" / "cgroup.procs").unlink()
    job, failure = supervisor._start(launch, group)
    os.waitpid(job.pid, 0)
    os.close(job.output)
    assert failure is None
    assert isinstance(job.guard, guards.Watch)


# ---- version 2, which is not on every machine: its files, in a tree that is none of the kernel's


V2_FILES = {
    "cgroup.procs": "",
    "memory.max": "max\n",
    "memory.swap.max": "max\n",
    "memory.peak": "0\n",
    "memory.current": "0\n",
    "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n",
    "memory.stat": "anon 0\nfile 0\nshmem 0\n",
}


def fake_cgroup_v2_tree(
    directory: Path, procs: str = "", control: str = "", delegated: bool = False
) -> memory.Home:
    """Make a directory look like a group of version 2."""
    (directory / "cgroup.procs").write_text(procs)
    (directory / "cgroup.subtree_control").write_text(control)
    if delegated:
        os.setxattr(directory, "user.delegate", b"1")
    return 2, str(directory)


class FakeV2Group(guards.Group):
    """A group whose files a kernel would have made."""

    def _make(self) -> None:
        os.mkdir(self._directory)
        for name, content in V2_FILES.items():
            (Path(self._directory) / name).write_text(content)


def test_a_group_of_version_2_is_set_up_and_read(tmp_path: Path) -> None:
    group = FakeV2Group(LIMIT, fake_cgroup_v2_tree(tmp_path), "t.1")
    files = tmp_path / f"{memory.PREFIX}t.1"
    assert (files / "memory.max").read_text().startswith(str(LIMIT))
    assert (files / "memory.swap.max").read_text().startswith("0")
    assert group.account() == (False, memory.describe(0, LIMIT), None)
    (files / "memory.stat").write_text(f"anon {40 * MB}\nfile {90 * MB}\nshmem {24 * MB}\n")
    assert not group.look()
    (files / "memory.peak").write_text(f"{140 * MB}\n")
    (files / "memory.current").write_text(f"{130 * MB}\n")
    assert group.account()[2] == 0.062
    (files / "memory.peak").write_text(f"{LIMIT}\n")
    (files / "memory.events").write_text("oom 1\noom_kill 1\n")
    assert group.account() == (True, "killed at 0.1 of 0.15 GB", 0.146)


def test_a_kernel_without_a_peak_still_tells_whom_it_killed(tmp_path: Path) -> None:
    group = FakeV2Group(LIMIT, fake_cgroup_v2_tree(tmp_path), "t.1")
    files = tmp_path / f"{memory.PREFIX}t.1"
    (files / "memory.peak").unlink()
    assert group.account() == (False, memory.describe(0, LIMIT), None)
    (files / "memory.events").write_text("oom 1\noom_kill 1\n")
    assert group.account() == (True, "killed at 0.1 of 0.15 GB", 0.146)


@pytest.mark.parametrize("missing", ["memory.max", "memory.events"])
def test_a_group_that_cannot_keep_a_limit_or_tell_of_it_is_none(
    tmp_path: Path, missing: str
) -> None:
    class Lacking(FakeV2Group):
        def _make(self) -> None:
            super()._make()
            (Path(self._directory) / missing).unlink()

    with pytest.raises(OSError, match=r"No such file|does not tell"):
        Lacking(LIMIT, fake_cgroup_v2_tree(tmp_path), "t.1")


def test_a_group_of_version_2_that_we_are_in_hands_memory_down_if_the_kernel_lets_it(
    tmp_path: Path,
) -> None:
    fake_cgroup_v2_tree(tmp_path, procs=f"1\n{os.getpid()}\n")
    assert guards._hands_memory_down(str(tmp_path))
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"


def test_a_group_above_is_used_only_if_it_was_handed_over(tmp_path: Path) -> None:
    fake_cgroup_v2_tree(tmp_path, control="cpu memory\n")
    assert not guards._hands_memory_down(str(tmp_path))
    fake_cgroup_v2_tree(tmp_path, control="cpu memory\n", delegated=True)
    assert guards._hands_memory_down(str(tmp_path))
    assert (tmp_path / "cgroup.subtree_control").read_text() == "cpu memory\n"


def test_a_place_where_no_group_can_be_made_means_a_watch(tmp_path: Path) -> None:
    for home in (2, str(tmp_path / "none")), (1, str(tmp_path)), (1, "/proc"):
        assert not guards.is_usable(home)
        guard = guards.guard({"token": "t", "memory_bytes": LIMIT, "memory_home": home})
        assert isinstance(guard, guards.Watch)
    assert list(tmp_path.iterdir()) == []


# ---- what follows from what ----


V1_HYBRID = "4:memory:/user/me\n1:cpu:/\n0::/\n"
V1_MOUNTS = (
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
)
V1_CONTAINER = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro shared:9 - cgroup cgroup rw,memory"
V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


@pytest.mark.parametrize(
    ("cgroup", "mounts", "expected"),
    [
        (V1_HYBRID, V1_MOUNTS, [(1, "/sys/fs/cgroup/memory/user/me")]),
        ("4:memory:/docker/abc\n", V1_CONTAINER, [(1, "/sys/fs/cgroup/memory")]),
        ("4:memory:/docker/abc/x\n", V1_CONTAINER, [(1, "/sys/fs/cgroup/memory/x")]),
        ("4:memory:/docker/other\n", V1_CONTAINER, []),
        ("4:memory:/../other\n", V1_MOUNTS, []),
        ("0::/\n", V2_MOUNT, [(2, "/sys/fs/cgroup")]),
        ("0::/a/b\n", V2_MOUNT, [(2, "/sys/fs/cgroup/a/b"), (2, "/sys/fs/cgroup/a")]),
        ("0::/a\n", "", []),
        ("", V2_MOUNT, []),
    ],
)
def test_where_groups_could_be_made(cgroup: str, mounts: str, expected: list[memory.Home]) -> None:
    assert memory.homes(cgroup, mounts) == expected


@pytest.mark.parametrize(
    ("used_gb", "limit_gb", "cost_s", "expected"),
    [
        (1, 16, 0.001, 1.0),  # far away: no longer than a second
        (12, 16, 0.001, 0.5),  # as long as the rest would last
        (15.99, 16, 0.001, 0.02),  # as often as it gets
        (17, 16, 0.001, 0.02),
        (15.99, 16, 0.05, 0.2),  # a look takes long, and is not to be all that is done
    ],
)
def test_how_long_a_watch_looks_away(
    used_gb: float, limit_gb: int, cost_s: float, expected: float
) -> None:
    pause = memory.pause_s(int(used_gb * memory.GB), limit_gb * memory.GB, cost_s)
    assert pause == pytest.approx(expected)


OOM = {"cause": "out_of_memory", "detail": "told"}
TIMED_OUT = {"cause": "timed_out", "detail": "it ran"}


@pytest.mark.parametrize(
    ("succeeded", "killed", "why", "expected"),
    [
        (True, False, {}, {}),
        (True, True, {}, {}),
        (False, False, {}, {}),
        (False, True, {}, OOM),
        (False, True, TIMED_OUT, TIMED_OUT),
        (True, False, TIMED_OUT, TIMED_OUT),
    ],
)
def test_why_a_job_ended(
    succeeded: bool, killed: bool, why: dict[str, str], expected: dict[str, str]
) -> None:
    assert memory.verdict(succeeded, killed, "told", why) == expected


@pytest.mark.parametrize(
    ("peak_gb", "limit_gb", "told"),
    [
        (15.9, 16, "killed at 15.9 of 16 GB"),
        (16.4, 16, "killed at 16.4 of 16 GB"),
        (3.1, 16, "killed at 3.1 of 16 GB, when the machine had no memory left"),
    ],
)
def test_how_an_end_is_told(peak_gb: float, limit_gb: float, told: str) -> None:
    assert memory.describe(int(peak_gb * memory.GB), int(limit_gb * memory.GB)) == told


def test_the_figures_of_the_kernel() -> None:
    assert memory.figures("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")["oom_kill"] == 2
    assert memory.figures("low 0\nmax 7\noom 1\noom_kill 1\n")["oom_kill"] == 1
    text = "561d-7ffc ---p 00000000 00:00 0      [rollup]\nPss:  475 kB\nPss_Anon:  112 kB\n"
    assert memory.figures(text) == {"Pss": 475, "Pss_Anon": 112}
    assert memory.figures("") == {}


STATUS = {"VmRSS": 900, "RssAnon": 300, "RssShmem": 100, "RssFile": 500, "VmSwap": 10}


@pytest.mark.parametrize(
    ("rollup", "kilobytes"),
    [
        ({"Pss": 600, "Pss_Anon": 150, "Pss_Shmem": 50, "SwapPss": 5}, 205),
        ({"Pss": 600}, 410),  # with files: what the process has at most is less
        ({"Pss": 200}, 200),
        ({}, 410),
    ],
)
def test_what_a_process_adds(rollup: dict[str, int], kilobytes: int) -> None:
    assert memory.share(STATUS, rollup) == kilobytes * 1024
