"""The REST handlers, each a thin translation between HTTP and an operation of the service."""

from __future__ import annotations

from typing import Any

from jupyter_training.server.handlers import (
    datasets,
    jobs,
    logs,
    metrics,
    notifications,
    outputs,
    ranks,
    resources,
    snapshots,
    trials,
    usage,
)

HANDLERS: list[tuple[str, type[Any]]] = [
    *jobs.HANDLERS,
    *logs.HANDLERS,
    *outputs.HANDLERS,
    *metrics.HANDLERS,
    *datasets.HANDLERS,
    *snapshots.HANDLERS,
    *resources.HANDLERS,
    *notifications.HANDLERS,
    *usage.HANDLERS,
    *ranks.HANDLERS,
    *trials.HANDLERS,
]
"""Path patterns below the server's base URL."""
