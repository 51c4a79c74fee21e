"""Whether jobs can run on a cluster, as far as that is the same for each kind of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_training.doctor.checks import Check, absent, ok, problem
from jupyter_training.doctor.settings import Settings
from jupyter_training.scheduling.resources import ClusterNode

_SHARE = "Set c.TrainingApp.data_dir to a directory that all nodes share at the same path."


@dataclass(frozen=True)
class Size:
    """What a cluster has.

    Attributes
    ----------
    nodes, cpu_cores, gpus
        What it has in all.
    is_elsewhere
        Whether some of it is another machine than this one, as far as that can be seen.
    is_shared
        Whether the data directory is on a network file system, as far as that can be seen.
    """

    nodes: int = 0
    cpu_cores: int = 0
    gpus: int = 0
    is_elsewhere: bool = False
    is_shared: bool = False

    def __str__(self) -> str:
        return (
            f"{self.nodes} node{'s' * (self.nodes != 1)} with "
            f"{self.cpu_cores} CPU cores and {self.gpus} GPU{'s' * (self.gpus != 1)}"
        )


def size_of(nodes: Sequence[ClusterNode], data_dir: Path, *, is_elsewhere: bool) -> Size:
    """What these nodes have, and whether they may see a directory."""
    from jupyter_training.store.filesystem import network_file_system

    return Size(
        len(nodes),
        sum(one.node.cpu_cores for one in nodes),
        sum(len(one.node.gpus) for one in nodes),
        is_elsewhere,
        network_file_system(data_dir) is not None,
    )


def is_asked_for(executor: str, settings: Settings) -> bool:
    """Whether jobs are to run there."""
    return executor in (*settings.executors, settings.default_executor)


def judge(name: str, executor: str, told: str, size: Size, settings: Settings) -> Check:
    """Whether jobs can run on a cluster that answers.

    Parameters
    ----------
    name, executor
        What people call it, and what it is called in configurations.
    told
        Which one it is, and of which version.
    """
    told = f"{told}, {size}"
    if not is_asked_for(executor, settings):
        return absent(
            *(name, f"{told}; no job is sent there."),
            f'To send jobs there: c.TrainingApp.executors = ["local", "docker", "{executor}"].',
        )
    if size.is_elsewhere and not size.is_shared:
        where = f"{settings.data_dir} seems to be on a disk of this machine"
        return problem(name, f"{told}; {where}.", _SHARE)
    return ok(name, f"{told}.")
