"""What the records of a supervisor mean, wherever it ran."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jupyter_training.executors.base import Ended
from jupyter_training.executors.memory import GB
from jupyter_training.jobs.lifecycle import Exit
from jupyter_training.jobs.usage import Spent

_MOST = 2.0**50
"""More bytes than any machine has, and more seconds."""


def utc(seconds: float) -> datetime:
    """A time (s since 1970).

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, OSError) as error:
        raise ValueError(str(error)) from None


def read_record(path: Path) -> dict[str, Any] | None:
    """A record; None if there is none, and empty if it is not one."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        content = None
    return content if isinstance(content, dict) else {}


def ended_of(record: Mapping[str, Any]) -> Ended:
    """The end that a supervisor has written down.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it has not; the job can write there.
    """
    return Ended(Exit.from_record(record), utc(record["ended_at"]), _spent(record))


def _spent(record: Mapping[str, Any]) -> Spent:
    """What a job has used. A record may be of an earlier version, and the job can write there."""
    peak_gb, largest = amount(record, "peak_memory_gb"), amount(record, "largest_process_bytes")
    # One that was over before anybody looked had at most what its largest process had, files too.
    peak = largest if peak_gb is None else min(peak_gb * GB, _MOST)
    return Spent(amount(record, "cpu_seconds"), None if peak is None else int(peak))


def amount(record: Mapping[str, Any], name: str) -> float | None:
    """How much a record says that was used of something; None if it says nothing that can be."""
    value = record.get(name)
    if not isinstance(value, int | float) or not 0 <= value < _MOST:
        return None
    return float(value)
