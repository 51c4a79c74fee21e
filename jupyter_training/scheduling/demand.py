"""Who waits for resources, and who holds some."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from jupyter_training.scheduling.resources import Placement, Resources


@dataclass(frozen=True)
class Waiting:
    """A job in the queue.

    Attributes
    ----------
    id
        The job's number.
    wants
        What it asks for; a gang for each of its nodes.
    time_limit_s
        The longest it may run; None for any length.
    nodes, min_nodes
        How many of them it wants, and with how many it would start; None for all.
    sequence
        Its place in the sequence of submissions, where that is not its number: a job that is part
        of another one has the place of that one.
    elsewhere
        The cluster that runs it, which has a scheduler of its own; empty if it runs on machines
        that we plan.
    clusters
        Those that it could have been sent to instead.
    """

    id: int
    name: str
    wants: Resources
    priority: int = 0
    time_limit_s: float | None = None
    nodes: int = 1
    min_nodes: int | None = None
    sequence: int | None = None
    elsewhere: str = ""
    clusters: tuple[str, ...] = ()

    @property
    def least(self) -> int:
        """With how many nodes it would start."""
        return self.nodes if self.min_nodes is None else self.min_nodes

    def __str__(self) -> str:
        if self.nodes == 1:
            return str(self.wants)
        fewer = f", or at least {self.least}" if self.least < self.nodes else ""
        return f"{self.nodes} nodes{fewer}, each of {self.wants}"


@dataclass(frozen=True)
class Running:
    """What an open attempt holds, or one of the nodes of a gang.

    Attributes
    ----------
    ends_at
        The latest time at which it ends, in the caller's clock (s); infinite if not known.
    """

    job_id: int
    name: str
    holds: Placement
    ends_at: float = inf
