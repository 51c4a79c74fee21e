"""Changes of jobs as events of Jupyter's own event system: ``/api/events/subscribe``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_events import EventLogger

from jupyter_training.server import representation
from jupyter_training.store.records import Change

SCHEMA_ID = "https://events.jupyter.org/jupyter_training/job/v1"
SCHEMA = Path(__file__).parent / "events" / "job.yaml"

_FOR_ANYBODY = frozenset({"sequence", "job_id", "change", "at"})
"""What may be told of a job to people who may not see it."""


class JobEvents:
    """Emits an event for each change; to be used on the event loop.

    Whoever may subscribe gets every event, so what is in one is decided by the server and not by
    the user who listens.

    Parameters
    ----------
    audience
        The one user whose jobs are told; None if the server has several, who are told no more than
        that something has happened to a job of a certain id.
    """

    def __init__(self, logger: EventLogger, audience: str | None) -> None:
        self.audience = audience
        self._logger = logger
        if SCHEMA_ID not in logger.schemas:
            logger.register_event_schema(SCHEMA)

    def emit(self, change: Change, previous: int) -> None:
        """Emit one event."""
        told = data(change, for_owner=self.audience is not None)
        self._logger.emit(schema_id=SCHEMA_ID, data={**told, "previous": previous})


def data(change: Change, *, for_owner: bool) -> dict[str, Any]:
    """What is told of a change, to whoever may see the job or to others."""
    told = representation.change(change)
    return told if for_owner else {key: told[key] if key in _FOR_ANYBODY else None for key in told}
