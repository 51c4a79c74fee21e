"""What jobs use and have held, as the JSON of the REST interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_training.engine.usage import Account, Point, Series
from jupyter_training.jobs.usage import GB, GpuSample, mean_cores, summary
from jupyter_training.server.log_messages import iso
from jupyter_training.server.representation import time


def series(it: Series) -> dict[str, Any]:
    """Series of an attempt: arrays of one length, with null where nothing is known."""
    attempt, totals, points = it.attempt, it.totals, it.points
    started = attempt.started_at
    cores = None if started is None else mean_cores(totals, started.timestamp())
    share = totals.gpu_utilization_percent
    return {
        "job_id": it.job.job_id,
        "attempt": attempt.number,
        "started_at": time(started),
        "ended_at": time(attempt.ended_at),
        "samples": it.samples,
        "time": iso([point.at for point in points]),
        "cpu_cores": [_rounded(point.cpu_cores, 3) for point in points],
        "memory_bytes": [point.memory_bytes for point in points],
        "gpus": [
            _gpu(uuid, [_card(point, place) for point in points])
            for place, uuid in enumerate(attempt.gpus)
        ],
        "peaks": {
            "cpu_cores": _rounded(it.peak_cpu_cores, 3),
            "memory_bytes": totals.peak_memory_bytes,
            "gpu_memory_bytes": totals.peak_gpu_memory_bytes,
        },
        "means": {
            "cpu_cores": _rounded(cores, 3),
            "gpu_utilization_percent": _rounded(share, 1),
        },
        "cpu_seconds": _rounded(totals.cpu_seconds, 3),
        "requested": {
            "cpu_cores": attempt.cpu_cores,
            "memory_bytes": attempt.memory_gb * GB,
            "gpu_count": len(attempt.gpus),
        },
        "usage": summary(
            peak_memory_bytes=totals.peak_memory_bytes,
            memory_gb=attempt.memory_gb,
            cpu_cores=attempt.cpu_cores,
            mean_cpu_cores=cores,
            gpu_count=len(attempt.gpus),
            gpu_utilization_percent=share,
            peak_gpu_memory_bytes=totals.peak_gpu_memory_bytes,
        ),
        "idle_since": time(it.job.idle_since) if attempt.ended_at is None else None,
    }


def _card(point: Point, place: int) -> GpuSample:
    # A local job can write into its file.
    return point.gpus[place] if place < len(point.gpus) else GpuSample()


def _gpu(uuid: str, several: Sequence[GpuSample]) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "utilization_percent": [_rounded(one.utilization_percent, 1) for one in several],
        "memory_bytes": [one.memory_bytes for one in several],
    }


def account(it: Account) -> dict[str, Any]:
    """Who has held how much, the greatest consumer of GPUs first."""
    return {
        "since": time(it.since),
        "until": time(it.until),
        "by": it.by.value,
        "usage": [
            {
                "customer_id": group.customer_id,
                "username": group.username,
                "id": group.job_id,
                "job_id": group.job_uuid,
                "name": group.job_name,
                "gpu_hours": round(hours.gpu_hours, 6),
                "core_hours": round(hours.core_hours, 6),
                "gb_hours": round(hours.gb_hours, 6),
                "attempts": hours.attempts,
                "jobs": hours.jobs,
            }
            for group, hours in it.hours.items()
        ],
        "total": {
            "gpu_hours": round(sum(one.gpu_hours for one in it.hours.values()), 6),
            "core_hours": round(sum(one.core_hours for one in it.hours.values()), 6),
            "gb_hours": round(sum(one.gb_hours for one in it.hours.values()), 6),
        },
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
