"""Jobs, and what belongs to them, as the JSON of the REST interface."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from jupyter_training.engine import output_paths
from jupyter_training.engine.feed import Page
from jupyter_training.engine.forecasts import ExpectedStart, Forecast
from jupyter_training.engine.job_logs import LogPage
from jupyter_training.engine.metrics.curves import Array, Curve
from jupyter_training.engine.metrics.queries import Measured
from jupyter_training.engine.outputs import Listing
from jupyter_training.engine.trials import Found, SeenTrial
from jupyter_training.engine.views import Seen
from jupyter_training.jobs.lifecycle import Status
from jupyter_training.jobs.progress import Remaining
from jupyter_training.jobs.searches import Search
from jupyter_training.jobs.trials import TrialState, states, without_value
from jupyter_training.jobs.usage import summary
from jupyter_training.scheduling.resources import UNNAMED, Resources
from jupyter_training.server.log_messages import iso
from jupyter_training.store.records import Change, Event, Job
from jupyter_training.store.trials import SearchSummary

JOB_METRICS = 20
"""So many metrics, and no more, are shown together with their job."""


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
        "nodes": it.nodes,
        "min_nodes": it.min_nodes,
        "launcher": it.launcher,
        "procs_per_node": it.procs_per_node,
        "priority": it.priority,
        "time_limit_s": it.time_limit_s,
        "image": it.image,
        "command": it.command,
        "working_dir": it.working_dir,
        "env_vars": it.env_vars,
        "dataset_ids": it.dataset_ids,
        "output_path": it.output_path,
        "snapshot": it.snapshot,
        "environment": it.environment,
        "variables": it.variables,
        "output_dir": str(seen.output_dir),
        "output_browser_path": seen.output_browser_path,
        "executor": it.executor,
        "parent_id": it.parent_id,
        "child_key": it.child_key,
        "depends_on": [one.job_id for one in seen.upstreams if one.job_id is not None],
        "upstreams": [
            {"job_id": one.job_id, "name": one.name if one.is_stage else one.title}
            for one in seen.upstreams
            if one.job_id is not None
        ],
        "reused_from": it.origin.partition("#")[0] if it.origin and not it.is_search else None,
        "children": seen.children if seen.children is None else dict(seen.children),
        "parameters": dict(it.parameters),
        "search": None if seen.search is None else _search(seen.search),
        "status": it.status.value,
        "cause": it.cause.value if it.cause else None,
        "reason": seen.reason,
        "progress": it.progress,
        "progress_known": seen.progress_known,
        **_remaining(seen.remaining),
        "metrics": {
            name: number(value)
            for name, value in itertools.islice(seen.metrics.items(), JOB_METRICS)
        },
        "queue_position": seen.queue_position,
        **_start(seen.start),
        "attempt": it.attempt,
        "retry_count": it.retry_count,
        "max_retries": it.max_retries,
        "exit_code": it.exit_code,
        "signal": it.signal,
        "node": it.node,
        "gpus": [gpu for gpu in it.gpus if gpu != UNNAMED],
        "parts": [
            {
                "node": part.node,
                "cpu_cores": part.cpu_cores,
                "memory_gb": part.memory_gb,
                "gpus": [gpu for gpu in part.gpus if gpu != UNNAMED],
            }
            for part in it.parts
        ],
        "ranks": it.ranks,
        "submitted_at": time(it.submitted_at),
        "scheduled_at": time(it.scheduled_at),
        "started_at": time(it.started_at),
        "completed_at": time(it.completed_at),
        "next_attempt_at": time(it.not_before),
        "cancel_requested_at": time(it.cancel_requested_at),
        "notify": [
            {"to": one.called, "on": [occasion.value for occasion in one.on]}
            for one in it.receivers
        ],
        **usage_of(it),
    }


def _search(it: SearchSummary) -> dict[str, Any]:
    """Where a search is, as far as fits into a list of jobs."""
    best = it.best
    return {
        "metric": it.search.metric,
        "goal": it.search.goal.value,
        "trials": it.allowed,
        "done": it.done,
        "states": dict(it.states),
        "best": None
        if best is None
        else {"number": best.number, "job_id": best.job_id, "value": number(best.value)},
    }


def trials(it: Found) -> dict[str, Any]:
    """What a search has found so far."""
    search = it.row.search.model_dump(mode="json")
    search["space"] = {
        name: {key: value for key, value in one.items() if value is not None or key == "values"}
        for name, one in search["space"].items()
    }
    for one in search["space"].values():
        if one["values"] is None:
            del one["values"]
    return {
        "search": search,
        "over": it.over,
        "trials_allowed": it.row.allowed,
        "used_hours": round(it.budget.hours, 6),
        "used_gpu_hours": None
        if it.row.search.gpu_hours is None
        else round(it.budget.gpu_hours, 6),
        "states": states([one.trial for one in it.trials]),
        "best": None if it.best is None else _trial(it.best, it.row.search),
        "trials": [_trial(one, it.row.search) for one in it.trials],
        "history": [
            {
                "number": one.trial.number,
                "at": time(one.trial.completed_at),
                "value": _value(one.trial.value),
                "best": number(best),
            }
            for one, best in it.history
        ],
        "importance": None
        if it.importance is None
        else {name: round(share, 6) for name, share in it.importance.items()},
    }


def _trial(seen: SeenTrial, search: Search) -> dict[str, Any]:
    it = seen.trial
    # Its job has completed, and yet it has failed.
    lacks = it.state is TrialState.FAILED and it.status is Status.COMPLETED
    return {
        "number": it.number,
        "id": it.id,
        "job_id": it.job_id,
        "name": seen.name,
        "params": dict(it.parameters),
        "state": it.state.value,
        "status": it.status.value,
        "cause": it.cause.value if it.cause else None,
        "reason": without_value(search.metric) if lacks else it.reason,
        "progress": it.progress,
        "progress_known": seen.progress_known,
        "value": _value(it.value),
        "step": _value(it.step),
        "pruned_at_step": _value(it.step) if it.state is TrialState.PRUNED else None,
        "started_at": time(it.started_at),
        "completed_at": time(it.completed_at),
        "output_dir": str(seen.output_dir),
        "checkpoint_dir": str(seen.checkpoint_dir),
    }


def _value(value: float | None) -> float | str | None:
    return None if value is None else number(value)


def _remaining(it: Remaining | None) -> dict[str, Any]:
    """How long a job may still run, with the bounds and as a person is told."""
    return {
        "remaining_s": None if it is None else round(it.likely, 1),
        "remaining_low_s": None if it is None else round(it.low, 1),
        "remaining_high_s": None if it is None else round(it.high, 1),
        "remaining_text": None if it is None else str(it),
    }


def _start(it: ExpectedStart | None) -> dict[str, Any]:
    """When a job that waits will start, and as a person is told."""
    return {
        "starts_in_s": None if it is None else round(it.in_s, 1),
        "starts_after": None if it is None else it.after,
        "starts_text": None if it is None else str(it),
    }


def usage_of(it: Job) -> dict[str, Any]:
    """What the latest attempt of a job has used, at a glance."""
    started, until, cores = it.attempt_started_at, it.usage_until, None
    if started is not None and until is not None and until > started and it.cpu_seconds is not None:
        cores = it.cpu_seconds / (until - started).total_seconds()
    return {
        "cpu_seconds": rounded(it.cpu_seconds, 3),
        "mean_cpu_cores": rounded(cores, 3),
        "peak_memory_bytes": it.peak_memory_bytes,
        "peak_gpu_memory_bytes": it.peak_gpu_memory_bytes,
        "mean_gpu_utilization_percent": rounded(it.gpu_utilization_percent, 1),
        "usage": summary(
            peak_memory_bytes=it.peak_memory_bytes,
            memory_gb=it.given.memory_gb,
            cpu_cores=it.given.cpu_cores,
            mean_cpu_cores=cores,
            gpu_count=len(it.gpus),
            gpu_utilization_percent=it.gpu_utilization_percent,
            peak_gpu_memory_bytes=it.peak_gpu_memory_bytes,
        ),
        "idle_since": time(it.idle_since) if it.status is Status.RUNNING else None,
        "hung_since": time(it.hung_since) if it.status is Status.RUNNING else None,
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
    return {
        "dry_run": True,
        **resources(it.resources),
        "node": it.node,
        "gpus": list(it.gpus),
        "starts_in_s": None if it.starts_in_s is None else round(it.starts_in_s, 1),
        "after": it.after,
        "reason": it.reason,
    }


def log(it: LogPage) -> dict[str, Any]:
    """A piece of a log."""
    page = it.page
    told = {
        "logs": page.lines,
        "attempt": it.attempt,
        "offset": page.offset,
        "next_offset": page.next_offset,
        "size": page.size,
    }
    return told if it.times is None else {**told, "times": iso(it.times)}


def metrics(it: Measured) -> dict[str, Any]:
    """The metrics of an attempt. A large answer takes a moment, so call it in a thread."""
    return {
        "attempt": it.attempt,
        "over": it.over,
        "names": it.found.names,
        "notices": it.found.notices,
        "series": [_curve(one) for one in it.found.curves],
    }


def _curve(it: Curve) -> dict[str, Any]:
    return {
        "name": it.name,
        "source": it.source.value,
        "points": it.points,
        "steps": [int(one) if one.is_integer() else one for one in it.steps.tolist()],
        "times": [round(one, 3) if math.isfinite(one) else 0 for one in it.times.tolist()],
        "values": numbers(it.values),
    }


def numbers(values: Array) -> list[float | str]:
    """Several numbers as JSON can have them; see `number`."""
    return [number(one) for one in values.tolist()]


def number(value: float) -> float | str:
    """A number as JSON can have it, which knows neither NaN nor infinity.

    Those are strings that ``Number(…)`` of JavaScript and ``float(…)`` of Python read.
    """
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def outputs(it: Listing) -> dict[str, Any]:
    """A page of what is in a directory of results."""
    return {
        "path": output_paths.text(it.path),
        "entries": [
            {
                "name": output_paths.text(entry.path[-1:]),
                "path": output_paths.text(entry.path),
                "encoded_path": output_paths.encode(entry.path),
                "type": entry.kind.value,
                "size": entry.size,
                "modified_at": time(entry.modified_at),
            }
            for entry in it.entries
        ],
        "truncated": it.more,
        "next": output_paths.encode(it.end) if it.more else None,
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


def change(it: Change) -> dict[str, Any]:
    """A change of a job, small: who wants to know more fetches the job."""
    return {
        "sequence": it.sequence,
        "job_id": it.job_id,
        "name": it.name,
        "change": it.change,
        "status": it.status,
        "cause": it.cause,
        "reason": it.reason,
        "attempt": it.attempt or None,
        "progress": it.progress,
        "parent_id": it.parent_id,
        "at": time(it.at),
    }


def changes(it: Page) -> dict[str, Any]:
    """What came after a number."""
    return {
        "changes": [change(one) for one in it.changes],
        "sequence": it.sequence,
        "more": it.more,
        "complete": it.complete,
    }


def rounded(value: float | None, digits: int) -> float | None:
    """A number with so many digits behind its point, if there is one."""
    return None if value is None else round(value, digits)


def time(moment: datetime | None) -> str | None:
    """ISO 8601, UTC, with Z."""
    if moment is None:
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
