"""What the suite has to know of each executor, which is little: how to make one and its launches.

An adapter is a value, so that it can be handed to a server that is a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from docker import APIClient

from jupyter_training.executors.base import Cluster, Ended, Executor, Found, Launch
from jupyter_training.executors.cluster import ClusterExecutor
from jupyter_training.executors.cluster_node import ALIVE
from jupyter_training.executors.cluster_settings import Pace
from jupyter_training.executors.containers import INSTALLATION, ContainerLaunch, Mount
from jupyter_training.executors.docker import DockerExecutor
from jupyter_training.executors.gauges import Gauge
from jupyter_training.executors.local import PACKAGES, LocalExecutor
from jupyter_training.executors.processes import Processes
from jupyter_training.executors.ray import RayDialect, ray_version
from jupyter_training.executors.ray_client import Client
from jupyter_training.executors.ray_jobs import Site as RaySite
from jupyter_training.executors.records import EXIT
from jupyter_training.executors.slurm import SlurmDialect, transport
from jupyter_training.executors.slurm_request import Site
from jupyter_training.executors.slurm_transport import Way
from jupyter_training.executors.supervised import amount, read_record
from jupyter_training.jobs.usage import Consumption
from tests.executors.docker_engine import IMAGE

GRACE_S = 60.0
"""More than any job here takes to end (s): what is killed in spite of it has not been asked."""

PACE = Pace(poll_s=0.5, alive_s=1.0, settle_s=0.1)

MARK = "CONFORMANCE_TEST"
"""In the environment of this test's servers, and so of all that they run on this machine."""


class Backend(Protocol):
    """Something that runs jobs.

    Attributes
    ----------
    keeps_streams_together
        Whether what a job prints on two streams is in the log as it was printed; see `Executor`.
    """

    @property
    def keeps_streams_together(self) -> bool: ...

    def devices(self, gpus: Sequence[str]) -> str:
        """What ``CUDA_VISIBLE_DEVICES`` of a job is that was launched with these GPUs.

        A cluster that chooses them itself is asked for so many, and names others.
        """

    def launch(self, *argv: str, **changes: Any) -> Launch:
        """A launch of a new attempt.

        Its `cwd` is a directory that is empty, apart from the attempt's own and of the same path
        for the job and for the test.
        """

    def python(self, code: str, *arguments: str, **changes: Any) -> Launch:
        """A launch of a Python program."""

    def executor(self, grace_s: float = GRACE_S) -> Executor:
        """An executor: the first server's, or that of the next one."""

    def left(self) -> list[str]:
        """What there still is of jobs and executors, of whatever kind."""


class Begun:
    """A cluster, as an executor whose `start` returns when the job runs.

    So the suite is the same for all: what is promised holds from there on.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def open(self) -> None:
        await self._cluster.open()

    async def why_not(self, image: str | None) -> str | None:
        return await self._cluster.why_not(image)

    async def start(self, launch: Launch) -> Found:
        return await self._begun(await self._cluster.start(launch))

    async def find(self, token: str, directory: Path) -> Found:
        return await self._begun(await self._cluster.find(token, directory))

    async def gauge(self, found: Found) -> Gauge | None:
        gauge = await self._cluster.gauge(found)
        return None if gauge is None else _Fresh(gauge, found.directory)

    async def wait(self, found: Found) -> Ended:
        return await self._cluster.wait(found)

    async def stop(self, found: Found) -> None:
        await self._cluster.stop(found)

    async def close(self) -> None:
        await self._cluster.close()

    async def _begun(self, found: Found) -> Found:
        if found.started_at is not None or found.ended is not None:
            return found
        return await self._cluster.begin(found, lambda reason: None)


class _Fresh(Gauge):
    """A gauge that tells what nodes have written, read when they have done so again."""

    def __init__(self, gauge: Gauge, directory: Path) -> None:
        self._gauge, self._directory = gauge, directory

    def read(self, processes: Processes) -> Consumption | None:
        asked = time.time()
        while not (self._directory / EXIT).exists():
            if (amount(read_record(self._directory / ALIVE) or {}, "at") or 0) > asked:
                break
            time.sleep(0.01)  # another machine, which has no event for us
        return self._gauge.read(processes)


def fresh(root: Path, argv: tuple[str, ...]) -> dict[str, Any]:
    """A launch that asks for nothing in particular."""
    token = uuid.uuid4().hex
    work, directory = root / token / "work", root / token / "attempt"
    for one in (work, directory):
        one.mkdir(parents=True)
    return {
        "token": token,
        "directory": directory,
        "argv": argv,
        "cwd": str(work),
        "env": {},
        "python_path": None,
        "cpu_cores": 1,
        "memory_gb": 1,
        "gpus": (),
        "time_limit_s": None,
    }


@dataclass(frozen=True)
class Local:
    """Processes of this machine."""

    root: Path
    mark: str
    keeps_streams_together: bool = True

    def devices(self, gpus: Sequence[str]) -> str:
        return ",".join(gpus)

    def launch(self, *argv: str, **changes: Any) -> Launch:
        return Launch(**{**fresh(self.root, argv), **changes})

    def python(self, code: str, *arguments: str, **changes: Any) -> Launch:
        return self.launch(sys.executable, "-c", code, *arguments, **changes)

    def executor(self, grace_s: float = GRACE_S) -> Executor:
        return LocalExecutor(grace_s)

    def left(self) -> list[str]:
        return processes_left(self.mark)


@dataclass(frozen=True)
class Docker:
    """Containers."""

    root: Path
    mark: str
    url: str
    keeps_streams_together: bool = False

    def devices(self, gpus: Sequence[str]) -> str:
        return ",".join(gpus)

    def launch(self, *argv: str, **changes: Any) -> Launch:
        values = {**fresh(self.root, argv), **changes}
        work = str(values["directory"].parent / "work")
        mounts = (Mount(work, work, read_only=False),)
        return ContainerLaunch(**values, image=IMAGE, mounts=mounts)

    def python(self, code: str, *arguments: str, **changes: Any) -> Launch:
        return self.launch("python3", "-c", code, *arguments, **changes)

    def executor(self, grace_s: float = GRACE_S) -> Executor:
        return DockerExecutor(self.mark, grace_s, url=self.url)

    def left(self) -> list[str]:
        client = APIClient(self.url)
        try:
            ours = {"label": f"{INSTALLATION}={self.mark}"}
            containers = client.containers(all=True, filters=ours)
        finally:
            client.close()
        told = [f"container {one['Id'][:12]}: {one['Status']}" for one in containers]
        return told + processes_left(self.mark)


@dataclass(frozen=True)
class OnSlurm:
    """Batch jobs of a Slurm cluster."""

    root: Path
    mark: str
    way: Way = field(default_factory=Way)
    keeps_streams_together: bool = True

    def devices(self, gpus: Sequence[str]) -> str:
        return ",".join(str(index) for index in range(len(gpus)))

    def launch(self, *argv: str, **changes: Any) -> Launch:
        values = {**fresh(self.root, argv), **changes}
        return Launch(**values, job_id="job-1", name="conformance")

    def python(self, code: str, *arguments: str, **changes: Any) -> Launch:
        return self.launch(sys.executable, "-c", code, *arguments, **changes)

    def executor(self, grace_s: float = GRACE_S) -> Executor:
        site = Site(self.mark, sys.executable, PACKAGES)
        told = self.root / "told"
        dialect = SlurmDialect(site, grace_s, transport(self.way, self.mark))
        return Begun(ClusterExecutor(dialect, told, grace_s, pace=PACE))

    def left(self) -> list[str]:
        asked = ["squeue", "--noheader", "--format=%i %T %k"]
        printed = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        told = [f"Slurm's job {one}" for one in printed.splitlines() if self.mark in one]
        return told + processes_left(self.mark)


@dataclass(frozen=True)
class OnRay:
    """Submitted jobs of a Ray cluster."""

    root: Path
    mark: str
    url: str
    keeps_streams_together: bool = True

    def devices(self, gpus: Sequence[str]) -> str:
        return ",".join(str(index) for index in range(len(gpus)))

    def launch(self, *argv: str, **changes: Any) -> Launch:
        values = {**fresh(self.root, argv), **changes}
        return Launch(**values, job_id="job-1", name="conformance")

    def python(self, code: str, *arguments: str, **changes: Any) -> Launch:
        return self.launch(sys.executable, "-c", code, *arguments, **changes)

    def executor(self, grace_s: float = GRACE_S) -> Executor:
        site = RaySite(self.mark, sys.executable, PACKAGES)
        client, told = Client(self.url, ray_version()), self.root / "told"
        made = ClusterExecutor(RayDialect(site, client, grace_s), told, grace_s, pace=PACE)
        return Begun(made)

    def left(self) -> list[str]:
        return processes_left(self.mark)


def processes_left(mark: str) -> list[str]:
    """The processes with this mark in their environment, and those that we did not wait for."""
    entry, told = f"{MARK}={mark}".encode(), []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            marked = entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[:2]
        except OSError:
            continue  # it has just ended
        if state != "Z" and marked:
            told.append(f"process {pid}")
        elif state == "Z" and int(parent) == os.getpid():
            told.append(f"zombie {pid}")
    return told
