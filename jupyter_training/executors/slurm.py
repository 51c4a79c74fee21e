"""Run jobs on a Slurm cluster: each attempt is a batch job, with our supervisor in its allocation.

What it has in common with other clusters is in `cluster`. Slurm needs no accounting for it, and
what was submitted and is not written down is found by its comment.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from traitlets import List, Unicode

from jupyter_training.executors import cluster_records as records
from jupyter_training.executors.base import Launch
from jupyter_training.executors.cluster import ClusterExecutor
from jupyter_training.executors.cluster_settings import ClusterSettings
from jupyter_training.executors.local import PACKAGES
from jupyter_training.executors.registry import Plugin, Setting
from jupyter_training.executors.slurm_commands import Commands, are_there
from jupyter_training.executors.slurm_jobs import SlurmJob, end_of, lost, not_begun, reason
from jupyter_training.executors.slurm_request import OPTIONS, SAID, Site, Wanted, gres_type, wanted
from jupyter_training.executors.slurm_rest import Rest
from jupyter_training.executors.slurm_transport import Transport, Way
from jupyter_training.jobs.lifecycle import Exit
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.scheduling.choice import Offer
from jupyter_training.scheduling.resources import ClusterNode, Placement


class SlurmDialect:
    """How Slurm is spoken to; see `Dialect`.

    Parameters
    ----------
    site
        What is particular to the cluster.
    grace_s
        How long a job may take to end after it was asked to (s).
    transport
        The way to it.
    """

    name = "Slurm"
    # A server may be a job of Slurm itself.
    own = ("SLURM", "SBATCH_", "SRUN_", "PMI_", "PMIX_")

    def __init__(self, site: Site, grace_s: float, transport: Transport) -> None:
        self.site, self._grace_s, self._transport = site, grace_s, transport
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
        return [one.node for one in await self._transport.nodes()]

    def request(self, launch: Launch) -> Wanted:
        """What is to be submitted for an attempt."""
        return wanted(launch, self.site, self._grace_s, self.models)

    def more(self, launch: Launch) -> dict[str, Any]:
        """Nothing: it is in the environment of the job."""
        return {}

    async def submit(self, request: Wanted) -> str:
        """Submit it, and return its number; see `Dialect`."""
        return await self._transport.submit(request)

    async def jobs(self) -> Sequence[SlurmJob]:
        """All jobs of this installation that Slurm knows; see `Dialect`."""
        return await self._transport.queue()

    async def recall(self, job: str, directory: Path) -> SlurmJob | None:
        """A job that has left the memory of the controller, from Slurm's accounting."""
        found = await self._transport.recall(job)
        # Numbers begin anew when a cluster is set up again; directories do not.
        return found if found is not None and found.directory == str(directory) else None

    async def cancel(self, job: str) -> None:
        """Take a job out of the queue, and end it if it runs."""
        await self._transport.cancel(job)

    async def ask_to_end(self, job: str) -> None:
        """Have our program told that the job is to end."""
        await self._transport.tell(job)

    async def placed(self, token: str, place: Placement) -> Placement | None:
        """Where an attempt runs: Slurm tells our program."""
        return place if place.node else None

    def reason(self, job: SlurmJob) -> str:
        """Why a job waits, as ``PENDING (Resources)``."""
        return reason(job)

    def end_of(
        self, told: Exit, job: SlurmJob | None, *, asked: bool, revoked: bool, left_s: float
    ) -> Exit:
        """The end of an attempt; see `Dialect`."""
        return end_of(told, job, asked=asked, revoked=revoked, left_s=left_s, grace_s=self._grace_s)

    def lost(self, job: SlurmJob | None, *, revoked: bool, asked: bool) -> Exit:
        """How an attempt ended that has written nothing of its end."""
        return lost(job, revoked=revoked, asked=asked)

    async def not_begun(self, job: SlurmJob, directory: Path) -> Exit:
        """How an attempt ended that Slurm has let go of before it ran."""
        code = await self._transport.exit_code(job.id)
        said = await asyncio.to_thread(records.last_said, directory / SAID)
        was_run = await asyncio.to_thread((directory / SAID).exists)
        return not_begun(job, code, directory, self.site.python, said, was_run=was_run)

    async def close(self) -> None:
        """Let go of the way to it."""
        await self._transport.close()


class Slurm(ClusterSettings):
    """How jobs run on Slurm: ``c.Slurm.partition = "gpu"``."""

    partition = Unicode(help="The partition of jobs that name none.").tag(config=True)
    account = Unicode(help="The account of jobs that name none.").tag(config=True)
    qos = Unicode(help="The quality of service of jobs that name none.").tag(config=True)
    constraint = Unicode(help="The constraint of jobs that name none.").tag(config=True)
    reservation = Unicode(help="The reservation of jobs that name none.").tag(config=True)

    sbatch_options = List(
        Unicode(),
        help="""Further arguments of sbatch for each job, such as "--exclusive". Not with
        rest_url.""",
    ).tag(config=True)

    commands = Unicode(
        help="The directory of Slurm's commands. Default: they are found by their names."
    ).tag(config=True)

    rest_url = Unicode(
        help="""Where slurmrestd is, to be asked instead of Slurm's commands: http://host:6820, or
        unix:///run/slurmrestd.socket for one that runs as the user of this server and needs no
        token.""",
    ).tag(config=True)

    rest_token_file = Unicode(
        help="""A file with the token for slurmrestd, as "scontrol token" prints it. It is read for
        each question, so that something else can renew it. Default: what SLURM_JWT is in the
        environment of this server.""",
    ).tag(config=True)

    rest_user = Unicode(
        help="Whose token that is. Default: the user of this server's process."
    ).tag(config=True)

    @property
    def way(self) -> Way:
        """How Slurm is reached."""
        return Way(
            self.commands,
            tuple(self.sbatch_options),
            self.rest_url,
            self.rest_token_file,
            self.rest_user,
        )


def transport(way: Way, installation: str) -> Transport:
    """The way to Slurm, for the jobs of an installation.

    Raises
    ------
    ValueError
        If it cannot be gone.
    """
    if way.rest_url:
        if way.sbatch_options:
            raise ValueError(
                "c.Slurm.sbatch_options are for sbatch, and with c.Slurm.rest_url none is run; "
                "unset one of them"
            )
        return Rest(installation, way.rest_url, way.rest_token_file, way.rest_user)
    if not are_there(way.commands):
        where = way.commands or "the search path"
        raise ValueError(
            f"there is no sbatch in {where}; set c.Slurm.commands to where it is, or "
            "c.Slurm.rest_url to a slurmrestd"
        )
    return Commands(installation, way.commands, way.sbatch_options)


def _make(setting: Setting) -> ClusterExecutor[SlurmJob, Wanted]:
    it = Slurm(parent=setting.app)
    names = ("partition", "account", "qos", "constraint", "reservation")
    site = Site(
        setting.installation,
        it.python or sys.executable,
        PACKAGES,
        {name: getattr(it, name) for name in names if getattr(it, name)},
        it.gpu_types,
    )
    return ClusterExecutor(
        SlurmDialect(site, setting.grace_s, transport(it.way, setting.installation)),
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
