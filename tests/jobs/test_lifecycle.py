"""Which status follows which, and what the end of an attempt means."""

from __future__ import annotations

import pytest

from jupyter_training.jobs.lifecycle import (
    ACTIVE,
    CAUSES,
    ENDED,
    TRANSITIONS,
    WAITING,
    Cause,
    Exit,
    RetryPolicy,
    Status,
    after_attempt,
    diagnose,
    may_follow,
)

ARROWS = """
pending -> scheduled cancelled
scheduled -> running retrying failed cancelled
running -> completed retrying failed cancelled
retrying -> scheduled cancelled
completed -> pending
failed -> pending
cancelled -> pending
"""


@pytest.mark.parametrize("line", ARROWS.strip().splitlines())
def test_exactly_these_transitions_exist(line: str) -> None:
    before, after = line.split(" -> ")
    assert {status for status in Status if may_follow(Status(before), status)} == {
        Status(word) for word in after.split()
    }


def test_every_status_is_of_one_kind() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert len(WAITING) + len(ACTIVE) + len(ENDED) == len(Status)
    assert set(Status) == WAITING | ACTIVE | ENDED


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_a_rule_that_ends_the_job(cause: Cause) -> None:
    assert CAUSES[cause].final in ENDED


@pytest.mark.parametrize(
    ("exit_", "cause", "words"),
    [
        (Exit(exit_code=0), Cause.SUCCESS, "finished"),
        (Exit(exit_code=3), Cause.USER_ERROR, "exit code 3"),
        (Exit(signal=15), Cause.KILLED_BY_SIGNAL, "SIGTERM"),
        (Exit(signal=9), Cause.KILLED_BY_SIGNAL, "SIGKILL, perhaps because the machine ran out"),
        (Exit(signal=70), Cause.KILLED_BY_SIGNAL, "signal 70"),
        (Exit(signal=9, cause=Cause.TIMED_OUT, detail="2 h"), Cause.TIMED_OUT, "2 h"),
        (Exit(cause=Cause.LAUNCH_FAILED, detail="no such file"), Cause.LAUNCH_FAILED, "no such"),
        (Exit(cause=Cause.NODE_LOST, detail="reboot"), Cause.NODE_LOST, "reboot"),
    ],
)
def test_why_an_attempt_ended(exit_: Exit, cause: Cause, words: str) -> None:
    found, reason = diagnose(exit_)
    assert found is cause
    assert words in reason


@pytest.mark.parametrize("exit_", [Exit(exit_code=0), Exit(exit_code=1), Exit(signal=9)])
def test_a_cancel_wins_over_whatever_the_script_made_of_it(exit_: Exit) -> None:
    assert diagnose(exit_, cancelled_by="ada") == (Cause.CANCELLED_BY_USER, "cancelled by ada")


@pytest.mark.parametrize(
    ("cause", "retry_count", "status", "counts"),
    [
        (Cause.SUCCESS, 0, Status.COMPLETED, False),
        (Cause.USER_ERROR, 0, Status.RETRYING, True),
        (Cause.USER_ERROR, 1, Status.RETRYING, True),
        (Cause.USER_ERROR, 2, Status.FAILED, False),
        (Cause.KILLED_BY_SIGNAL, 0, Status.RETRYING, True),
        (Cause.LAUNCH_FAILED, 0, Status.FAILED, False),
        (Cause.TIMED_OUT, 0, Status.FAILED, False),
        (Cause.NODE_LOST, 2, Status.RETRYING, False),
        (Cause.CANCELLED_BY_USER, 0, Status.CANCELLED, False),
    ],
)
def test_what_becomes_of_a_job_with_two_retries(
    cause: Cause, retry_count: int, status: Status, counts: bool
) -> None:
    outcome = after_attempt(cause, retry_count=retry_count, max_retries=2)
    assert (outcome.status, outcome.counts) == (status, counts)


def test_a_back_off_doubles_is_capped_and_spread() -> None:
    policy = RetryPolicy(base_s=1, cap_s=10)
    assert [policy.delay_s(failures, 0) for failures in (1, 2, 3, 4, 5, 1000)] == [
        *(1, 2, 4, 8, 10, 10)
    ]
    assert policy.delay_s(3, 1) == 5
