"""What a job's container is made of, from its launch: values and pure functions."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from jupyter_training.executors.base import Launch
from jupyter_training.executors.confinement import Confinement
from jupyter_training.executors.supervisor import TOKEN_VARIABLE

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
