"""What the engine's account of a container means, and how one has ended: values."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from jupyter_training.executors.base import Ended
from jupyter_training.executors.containers import ATTEMPT, INSTALLATION, LOG_OFFSET, TIME_LIMIT
from jupyter_training.executors.memory import describe
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.jobs.usage import Spent

_NEVER = datetime(1, 1, 1, tzinfo=timezone.utc)
_KILLED_FROM_OUTSIDE = frozenset({128 + signal.SIGTERM, 128 + signal.SIGKILL, 255})
"""How containers end that an engine stops with itself; 255 is what it says if it did not see it."""

_TIME = re.compile(r"(.{19})(?:\.(\d+))?(?:Z|([+-]\d\d:\d\d))")
_INIT_FAILED = re.compile(rb"\[FATAL tini \(\d+\)\] exec (.*) failed: (.*)\n")
_TOO_LARGE = re.compile(rb"(?:\S+: )?exec [^:\n]+: \"?argument list too long\"?\n?", re.I)
"""What the engine's runtime prints in place of the first process."""

_CLOCKS_S = 5
"""How far a computed time of boot may be off."""


def time_of(text: str) -> datetime | None:
    """A time as the engine writes it, with up to nine digits; None for its year 1."""
    parts = _TIME.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is no time")
    seconds, fraction, zone = parts[1], parts[2] or "", parts[3] or "+00:00"
    moment = datetime.fromisoformat(f"{seconds}{zone}").astimezone(timezone.utc)
    if moment == _NEVER:
        return None
    return moment + timedelta(microseconds=int(fraction[:6].ljust(6, "0")))


@dataclass(frozen=True)
class Container:
    """A container as the engine describes it.

    Attributes
    ----------
    status
        ``created``, ``running``, ``paused``, ``restarting``, ``removing``, ``exited`` or ``dead``.
    memory
        Its limit (bytes).
    pid
        Its first process, as the engine's machine numbers it; 0 if it does not run.
    error
        What the engine said when it could not be started.
    """

    id: str
    name: str
    status: str
    labels: Mapping[str, str] = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    memory: int = 0
    pid: int = 0

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Container:
        """From the engine's answer to an inspection."""
        state = told["State"]
        return cls(
            id=told["Id"],
            name=told["Name"].lstrip("/"),
            status=state["Status"],
            labels=told["Config"]["Labels"] or {},
            started_at=time_of(state["StartedAt"]),
            finished_at=time_of(state["FinishedAt"]),
            exit_code=state["ExitCode"],
            oom_killed=state["OOMKilled"],
            error=state["Error"],
            memory=told["HostConfig"]["Memory"],
            pid=state.get("Pid", 0),
        )

    @property
    def never_started(self) -> bool:
        """Whether its program has not been started."""
        return self.status == "created"

    @property
    def ended(self) -> bool:
        """Whether no process of it is left, after it had some."""
        return self.status in ("exited", "dead")

    @property
    def handle(self) -> dict[str, Any]:
        """What it is found by again."""
        return {"container": self.id, "name": self.name}

    @property
    def log_offset(self) -> int:
        """Where in the attempt's log its output begins (bytes)."""
        return int(self.labels.get(LOG_OFFSET, "0"))

    @property
    def time_limit_s(self) -> float | None:
        """How long it may run (s)."""
        return float(self.labels[TIME_LIMIT]) if TIME_LIMIT in self.labels else None

    @property
    def deadline(self) -> datetime | None:
        """When its time is over."""
        if self.time_limit_s is None or self.started_at is None:
            return None
        return self.started_at + timedelta(seconds=self.time_limit_s)

    def belongs_to(self, installation: str, token: str) -> bool:
        """Whether it is this attempt's, and of this installation."""
        labels = self.labels
        return labels.get(INSTALLATION) == installation and labels.get(ATTEMPT) == token


def end_of(
    container: Container,
    now: datetime,
    *,
    log_start: bytes = b"",
    limit_reached: bool = False,
    engine_was_away: bool = False,
    booted_at: datetime | None = None,
) -> Ended:
    """How a container ended.

    Parameters
    ----------
    now
        Stands in for a time that the engine does not know.
    log_start
        The first bytes that it printed.
    limit_reached
        It was asked to end because its time was over.
    engine_was_away
        The engine did not answer for a while when this container ended.
    booted_at
        When the machine of the engine was started; None if that is not known.
    """
    code = container.exit_code
    number = _signal_in(code)
    cause, detail = _cause_of(container, log_start, limit_reached, engine_was_away, booted_at)
    exit_ = Exit(None if number else code, number, cause, detail)
    # Its group is gone with it. What is known is that it came to its limit, if it did.
    spent = Spent(None, container.memory) if cause is Cause.OUT_OF_MEMORY else None
    return Ended(exit_, container.finished_at or now, spent)


def ended_without_engine(container: Container, engine_since: datetime | None) -> bool:
    """Whether the engine was started anew after a container had ended.

    Parameters
    ----------
    engine_since
        When the engine was started, by its own clock; None if that is not known.
    """
    finished = container.finished_at
    return engine_since is not None and finished is not None and finished < engine_since


def may_be_the_engines_doing(container: Container) -> bool:
    """Whether it ended as it would if the engine were stopped."""
    return container.exit_code in _KILLED_FROM_OUTSIDE and not container.oom_killed


def _cause_of(
    container: Container,
    log_start: bytes,
    limit_reached: bool,
    engine_was_away: bool,
    booted_at: datetime | None,
) -> tuple[Cause | None, str]:
    code = container.exit_code
    if limit_reached:
        limit = container.time_limit_s or 0
        return Cause.TIMED_OUT, f"it ran for its time limit of {limit:g} s"
    # Also set when only a child was killed. A script that ends well did without it; one that does
    # not has ended because of it.
    if container.oom_killed and code != 0:
        return Cause.OUT_OF_MEMORY, describe(container.memory, container.memory)
    if _spans(container, booted_at):
        return Cause.NODE_LOST, "the machine was restarted"
    if engine_was_away and code in _KILLED_FROM_OUTSIDE:
        return Cause.NODE_LOST, "the Docker engine was stopped or restarted, and ended it"
    if code in (1, 255) and _TOO_LARGE.fullmatch(log_start):
        return (
            Cause.LAUNCH_FAILED,
            "its arguments and its environment are larger than the system allows "
            "(Argument list too long)",
        )
    failed = _INIT_FAILED.fullmatch(log_start)
    if code in (126, 127) and failed is not None:
        program, why = (part.decode("utf-8", "replace") for part in failed.groups())
        return Cause.LAUNCH_FAILED, f"{program}: {why} in the image"
    return None, ""


def _signal_in(code: int) -> int | None:
    """The signal of an exit code as shells, and the container's first process, report it."""
    number = code - 128
    # Above 31 are real-time signals, which end nothing in practice: exit codes of a script's own.
    return number if 1 <= number <= 31 else None


def _spans(container: Container, booted_at: datetime | None) -> bool:
    started, finished = container.started_at, container.finished_at
    if booted_at is None or started is None or finished is None:
        return False
    return started < booted_at - timedelta(seconds=_CLOCKS_S) and booted_at <= finished


def launch_failure(words: str, gpus: tuple[str, ...]) -> str:
    """What a person reads when the engine would not start a container.

    Parameters
    ----------
    words
        The engine's own.
    """
    if gpus and "could not select device driver" in words:
        return (
            "the Docker engine cannot give GPUs to containers; install the NVIDIA Container "
            "Toolkit on its machine, run `nvidia-ctk runtime configure --runtime=docker` and "
            f"restart the engine ({words})"
        )
    return words[:1000]
