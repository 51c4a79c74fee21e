"""What the executor of containers leaves in an attempt's directory, for whoever comes after it.

The same files as a supervisor's, see `records`: ``started.json`` says which container the attempt
is, and is written between its creation and its start. Whoever takes it first decides whether there
is an attempt: a server that finds it free takes it, and the container never starts.
``exit.json`` is written before a container is removed. ``timed_out.json`` is there when a job was
asked to end because its time was over, and ``given_up.json`` when a container was removed because
the server that was to start it seemed to be gone.
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_training.executors.base import Ended
from jupyter_training.executors.records import EXIT, STARTED, claim, open_exit, write_exit
from jupyter_training.executors.supervised import amount, utc
from jupyter_training.jobs.lifecycle import Exit
from jupyter_training.jobs.usage import Spent

_TIMED_OUT, _GIVEN_UP = "timed_out.json", "given_up.json"


def take(directory: Path, token: str, handle: dict[str, Any]) -> bool:
    """Take an attempt for a container, or with an empty handle give it up; whether it is ours.

    Where there is no directory, nobody can take it, and giving it up is done.
    """
    try:
        ours = claim(str(directory), {"token": token, **(handle or {"given_up_by": os.getpid()})})
        if ours and handle:
            # The space for the end, while there is some.
            os.close(open_exit(str(directory)))
    except FileNotFoundError:
        return not handle
    return ours


def taken(directory: Path) -> dict[str, Any] | None:
    """The handle of the container that an attempt is.

    Returns
    -------
    dict or None
        Empty if the attempt was given up; None if nobody has taken it.
    """
    told = _read(directory / STARTED)
    if told is None:
        return None
    handle = {name: told.get(name) for name in ("container", "name")}
    return handle if all(isinstance(value, str) for value in handle.values()) else {}


def write_end(directory: Path, started_at: datetime | None, ended: Ended) -> None:
    """Write an end down, safely on disk."""
    exit_ = ended.exit
    record = {
        "exit_code": exit_.exit_code,
        "signal": exit_.signal,
        "cause": exit_.cause.value if exit_.cause is not None else None,
        "detail": exit_.detail[:1000],
        "started_at": started_at.timestamp() if started_at is not None else None,
        "ended_at": ended.at.timestamp(),
        "peak_memory_bytes": ended.spent.peak_memory_bytes if ended.spent is not None else None,
    }
    with contextlib.suppress(FileNotFoundError):  # the job was deleted under us
        file = open_exit(str(directory))
        try:
            write_exit(str(directory), file, record)
        finally:
            os.close(file)


def read_end(directory: Path) -> tuple[datetime | None, Ended] | None:
    """When an attempt started and how it ended; None if that is not written down."""
    record = _read(directory / EXIT)
    if not record:
        return None
    try:
        started_at, peak = record.get("started_at"), amount(record, "peak_memory_bytes")
        spent = None if peak is None else Spent(None, int(peak))
        return (
            None if started_at is None else utc(started_at),
            Ended(Exit.from_record(record), utc(record["ended_at"]), spent),
        )
    except (KeyError, TypeError, ValueError):
        return None  # the job can write there


def mark_timed_out(directory: Path) -> None:
    """Note that an attempt is about to be asked to end because its time is over."""
    with contextlib.suppress(OSError):  # then a server that comes now can't say why it ended
        (directory / _TIMED_OUT).write_text("{}")


def was_timed_out(directory: Path) -> bool:
    """Whether that was noted."""
    return (directory / _TIMED_OUT).exists()


def mark_given_up(directory: Path) -> None:
    """Note that the container of an attempt is about to be removed before its start."""
    with contextlib.suppress(OSError):
        (directory / _GIVEN_UP).write_text("{}")


def was_given_up(directory: Path) -> bool:
    """Whether that was noted."""
    return (directory / _GIVEN_UP).exists()


def say(log: Path, text: str) -> None:
    """Add a line of our own to a log."""
    with contextlib.suppress(OSError):  # a full disk stops nothing
        file = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(file).st_size
            begun = size > 0 and os.pread(file, 1, size - 1) != b"\n"
            newline = "\n" if begun else ""
            os.write(file, f"{newline}[jupyter-training: {text}]\n".encode())
        finally:
            os.close(file)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except OSError:
        return None
    except (ValueError, RecursionError):
        content = None
    return content if isinstance(content, dict) else {}
