"""What the ends of several nodes are together, and that nothing a job writes is trusted for it."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.engine.gang_launches import MEETING
from jupyter_training.engine.gangs import verdict
from jupyter_training.executors.base import Ended, node_directory
from jupyter_training.executors.log_files import log_name
from jupyter_training.executors.records import LOG
from jupyter_training.jobs.lifecycle import Cause, Exit, diagnose
from jupyter_training.ranks import FAILED

AT = datetime(2026, 1, 26, 10, tzinfo=timezone.utc)
GOOD, STOPPED = Exit(exit_code=0), Exit(exit_code=1)


@pytest.fixture
def attempt(tmp_path: Path) -> Path:
    (tmp_path / MEETING).mkdir()
    for index in range(2):
        node_directory(tmp_path, index).mkdir()
    (tmp_path / LOG).touch()
    return tmp_path


def ends(*several: Exit) -> list[Ended]:
    return [Ended(one, AT + timedelta(seconds=number)) for number, one in enumerate(several)]


def tell(attempt: Path, **fields: Any) -> None:
    told = {"rank": 3, "node": 1, "exit_code": 3, "signal": None, **fields}
    (attempt / MEETING / FAILED).write_text(json.dumps(told))


def reason(end: Ended) -> str:
    return diagnose(end.exit)[1]


def test_all_have_to_succeed(attempt: Path) -> None:
    tell(attempt)  # whatever it says
    assert verdict(attempt, ends(GOOD, GOOD), 0, 4) == Ended(GOOD, AT + timedelta(seconds=1))


def test_the_end_is_that_of_the_rank_that_failed_first_and_not_of_those_that_were_ended(
    attempt: Path,
) -> None:
    tell(attempt)
    (attempt / log_name(3)).write_text("Traceback:\nValueError: NaN\n")
    lost = Exit(exit_code=3, cause=Cause.NODE_LOST, detail="it was told to stop")
    for _ in range(2):  # a server may die after it has written the notice
        found = verdict(attempt, ends(STOPPED, lost), 0, 4)
    assert (found.exit.exit_code, found.exit.cause) == (3, None)
    assert reason(found) == (
        "rank 3 of 4 failed first: the script ended with exit code 3; its log says why; "
        "it printed last: ValueError: NaN"
    )
    assert (attempt / LOG).read_text().splitlines() == [
        "[jupyter-training] rank 3 of 4 failed first (exit code 3). Its last lines:",
        "  Traceback:",
        "  ValueError: NaN",
    ]


def test_what_the_supervisor_knows_better_is_the_cause(attempt: Path) -> None:
    tell(attempt, exit_code=None, signal=9)
    out = Exit(signal=9, cause=Cause.OUT_OF_MEMORY, detail="it took more than its 1 GB")
    found = verdict(attempt, ends(STOPPED, out), 0, 4)
    assert reason(found).startswith("rank 3 of 4 failed first: it took more than its 1 GB")


def test_a_node_that_says_nothing_of_its_ranks_is_named(attempt: Path) -> None:
    lost = Exit(cause=Cause.NODE_LOST, detail="its supervisor was killed")
    found = verdict(attempt, ends(STOPPED, lost), 1, 4)
    assert found.exit.cause is Cause.NODE_LOST
    assert reason(found).startswith("node 1 of 2 failed first: the machine that ran it was lost")


def test_a_node_that_was_lost_is_why_the_ranks_failed_that_spoke_with_it(attempt: Path) -> None:
    tell(attempt, rank=1, node=0, exit_code=1)
    lost = Exit(cause=Cause.NODE_LOST, detail="the cluster has lost it")
    found = verdict(attempt, ends(Exit(exit_code=1), lost), 0, 4)
    assert (found.exit.cause, found.exit.who) == (Cause.NODE_LOST, "node 1 of 2")


def test_arguments_that_are_not_understood_are_found_in_the_log_of_the_rank(attempt: Path) -> None:
    tell(attempt, exit_code=2)
    (attempt / log_name(3)).write_text("usage: x\nx: error: unrecognized arguments: --lr\n")
    assert verdict(attempt, ends(STOPPED, STOPPED), 0, 4).exit.cause is Cause.INVALID_ARGUMENTS


def test_what_the_code_of_a_rank_raised_is_told_once_in_the_reason_and_whole_in_the_log(
    attempt: Path,
) -> None:
    tell(attempt, exit_code=1)
    trace = 'Traceback (most recent call last):\n  File "/w/train.py", line 3, in <module>\n'
    (attempt / log_name(3)).write_text(f"{trace}NameError: name 'lr' is not defined\n")
    assert reason(verdict(attempt, ends(STOPPED, STOPPED), 0, 4)) == (
        "rank 3 of 4 failed first: "
        "the script cannot run as it is: NameError: name 'lr' is not defined"
    )
    assert '  File "/w/train.py", line 3' in (attempt / LOG).read_text()


@pytest.mark.parametrize(
    "written",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"rank": 9, "node": 0}',
        '{"rank": 0, "node": -1}',
        '{"rank": "x", "node": 0}',
        '{"rank": 0, "node": 0, "exit_code": null, "signal": null}',
        '{"rank": 0, "node": 0, "exit_code": 3000000000}',
        '{"rank": 0, "node": 0, "signal": 1e999}',
        '{"rank": 0, "node": 1e999, "exit_code": 3}',
        "[" * 16_000,
    ],
)
def test_a_record_that_makes_no_sense_is_none(attempt: Path, written: str) -> None:
    (attempt / MEETING / FAILED).write_text(written)
    found = verdict(attempt, ends(STOPPED, GOOD), 0, 4)
    assert reason(found).startswith("node 0 of 2 failed first: the script ended with exit code 1")


def test_a_failure_can_not_be_written_away(attempt: Path) -> None:
    tell(attempt, exit_code=0)
    assert verdict(attempt, ends(STOPPED, STOPPED), 0, 4).exit.exit_code == 1


def test_no_way_out_of_the_meeting_is_followed_and_no_pipe_is_waited_for(attempt: Path) -> None:
    secret = attempt / "secret"
    secret.write_text(json.dumps({"rank": 0, "node": 0, "exit_code": 7}))
    (attempt / MEETING / FAILED).symlink_to(secret)
    assert verdict(attempt, ends(STOPPED, GOOD), 0, 4).exit.exit_code == 1
    (attempt / MEETING / FAILED).unlink()
    os.mkfifo(attempt / MEETING / FAILED)
    assert verdict(attempt, ends(STOPPED, GOOD), 0, 4).exit.exit_code == 1


def test_what_a_cluster_ends_has_not_failed_although_a_rank_died_of_it_first(
    attempt: Path,
) -> None:
    lost = Exit(signal=15, cause=Cause.NODE_LOST, detail="it was told to stop")
    theirs = Exit(signal=15, cause=Cause.CANCELLED_BY_USER, detail="somebody in Slurm (job 7)")
    tell(attempt, exit_code=None, signal=15)
    found = verdict(attempt, ends(theirs, lost), 0, 4)
    assert reason(found) == "cancelled by somebody in Slurm (job 7)"
    assert verdict(attempt, ends(lost, lost), 0, 4).exit.cause is Cause.NODE_LOST
    # Its own node has not been told to stop, and the others were when it had failed.
    assert verdict(attempt, ends(lost, STOPPED), 0, 4).exit.cause is None
    # One that kills itself has failed, also if its node was told to stop by then.
    tell(attempt, exit_code=None, signal=9)
    assert verdict(attempt, ends(STOPPED, lost), 0, 4).exit.cause is None
