"""What each node of a gang is launched with.

::

    attempt-1/
        output.log, output-0.log, …   what all ranks printed, and what each of them did
        metrics.jsonl                 of rank 0
        meeting/                      where the nodes tell each other something, see `ranks`
        node-0/, node-1/, …           the records of each node's supervisor or container

A container sees of that its own ranks' logs, the log of all, the metrics and the meeting, and not
the records.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePath, PurePosixPath

from jupyter_training import ranks
from jupyter_training.executors.base import GangLaunch, Launch, node_directory, node_token
from jupyter_training.executors.containers import ContainerLaunch, Mount
from jupyter_training.executors.log_files import log_name
from jupyter_training.executors.records import LOG
from jupyter_training.jobs.gangs import Launcher, processes_per_node, ranks_per_node
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.store.records import Attempt

MEETING = "meeting"

_PROGRAM = Path(ranks.__file__)
_OWN = PurePosixPath("/training")
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class _Places:
    """Where a node finds what the gang shares: on this machine, or in its container."""

    program: PurePath
    meeting: PurePath
    logs: PurePath


def prepare(attempt: Attempt, launch: Launch, log_limit: int) -> GangLaunch:
    """Make the directories of the nodes, and say how each is to be launched.

    Parameters
    ----------
    launch
        What the job would be launched with if it were no gang.
    log_limit
        How much of each log is kept (bytes); 0 for all.

    Raises
    ------
    OSError
        If it cannot be done.
    """
    own, spec = launch.directory, attempt.spec
    count = len(attempt.placements)
    (own / MEETING).mkdir(mode=0o700, exist_ok=True)
    for index in range(count):
        node_directory(own, index).mkdir(mode=0o700, exist_ok=True)
    local = ranks_per_node(_launcher(spec), len(attempt.placement.gpus), spec.procs_per_node)
    for name in (LOG, *(log_name(rank) for rank in range(count * local))):
        (own / name).touch(mode=0o600)
    nodes = tuple(_of_node(launch, attempt, index, log_limit) for index in range(count))
    whole = {field.name: getattr(launch, field.name) for field in fields(Launch)}
    return GangLaunch(**whole, nodes=nodes, min_nodes=spec.min_nodes)


def _of_node(launch: Launch, attempt: Attempt, index: int, log_limit: int) -> Launch:
    spec, placement, count = attempt.spec, attempt.placements[index], len(attempt.placements)
    launcher = _launcher(spec)
    processes = processes_per_node(len(placement.gpus), spec.procs_per_node)
    local = ranks_per_node(launcher, len(placement.gpus), spec.procs_per_node)
    in_container = isinstance(launch, ContainerLaunch)
    is_elsewhere = placement.node == attempt.executor
    places = _in_container() if in_container else _on_this_machine(launch.directory)
    work = {
        "node": index,
        "nodes": count,
        "local": local,
        "processes": processes,
        # On a cluster neither is known before it has chosen the nodes.
        "devices": None if is_elsewhere else ",".join(placement.gpus),
        "launcher": launcher.value,
        "address": "" if is_elsewhere else _host(0) if in_container else _LOOPBACK,
        "meeting": str(places.meeting),
        "logs": str(places.logs),
        "log_limit": log_limit,
    }
    python = "python3" if in_container else sys.executable
    env = dict(launch.env)
    # Numeric libraries start so many threads in each process.
    env.setdefault("OMP_NUM_THREADS", str(max(1, placement.cpu_cores // processes)))
    node = replace(
        launch,
        token=node_token(launch.token, index),
        directory=node_directory(launch.directory, index),
        argv=(python, "-I", str(places.program), json.dumps(work), *launch.argv),
        env=env,
        cpu_cores=placement.cpu_cores,
        memory_gb=placement.memory_gb,
        gpus=placement.gpus,
    )
    if isinstance(node, ContainerLaunch):
        numbers = range(index * local, (index + 1) * local)
        mounts = (*node.mounts, *_mounts(launch.directory, places, numbers))
        return replace(node, mounts=mounts, host=_host(index))
    return node


def _launcher(spec: JobSpec) -> Launcher:
    return spec.launcher or Launcher.BUILTIN


def _host(index: int) -> str:
    return f"node-{index}"


def _on_this_machine(directory: Path) -> _Places:
    return _Places(_PROGRAM, directory / MEETING, directory)


def _in_container() -> _Places:
    return _Places(_OWN / "ranks.py", _OWN / MEETING, _OWN / "logs")


def _mounts(directory: Path, inside: _Places, numbers: range) -> list[Mount]:
    """What a node sees of the gang. Each log is a mount, so that it can't become something else."""
    writable = [(directory / MEETING, inside.meeting)]
    writable += [
        (directory / name, inside.logs / name)
        for name in (LOG, *(log_name(rank) for rank in numbers))
    ]
    program = Mount(str(_PROGRAM), str(inside.program), read_only=True)
    return [
        *(Mount(str(source), str(target), read_only=False) for source, target in writable),
        program,
    ]
