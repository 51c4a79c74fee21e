"""What is particular to distributed jobs: how their processes are launched, and how many there are.

A distributed job is a *gang*: so many *nodes*, each with the resources that it asked for, which
start together and end together. In each node run the same number of processes, the *ranks*, one for
each GPU unless it says otherwise. The words are those of ``torchrun``.
"""

from __future__ import annotations

from enum import Enum


class Launcher(str, Enum):
    """Who starts the ranks of a node.

    All of them find ``MASTER_ADDR``, ``MASTER_PORT``, ``WORLD_SIZE``, ``RANK``, ``LOCAL_RANK`` and
    what else ``torchrun`` promises.
    """

    BUILTIN = "builtin"
    """We do. Nothing has to be installed for it."""
    TORCHRUN = "torchrun"
    ACCELERATE = "accelerate"
    DEEPSPEED = "deepspeed"
    MPI = "mpi"
    NONE = "none"
    """The command itself, which is run once in each node."""


RANK_VARIABLES = frozenset(
    {
        "MASTER_ADDR",
        "MASTER_PORT",
        "WORLD_SIZE",
        "RANK",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "NODE_RANK",
        "GROUP_RANK",
    }
)
"""What a rank finds in its environment, and what nobody else may set."""


def processes_per_node(gpu_count: int, procs_per_node: int | None) -> int:
    """How many processes are wanted: as many as were asked for, or one for each GPU, or one."""
    return procs_per_node or max(1, gpu_count)


def ranks_per_node(launcher: Launcher, gpu_count: int, procs_per_node: int | None) -> int:
    """How many ranks a node has. A command that launches what it wants by itself is one."""
    if launcher is Launcher.NONE:
        return 1
    return processes_per_node(gpu_count, procs_per_node)
