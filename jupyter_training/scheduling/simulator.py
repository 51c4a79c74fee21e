"""What the scheduler would make of the jobs of a trace: the same `plan`, with a clock of its own.

Machines are told apart, jobs have their GPUs on as few of them as can be, and nothing fails, so
that what is measured is the order, the fit and the backfill, and nothing else.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf
from statistics import mean, median, quantiles

from jupyter_training.scheduling.demand import Running, Waiting
from jupyter_training.scheduling.placing import room
from jupyter_training.scheduling.policy import plan
from jupyter_training.scheduling.resources import Gpu, Node, Resources
from jupyter_training.scheduling.traces import Traced


@dataclass(frozen=True)
class Arrival:
    """A job, when it is submitted (s), and how long it will run (s), which the plan cannot know."""

    job: Waiting
    at: float
    duration_s: float


@dataclass(frozen=True)
class Ran:
    """When a job was submitted, when it began and when it ended (s)."""

    job: Waiting
    submitted_at: float
    started_at: float
    ended_at: float


@dataclass(frozen=True)
class Figures:
    """What came of a trace.

    Attributes
    ----------
    jobs
        How many ran.
    mean_jct_s, median_jct_s, p99_jct_s
        Their completion times, from the submission to the end (s).
    mean_wait_s
        How long they waited for their start (s).
    makespan_s
        From the first submission to the last end (s).
    gpu_utilization_percent
        How much of all GPUs was held in that time.
    """

    jobs: int
    mean_jct_s: float
    median_jct_s: float
    p99_jct_s: float
    mean_wait_s: float
    makespan_s: float
    gpu_utilization_percent: float


def cluster(nodes: int, gpus: int) -> tuple[Node, ...]:
    """Machines that have nothing but GPUs: a core and a GB for each."""
    return tuple(
        Node(f"node{number}", gpus, gpus, tuple(Gpu(f"{number}.{one}") for one in range(gpus)))
        for number in range(nodes)
    )


def arrivals(
    traced: Iterable[Traced], gpus_per_node: int, time_limits: float | None = 1.0
) -> list[Arrival]:
    """The jobs of a trace as they would be submitted here.

    Parameters
    ----------
    gpus_per_node
        A job with more has several nodes, as few as can be, and as many GPUs on each.
    time_limits
        How many times as much time jobs ask for as they take, at least 1; None if they have no
        limit.
    """
    found = []
    for number, one in enumerate(traced):
        nodes = max(1, ceil(one.gpu_count / gpus_per_node))
        each = ceil(one.gpu_count / nodes)
        limit = None if time_limits is None else one.duration_s * time_limits
        job = Waiting(
            number, f"job {number}", Resources(each, each, each), time_limit_s=limit, nodes=nodes
        )
        found.append(Arrival(job, one.at, one.duration_s))
    return found


def replay(several: Iterable[Arrival], nodes: Sequence[Node]) -> Iterator[Ran]:
    """Submit jobs at their times, let each run as long as it does, and plan after each change.

    Parameters
    ----------
    several
        In the order of their submission.

    Yields
    ------
    Ran
        Each job when it ends. What the machines could never hold is left out.
    """
    coming = [one for one in several if room(one.job, nodes) >= one.job.least]
    coming.reverse()
    queue: dict[int, Arrival] = {}
    held: dict[int, list[Running]] = {}
    ends: list[tuple[float, int, Ran]] = []
    while coming or ends:
        now = min(ends[0][0] if ends else inf, coming[-1].at if coming else inf)
        while ends and ends[0][0] <= now:
            _, number, ran = heapq.heappop(ends)
            del held[number]
            yield ran
        while coming and coming[-1].at <= now:
            arrival = coming.pop()
            queue[arrival.job.id] = arrival
        waiting = [one.job for one in queue.values()]
        running = [one for of_job in held.values() for one in of_job]
        for start in plan(waiting, nodes, running, now, explain=False).starts:
            arrival = queue.pop(start.job_id)
            job, ends_at = arrival.job, now + arrival.duration_s
            limit = inf if job.time_limit_s is None else now + job.time_limit_s
            held[job.id] = [Running(job.id, job.name, one, limit) for one in start.placements]
            heapq.heappush(ends, (ends_at, job.id, Ran(job, arrival.at, now, ends_at)))


def figures(several: Sequence[Ran], gpus: int) -> Figures:
    """What came of all jobs together.

    Parameters
    ----------
    several
        At least one.
    gpus
        How many GPUs there are in all.
    """
    took = [one.ended_at - one.submitted_at for one in several]
    makespan = max(one.ended_at for one in several) - min(one.submitted_at for one in several)
    held = sum(
        (one.ended_at - one.started_at) * one.job.wants.gpu_count * one.job.nodes for one in several
    )
    return Figures(
        jobs=len(several),
        mean_jct_s=mean(took),
        median_jct_s=median(took),
        p99_jct_s=quantiles(took, n=100, method="inclusive")[-1] if len(took) > 1 else took[0],
        mean_wait_s=mean(one.started_at - one.submitted_at for one in several),
        makespan_s=makespan,
        gpu_utilization_percent=100 * held / (makespan * gpus) if makespan else 0.0,
    )
