"""What a job's container is made of, and what the engine's account of one means.

Everything here is a value or a pure function: the configuration from a launch, and the end from a
state. `docker` has the effects.
"""

from __future__ import annotations

import posixpath
import re
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any

from jupyter_training.executors.base import Ended, Launch
from jupyter_training.executors.confinement import Confinement
from jupyter_training.executors.memory import describe
from jupyter_training.executors.supervisor import TOKEN_VARIABLE
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.jobs.usage import Spent

INSTALLATION = "jupyter_training"
"""The label by which an installation knows its containers; no other is ever touched."""

JOB, ATTEMPT = "jupyter_training.job", "jupyter_training.attempt"
DIRECTORY = "jupyter_training.directory"
LOG_OFFSET = "jupyter_training.log_offset"
"""How much of `output.log` was there before the container: the progress of a pull (bytes)."""

TIME_LIMIT = "jupyter_training.time_limit_s"

_GB = 1024**3

_LOG_DRIVER = {
    # `json-file` replaces what is not UTF-8, and cuts characters at every 16 KB of a line. Nothing
    # may be rotated away while no server is there to read; the engine's own defaults would.
    "Type": "local",
    "Config": {"max-size": "1000p", "max-file": "1", "compress": "false"},
}

_NEVER = datetime(1, 1, 1, tzinfo=timezone.utc)
_KILLED_FROM_OUTSIDE = frozenset({128 + signal.SIGTERM, 128 + signal.SIGKILL, 255})
"""How containers end that an engine stops with itself; 255 is what it says if it did not see it."""

_INIT_FAILED = re.compile(rb"\[FATAL tini \(\d+\)\] exec (.*) failed: (.*)\n")
_CLOCKS_S = 5
"""How far a computed time of boot may be off."""


@dataclass(frozen=True)
class Mount:
    """A directory or file of the host that a container sees.

    Attributes
    ----------
    source, target
        Its path on the host and in the container.
    """

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True)
class ContainerLaunch(Launch):
    """A launch of an attempt in a container.

    `cwd` and the paths in `env` and `python_path` are those of the container.

    Attributes
    ----------
    image
        The image's name; without a tag it is the one called latest.
    mounts
        All that it sees of the host.
    hidden
        Directories within them that it sees empty.
    host
        The name by which other containers of the same gang find it; None if there are none.
    """

    image: str
    mounts: tuple[Mount, ...]
    hidden: tuple[str, ...] = ()
    host: str | None = None


def name_of(token: str) -> str:
    """The name of an attempt's container: a second one of the same attempt cannot be made."""
    return f"jupyter-training-{token}"


def network_of(token: str) -> str | None:
    """The name of the private network of a gang's node; None if the attempt is no gang."""
    attempt, dot, _ = token.partition(".")
    return name_of(attempt) if dot else None


def place_on_host(path: str, mounts: Iterable[Mount]) -> tuple[str, str] | None:
    """Where on the host a path of a container is.

    Returns
    -------
    tuple of str, or None
        The source of a mount, and the path below it; None if the path is the image's own.
    """
    inside = posixpath.normpath(path)
    for mount in sorted(mounts, key=lambda one: len(one.target), reverse=True):
        if PurePosixPath(inside).is_relative_to(mount.target):
            return mount.source, posixpath.relpath(inside, mount.target)
    return None


def configuration(
    launch: ContainerLaunch,
    *,
    installation: str,
    confinement: Confinement,
    image_env: Iterable[str],
    log_offset: int,
    grace_s: float,
) -> dict[str, Any]:
    """What the engine is asked for, in the terms of its API.

    Parameters
    ----------
    installation
        The id of this installation.
    image_env
        The environment that comes with the image, as ``NAME=value``.
    log_offset
        The size of the attempt's log (bytes).
    grace_s
        How long the job may take to end after it was asked to (s).
    """
    labels = {
        INSTALLATION: installation,
        JOB: launch.env.get("JUPYTER_TRAINING_JOB_ID", ""),
        ATTEMPT: launch.token,
        DIRECTORY: str(launch.directory),
        LOG_OFFSET: str(log_offset),
    }
    if launch.time_limit_s is not None:
        labels[TIME_LIMIT] = repr(launch.time_limit_s)
    env = environment(launch, confinement, image_env)
    network = network_of(launch.token)
    in_network: dict[str, Any] = {}
    if network is not None and launch.host is not None:
        endpoint = {"Aliases": [launch.host]}
        in_network = {
            "Hostname": launch.host,
            "NetworkingConfig": {"EndpointsConfig": {network: endpoint}},
        }
    return {
        **in_network,
        "Image": launch.image,
        # As an entry point, so that the command is what was asked for, whatever the image has.
        "Entrypoint": list(launch.argv),
        "Cmd": [],
        "WorkingDir": launch.cwd,
        "Env": [f"{name}={value}" for name, value in env.items()],
        "User": confinement.user,
        "Labels": labels,
        "StopSignal": "SIGTERM",
        "StopTimeout": whole_seconds(grace_s),
        "Healthcheck": {"Test": ["NONE"]},
        "Tty": False,  # it would turn every newline into two characters
        "HostConfig": _host_configuration(launch, confinement),
    }


def _host_configuration(launch: ContainerLaunch, confinement: Confinement) -> dict[str, Any]:
    memory = launch.memory_gb * _GB
    return {
        "Init": True,  # the first process has no default for SIGTERM, and would ignore it
        "NanoCpus": launch.cpu_cores * 10**9,
        "Memory": memory,
        "MemorySwap": memory,  # memory and swap together: no swap
        # Data loaders hand batches over through it; the usual 64 MB is gone with the first ones.
        # It counts as memory of the container, so it can take nothing from others.
        "ShmSize": memory // 2,
        "PidsLimit": confinement.pids,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "CapAdd": list(confinement.capabilities),
        "SecurityOpt": ["no-new-privileges:true"],
        "GroupAdd": list(confinement.groups),
        "NetworkMode": network_of(launch.token) or confinement.network,
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,  # its end and its log are still to be read
        "LogConfig": _LOG_DRIVER,
        "Mounts": [
            {
                "Type": "bind",
                "Source": mount.source,
                "Target": mount.target,
                "ReadOnly": mount.read_only,
            }
            for mount in launch.mounts
        ]
        + [
            {
                "Type": "tmpfs",
                "Target": target,
                "ReadOnly": True,
                "TmpfsOptions": {"SizeBytes": 4096, "Mode": 0o555},
            }
            for target in launch.hidden
        ],
        "DeviceRequests": [
            {"Driver": "", "DeviceIDs": list(launch.gpus), "Capabilities": [["gpu"]]}
        ]
        if launch.gpus
        else [],
    }


def environment(
    launch: ContainerLaunch, confinement: Confinement, image_env: Iterable[str]
) -> dict[str, str]:
    """The environment of a job, on top of what its image has.

    GPUs are named by UUID inside as well: the engine shows the container no other, and where it
    does, as with a runtime that was set to show all, CUDA still takes exactly these.
    """
    env = {
        "OMP_NUM_THREADS": str(launch.cpu_cores),
        "PYTHONUNBUFFERED": "1",
        "USER": confinement.user_name,
        "LOGNAME": confinement.user_name,
    }
    if confinement.user.split(":")[0] not in ("0", "root"):
        env["HOME"] = "/tmp"  # the image has no home for this uid, and / can't be written
    env.update(launch.env)
    if launch.python_path is not None:
        inherited = dict(one.partition("=")[::2] for one in image_env).get("PYTHONPATH", "")
        paths = [launch.python_path, env.get("PYTHONPATH", inherited)]
        env["PYTHONPATH"] = ":".join(filter(None, paths))
    gpus = ",".join(launch.gpus)
    env["CUDA_VISIBLE_DEVICES"] = gpus
    # Images for CUDA ask for `all` by themselves; `void` is the word for none.
    env["NVIDIA_VISIBLE_DEVICES"] = gpus or "void"
    env[TOKEN_VARIABLE] = launch.token
    return env


def whole_seconds(seconds: float) -> int:
    """The engine counts grace periods in whole seconds, and 0 means none."""
    return max(1, int(-(-seconds // 1)))


def time_of(text: str) -> datetime | None:
    """A time as the engine writes it, with up to nine digits; None for its year 1."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(seconds).replace(tzinfo=timezone.utc)
    if moment == _NEVER:
        return None
    return moment + timedelta(microseconds=int(fraction[:6].ljust(6, "0")))


@dataclass(frozen=True)
class Container:
    """A container as the engine describes it.

    Attributes
    ----------
    status
        ``created``, ``running``, ``paused``, ``restarting``, ``removing``, ``exited`` or ``dead``.
    memory
        Its limit (bytes).
    pid
        Its first process, as the engine's machine numbers it; 0 if it does not run.
    error
        What the engine said when it could not be started.
    """

    id: str
    name: str
    status: str
    labels: Mapping[str, str] = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    memory: int = 0
    pid: int = 0

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Container:
        """From the engine's answer to an inspection."""
        state = told["State"]
        return cls(
            id=told["Id"],
            name=told["Name"].lstrip("/"),
            status=state["Status"],
            labels=told["Config"]["Labels"] or {},
            started_at=time_of(state["StartedAt"]),
            finished_at=time_of(state["FinishedAt"]),
            exit_code=state["ExitCode"],
            oom_killed=state["OOMKilled"],
            error=state["Error"],
            memory=told["HostConfig"]["Memory"],
            pid=state.get("Pid", 0),
        )

    @property
    def never_started(self) -> bool:
        """Whether its program has not been started."""
        return self.status == "created"

    @property
    def ended(self) -> bool:
        """Whether no process of it is left, after it had some."""
        return self.status in ("exited", "dead")

    @property
    def handle(self) -> dict[str, Any]:
        """What it is found by again."""
        return {"container": self.id, "name": self.name}

    @property
    def log_offset(self) -> int:
        """Where in the attempt's log its output begins (bytes)."""
        return int(self.labels.get(LOG_OFFSET, "0"))

    @property
    def time_limit_s(self) -> float | None:
        """How long it may run (s)."""
        return float(self.labels[TIME_LIMIT]) if TIME_LIMIT in self.labels else None

    @property
    def deadline(self) -> datetime | None:
        """When its time is over."""
        if self.time_limit_s is None or self.started_at is None:
            return None
        return self.started_at + timedelta(seconds=self.time_limit_s)

    def belongs_to(self, installation: str, token: str) -> bool:
        """Whether it is this attempt's, and of this installation."""
        labels = self.labels
        return labels.get(INSTALLATION) == installation and labels.get(ATTEMPT) == token


def end_of(
    container: Container,
    now: datetime,
    *,
    log_start: bytes = b"",
    limit_reached: bool = False,
    engine_was_away: bool = False,
    booted_at: datetime | None = None,
) -> Ended:
    """How a container ended.

    Parameters
    ----------
    now
        Stands in for a time that the engine does not know.
    log_start
        The first bytes that it printed.
    limit_reached
        It was asked to end because its time was over.
    engine_was_away
        The engine did not answer for a while when this container ended.
    booted_at
        When the machine of the engine was started; None if that is not known.
    """
    code = container.exit_code
    number = _signal_in(code)
    cause, detail = _cause_of(container, log_start, limit_reached, engine_was_away, booted_at)
    exit_ = Exit(None if number else code, number, cause, detail)
    # Its group is gone with it. What is known is that it came to its limit, if it did.
    spent = Spent(None, container.memory) if cause is Cause.OUT_OF_MEMORY else None
    return Ended(exit_, container.finished_at or now, spent)


def may_be_the_engines_doing(container: Container) -> bool:
    """Whether it ended as it would if the engine were stopped."""
    return container.exit_code in _KILLED_FROM_OUTSIDE and not container.oom_killed


def _cause_of(
    container: Container,
    log_start: bytes,
    limit_reached: bool,
    engine_was_away: bool,
    booted_at: datetime | None,
) -> tuple[Cause | None, str]:
    code = container.exit_code
    if limit_reached:
        limit = container.time_limit_s or 0
        return Cause.TIMED_OUT, f"it ran for its time limit of {limit:g} s"
    # Also set when only a child was killed. A script that ends well did without it; one that does
    # not has ended because of it.
    if container.oom_killed and code != 0:
        return Cause.OUT_OF_MEMORY, describe(container.memory, container.memory)
    if _spans(container, booted_at):
        return Cause.NODE_LOST, "the machine was restarted"
    if engine_was_away and code in _KILLED_FROM_OUTSIDE:
        return Cause.NODE_LOST, "the Docker engine was stopped or restarted, and ended it"
    failed = _INIT_FAILED.fullmatch(log_start)
    if code in (126, 127) and failed is not None:
        program, why = (part.decode("utf-8", "replace") for part in failed.groups())
        return Cause.LAUNCH_FAILED, f"{program}: {why} in the image"
    return None, ""


def _signal_in(code: int) -> int | None:
    """The signal of an exit code as shells, and the container's first process, report it."""
    number = code - 128
    # Above 31 are real-time signals, which end nothing in practice: exit codes of a script's own.
    return number if 1 <= number <= 31 else None


def _spans(container: Container, booted_at: datetime | None) -> bool:
    started, finished = container.started_at, container.finished_at
    if booted_at is None or started is None or finished is None:
        return False
    return started < booted_at - timedelta(seconds=_CLOCKS_S) and booted_at <= finished


def launch_failure(words: str, gpus: tuple[str, ...]) -> str:
    """What a person reads when the engine would not start a container.

    Parameters
    ----------
    words
        The engine's own.
    """
    if gpus and "could not select device driver" in words:
        return (
            "the Docker engine cannot give GPUs to containers; install the NVIDIA Container "
            "Toolkit on its machine, run `nvidia-ctk runtime configure --runtime=docker` and "
            f"restart the engine ({words})"
        )
    return words[:1000]
