"""Jobs and machines as the JSON of the REST interface."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from jupyter_training.engine.logs import Page
from jupyter_training.engine.service import Forecast, Holdings, Seen
from jupyter_training.scheduling.resources import Resources
from jupyter_training.store.records import Event


def job(seen: Seen) -> dict[str, Any]:
    """A job: every column of the specification's table, and what is known beyond it."""
    it = seen.job
    return {
        "id": it.id,
        "job_id": it.job_id,
        "uuid": it.job_id,
        "customer_id": it.customer_id,
        "workspace_id": it.workspace_id,
        "name": it.name,
        "description": it.description,
        "job_type": it.job_type,
        **resources(it.resources),
        "priority": it.priority,
        "time_limit_s": it.time_limit_s,
        "image": it.image,
        "command": it.command,
        "working_dir": it.working_dir,
        "env_vars": it.env_vars,
        "dataset_ids": it.dataset_ids,
        "output_path": it.output_path,
        "output_dir": str(seen.output_dir),
        "executor": it.executor,
        "parent_id": None,
        "status": it.status.value,
        "cause": it.cause.value if it.cause else None,
        "reason": seen.reason,
        "progress": it.progress,
        "queue_position": seen.queue_position,
        "attempt": it.attempt,
        "retry_count": it.retry_count,
        "max_retries": it.max_retries,
        "exit_code": it.exit_code,
        "signal": it.signal,
        "node": it.node,
        "gpus": list(it.gpus),
        "submitted_at": time(it.submitted_at),
        "scheduled_at": time(it.scheduled_at),
        "started_at": time(it.started_at),
        "completed_at": time(it.completed_at),
        "next_attempt_at": time(it.not_before),
        "cancel_requested_at": time(it.cancel_requested_at),
    }


def resources(amount: Resources) -> dict[str, Any]:
    """An amount of resources."""
    return {
        "cpu_cores": amount.cpu_cores,
        "memory_gb": amount.memory_gb,
        "gpu_count": amount.gpu_count,
        "gpu_type": amount.gpu_type,
    }


def forecast(it: Forecast) -> dict[str, Any]:
    """What a dry run answers."""
    return {"dry_run": True, **resources(it.resources), "node": it.node, "reason": it.reason}


def log(attempt: int, page: Page) -> dict[str, Any]:
    """A piece of a log."""
    return {
        "logs": page.lines,
        "attempt": attempt,
        "offset": page.offset,
        "next_offset": page.next_offset,
    }


def events(several: Iterable[Event]) -> list[dict[str, Any]]:
    """A history, of a job or of the servers."""
    return [
        {
            "id": event.id,
            "at": time(event.at),
            "actor": event.actor,
            "kind": event.kind,
            "from_status": event.from_status,
            "to_status": event.to_status,
            "attempt": event.attempt,
            "cause": event.cause,
            "reason": event.reason,
        }
        for event in several
    ]


def holdings(it: Holdings) -> dict[str, Any]:
    """The machines, what is free on them and who holds the rest."""
    nodes = []
    for node in it.nodes:
        here = [running for running in it.held if running.holds.node == node.name]
        holders = {uuid: running for running in here for uuid in running.holds.gpus}
        nodes.append(
            {
                "name": node.name,
                "cpu_cores": node.cpu_cores,
                "cpu_cores_free": node.cpu_cores - sum(one.holds.cpu_cores for one in here),
                "memory_gb": node.memory_gb,
                "memory_gb_free": node.memory_gb - sum(one.holds.memory_gb for one in here),
                "gpu_count": len(node.gpus),
                "gpu_count_free": sum(
                    gpu.uuid not in holders and not gpu.unavailable for gpu in node.gpus
                ),
                "gpus": [
                    {
                        "uuid": gpu.uuid,
                        "model": gpu.model,
                        "memory_gb": gpu.memory_gb,
                        "unavailable": gpu.unavailable or None,
                        "held_by": holders[gpu.uuid].name if gpu.uuid in holders else None,
                    }
                    for gpu in node.gpus
                ],
                "held": [
                    {
                        "id": running.job_id,
                        "held_by": running.name,
                        "cpu_cores": running.holds.cpu_cores,
                        "memory_gb": running.holds.memory_gb,
                        "gpus": list(running.holds.gpus),
                    }
                    for running in here
                ],
            }
        )
    totals = ("cpu_cores", "memory_gb", "gpu_count")
    return {
        "nodes": nodes,
        "free": {name: sum(node[f"{name}_free"] for node in nodes) for name in totals},
        "total": {name: sum(node[name] for node in nodes) for name in totals},
        "waiting": it.waiting,
    }


def time(moment: datetime | None) -> str | None:
    """ISO 8601, UTC, with Z."""
    if moment is None:
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
