"""What the nodes of a cluster have to know of an attempt: the content of ``launch.json``."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jupyter_training.executors.base import GangLaunch, Launch
from jupyter_training.executors.cluster_dialect import Dialect
from jupyter_training.executors.local import environment
from jupyter_training.executors.memory import GB


@dataclass(frozen=True)
class Terms:
    """What is the same for all attempts.

    Attributes
    ----------
    told
        A directory that the nodes share, in which they tell that something has happened.
    grace_s
        How long a job may take to end after it was asked to (s).
    log_limit
        How much of what a job prints is kept (bytes); 0 for all.
    alive_s
        How often a job gives a sign of life (s).
    """

    told: Path
    grace_s: float
    log_limit: int
    alive_s: float


def content(launch: Launch, dialect: Dialect[Any, Any], terms: Terms) -> dict[str, Any]:
    """What a node needs to run an attempt; of a distributed one, what each of its nodes needs."""
    whole = {
        "token": launch.token,
        "told": str(terms.told),
        "alive_s": terms.alive_s,
        **_amounts(launch),
        **dialect.more(launch),
    }
    if not isinstance(launch, GangLaunch):
        return {**whole, **_for_node(launch, dialect, terms)}
    return {
        **whole,
        **_amounts(launch.nodes[0]),
        "program": dialect.program,
        "is_elastic": launch.is_elastic,
        "nodes": [_for_node(node, dialect, terms) for node in launch.nodes],
    }


def _amounts(launch: Launch) -> dict[str, int]:
    return {
        "cpu_cores": launch.cpu_cores,
        "memory_gb": launch.memory_gb,
        "gpus": len(launch.gpus),
    }


def _for_node(launch: Launch, dialect: Dialect[Any, Any], terms: Terms) -> dict[str, Any]:
    env = environment(os.environ, replace(launch, gpus=()))
    for name in [one for one in env if one.startswith(dialect.own) and one not in launch.env]:
        del env[name]
    return {
        "token": launch.token,
        "directory": str(launch.directory),
        "argv": launch.argv,
        "env": env,
        "cwd": launch.cwd,
        "memory_bytes": launch.memory_gb * GB,
        "time_limit_s": launch.time_limit_s,
        "grace_s": terms.grace_s,
        "log_limit": terms.log_limit,
    }
