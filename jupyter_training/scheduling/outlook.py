"""When a job that has to wait would start, if all goes on as expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from jupyter_training.scheduling.demand import Running, Waiting
from jupyter_training.scheduling.policy import plan
from jupyter_training.scheduling.resources import Node

_LOOKS = 100
"""So many ends, and no more, are looked ahead: far away nothing is certain anyway."""


@dataclass(frozen=True)
class Outlook:
    """When a job would start.

    Attributes
    ----------
    at
        In the clock of `Running.ends_at` (s).
    after
        The job whose end makes room for it.
    """

    at: float
    after: int


def outlook(
    job_id: int,
    queue: Sequence[Waiting],
    nodes: Sequence[Node],
    running: Sequence[Running],
    now: float,
) -> Outlook | None:
    """Let the jobs that run end one after the other, and plan after each end.

    A job of the queue that starts meanwhile is expected to use its time limit up.

    Parameters
    ----------
    job_id
        A job of the queue.
    running
        What is held, with the times at which that is expected to end.

    Returns
    -------
    Outlook or None
        None if it starts at once, or depends on an end of which no time is known.
    """
    held, waiting = list(running), list(queue)
    after: int | None = None
    for _ in range(_LOOKS):
        starts = plan(waiting, nodes, held, now, explain=False).starts
        if any(start.job_id == job_id for start in starts):
            return None if after is None else Outlook(now, after)
        by_id = {one.id: one for one in waiting}
        for start in starts:
            it = by_id.pop(start.job_id)
            ends_at = inf if it.time_limit_s is None else now + it.time_limit_s
            held += [Running(it.id, it.name, one, ends_at) for one in start.placements]
        waiting = list(by_id.values())
        next_end = min((one.ends_at for one in held), default=inf)
        if next_end == inf:
            return None
        after = next(one.job_id for one in held if one.ends_at == next_end)
        # One that is late ends any moment.
        now = max(now, next_end)
        held = [one for one in held if one.ends_at > now]
    return None
