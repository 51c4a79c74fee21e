"""What every executor does, whatever it runs jobs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from jupyter_training.executors.gauges import Gauge
from jupyter_training.jobs.lifecycle import Exit
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.jobs.usage import Spent
from jupyter_training.scheduling.resources import ClusterNode, Placement


@dataclass(frozen=True)
class Launch:
    """What an executor needs to run one attempt.

    Attributes
    ----------
    token
        The attempt's token.
    directory
        The attempt's own directory: the log and the exit record are there.
    env
        What the job gets on top of the environment that the executor gives every job.
    python_path
        A directory that Python code of the job can import from; None for no more than usual.
    cpu_cores, memory_gb, gpus
        What it was given. Where a cluster decides which GPUs these are, they have no names yet:
        each is `resources.UNNAMED`.
    job_id, name
        The public id of the job, and what its owner calls it.
    gpu_type, priority, options
        What the job asks a `Cluster` for: see `JobSpec`.
    """

    token: str
    directory: Path
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    python_path: str | None
    cpu_cores: int
    memory_gb: int
    gpus: tuple[str, ...]
    time_limit_s: float | None
    job_id: str = field(default="", kw_only=True)
    name: str = field(default="", kw_only=True)
    gpu_type: str | None = field(default=None, kw_only=True)
    priority: int = field(default=0, kw_only=True)
    options: Mapping[str, Any] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True)
class GangLaunch(Launch):
    """A launch of several nodes that start and end together.

    Attributes
    ----------
    nodes
        The launch of each, with a token and a directory of its own.
    min_nodes
        With how many of them, the first ones, a `Cluster` may start it if it has no room for all.
    """

    nodes: tuple[Launch, ...]
    min_nodes: int | None = field(default=None, kw_only=True)

    @property
    def is_elastic(self) -> bool:
        """Whether it may start with fewer than all of its nodes."""
        return self.min_nodes is not None and self.min_nodes < len(self.nodes)


def node_token(token: str, index: int) -> str:
    """The token of a node, which is that of the attempt with its number."""
    return f"{token}.{index}"


def attempt_token(token: str) -> str:
    """The token of the attempt that a token is of, or of a node of."""
    return token.partition(".")[0]


def node_directory(directory: Path, index: int) -> Path:
    """Where the records of a node are."""
    return directory / f"node-{index}"


@dataclass(frozen=True)
class Ended:
    """An attempt of which no process is left.

    Attributes
    ----------
    spent
        What it has used, as far as that was counted; None if nobody did.
    """

    exit: Exit
    at: datetime
    spent: Spent | None = None


@dataclass(frozen=True)
class Found:
    """An attempt as its executor finds it.

    Attributes
    ----------
    handle
        What is needed to find it again: a value for JSON. Empty if it never came to be.
    started_at
        When its program began to run; None if it never did.
    ended
        How it ended; None while it runs, and while a cluster lets it wait.
    placements
        Where it runs, one for each of its nodes, if not we have decided that but a `Cluster`.
    """

    token: str
    directory: Path
    handle: dict[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    ended: Ended | None = None
    placements: tuple[Placement, ...] = ()


class Executor(Protocol):
    """Runs attempts and finds them again.

    No method is ever the cause of a second process for one attempt: whatever was interrupted is
    either found by `find` or made impossible by it.

    The same is promised of every executor, and held to by ``tests/conformance``:

    * The log is what the job printed, byte for byte, whichever servers came and went meanwhile.
      Each of its two streams is in its own order. Where both are one pipe, as on this machine, they
      are mixed as they were printed. Where an engine reads two pipes, as Docker does, lines that
      are printed within microseconds of each other may change places; what was in the log stays
      before what comes later. Part of a line may come only with its newline or at the end of the
      job, and Docker loses the newline of a last line of 16 KB or more.
    * An exit code is told as it is, but those from 129 to 159 may be told as the signal that they
      stand for in a shell: of a container nothing else is known.
    * A job that is to end is asked with SIGTERM, and may take the grace period, which an executor
      may round up to whole seconds. Then it is killed.
    * At its end, whatever it was, no process of it is left. One that the job left running when it
      ended by itself may get a moment, and is not waited for.
    * A time limit is kept, but perhaps only when there is a server again.
    """

    async def open(self) -> None:
        """Get ready to start jobs."""

    async def why_not(self, image: str | None) -> str | None:
        """Why no job with this image, or with none, can be run at the moment; None if one can."""

    async def start(self, launch: Launch) -> Found:
        """Start an attempt."""

    async def find(self, token: str, directory: Path) -> Found:
        """Find an attempt that this or an earlier server was about to start, or started.

        One that was not started yet is given up: from then on it cannot start.
        """

    async def gauge(self, found: Found) -> Gauge | None:
        """What tells how much an attempt that runs uses; None if nothing here can."""

    async def wait(self, found: Found) -> Ended:
        """Wait until no process of an attempt is left."""

    async def stop(self, found: Found) -> None:
        """Ask an attempt to end; it is killed if it has not done so within the grace period.

        One whose handle is empty is still being started, and is given up if that takes long. What
        the end then says of its cause is of no account: whoever asked for it knows why.
        """

    async def close(self) -> None:
        """Let go of everything but the jobs."""


@runtime_checkable
class Preparing(Executor, Protocol):
    """An executor that may have much to do before a job can start, such as to pull its image."""

    def hear(self, token: str, tell: Callable[[str], None]) -> None:
        """Have somebody told of what is done for an attempt that is about to be started.

        Parameters
        ----------
        tell
            Called from any thread with what that is and how far it has come, for a person who waits
            for the job, until `start` has returned.
        """


@runtime_checkable
class Cluster(Executor, Protocol):
    """An executor that has a scheduler and machines of its own, such as Slurm.

    Jobs are *handed over* to it as soon as they may run, all of them, in the order of our queue.
    From then on their order, their place and their GPUs are its business: nothing of this machine
    is reserved for them, and they hold none of it.

    `start` returns when the cluster has taken a job, which then may wait there for days:
    `started_at` and `ended` are None, and `begin` tells what becomes of it. Whatever dies between
    the cluster's answer and what `start` writes down, the same attempt is never submitted twice:
    `find` and `start` look for it at the cluster by its token first. While the cluster is away,
    `start` waits.

    A distributed job is one attempt for it: `start` gets a `GangLaunch`, and has all nodes started
    together. `find` gets the token of each of its nodes, in the directory of that one. With how
    many nodes it has been started is in its `handle` as ``nodes``, if not with all.

    If the cluster runs a job again by itself, that is another attempt for us: the first one ends
    as lost or preempted, and the cluster's second run must not begin.
    """

    def problems(self, spec: JobSpec) -> Sequence[FieldError]:
        """What is wrong with a job for this cluster, as far as that is known without asking it."""

    async def begin(self, found: Found, tell: Callable[[str], None]) -> Found:
        """Wait until an attempt that was handed over runs, or has ended.

        Parameters
        ----------
        tell
            Called with the reason why it does not run yet, as the cluster says it, whenever that
            is another one.
        """

    async def inventory(self) -> Sequence[ClusterNode]:
        """The machines of the cluster.

        Raises
        ------
        ClusterAway
            If it cannot be asked at the moment.
        """


class ClusterAway(RuntimeError):
    """A cluster does not answer; the text says so to a person."""
