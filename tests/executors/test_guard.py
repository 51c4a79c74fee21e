"""What keeps a job within its memory: the watch, groups of version 2, and the rules of both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_training.executors import guard as guards
from jupyter_training.executors import memory, processes, supervisor
from tests.patience import until

MB = 1 << 20
LIMIT = 150 * MB

pytestmark = pytest.mark.skipif(not processes.ON_LINUX, reason="other systems have no limits")

GROW = """
import os, time
def grow(megabytes):
    return [b"x" * 10_000_000 for _ in range(megabytes // 10)]
"""
"""Memory in pieces that are written to: never more than 300 MB in a test."""


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
        pids: list[int] = []

        def hangs() -> bool:
            pids[:] = processes.descendants(supervisor_pid)
            return len(pids) > 1 and any(map(is_asleep, pids))

        until(hangs)
        statuses = [memory.figures(guards.proc(pid, "status")) for pid in pids]
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
    assert group.account()[2] == 0.0625
    (files / "memory.peak").write_text(f"{LIMIT}\n")
    (files / "memory.events").write_text("oom 1\noom_kill 1\n")
    assert group.account() == (True, "killed at 0.1 of 0.15 GB", round(LIMIT / memory.GB, 6))


def test_a_kernel_without_a_peak_still_tells_whom_it_killed(tmp_path: Path) -> None:
    group = FakeV2Group(LIMIT, fake_cgroup_v2_tree(tmp_path), "t.1")
    files = tmp_path / f"{memory.PREFIX}t.1"
    (files / "memory.peak").unlink()
    assert group.account() == (False, memory.describe(0, LIMIT), None)
    (files / "memory.events").write_text("oom 1\noom_kill 1\n")
    assert group.account() == (True, "killed at 0.1 of 0.15 GB", round(LIMIT / memory.GB, 6))


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
