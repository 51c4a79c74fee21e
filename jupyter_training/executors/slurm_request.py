"""What a job asks Slurm for, however it is asked: values and pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_training.executors.base import GangLaunch, Launch
from jupyter_training.executors.cluster_dialect import begin, code_of
from jupyter_training.executors.cluster_node import LAUNCH
from jupyter_training.executors.slurm_jobs import comment
from jupyter_training.scheduling.resources import Gpu, matches

OPTIONS = {
    "partition": "the partition that it waits in",
    "account": "the account that pays for it",
    "qos": "its quality of service",
    "constraint": "the features that its nodes need",
    "reservation": "the reservation that it runs in",
    "nodelist": "the nodes that it runs on",
    "exclude": "the nodes that it does not run on",
    "licenses": "the licenses that it needs",
}
"""What a job may ask Slurm for beside its resources; they are called as those of ``sbatch``."""

SAID = "slurm.log"
"""What the script says that is no output of the job; most often nothing."""


@dataclass(frozen=True)
class Site:
    """What is particular to a cluster.

    Attributes
    ----------
    defaults
        What jobs get that do not say otherwise, by the names of `OPTIONS`.
    gpu_types
        What a GPU type is called in Slurm's GRES, by what people write.
    python
        The interpreter that starts jobs on the nodes.
    packages
        Where it finds this package.
    """

    installation: str
    python: str
    packages: str
    defaults: Mapping[str, str] = field(default_factory=dict)
    gpu_types: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> list[str]:
        """What runs on a node, without its arguments."""
        return [self.python, "-I", "-S", "-c", code_of("slurm_node"), self.packages]


@dataclass(frozen=True)
class Wanted:
    """What a job asks Slurm for, however it is asked.

    Attributes
    ----------
    comment
        By which it is found again.
    directory
        That of its attempt.
    script
        What runs on its first node.
    nodes, min_nodes
        On how many it runs, and with how few it makes do.
    is_elastic
        Whether it makes do with fewer.
    cpu_cores, memory_gb
        Of each node.
    gres
        Of each node; empty without GPUs.
    warned_s
        How long before the end of its time it is told (s).
    minutes
        Its time; None for the partition's.
    nice
        How far it steps back behind others.
    options
        What else it asks for, by the names of `OPTIONS`.
    """

    name: str
    comment: str
    directory: Path
    script: str
    nodes: int
    min_nodes: int
    is_elastic: bool
    cpu_cores: int
    memory_gb: int
    gres: str
    warned_s: int
    minutes: int | None
    nice: int
    options: Mapping[str, str]


def wanted(launch: Launch, site: Site, grace_s: float, models: Iterable[str] = ()) -> Wanted:
    """What an attempt asks for.

    Parameters
    ----------
    grace_s
        How long before the end of its time it is told (s).
    models
        The GPU types that there are, as Slurm calls them.
    """
    gang = launch if isinstance(launch, GangLaunch) else None
    one = launch if gang is None else gang.nodes[0]
    count = 1 if gang is None else len(gang.nodes)
    is_elastic = gang is not None and gang.is_elastic
    minutes = None
    if launch.time_limit_s is not None:
        # It is kept to the second by the supervisor; Slurm's is for planning, and comes after that.
        minutes = math.ceil((launch.time_limit_s + grace_s) / 60) + 1
    return Wanted(
        name=_plain(launch.name) or "training",
        comment=comment(site.installation, launch.job_id, launch.token),
        directory=launch.directory,
        script=script(launch.directory, launch.directory / LAUNCH, site),
        nodes=count,
        min_nodes=(gang.min_nodes if gang is not None and is_elastic else None) or count,
        is_elastic=is_elastic,
        cpu_cores=one.cpu_cores,
        memory_gb=one.memory_gb,
        gres=gres(len(one.gpus), launch.gpu_type, site.gpu_types, models) if one.gpus else "",
        warned_s=max(1, min(65535, math.ceil(grace_s))),
        minutes=minutes,
        nice=max(0, -launch.priority),
        options={**site.defaults, **{name: str(it) for name, it in launch.options.items()}},
    )


def gres(
    count: int, asked: str | None, names: Mapping[str, str] = {}, models: Iterable[str] = ()
) -> str:
    """So many GPUs, of the type that a person wrote, as Slurm's GRES."""
    if asked is None:
        return f"gpu:{count}"
    return f"gpu:{gres_type(asked, names, models) or asked.lower().replace(' ', '_')}:{count}"


def gres_type(asked: str, names: Mapping[str, str], models: Iterable[str]) -> str | None:
    """What a GPU type that a person wrote is called in Slurm; None if it is not known there."""
    named = {said.casefold(): name for said, name in names.items()}
    if asked.casefold() in named:
        return named[asked.casefold()]
    return next((one for one in sorted(models) if matches(Gpu("", one), asked)), None)


def _plain(name: str) -> str:
    return re.sub(r"[^\w.+/ -]", "_", name)[:128].strip().lstrip("-")


def script(directory: Path, launch: Path, site: Site) -> str:
    """The batch script of an attempt: it says by its exit code why it could not begin."""
    return f"#!/bin/sh\n{begin(site.program, directory, launch, SAID)}\n"
