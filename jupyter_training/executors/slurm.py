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

from traitlets import List, Unicode

from jupyter_training.executors.base import Launch
from jupyter_training.executors.cluster import ClusterExecutor
from jupyter_training.executors.cluster_node import LAUNCH
from jupyter_training.executors.cluster_settings import ClusterSettings
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
from jupyter_training.scheduling.resources import ClusterNode, Placement


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

    def problems(self, spec: JobSpec) -> list[FieldError]:
        """What is wrong with a job for Slurm."""
        wrong = []
        for name, value in spec.executor_options.items():
            if name in OPTIONS and (isinstance(value, bool | float) or str(value).startswith("-")):
                told = f"should be what sbatch takes for --{name}, not {value!r}"
                wrong.append(FieldError(f"executor_options.{name}", told))
        return wrong

    def gpu_type(self, asked: str) -> str | None:
        """What a GPU type that a person wrote is called in GRES; None if it is not there."""
        return gres_type(asked, self.site.gpu_types, self.models)

    async def nodes(self) -> Sequence[ClusterNode]:
        """The nodes of the cluster; see `Dialect`."""
        return nodes_of(await self.commands.nodes())

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

    async def recall(self, job: str, directory: Path) -> SlurmJob | None:
        """A job that has left the memory of the controller, from Slurm's accounting."""
        found = await self.commands.recall(job)
        # Numbers begin anew when a cluster is set up again; directories do not.
        return found if found is not None and found.directory == str(directory) else None

    async def cancel(self, job: str) -> None:
        """Take a job out of the queue, and end it if it runs."""
        await self.commands.cancel(job)

    async def ask_to_end(self, job: str) -> None:
        """Have our program told that the job is to end."""
        await self.commands.tell(job)

    async def placed(self, token: str, place: Placement) -> Placement | None:
        """Where an attempt runs: Slurm tells our program."""
        return place if place.node else None

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

    async def close(self) -> None:
        """Nothing is held."""


class Slurm(ClusterSettings):
    """How jobs run on Slurm: ``c.Slurm.partition = "gpu"``."""

    partition = Unicode(help="The partition of jobs that name none.").tag(config=True)
    account = Unicode(help="The account of jobs that name none.").tag(config=True)
    qos = Unicode(help="The quality of service of jobs that name none.").tag(config=True)
    constraint = Unicode(help="The constraint of jobs that name none.").tag(config=True)
    reservation = Unicode(help="The reservation of jobs that name none.").tag(config=True)

    sbatch_options = List(
        Unicode(), help="""Further arguments of sbatch for each job, such as "--exclusive"."""
    ).tag(config=True)

    commands = Unicode(
        help="The directory of Slurm's commands. Default: they are found by their names."
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


def _make(setting: Setting) -> ClusterExecutor[SlurmJob, Batch]:
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
    return ClusterExecutor(
        SlurmDialect(site, setting.grace_s, it.commands),
        setting.data_dir / "slurm",
        setting.grace_s,
        log_limit=setting.log_limit,
        pace=it.pace,
    )


PLUGIN = Plugin(
    _make,
    Offer(
        options=OPTIONS,
        instead_of_images="on Slurm, call apptainer, or what else your cluster has, in the command",
    ),
)
"""For the registry."""
