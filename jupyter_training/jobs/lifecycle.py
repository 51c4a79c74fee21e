"""The life of a job as tables: which status may follow which, and what a cause of an end means.

*Status* says what a job is doing and has the seven words of the specification. *Cause* says why it
got there. They are kept apart so that a new way to fail is one more row here and not one more
branch everywhere: whether a cause is retried, which status it ends in and the sentence a person
reads are looked up in :data:`CAUSES`.

Everything here is a value or a pure function.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

_MOST = 2**31
"""More than any exit code."""


class Status(str, Enum):
    """What a job is doing."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


WAITING = frozenset({Status.PENDING, Status.RETRYING})
"""In the queue: the scheduler may give it resources."""

ACTIVE = frozenset({Status.SCHEDULED, Status.RUNNING})
"""Holds resources through an open attempt."""

ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
"""Nothing more happens by itself."""

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.SCHEDULED, Status.CANCELLED}),
    Status.SCHEDULED: frozenset({Status.RUNNING, Status.RETRYING, Status.FAILED, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.COMPLETED, Status.RETRYING, Status.FAILED, Status.CANCELLED}),
    Status.RETRYING: frozenset({Status.SCHEDULED, Status.CANCELLED}),
    # A person may run an ended job again: it goes back to the queue.
    Status.COMPLETED: frozenset({Status.PENDING}),
    Status.FAILED: frozenset({Status.PENDING}),
    Status.CANCELLED: frozenset({Status.PENDING}),
}


def may_follow(before: Status, after: Status) -> bool:
    """Whether the transition table has an arrow from `before` to `after`."""
    return after in TRANSITIONS[before]


class Cause(str, Enum):
    """Why an attempt, and with it perhaps the job, ended."""

    SUCCESS = "success"
    USER_ERROR = "user_error"
    KILLED_BY_SIGNAL = "killed_by_signal"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    LAUNCH_FAILED = "launch_failed"
    INVALID_ARGUMENTS = "invalid_arguments"
    NOT_RUNNABLE = "not_runnable"
    IMAGE_UNAVAILABLE = "image_unavailable"
    NODE_LOST = "node_lost"
    PREEMPTED = "preempted"
    CANCELLED_BY_USER = "cancelled_by_user"
    UPSTREAM_FAILED = "upstream_failed"
    PRUNED = "pruned"


class Retry(Enum):
    """What the end of one attempt means for the next one."""

    NEVER = "never"
    COSTS_ONE = "costs one of max_retries"
    FREE = "not the job's fault, so it costs nothing"


@dataclass(frozen=True)
class CauseRule:
    """What follows from a cause.

    Attributes
    ----------
    final
        The status of the job when there is no further attempt.
    retry
        Whether a further attempt can cure it.
    sentence
        What a person reads; ``{detail}`` is filled with what is known of this end.
    """

    final: Status
    retry: Retry
    sentence: str


CAUSES: dict[Cause, CauseRule] = {
    Cause.SUCCESS: CauseRule(Status.COMPLETED, Retry.NEVER, "finished"),
    Cause.USER_ERROR: CauseRule(
        Status.FAILED, Retry.COSTS_ONE, "the script ended with {detail}; its log says why"
    ),
    Cause.KILLED_BY_SIGNAL: CauseRule(
        Status.FAILED, Retry.COSTS_ONE, "the script was ended by {detail}"
    ),
    Cause.OUT_OF_MEMORY: CauseRule(
        Status.FAILED, Retry.COSTS_ONE, "{detail}: ask for more memory with --memory"
    ),
    Cause.TIMED_OUT: CauseRule(
        Status.FAILED, Retry.NEVER, "{detail}: ask for more time with --time-limit"
    ),
    Cause.LAUNCH_FAILED: CauseRule(Status.FAILED, Retry.NEVER, "could not be started: {detail}"),
    Cause.INVALID_ARGUMENTS: CauseRule(
        Status.FAILED, Retry.NEVER, "did not understand its arguments: {detail}"
    ),
    Cause.NOT_RUNNABLE: CauseRule(
        Status.FAILED, Retry.NEVER, "the script cannot run as it is: {detail}"
    ),
    Cause.IMAGE_UNAVAILABLE: CauseRule(
        Status.FAILED, Retry.NEVER, "the image could not be had: {detail}"
    ),
    Cause.NODE_LOST: CauseRule(
        Status.FAILED, Retry.FREE, "the machine that ran it was lost: {detail}"
    ),
    Cause.PREEMPTED: CauseRule(Status.FAILED, Retry.FREE, "made room for another job: {detail}"),
    Cause.CANCELLED_BY_USER: CauseRule(Status.CANCELLED, Retry.NEVER, "cancelled by {detail}"),
    Cause.UPSTREAM_FAILED: CauseRule(
        Status.CANCELLED, Retry.NEVER, "not run, because {detail} did not complete"
    ),
    Cause.PRUNED: CauseRule(Status.CANCELLED, Retry.NEVER, "stopped early by the search: {detail}"),
}


def sentence(cause: Cause, detail: str = "") -> str:
    """The sentence a person reads about an end."""
    return CAUSES[cause].sentence.format(detail=detail)


@dataclass(frozen=True)
class Exit:
    """How the process of an attempt ended, as far as whoever watched it can tell.

    Attributes
    ----------
    exit_code
        What the process returned; None when a signal ended it or nobody saw it end.
    signal
        The number of the signal that ended it.
    cause
        Set by an executor that knows more than code and signal tell, for example that a time limit
        was reached or that the command could not be found.
    detail
        What it knows, to be read within the sentence of that cause.
    who
        Which process it was whose end ended all others, as ``rank 3 of 8``; empty if there is but
        one.
    said
        The last line that this one printed; empty if nothing is known of it.
    raised
        The exception with which a Python script ended; empty if that is not known.
    """

    exit_code: int | None = None
    signal: int | None = None
    cause: Cause | None = None
    detail: str = ""
    who: str = ""
    said: str = ""
    raised: str = ""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Exit:
        """An end as it was written down where a job could write, too.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is none.
        """
        detail = record["detail"]
        if not isinstance(detail, str):
            raise TypeError("what is known of an end is a text")
        code, number = (
            None if record[name] is None else whole_number(record[name])
            for name in ("exit_code", "signal")
        )
        return cls(code, number, Cause(record["cause"]) if record["cause"] else None, detail)


def whole_number(told: Any) -> int:
    """An exit code, or the number of a signal, that a job may have written.

    Raises
    ------
    TypeError, ValueError
        If it is none, or one that no system has and no database stores.
    """
    if not isinstance(told, int) or not -_MOST <= told < _MOST:
        raise ValueError("no exit code and no signal")
    return int(told)


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9; ``signal 70`` for one that has no name here."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def diagnose(
    exit_: Exit, *, cancelled_by: str | None = None, stopped: tuple[Cause, str] | None = None
) -> tuple[Cause, str]:
    """Why an attempt ended, and the sentence that says so.

    Parameters
    ----------
    exit_
        How the process ended.
    cancelled_by
        Who had asked for the job to be cancelled before it ended. An explicit wish wins over
        whatever the script made of the signal it got.
    stopped
        Why it was being stopped, if that was nobody's wish, and what is known of that.
    """
    if stopped is not None:
        return stopped[0], sentence(*stopped)
    if cancelled_by is not None:
        return Cause.CANCELLED_BY_USER, sentence(Cause.CANCELLED_BY_USER, cancelled_by)
    cause, told = _diagnosis(exit_)
    if exit_.who:
        told = f"{exit_.who} failed first: {told}"
    return cause, f"{told}; it printed last: {exit_.said}" if exit_.said else told


def _diagnosis(exit_: Exit) -> tuple[Cause, str]:
    if exit_.cause is not None:
        return exit_.cause, sentence(exit_.cause, exit_.detail)
    if exit_.signal is not None:
        cause, detail = Cause.KILLED_BY_SIGNAL, signal_name(exit_.signal)
        if exit_.signal == signal.SIGKILL:
            detail += ", perhaps because the machine ran out of memory"
        return cause, sentence(cause, detail)
    if exit_.exit_code == 0:
        return Cause.SUCCESS, sentence(Cause.SUCCESS)
    if exit_.raised:
        return (
            Cause.USER_ERROR,
            f"the script ended with exit code {exit_.exit_code}: {exit_.raised}",
        )
    return Cause.USER_ERROR, sentence(Cause.USER_ERROR, f"exit code {exit_.exit_code}")


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait before the next attempt.

    The wait doubles with each failure and is spread by up to a quarter, so that jobs which failed
    together do not come back together.

    Attributes
    ----------
    base_s, cap_s
        The first wait and the longest one, in seconds.
    """

    base_s: float = 1.0
    cap_s: float = 300.0

    def delay_s(self, failures: int, spread: float) -> float:
        """Seconds to wait after `failures` failures in a row.

        Parameters
        ----------
        failures
            How many attempts have failed, at least 1.
        spread
            A number from 0 to 1, drawn at random by the caller.
        """
        exponent = min(max(failures, 1) - 1, 32)
        wait: float = min(self.base_s * 2**exponent, self.cap_s)
        return wait * (1 + 0.25 * spread)


@dataclass(frozen=True)
class Outcome:
    """What becomes of a job when one of its attempts has ended.

    Attributes
    ----------
    status
        `RETRYING` or one of `ENDED`.
    counts
        Whether this end uses up one of ``max_retries``.
    """

    status: Status
    counts: bool


def after_attempt(cause: Cause, *, retry_count: int, max_retries: int) -> Outcome:
    """Decide whether a job is retried, from why its attempt ended."""
    rule = CAUSES[cause]
    if rule.retry is Retry.FREE:
        return Outcome(Status.RETRYING, counts=False)
    if rule.retry is Retry.COSTS_ONE and retry_count < max_retries:
        return Outcome(Status.RETRYING, counts=True)
    return Outcome(rule.final, counts=False)
