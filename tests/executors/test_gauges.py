"""What processes use where there is no control group, and what files of control groups tell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_training.executors.gauges import LocalGauge, cpu_in, directories, memory_in
from jupyter_training.executors.processes import ON_LINUX, Processes, start_time
from jupyter_training.jobs.usage import Consumption
from tests.patience import until

MB = 1 << 20

pytestmark = pytest.mark.skipif(not ON_LINUX, reason="other systems tell nothing of processes")


@contextmanager
def job(code: str) -> Iterator[tuple[LocalGauge, subprocess.Popen[bytes]]]:
    """The gauge of a job below a process, when it has printed something."""
    outer = (
        f"import os\nif os.fork() == 0:\n    exec({code!r})\n    os._exit(0)\nos.wait()\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", outer],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            handle = {"pid": process.pid, "start_time": start_time(process.pid)}
            yield LocalGauge("no-group-has-this-name", handle), process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def read(gauge: LocalGauge) -> Consumption:
    used = gauge.read(Processes())
    assert used is not None
    return used


def test_memory_that_workers_share_counts_once() -> None:
    code = (
        "block = bytearray(os.urandom(1 << 20) * 100)\n"
        "import time\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0: time.sleep(600)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    with job(code) as (gauge, _):
        for _ in range(2):  # the second time from what was measured the first time
            memory = read(gauge).memory_bytes
            assert memory is not None
            assert 100 * MB < memory < 180 * MB


def test_memory_that_comes_and_goes_is_seen(tmp_path: Path) -> None:
    code = (
        "import time\n"
        "if os.fork() == 0: time.sleep(600)\n"
        "print('ready', flush=True)\n"
        "for step in range(2):\n"
        "    while not os.path.exists(f'{place}/{step}'): time.sleep(0.01)\n"
        "    block = bytearray(os.urandom(1 << 20) * 80) if step == 0 else None\n"
        "    print('done', flush=True)\n"
        "time.sleep(600)\n"
    )
    with job(f"place = {str(tmp_path)!r}\n{code}") as (gauge, process):
        assert process.stdout is not None
        seen = [read(gauge).memory_bytes or 0]
        for step in range(2):
            (tmp_path / str(step)).touch()
            process.stdout.readline()
            seen.append(read(gauge).memory_bytes or 0)
    assert seen[1] - seen[0] > 70 * MB
    assert seen[1] - seen[2] > 70 * MB


def test_cpu_time_of_processes_that_have_ended_counts() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    code = (
        "import subprocess, sys, time\n"
        f"for _ in range(2): subprocess.run([sys.executable, '-c', {burn!r}])\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    with job(code) as (gauge, _):
        cpu_s = read(gauge).cpu_seconds
        assert cpu_s is not None
        assert 0.58 < cpu_s < 10


def test_another_process_with_the_same_number_is_not_the_job() -> None:
    with job("import time\nprint('ready', flush=True)\ntime.sleep(600)") as (_, process):
        since = start_time(process.pid)
        assert since is not None
        later = LocalGauge("t", {"pid": process.pid, "start_time": since + 1})
        assert later.read(Processes()) is None


def test_a_job_of_which_nothing_is_left_uses_nothing_that_could_be_told() -> None:
    with job("print('ready', flush=True)") as (gauge, process):
        until(lambda: gauge.read(Processes()) is None)
        assert process.poll() is None  # what was above it is still there


ID = "4f5e" * 16
V1 = f"""9:memory:/docker/{ID}
3:cpu,cpuacct:/docker/{ID}
1:name=systemd:/docker/{ID}
0::/elsewhere
"""
V1_MOUNTS = """30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
V2_MOUNTS = "32 24 0:28 {root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


def test_groups_of_version_1_are_found_by_their_name() -> None:
    found = directories(V1, V1_MOUNTS, ID)
    assert found["memory"] == f"/sys/fs/cgroup/memory/docker/{ID}"
    assert found["cpuacct"] == f"/sys/fs/cgroup/cpu,cpuacct/docker/{ID}"
    assert "" not in found  # of version 2 it has none of its own
    assert directories(V1, V1_MOUNTS, "another") == {}


def test_groups_of_version_2_are_found_also_from_a_part_of_the_tree() -> None:
    told = f"0::/system.slice/docker-{ID}.scope\n"
    whole = directories(told, V2_MOUNTS.format(root="/"), ID)
    assert whole == {"": f"/sys/fs/cgroup/system.slice/docker-{ID}.scope"}
    part = directories(told, V2_MOUNTS.format(root="/system.slice"), ID)
    assert part == {"": f"/sys/fs/cgroup/docker-{ID}.scope"}
    assert directories(told, V2_MOUNTS.format(root="/user.slice"), ID) == {}
    assert directories(f"0::/../{ID}\n", V2_MOUNTS.format(root="/"), ID) == {}


def test_files_of_version_2_are_read(tmp_path: Path) -> None:
    (tmp_path / "memory.stat").write_text("anon 300\nfile 9000\nshmem 20\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    assert memory_in({"": str(tmp_path)}) == 320
    assert cpu_in({"": str(tmp_path)}) == 1.5


def test_files_of_version_1_are_read(tmp_path: Path) -> None:
    (tmp_path / "memory.stat").write_text(
        "rss 1\ntotal_rss 300\ntotal_cache 9000\ntotal_shmem 20\n"
    )
    (tmp_path / "cpuacct.usage").write_text("1500000000\n")
    groups = {"memory": str(tmp_path), "cpuacct": str(tmp_path)}
    assert memory_in(groups) == 320
    assert cpu_in(groups) == 1.5


def test_groups_that_are_gone_tell_nothing(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    assert memory_in({"memory": gone}) is cpu_in({"cpuacct": gone}) is None
    assert memory_in({"": gone}) is cpu_in({"": gone}) is None
    assert memory_in({}) is cpu_in({}) is None
