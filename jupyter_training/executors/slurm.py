"""Run jobs on a Slurm cluster: each attempt is a batch job, with our supervisor in its allocation.

What it has in common with other clusters is in `cluster`. Slurm needs no accounting for it, and
what was submitted and is not written down is found by its comment.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traitlets import Dict, Float, List, Unicode
from traitlets.config import Configurable

from jupyter_training.executors.base import Launch
from jupyter_training.executors.cluster import ClusterExecutor
from jupyter_training.executors.cluster_node import LAUNCH
from jupyter_training.executors.local import PACKAGES
from jupyter_training.executors.registry import Plugin, Setting
from jupyter_training.executors.slurm_commands import Commands, are_there
from jupyter_training.executors.slurm_jobs import (
    OPTIONS,
    SAID,
    Site,
    SlurmJob,
    end_of,
    gres_type,
    lost,
    nodes_of,
    not_begun,
    sbatch_arguments,
    script,
)
from jupyter_training.jobs.lifecycle import Exit
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.scheduling.choice import Offer
from jupyter_training.scheduling.resources import ClusterNode


@dataclass(frozen=True)
class Batch:
    """What ``sbatch`` gets."""

    arguments: list[str]
    script: str


class SlurmDialect:
    """How Slurm is spoken to; see `Dialect`.

    Parameters
    ----------
    site
        What is particular to the cluster.
    grace_s
        How long a job may take to end after it was asked to (s).
    commands
        The directory of Slurm's commands; empty if they are found by their names.

    Attributes
    ----------
    models
        The GPU types that there are, as Slurm calls them.
    """

    name = "Slurm"
    # A server may be a job of Slurm itself.
    own = ("SLURM", "SBATCH_", "SRUN_", "PMI_", "PMIX_")

    def __init__(self, site: Site, grace_s: float, commands: str = "") -> None:
        self.site, self._grace_s = site, grace_s
        self.commands = Commands(site.installation, commands)
        self.models: frozenset[str] = frozenset()

    @property
    def program(self) -> list[str]:
        """What runs on a node, without its arguments."""
        return self.site.program

    def request(self, launch: Launch) -> Batch:
        """What is to be submitted for an attempt."""
        arguments = sbatch_arguments(launch, self.site, self._grace_s, self.models)
        return Batch(arguments, script(launch.directory, launch.directory / LAUNCH, self.site))

    def more(self, launch: Launch) -> dict[str, Any]:
        """Nothing: it is in the environment of the job."""
        return {}

    async def submit(self, request: Batch) -> str:
        """Submit it, and return its number; see `Dialect`."""
        return await self.commands.submit(request.arguments, request.script)

    async def jobs(self) -> Sequence[SlurmJob]:
        """All jobs of this installation that Slurm knows; see `Dialect`."""
        return await self.commands.queue()

    async def cancel(self, job: str) -> None:
        """Take a job out of the queue, and end it if it runs."""
        await self.commands.cancel(job)

    async def ask_to_end(self, job: str) -> None:
        """Have our program told that the job is to end."""
        await self.commands.tell(job)

    def reason(self, job: SlurmJob) -> str:
        """Why a job waits, as ``PENDING (Resources)``."""
        return str(job)

    def end_of(
        self, told: Exit, job: SlurmJob | None, *, asked: bool, revoked: bool, left_s: float
    ) -> Exit:
        """The end of an attempt; see `Dialect`."""
        return end_of(told, job, asked=asked, revoked=revoked, left_s=left_s, grace_s=self._grace_s)

    def lost(self, job: SlurmJob | None, *, revoked: bool) -> Exit:
        """How an attempt ended that has written nothing of its end."""
        return lost(job, revoked=revoked)

    async def not_begun(self, job: SlurmJob, directory: Path) -> Exit:
        """How an attempt ended that Slurm has let go of before it ran."""
        code = await self.commands.exit_code(job.id)
        said = await asyncio.to_thread(_last_line, directory / SAID)
        return not_begun(job, code, directory, self.site.python, said)


class SlurmExecutor(ClusterExecutor[SlurmJob, Batch]):
    """Batch jobs of a Slurm cluster; a `Cluster`.

    Parameters
    ----------
    site
        What is particular to the cluster.
    told, grace_s, log_limit, poll_s, alive_s, settle_s
        See `ClusterExecutor`.
    commands
        The directory of Slurm's commands; empty if they are found by their names.
    """

    def __init__(
        self,
        site: Site,
        told: Path,
        grace_s: float,
        *,
        log_limit: int = 0,
        commands: str = "",
        poll_s: float = 5.0,
        alive_s: float = 10.0,
        settle_s: float = 3.0,
    ) -> None:
        self._slurm = SlurmDialect(site, grace_s, commands)
        super().__init__(
            self._slurm,
            told,
            grace_s,
            log_limit=log_limit,
            poll_s=poll_s,
            alive_s=alive_s,
            settle_s=settle_s,
        )

    def problems(self, spec: JobSpec) -> Sequence[FieldError]:
        """What is wrong with a job for Slurm; see `Cluster`."""
        wrong = []
        for name, value in spec.executor_options.items():
            if name in OPTIONS and (isinstance(value, bool | float) or str(value).startswith("-")):
                told = f"should be what sbatch takes for --{name}, not {value!r}"
                wrong.append(FieldError(f"executor_options.{name}", told))
        if spec.min_nodes is not None and spec.min_nodes != spec.nodes:
            told = "Slurm starts all nodes of a job or none; leave it out"
            wrong.append(FieldError("min_nodes", told))
        asked = spec.gpu_type
        known = self._slurm.models
        if asked and known and gres_type(asked, self._slurm.site.gpu_types, known) is None:
            there = ", ".join(sorted(known))
            told = f"no node of the cluster has a GPU of type {asked} (there are: {there})"
            wrong.append(FieldError("gpu_type", told))
        return wrong

    async def inventory(self) -> Sequence[ClusterNode]:
        """The nodes of the cluster; see `Cluster`."""
        found = nodes_of(await self._slurm.commands.nodes())
        self._slurm.models = frozenset(
            gpu.model for one in found for gpu in one.node.gpus if gpu.model
        )
        return found


class Slurm(Configurable):
    """How jobs run on Slurm: ``c.Slurm.partition = "gpu"``."""

    partition = Unicode(help="The partition of jobs that name none.").tag(config=True)
    account = Unicode(help="The account of jobs that name none.").tag(config=True)
    qos = Unicode(help="The quality of service of jobs that name none.").tag(config=True)
    constraint = Unicode(help="The constraint of jobs that name none.").tag(config=True)
    reservation = Unicode(help="The reservation of jobs that name none.").tag(config=True)

    sbatch_options = List(
        Unicode(), help="""Further arguments of sbatch for each job, such as "--exclusive"."""
    ).tag(config=True)

    gpu_types = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="""What GPU types are called in the GRES of the cluster, where that is not what people
        write: {"A100 80GB": "a100l"}.""",
    ).tag(config=True)

    python = Unicode(
        help="""The Python that starts jobs on the nodes, 3.10 or later. Default: that of this
        server, which the nodes then have to see at the same path.""",
    ).tag(config=True)

    commands = Unicode(
        help="The directory of Slurm's commands. Default: they are found by their names."
    ).tag(config=True)

    poll_interval = Float(
        5.0,
        min=0.1,
        help="""Seconds between two questions to Slurm, each for all jobs at once. That a job begins
        or ends is mostly known before, by files.""",
    ).tag(config=True)

    sign_interval = Float(
        10.0,
        min=0.1,
        help="""Seconds between two signs of life of a job. One of which Slurm has lost sight is
        believed dead after four times that.""",
    ).tag(config=True)

    settle_time = Float(
        3.0,
        min=0.0,
        help="Seconds that the shared file system may take to show what a node has written.",
    ).tag(config=True)


def _last_line(path: Path) -> str:
    """The last line that a script has said, if it has said any."""
    try:
        with path.open("rb") as file:
            file.seek(-min(1000, path.stat().st_size), os.SEEK_END)
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def _make(setting: Setting) -> SlurmExecutor:
    it = Slurm(parent=setting.app)
    if not are_there(it.commands):
        where = it.commands or "the search path"
        raise ValueError(f"there is no sbatch in {where}; set c.Slurm.commands to where it is")
    names = ("partition", "account", "qos", "constraint", "reservation")
    site = Site(
        setting.installation,
        it.python or sys.executable,
        PACKAGES,
        {name: getattr(it, name) for name in names if getattr(it, name)},
        it.sbatch_options,
        it.gpu_types,
    )
    return SlurmExecutor(
        site,
        setting.data_dir / "slurm",
        setting.grace_s,
        log_limit=setting.log_limit,
        commands=it.commands,
        poll_s=it.poll_interval,
        alive_s=it.sign_interval,
        settle_s=it.settle_time,
    )


PLUGIN = Plugin(_make, Offer(options=OPTIONS))
"""For the registry."""
