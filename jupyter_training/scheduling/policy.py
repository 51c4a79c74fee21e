"""The order, the fit and the backfill: which waiting jobs start now, and why the others do not.

The queue is ordered by priority, then by the sequence of submission; neither changes while a job
waits. A job that fits, starts. The first one that does not gets a *reservation*: the node and the
time at which it will fit if running jobs end when their time limits say. Later jobs may overtake
it only if they do not delay it (EASY backfill; D. Lifka, "The ANL/IBM SP Scheduling System", 1995):
they end before that time, or they use what it will leave over. A running job without a time limit
has no known end, and nothing is assumed of it. Nothing is assumed either of a GPU that no job may
get at the moment: a job that needs it waits, but nothing is kept free for it.

A *gang*, the nodes of a distributed job, is placed all or nothing, and its reservation may be on
several machines. One that may have fewer nodes takes as many as fit when it starts.

A job that runs *elsewhere*, on a cluster with a scheduler of its own, is handed over at once:
nothing here is reserved for it, it holds nothing of our machines and delays nobody.

`plan` is a function from values to values. The caller writes its decisions into the ledger in the
same transaction in which it read the queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from jupyter_training.scheduling.demand import Running, Waiting
from jupyter_training.scheduling.placing import Free, Reservation, left_of, place, reserve, room
from jupyter_training.scheduling.reasons import busy, never
from jupyter_training.scheduling.resources import UNNAMED, Node, Placement, Resources


@dataclass(frozen=True)
class Start:
    """The decision to start a job now, on these resources.

    Attributes
    ----------
    is_elsewhere
        Whether it is handed over to a cluster, which decides when and where it runs.
    """

    job_id: int
    placements: tuple[Placement, ...]
    is_elsewhere: bool = False

    @property
    def placement(self) -> Placement:
        """Those of its only, or of its first node."""
        return self.placements[0]


@dataclass(frozen=True)
class Wait:
    """The decision to let a job wait, with the sentence that says why.

    Attributes
    ----------
    feasible
        False when the machines could not hold it even if nothing else ran.
    """

    job_id: int
    reason: str
    feasible: bool = True


@dataclass(frozen=True)
class Plan:
    """What one look at the queue decides, in the queue's order.

    Attributes
    ----------
    full
        Whether nothing is left that any job could start with.
    """

    starts: tuple[Start, ...]
    waits: tuple[Wait, ...]
    full: bool


def handed_over(job: Waiting) -> tuple[Placement, ...]:
    """What a job gets that runs elsewhere: what it asks for, while nobody knows which of it."""
    wants = job.wants
    gpus = (UNNAMED,) * wants.gpu_count
    return (Placement(job.elsewhere, wants.cpu_cores, wants.memory_gb, gpus),) * job.nodes


def in_order(queue: Iterable[Waiting]) -> list[Waiting]:
    """The queue as it is served: priority, then submit sequence."""

    def in_line(job: Waiting) -> tuple[int, int, int]:
        return -job.priority, job.id if job.sequence is None else job.sequence, job.id

    return sorted(queue, key=in_line)


def plan(
    queue: Iterable[Waiting],
    nodes: Sequence[Node],
    running: Sequence[Running],
    now: float,
    *,
    explain: bool = True,
) -> Plan:
    """Decide which jobs start now.

    Parameters
    ----------
    queue
        The jobs that wait, in any order.
    nodes
        The machines, with all they have.
    running
        What is held of the machines at the moment, also by attempts that are only about to start.
    now
        The time, in the same clock as `Running.ends_at` (s).
    explain
        Whether to tell of each other job why it waits. Without that, `Plan.waits` is empty.
    """
    held = list(running)
    free = left_of(nodes, held)
    rooms: dict[Resources, int] = {}
    reservation: Reservation | None = None
    reserved_for = ""
    starts: list[Start] = []
    waits: list[Wait] = []
    for job in in_order(queue):
        if job.elsewhere:
            starts.append(Start(job.id, handed_over(job), is_elsewhere=True))
            continue
        if not explain and _all_full(free):
            continue
        if job.wants not in rooms:
            rooms[job.wants] = room(job, nodes)
        if rooms[job.wants] < job.least:
            if explain:
                waits.append(Wait(job.id, never(job, nodes), feasible=False))
            continue
        ends_at = now + job.time_limit_s if job.time_limit_s is not None else inf
        placements = place(job, free, reservation, ends_at)
        if placements:
            for placement in placements:
                free[placement.node].take(placement)
                held.append(Running(job.id, job.name, placement, ends_at))
                if reservation is not None:
                    reservation.note(placement, ends_at)
            starts.append(Start(job.id, placements))
            continue
        if explain:
            reason = busy(job, free.values(), held)
            if reservation is not None and place(job, free, None, ends_at):
                reason = f"would delay {reserved_for}, which is ahead of it"
            waits.append(Wait(job.id, reason))
        if reservation is None:
            reservation, reserved_for = reserve(job, free, held), job.name
    return Plan(tuple(starts), tuple(waits), _all_full(free))


def _all_full(free: dict[str, Free]) -> bool:
    return all(one.is_full for one in free.values())
