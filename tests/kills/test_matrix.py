"""Nothing is lost and nothing runs twice, wherever and whenever the server is killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_training.engine.metrics.follower import Follower
from jupyter_training.engine.workspace import METRICS
from jupyter_training.executors.records import LOG
from jupyter_training.jobs.lifecycle import Status
from jupyter_training.points import VARIABLE, Point
from tests.conftest import Home
from tests.kills import pipelines
from tests.kills.jobs import LINES, TestJob
from tests.kills.matrix import POINTS, look_at_log, look_at_metrics, look_at_record, run
from tests.patience import PATIENCE_S

KILLS = 100
"""On each database; with a server of its own for each."""


def test_no_kill_loses_a_job_or_doubles_one(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = run(database_url, tmp_path, KILLS, seed=1)
    with capsys.disabled():
        print(f"\n{database_url.partition(':')[0]}: {outcome}")
    assert outcome.wrong == []
    assert outcome.kills >= KILLS
    # Each of them was not only in the list: a server died there.
    assert set(outcome.at_points) == {point.value for point in POINTS}


def test_the_checks_see_what_should_not_be(tmp_path: Path) -> None:
    job, wrong = TestJob(0), list[str]()
    (tmp_path / "records").mkdir()
    look_at_record(job, tmp_path, Status.COMPLETED, wrong)
    assert "never ran" in wrong.pop()
    for text, said in (
        ("begin 1\nbegin 1\nend 1\nend 1\n", "an attempt that ran twice"),
        ("begin 1\ntwice 2\nbegin 2\n", "ran twice at once"),
    ):
        job.record(tmp_path).write_text(text)
        look_at_record(job, tmp_path, Status.COMPLETED, wrong)
        assert said in wrong.pop()
    whole = "".join(f"line {number}\n" for number in range(1, LINES + 1))
    for log, count in ((whole, 0), (whole[:-1], 1), (whole + "line 40\n", 1), ("", 1)):
        (tmp_path / LOG).write_text(log)
        look_at_log(job, tmp_path / LOG, "success", wrong)
        assert len(wrong) == count
        wrong.clear()
    reported = "".join(f'{{"metrics": {{"line": {n}}}}}\n' for n in range(1, LINES + 1))
    for lines, count in ((reported, 0), (reported + reported[:24], 1), ("", 1)):
        directory = tmp_path / str(len(lines))
        directory.mkdir()
        (directory / METRICS).write_text(lines)
        Follower(directory).drain()
        look_at_metrics(job, directory, "success", wrong)
        assert len(wrong) == count
        wrong.clear()


def test_the_checks_see_what_should_not_be_of_stages(tmp_path: Path) -> None:
    record = tmp_path / "record"
    assert pipelines.look_at_record(record) == []
    for text, said in (
        ("begin 1\nbegin 1\n", "an attempt that ran twice"),
        ("begin 1\ntwice 2\nbegin 2\n", "ran twice at once"),
        ("early\nbegin 1\n", "before what it depends on"),
    ):
        record.write_text(text)
        (wrong,) = pipelines.look_at_record(record)
        assert said in wrong


def test_a_real_server_dies_where_it_is_told_to(home: Home) -> None:
    home.variables[VARIABLE] = Point.START_ASKED.value
    first = home.start()
    first.api.submit_to_one_that_dies(["echo", "done"])
    assert first.process.wait(PATIENCE_S) == -9
    home.variables.clear()
    second = home.start()
    job_id = second.api.only_job()
    assert second.api.ended(job_id)["status"] == "completed"
    events = second.api.get(f"api/training-jobs/{job_id}/events").json()
    assert "adopted" in {event["kind"] for event in events}, json.dumps(events)
