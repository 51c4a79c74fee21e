"""Whether jobs can run on Slurm: what it says of itself, and whether its nodes see our files."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_training.doctor import clusters
from jupyter_training.doctor.checks import Check, absent, problem
from jupyter_training.doctor.clusters import Size, is_asked_for, size_of
from jupyter_training.doctor.settings import Settings
from jupyter_training.executors.slurm_transport import Way

NAME = "Slurm"
EXECUTOR = "slurm"


@dataclass(frozen=True)
class SlurmFacts:
    """What there is of Slurm.

    Attributes
    ----------
    version
        Of Slurm, or of its commands; empty if there are none.
    trouble
        Why it does not answer; empty if it does.
    size
        What it has.
    """

    version: str = ""
    trouble: str = ""
    size: Size = field(default_factory=Size)


def look(way: Way, data_dir: Path) -> SlurmFacts:
    """Ask Slurm for its nodes."""
    from jupyter_training.executors.base import ClusterAway
    from jupyter_training.executors.slurm import transport

    async def ask() -> SlurmFacts:
        it, version = transport(way, installation=""), ""
        try:
            version = await it.version()
            nodes = await it.nodes()
        except ClusterAway as away:
            return SlurmFacts(version or "unknown", str(away))
        finally:
            await it.close()
        hosts = {one.host.partition(".")[0] for one in nodes}
        is_elsewhere = bool(hosts - {socket.gethostname().partition(".")[0], "localhost", ""})
        known = [one.node for one in nodes]
        return SlurmFacts(version, "", size_of(known, data_dir, is_elsewhere=is_elsewhere))

    try:
        return asyncio.run(ask())
    except ValueError as wrong:
        # There is none, or two ways to it that exclude each other.
        return SlurmFacts("unknown", str(wrong)) if way.rest_url else SlurmFacts()


def judge(facts: SlurmFacts, settings: Settings) -> Check:
    """Whether jobs can run on it."""
    if not facts.version:
        if not is_asked_for(EXECUTOR, settings):
            return absent(NAME, "There is no Slurm here; jobs run on this machine.")
        return problem(
            *(NAME, "There is no sbatch here, but slurm is one of c.TrainingApp.executors."),
            "Install Slurm's commands, or set c.Slurm.commands to the directory where they are, or "
            "c.Slurm.rest_url to where slurmrestd is.",
            blocks_jobs=True,
        )
    if facts.trouble:
        if not is_asked_for(EXECUTOR, settings):
            return absent(NAME, f"Slurm's commands ({facts.version}) are here. {facts.trouble}.")
        repair = (
            "See whether slurmrestd runs where c.Slurm.rest_url says, and whether the token in "
            "c.Slurm.rest_token_file or SLURM_JWT is still good."
            if settings.slurm.rest_url
            else "See whether slurmctld runs (scontrol ping), and which configuration the commands "
            "have (SLURM_CONF, /etc/slurm/slurm.conf)."
        )
        return problem(
            *(NAME, f"{facts.trouble} (version {facts.version})."),
            repair,
            blocks_jobs=settings.default_executor == EXECUTOR,
        )
    return clusters.judge(NAME, EXECUTOR, f"Slurm {facts.version}", facts.size, settings)
