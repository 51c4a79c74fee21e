"""Attempts that nobody here can follow, and what is heard of one that is a trial."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from jupyter_training.engine.growth import Growth
from jupyter_training.engine.monitor import Finished, Monitor, Progressed, Report
from jupyter_training.engine.workspace import METRICS, Workspace
from jupyter_training.executors.base import Launch
from jupyter_training.executors.local import LocalExecutor
from jupyter_training.jobs.children import parse
from jupyter_training.jobs.lifecycle import Cause, diagnose
from jupyter_training.scheduling.resources import Placement
from jupyter_training.store.records import Attempt
from tests.patience import PATIENCE_S


def attempt_of(executor: str, **fields: Any) -> Attempt:
    spec = parse({"name": "j", "command": "true", "executor": executor, **fields})
    placement = Placement(executor, 1, 1)
    return Attempt(7, "job-7", 1, "token", executor, (placement,), None, spec, None)


def test_a_job_for_an_executor_that_was_taken_away_ends_and_says_so(tmp_path: Path) -> None:
    reports: list[Report] = []
    monitor = Monitor(Workspace(tmp_path, tmp_path), {}, reports.append)
    attempt = attempt_of("slurm")
    launch = Launch("token", tmp_path, ("true",), "/", {}, None, 1, 1, (), None)
    assert not monitor.could_follow(attempt)
    monitor.start(attempt, launch)
    (report,) = reports
    assert isinstance(report, Finished)
    cause, told = diagnose(report.exit)
    assert cause is Cause.LAUNCH_FAILED
    assert "does not have the executor slurm any more; name it in c.TrainingApp.executors" in told


def test_what_a_trial_measures_is_read_when_it_measures_it(tmp_path: Path) -> None:
    reports: list[Report] = []
    line = json.dumps({"step": 1, "progress": 0.5, "metrics": {"loss": 9.0}})
    # It goes on for ever, and nobody looks at it once a second.
    code = (
        "import signal, sys\n"
        f"open({METRICS!r}, 'a').write({line!r} + chr(10))\n"
        "signal.alarm(600)\n"
        "signal.pause()"
    )

    async def go() -> None:
        heard: asyncio.Future[tuple[set[int], set[int]]] = asyncio.Future()
        local, growth = LocalExecutor(0), Growth()
        monitor = Monitor(
            Workspace(tmp_path, tmp_path),
            {"local": local},
            reports.append,
            lambda jobs, trials: heard.set_result((set(jobs), set(trials))),
            growth=growth,
        )
        place = tmp_path / "attempt"
        place.mkdir()
        argv = (sys.executable, "-c", code)
        launch = Launch("token", place, argv, str(place), {}, None, 1, 1, (), None)
        monitor.start(attempt_of("local", parameters={"x": 1}), launch)
        assert await asyncio.wait_for(heard, PATIENCE_S) == ({7}, {7})
        assert Progressed("token", 7, 50) in reports
        monitor.stop("token")
        while not isinstance(reports[-1], Finished):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await monitor.close()
        await growth.close()
        await local.close()

    asyncio.run(go())
