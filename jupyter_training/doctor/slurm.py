"""Whether jobs can run on Slurm: what it says of itself, and whether its nodes see our files."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_training.doctor import clusters
from jupyter_training.doctor.checks import Check, absent, problem
from jupyter_training.doctor.clusters import Size, is_asked_for, size_of
from jupyter_training.doctor.settings import Settings

NAME = "Slurm"
EXECUTOR = "slurm"


@dataclass(frozen=True)
class SlurmFacts:
    """What there is of Slurm.

    Attributes
    ----------
    version
        Of its commands; empty if there are none.
    trouble
        Why it does not answer; empty if it does.
    size
        What it has.
    """

    version: str = ""
    trouble: str = ""
    size: Size = field(default_factory=Size)


def look(commands: str, data_dir: Path) -> SlurmFacts:
    """Ask Slurm for its nodes.

    Parameters
    ----------
    commands
        The directory of its commands; empty if they are found by their names.
    """
    from jupyter_training.executors.base import ClusterAway
    from jupyter_training.executors.slurm_commands import Commands, are_there
    from jupyter_training.executors.slurm_jobs import nodes_of

    if not are_there(commands):
        return SlurmFacts()
    program = str(Path(commands) / "sbatch") if commands else "sbatch"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = said.stdout.split()[-1] if said.stdout.split() else "of an unknown version"
    try:
        printed = asyncio.run(Commands("", commands).nodes())
    except ClusterAway as away:
        return SlurmFacts(version, str(away))
    hosts = {one.partition(".")[0] for one in re.findall(r"NodeHostName=(\S+)", printed)}
    is_elsewhere = bool(hosts - {socket.gethostname().partition(".")[0], "localhost"})
    return SlurmFacts(version, "", size_of(nodes_of(printed), data_dir, is_elsewhere=is_elsewhere))


def judge(facts: SlurmFacts, settings: Settings) -> Check:
    """Whether jobs can run on it."""
    if not facts.version:
        if not is_asked_for(EXECUTOR, settings):
            return absent(NAME, "There is no Slurm here; jobs run on this machine.")
        return problem(
            *(NAME, "There is no sbatch here, but slurm is one of c.TrainingApp.executors."),
            "Install Slurm's commands, or set c.Slurm.commands to the directory where they are.",
            blocks_jobs=True,
        )
    if facts.trouble:
        if not is_asked_for(EXECUTOR, settings):
            return absent(NAME, f"Slurm's commands ({facts.version}) are here. {facts.trouble}.")
        return problem(
            *(NAME, f"{facts.trouble} (commands of version {facts.version})."),
            "See whether slurmctld runs (scontrol ping), and which configuration the commands "
            "have (SLURM_CONF, /etc/slurm/slurm.conf).",
            blocks_jobs=settings.default_executor == EXECUTOR,
        )
    return clusters.judge(NAME, EXECUTOR, f"Slurm {facts.version}", facts.size, settings)
