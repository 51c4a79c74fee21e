"""Whether jobs can run on Slurm: what it says of itself, and whether its nodes see our files."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from jupyter_training.doctor.checks import Check, absent, ok, problem
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
    nodes, cpu_cores, gpus
        What it has in all.
    is_elsewhere
        Whether some of its nodes are other machines than this one.
    is_shared
        Whether the data directory is on a network file system, as far as that can be seen.
    """

    version: str = ""
    trouble: str = ""
    nodes: int = 0
    cpu_cores: int = 0
    gpus: int = 0
    is_elsewhere: bool = False
    is_shared: bool = False


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
    from jupyter_training.store.filesystem import network_file_system

    if not are_there(commands):
        return SlurmFacts()
    program = str(Path(commands) / "sbatch") if commands else "sbatch"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = said.stdout.split()[-1] if said.stdout.split() else "of an unknown version"
    try:
        printed = asyncio.run(Commands("", commands).nodes())
    except ClusterAway as away:
        return SlurmFacts(version, str(away))
    nodes = [one.node for one in nodes_of(printed)]
    hosts = {one.partition(".")[0] for one in re.findall(r"NodeHostName=(\S+)", printed)}
    return SlurmFacts(
        version,
        "",
        len(nodes),
        sum(one.cpu_cores for one in nodes),
        sum(len(one.gpus) for one in nodes),
        bool(hosts - {socket.gethostname().partition(".")[0], "localhost"}),
        network_file_system(data_dir) is not None,
    )


def judge(facts: SlurmFacts, settings: Settings) -> Check:
    """Whether jobs can run on it."""
    is_asked_for = EXECUTOR in settings.executors or settings.default_executor == EXECUTOR
    is_default = settings.default_executor == EXECUTOR
    if not facts.version:
        if not is_asked_for:
            return absent(NAME, "There is no Slurm here; jobs run on this machine.")
        return problem(
            *(NAME, "There is no sbatch here, but slurm is one of c.TrainingApp.executors."),
            "Install Slurm's commands, or set c.Slurm.commands to the directory where they are.",
            blocks_jobs=True,
        )
    if facts.trouble:
        if not is_asked_for:
            return absent(NAME, f"Slurm's commands ({facts.version}) are here. {facts.trouble}.")
        return problem(
            *(NAME, f"{facts.trouble} (commands of version {facts.version})."),
            "See whether slurmctld runs (scontrol ping), and which configuration the commands "
            "have (SLURM_CONF, /etc/slurm/slurm.conf).",
            blocks_jobs=is_default,
        )
    told = (
        f"Slurm {facts.version}, {facts.nodes} node{'s' * (facts.nodes != 1)} with "
        f"{facts.cpu_cores} CPU cores and {facts.gpus} GPU{'s' * (facts.gpus != 1)}"
    )
    if not is_asked_for:
        return absent(
            *(NAME, f"{told}; no job is sent there."),
            'To send jobs there: c.TrainingApp.executors = ["local", "docker", "slurm"].',
        )
    if facts.is_elsewhere and not facts.is_shared:
        return problem(
            *(NAME, f"{told}; {settings.data_dir} seems to be on a disk of this machine."),
            "Set c.TrainingApp.data_dir to a directory that all nodes share at the same path.",
        )
    return ok(NAME, f"{told}.")
