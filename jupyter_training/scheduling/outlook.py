"""When a job that has to wait would start, if all goes on as expected."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    """When a job of the queue would start: see `outlooks`.

    Returns
    -------
    Outlook or None
        None if it starts at once, or depends on an end of which no time is known.
    """
    return outlooks({job_id}, queue, nodes, running, now).get(job_id)


def outlooks(
    wanted: Collection[int],
    queue: Sequence[Waiting],
    nodes: Sequence[Node],
    running: Sequence[Running],
    now: float,
) -> dict[int, Outlook]:
    """Let the jobs that run end one after the other, and plan after each end.

    A job of the queue that starts meanwhile is expected to use its time limit up.

    Parameters
    ----------
    wanted
        Of which jobs of the queue it is asked.
    running
        What is held, with the times at which that is expected to end.

    Returns
    -------
    dict
        By number; without those that start at once, and those that depend on an end of which no
        time is known.
    """
    held, waiting = list(running), list(queue)
    left, found = set(wanted), dict[int, Outlook]()
    after: int | None = None
    for _ in range(_LOOKS):
        starts = plan(waiting, nodes, held, now, explain=False).starts
        started = {start.job_id for start in starts}
        if after is not None:
            found.update({number: Outlook(now, after) for number in left & started})
        left -= started
        if not left:
            break
        by_id = {one.id: one for one in waiting}
        for start in starts:
            it = by_id.pop(start.job_id)
            ends_at = inf if it.time_limit_s is None else now + it.time_limit_s
            held += [Running(it.id, it.name, one, ends_at) for one in start.placements]
        waiting = list(by_id.values())
        next_end = min((one.ends_at for one in held), default=inf)
        if next_end == inf:
            break
        after = next(one.job_id for one in held if one.ends_at == next_end)
        # One that is late ends any moment.
        now = max(now, next_end)
        held = [one for one in held if one.ends_at > now]
    return found
