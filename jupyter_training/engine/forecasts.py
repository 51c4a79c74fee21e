"""Where a job would run if it were submitted now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from jupyter_training.engine.submission import Submission
from jupyter_training.scheduling.demand import Waiting
from jupyter_training.scheduling.policy import plan
from jupyter_training.scheduling.resources import Resources, resolve
from jupyter_training.store import ledger


@dataclass(frozen=True)
class Forecast:
    """Where a job would run if it were submitted now, and if not, why.

    Attributes
    ----------
    resources
        What it asks for; of a pipeline the most that one of its stages does.
    """

    resources: Resources
    node: str | None
    reason: str


def of(connection: Connection, it: Submission, user: str, now: datetime) -> Forecast:
    """Plan with a job, or with the first stages of a pipeline, at the end of the queue."""
    nodes = ledger.known_nodes(connection)
    queue = ledger.queue(connection, now, user)
    last = max((job.id for job in queue), default=0)
    leaves = dict(enumerate(it.leaves, last + 1))
    wants = {number: resolve(leaf.spec, nodes) for number, leaf in leaves.items()}
    for number, leaf in leaves.items():
        spec = leaf.spec
        queue.append(
            Waiting(
                number,
                spec.name,
                wants[number],
                spec.priority,
                spec.time_limit_s,
                spec.nodes,
                spec.min_nodes,
            )
        )
    decided = plan(queue, nodes, ledger.held(connection, user), now.timestamp())
    most = Resources(
        max(one.cpu_cores for one in wants.values()),
        max(one.memory_gb for one in wants.values()),
        max(one.gpu_count for one in wants.values()),
        it.spec.gpu_type,
    )
    waits = {wait.job_id: wait for wait in decided.waits if wait.job_id in leaves}
    never = [wait for wait in waits.values() if not wait.feasible]
    if never and it.spec.is_parent:
        told = "; ".join(f"{leaves[wait.job_id].spec.name} {wait.reason}" for wait in never)
        return Forecast(most, None, told)
    first = last + 1
    if first in waits:
        return Forecast(most, None, waits[first].reason)
    node = next(one.placement.node for one in decided.starts if one.job_id == first)
    if it.spec.is_parent:
        return Forecast(most, node, f"{leaves[first].spec.name} would be started at once")
    if it.spec.depends_on:
        return Forecast(most, node, "would be started when what it depends on has completed")
    return Forecast(most, node, "would be started at once")
