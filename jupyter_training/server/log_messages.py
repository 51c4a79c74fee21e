"""The messages of a stream of a log: see ``api/training-jobs/{reference}/logs/stream``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import orjson

from jupyter_training.engine.log_frames import AttemptBegins, Bytes, Frame, Lines, Skipped


@dataclass(frozen=True)
class Message:
    """What is sent."""

    content: bytes
    binary: bool = False


def message(frame: Frame, *, timestamps: bool) -> Message:
    """What a client gets for a frame; one that goes to many clients is made once."""
    if isinstance(frame, Bytes):
        return Message(frame.content, binary=True)
    if not isinstance(frame, Lines):
        return Message(orjson.dumps(_told(frame)))
    made = frame.encoded.get(timestamps)
    if made is None:
        made = frame.encoded[timestamps] = orjson.dumps(_lines(frame, timestamps))
    return Message(made)


def _lines(frame: Lines, timestamps: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": "lines",
        "offset": frame.offset,
        "next_offset": frame.next_offset,
        "lines": frame.lines,
        "partial": frame.partial,
        "replaces": frame.replaces,
    }
    if timestamps:
        told["times"] = iso(frame.times)
        told["partial_times"] = iso(frame.partial_times)
    return told


def _told(frame: Frame) -> dict[str, Any]:
    if isinstance(frame, AttemptBegins):
        return {
            "type": "attempt",
            "attempt": frame.attempt,
            "offset": frame.offset,
            "next_offset": frame.offset,
            "size": frame.size,
        }
    if isinstance(frame, Skipped):
        return {
            "type": "skipped",
            "offset": frame.offset,
            "next_offset": frame.next_offset,
            "kept": frame.kept,
        }
    assert not isinstance(frame, Lines | Bytes)
    job = frame.job
    return {
        "type": "end",
        "status": job.status,
        "cause": job.cause,
        "reason": job.reason,
        "attempt": job.attempt,
        "exit_code": job.exit_code,
        "next_offset": frame.next_offset,
    }


def iso(times: list[float | None]) -> list[str | None]:
    """Times in ISO 8601, UTC, with Z."""
    made: dict[float | None, str | None] = {None: None}
    for moment in times:
        if moment not in made:
            try:
                at = datetime.fromtimestamp(moment or 0.0, timezone.utc)
            except (ValueError, OverflowError, OSError):  # the job can write there
                made[moment] = None
                continue
            made[moment] = at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return [made[moment] for moment in times]
