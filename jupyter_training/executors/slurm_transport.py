"""How Slurm is reached, by its commands or by slurmrestd: what either can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # settings are read by those who have no use for the rest
    from jupyter_training.executors.slurm_inventory import SlurmNode
    from jupyter_training.executors.slurm_jobs import SlurmJob
    from jupyter_training.executors.slurm_request import Wanted

PATIENCE_S = 90.0
"""Slurm's own programs try for about so long by themselves to reach a controller (s)."""

AT_ONCE = 2
"""So many submissions at a time: a controller serves them one by one anyway."""


@dataclass(frozen=True)
class Way:
    """Which way to Slurm there is.

    Attributes
    ----------
    commands
        The directory of Slurm's commands; empty if they are found by their names.
    sbatch_options
        Further arguments for ``sbatch``.
    rest_url, rest_token_file, rest_user
        Where slurmrestd is, if it is to be asked instead, and with whose token.
    """

    commands: str = ""
    sbatch_options: Sequence[str] = ()
    rest_url: str = ""
    rest_token_file: str = ""
    rest_user: str = ""


class Transport(Protocol):
    """A way to Slurm, as it is gone.

    Each method raises `ClusterAway` if Slurm is away, unless something else is said.
    """

    async def version(self) -> str:
        """Of Slurm, as ``24.11.5``."""

    async def submit(self, job: Wanted) -> str:
        """Submit a job.

        Returns
        -------
        str
            Its number.

        Raises
        ------
        ClusterAway
            If Slurm is away. Whether it has got the job is not known.
        Refused
            If it does not want it.
        """

    async def queue(self) -> Sequence[SlurmJob]:
        """All jobs of this installation that Slurm knows, also those that ended a moment ago."""

    async def nodes(self) -> Sequence[SlurmNode]:
        """The nodes of the cluster."""

    async def exit_code(self, job: str) -> int | None:
        """The exit code of a job that has ended; None if that is not known, or Slurm is away."""

    async def recall(self, job: str) -> SlurmJob | None:
        """A job that has ended, from accounting.

        Returns
        -------
        SlurmJob or None
            None if it is not known there, or has not ended; and if nothing can be asked, as most
            small clusters have no accounting.
        """

    async def tell(self, job: str) -> None:
        """Send SIGTERM to the script of a job that runs, and to nothing else of it, if possible."""

    async def cancel(self, job: str) -> None:
        """Take a job out of the queue, and end it if it runs."""

    async def close(self) -> None:
        """Let go of what is held."""
