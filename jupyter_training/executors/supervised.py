"""What the records of a supervisor mean, wherever it ran."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jupyter_training.executors.base import Ended
from jupyter_training.executors.memory import GB
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.jobs.usage import Spent

_MOST = 2.0**60
"""More bytes than any machine has."""


def utc(seconds: float) -> datetime:
    """A time (s since 1970)."""
    return datetime.fromtimestamp(seconds, timezone.utc)


def read_record(path: Path) -> dict[str, Any] | None:
    """A record; None if there is none, and empty if it is not one."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        content = None
    return content if isinstance(content, dict) else {}


def ended_of(record: Mapping[str, Any]) -> Ended:
    """The end that a supervisor has written down.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it has not; the job can write there.
    """
    cause = Cause(record["cause"]) if record["cause"] else None
    exit_ = Exit(record["exit_code"], record["signal"], cause, record["detail"])
    return Ended(exit_, utc(record["ended_at"]), _spent(record))


def _spent(record: Mapping[str, Any]) -> Spent:
    """What a job has used. A record may be of an earlier version, and the job can write there."""
    peak_gb, largest = _amount(record, "peak_memory_gb"), _amount(record, "largest_process_bytes")
    # One that was over before anybody looked had at most what its largest process had, files too.
    peak = largest if peak_gb is None else peak_gb * GB
    return Spent(_amount(record, "cpu_seconds"), None if peak is None else int(peak))


def _amount(record: Mapping[str, Any], name: str) -> float | None:
    value = record.get(name)
    if not isinstance(value, int | float) or not 0 <= value < _MOST:
        return None
    return float(value)
