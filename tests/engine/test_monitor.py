"""Attempts that nobody here can follow."""

from __future__ import annotations

from pathlib import Path

from jupyter_training.engine.monitor import Finished, Monitor, Report
from jupyter_training.engine.workspace import Workspace
from jupyter_training.executors.base import Launch
from jupyter_training.jobs.children import parse
from jupyter_training.jobs.lifecycle import Cause, diagnose
from jupyter_training.scheduling.resources import Placement
from jupyter_training.store.records import Attempt


def test_a_job_for_an_executor_that_was_taken_away_ends_and_says_so(tmp_path: Path) -> None:
    reports: list[Report] = []
    monitor = Monitor(Workspace(tmp_path, tmp_path), {}, reports.append)
    spec = parse({"name": "j", "command": "true", "executor": "slurm"})
    placement = Placement("slurm", 1, 1)
    attempt = Attempt(7, "job-7", 1, "token", "slurm", (placement,), None, spec, None)
    launch = Launch("token", tmp_path, ("true",), "/", {}, None, 1, 1, (), None)
    assert not monitor.could_follow(attempt)
    monitor.start(attempt, launch)
    (report,) = reports
    assert isinstance(report, Finished)
    cause, told = diagnose(report.exit)
    assert cause is Cause.LAUNCH_FAILED
    assert "does not have the executor slurm any more; name it in c.TrainingApp.executors" in told
