"""What is in the directory of an attempt on a cluster, and what a server writes there."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any

from jupyter_training.executors.base import (
    Ended,
    Found,
    attempt_token,
    node_directory,
    node_token,
)
from jupyter_training.executors.cluster_dialect import ClusterJob, gpu_name
from jupyter_training.executors.cluster_node import ALIVE, LAUNCH, REVOKED, STOP, WAITS
from jupyter_training.executors.container_records import write_end
from jupyter_training.executors.gauges import Gauge
from jupyter_training.executors.processes import Processes
from jupyter_training.executors.records import EXIT, STARTED, claim
from jupyter_training.executors.supervised import amount, ended_of, read_record, utc
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.jobs.usage import Consumption
from jupyter_training.points import Point, reach
from jupyter_training.scheduling.resources import Placement

SUBMITTED = "submitted.json"
"""Which job of the cluster an attempt is."""

_STALE_FACTOR = 4


@dataclass(frozen=True)
class Records:
    """What is written of an attempt, or of one node of it.

    Attributes
    ----------
    launch
        What is to be run; None if it was not written.
    job
        The number of its job; None if it is not known.
    is_given_up
        Whether somebody has taken the attempt so that it never runs, or its records are of another
        one.
    started
        What its supervisor has written; None if it has not begun.
    ended
        How it ended, if that is written.
    alive_at
        When there was a sign of life (s since 1970); None for never.
    """

    launch: dict[str, Any] | None = None
    job: str | None = None
    is_given_up: bool = False
    started: dict[str, Any] | None = None
    ended: Ended | None = None
    alive_at: float | None = None
    is_asked: bool = False
    is_revoked: bool = False

    @property
    def count(self) -> int:
        """How many nodes it has: what it asks for, or what it was given, which may be fewer."""
        asked = len((self.launch or {}).get("nodes") or ()) or 1
        given = (self.started or {}).get("nodes")
        return given if isinstance(given, int) and 0 < given < asked else asked

    @property
    def handle(self) -> dict[str, Any]:
        """What `Found.handle` is of it."""
        asked = len((self.launch or {}).get("nodes") or ()) or 1
        return {"job": self.job} | ({"nodes": self.count} if self.count < asked else {})

    @property
    def is_gang(self) -> bool:
        """Whether it is the whole of a distributed job."""
        return bool((self.launch or {}).get("nodes"))

    @property
    def started_at(self) -> datetime | None:
        """When its program began to run."""
        if self.started is None:
            return None
        if self.ended is not None and self.ended.exit.cause is Cause.LAUNCH_FAILED:
            return None
        return utc(self.started["started_at"])

    def is_silent(self, now: float, alive_s: float) -> bool:
        """Whether it would have given a sign of life if it still ran."""
        last = self.alive_at or (self.started or {}).get("started_at", 0.0)
        return bool(now - last > _STALE_FACTOR * alive_s)

    @property
    def wants_state(self) -> bool:
        """Whether the cluster may have caused the end."""
        if self.ended is None or self.is_asked or self.is_revoked:
            return self.is_revoked
        exit_ = self.ended.exit
        return exit_.cause is Cause.NODE_LOST or (exit_.cause is None and exit_.signal is not None)

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Where it runs, with what it was given; empty for the whole of a distributed job."""
        started, launch = self.started, self.launch or {}
        if started is None or "node" not in started:
            return ()
        if self.is_gang and "start_time" not in started:  # that of its program, not of a node
            return ()
        amounts = (launch.get(name) for name in ("cpu_cores", "memory_gb", "gpus"))
        cores, memory, count = (one if isinstance(one, int) else 0 for one in amounts)
        node = str(started["node"])
        gpus = tuple(gpu_name(node, one) for one in started.get("gpus", ()))
        return (Placement(node, cores, memory, gpus if len(gpus) == count else ("",) * count),)


def home_of(token: str, directory: Path) -> Path:
    """The directory of the whole of an attempt, also of one of its nodes."""
    return directory.parent if "." in token else directory


def read(token: str, directory: Path) -> Records:
    """Read all of it. The job can write there, too, and is not believed more than it can lie."""
    home, started = home_of(token, directory), read_record(directory / STARTED)
    launch, submitted = read_record(home / LAUNCH), read_record(home / SUBMITTED) or {}
    ours = submitted.get("token") == attempt_token(token)
    number = submitted.get("job") if ours else None
    if launch is not None and not isinstance(launch.get("nodes", []), list):
        launch = None
    found = Records(
        launch if launch else None,
        number if isinstance(number, str) else None,
        is_asked=(home / STOP).exists(),
        is_revoked=(home / REVOKED).exists(),
        alive_at=_alive_at(directory),
    )
    if started is None:
        return found
    try:
        if started["token"] == token and "pid" not in started and (directory / EXIT).exists():
            why = ended_of(read_record(directory / EXIT) or {})
            return Records(found.launch, found.job, ended=why)
        if started["token"] != token or "pid" not in started:
            return Records(found.launch, found.job, is_given_up=True)
        started["started_at"] = utc(float(started["started_at"])).timestamp()
        started["gpus"] = list(started.get("gpus", ()))
        runs_as = started.get("job")
        record = read_record(directory / EXIT)
        ended = None if record is None else ended_of(record)
    except (KeyError, TypeError, ValueError, OverflowError):
        return Records(found.launch, found.job, is_given_up=True)
    return Records(
        found.launch,
        runs_as if isinstance(runs_as, str) and runs_as else found.job,
        False,
        started,
        ended,
        found.alive_at,
        found.is_asked,
        found.is_revoked,
    )


class Step(Enum):
    """Where an attempt stands."""

    WAITS = "the cluster has not begun it, or is about to"
    RUNS = "it runs"
    ENDED = "its end is written"
    GIVEN_UP = "it never runs"
    NOT_BEGUN = "the cluster has let go of it before it ran"
    LOST = "it began, and its end was not written"


def step(found: Records, job: ClusterJob | None, *, is_fresh: bool) -> Step:
    """Where an attempt stands, by its records and by what the cluster says.

    Parameters
    ----------
    job
        Its job; None if the cluster does not know it.
    is_fresh
        Whether the cluster was asked after the job was submitted, and, if it has begun, after that
        was seen; and before the records were read.
    """
    if found.is_given_up:
        return Step.GIVEN_UP
    if found.ended is not None:
        return Step.ENDED
    is_gone = is_fresh and (job is None or job.is_over)
    if found.started is None:
        return Step.NOT_BEGUN if is_gone else Step.WAITS
    begins_again = is_fresh and job is not None and job.waits
    return Step.LOST if is_gone or begins_again else Step.RUNS


def begun_gang(token: str, directory: Path, whole: Records) -> Found | None:
    """A distributed attempt of which all nodes run, or have run; None while some have not begun."""
    several = [
        read(node_token(token, index), node_directory(directory, index))
        for index in range(whole.count)
    ]
    if any(one.started is None for one in several):
        return None
    moments = [one.started_at for one in several]
    placements = tuple(place for one in several for place in one.placements)
    started_at = max((at for at in moments if at is not None), default=_now())
    return Found(token, directory, whole.handle, started_at, placements=placements)


def _alive_at(directory: Path) -> float | None:
    try:
        return (directory / ALIVE).stat().st_mtime
    except OSError:
        return None


def write(directory: Path, name: str, content: dict[str, Any]) -> None:
    """Let a record appear, whole."""
    draft = directory / f"{name}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):  # the job was deleted under us
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            # If the machine stops before it is on disk, the cluster still knows what it has.
            os.write(file, json.dumps(content).encode())
        finally:
            os.close(file)
        draft.rename(directory / name)


def submitted(token: str, directory: Path, number: str) -> Found:
    """Write which job of the cluster an attempt is."""
    write(directory, SUBMITTED, {"token": token, "job": number})
    reach(Point.SUBMISSION_WRITTEN)
    return Found(token, directory, {"job": number})


def waits_for(directory: Path) -> str:
    """Why the nodes of a distributed attempt have not begun, if its program says so."""
    said = (read_record(directory / WAITS) or {}).get("reason")
    return said if isinstance(said, str) else ""


def last_said(path: Path) -> str:
    """The last line that what runs on a node has said for itself, if it has said any."""
    try:
        with path.open("rb") as file:
            file.seek(-min(1000, path.stat().st_size), os.SEEK_END)
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def give_up(token: str, directory: Path) -> bool:
    """Take an attempt so that it never runs; whether nobody had taken it."""
    try:
        return claim(str(directory), {"token": token, "given_up_by": os.getpid()})
    except FileNotFoundError:
        return True


def given_up(
    token: str, directory: Path, why: str = "it was given up before it was started"
) -> Found:
    """An attempt that somebody has taken so that it never runs."""
    ended = Ended(Exit(cause=Cause.NODE_LOST, detail=why), _now())
    return Found(token, directory, {}, None, ended)


def refused(token: str, directory: Path, why: Exit, handle: dict[str, Any]) -> Found:
    """Write why an attempt never runs that was given up because the cluster does not run it."""
    ended = Ended(why, _now())
    write_end(directory, None, ended)
    return Found(token, directory, handle, None, ended)


def ask_to_end(directory: Path) -> None:
    """Have what runs of an attempt asked to end."""
    write(directory, STOP, {"at": time.time()})


def revoke(directory: Path) -> None:
    """Have what perhaps still runs of an attempt killed."""
    write(directory, REVOKED, {"at": time.time()})


class SignsOfLife(Gauge):
    """Tells what an attempt uses, from what its node writes now and then.

    Parameters
    ----------
    directories
        Those of its nodes.
    """

    def __init__(self, directories: list[Path]) -> None:
        self._directories = directories

    def read(self, processes: Processes) -> Consumption | None:
        """See `Gauge`."""
        told = [
            read_record(one / ALIVE) or {} for one in self._directories if not (one / EXIT).exists()
        ]
        if not told:
            return None
        seconds, held = _total(told, "cpu_seconds"), _total(told, "memory_bytes")
        return Consumption(seconds, None if held is None else int(held))


def _total(told: list[dict[str, Any]], name: str) -> float | None:
    known = [used for it in told if (used := amount(it, name)) is not None]
    return sum(known) if known else None


def _now() -> datetime:
    return datetime.now(timezone.utc)
