"""Pipelines for the kill matrix, and a look at what became of them."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from jupyter_training.engine.workspace import Workspace
from jupyter_training.jobs.families import standing
from jupyter_training.jobs.lifecycle import Cause, Status, may_follow
from jupyter_training.store import families, jobs, lists, upstreams
from jupyter_training.store.records import Job
from jupyter_training.store.tables import training_attempts

AFTER = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "same": ()}
"""A diamond, and a stage that does the same in all pipelines and is run only now and then."""

VARIANTS = ("succeeds", "fails", "succeeds at the second try", "is cancelled")
"""What its stage ``b`` does."""

CHECK = """
for one in "$JUPYTER_TRAINING_INPUTS"/*; do [ -f "$one/done" ] || echo early >>"$RECORD"; done
"""
DONE = '[ $code = 0 ] && touch "$JUPYTER_TRAINING_OUTPUT_DIR/done"\nexit $code'


@dataclass(frozen=True)
class TestStages:
    """The stages of the pipeline with this number."""

    __test__ = False

    number: int

    @property
    def variant(self) -> str:
        return VARIANTS[self.number % len(VARIANTS)]

    def record(self, place: Path, stage: str) -> Path:
        """What a stage writes down."""
        return place / "records" / f"{self.number}.{stage}"

    def specs(self, place: Path, script: str, env: dict[str, str]) -> list[dict[str, Any]]:
        """What is asked for.

        Parameters
        ----------
        script
            That of a single job, which ends with ``exit $code``.
        """
        small = {"cpu_cores": 1, "memory_gb": 1, "gpu_count": 0, "max_retries": 1}
        script = script.replace("exit $code", DONE)
        found: list[dict[str, Any]] = [
            {
                **small,
                "name": name,
                "depends_on": list(after),
                "command": ["/bin/sh", "-c", (CHECK if after else "") + script],
                "env_vars": {
                    **env,
                    "RECORD": str(self.record(place, name)),
                    "KIND": self.variant if name == "b" else "succeeds",
                },
            }
            for name, after in AFTER.items()
            if name != "same"
        ]
        same = ["/bin/sh", "-c", 'echo same >"$JUPYTER_TRAINING_OUTPUT_DIR/same"']
        return [{**small, "name": "same", "command": same, "cache": True}, *found]

    @property
    def statuses(self) -> dict[str, Status]:
        """How its stages have to end; left out if they may end in several ways."""
        fine = dict.fromkeys(AFTER, Status.COMPLETED)
        if self.variant == "fails":
            return {**fine, "b": Status.FAILED, "d": Status.CANCELLED}
        if self.variant == "is cancelled":
            return {"b": Status.CANCELLED, "d": Status.CANCELLED}
        return fine


def look(
    connection: Connection, workspace: Workspace, place: Path, pipe: Job, number: int
) -> tuple[list[str], int]:
    """Find what should not be.

    Returns
    -------
    wrong
        In words.
    attempts
        How many its stages have had.
    """
    wanted, wrong, attempts = TestStages(number), list[str](), 0
    several = {str(one.child_key): one for one in families.descendants(connection, pipe.id)[1:]}
    if set(several) != set(AFTER):
        return [f"{wanted} has the stages {sorted(several)}"], 0
    stands = standing(families.children(connection, pipe.id), pipe.cancel_requested_by)
    if stands.status is not pipe.status:
        wrong.append(f"{wanted} is {pipe.status}, and its stages say {stands}")
    for name, stage in several.items():
        called = f"{wanted} {wanted.variant}, stage {name}"
        expected = wanted.statuses.get(name, stage.status)
        if stage.status is not expected:
            wrong.append(f"{called} has {stage.status}: {stage.reason}")
        walked = [Status(e.to_status) for e in lists.history(connection, stage.id) if e.to_status]
        if not all(may_follow(one, other) for one, other in itertools.pairwise(walked)):
            wrong.append(f"{called} went {walked}")
        query = select(training_attempts).where(training_attempts.c.job_id == stage.id)
        runs = connection.execute(query).all()
        attempts += len(runs)
        for run, upstream in itertools.product(runs, upstreams.of_job(connection, stage.id)):
            assert upstream.number is not None
            before = jobs.get(connection, upstream.number).completed_at
            if before is None or run.scheduled_at < before:
                wrong.append(f"{called} was given resources before {upstream.name} completed")
        failures = sum(run.cause == Cause.USER_ERROR.value for run in runs)
        second = name == "b" and wanted.variant == "succeeds at the second try"
        if stage.status is not Status.CANCELLED and failures != 2 * (
            stage.status is Status.FAILED
        ) + (stage.status is Status.COMPLETED and second):
            wrong.append(f"{called} has failed {failures} times")
        wrong += [f"{called} {told}" for told in look_at_record(wanted.record(place, name))]
        left = workspace.job(stage.job_id) / "output"
        if stage.status is Status.COMPLETED:
            there = "same" if name == "same" else "done"
            if not (left / there).is_file():
                wrong.append(f"{called} has not left what it should")
            if (stage.origin is None) != bool(runs):
                wrong.append(f"{called} is of {stage.origin} and has had {len(runs)} attempts")
    return wrong, attempts


def look_at_record(path: Path) -> list[str]:
    """What a stage itself has written that should not be."""
    lines = path.read_text().splitlines() if path.exists() else []
    begins = Counter(line for line in lines if line.startswith("begin"))
    wrong = []
    if any(line.startswith("twice") for line in lines):
        wrong.append(f"ran twice at once: {lines}")
    if "early" in lines:
        wrong.append(f"ran before what it depends on was done: {lines}")
    if begins and max(begins.values()) > 1:
        wrong.append(f"had an attempt that ran twice: {lines}")
    return wrong
