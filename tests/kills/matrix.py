"""Kill servers and look at their jobs: ``python -m tests.kills.matrix --kills 5000``.

Every other life is to end at the next named point of the code, the others at a random time. The
last one is left alone until every job has ended. Then these have to be true:

- every job ended as it should, and a kill of the server cost it none of its retries;
- every attempt ran at most once, and no two of one job at the same time, by the jobs' own records;
- no stage of a pipeline ran before what it depends on had completed, and a pipeline ended as its
  stages say;
- no trial of a search was lost or doubled, each has the parameters that its seed gives it, and the
  study has the same trials as the database;
- nothing is reserved any more, and no process is left;
- every log is whole: what an attempt that came to its end has printed is there, once; and so are
  its metrics;
- every end and every retry was told, and more than once only if a server was killed meanwhile;
- every attempt that came to its end tells what it has used, and no sample of that is there twice.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select

from jupyter_training.engine import usage_files
from jupyter_training.engine.metrics.curves import curves
from jupyter_training.engine.metrics.index import DIRECTORY, read_index
from jupyter_training.engine.workspace import Workspace
from jupyter_training.executors.base import node_directory
from jupyter_training.executors.log_files import log_name
from jupyter_training.executors.processes import start_time
from jupyter_training.executors.records import LOG, STARTED
from jupyter_training.jobs.lifecycle import Cause, Status, may_follow
from jupyter_training.points import OF_CLUSTERS, VARIABLE, Point
from jupyter_training.store import jobs, ledger, lists, outbox
from jupyter_training.store.database import Database
from jupyter_training.store.tables import training_attempts, training_jobs
from tests.kills import pipelines, searches
from tests.kills.jobs import AT_A_TIME, LINES, NODES, OCCASIONS, RECEIVER, TestJob
from tests.patience import PATIENCE_S
from tests.postgres import running_postgres

ROOT = Path(__file__).parents[2]
POINTS = [point for point in Point if point not in OF_CLUSTERS]
"""Those that are passed here; `test_slurm` has the others."""

JOBS_AHEAD = 24
"""How many jobs a server finds to do."""


@dataclass
class Outcome:
    """What was done, and what was found.

    Attributes
    ----------
    at_points
        How many servers died at each named point.
    at_random
        How many at a random time.
    told_again
        How often somebody was told what they had been told already.
    wrong
        What should not be, in words.
    """

    jobs: int = 0
    at_points: Counter[str] = field(default_factory=Counter)
    at_random: int = 0
    attempts: int = 0
    told_again: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return self.at_random + sum(self.at_points.values())

    @property
    def unmet(self) -> list[str]:
        """The points at which none has died yet."""
        return [point.value for point in POINTS if not self.at_points[point.value]]

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.at_random} of them at random times and the others at "
            f"{len(self.at_points)} of {len(POINTS)} points; {self.jobs} jobs in {self.attempts} "
            f"attempts; {self.told_again} messages came twice; {len(self.wrong)} things wrong"
            + "".join(f"\n  {one}" for one in self.wrong[:20])
            + (f"\n  never at: {', '.join(self.unmet)}" if self.unmet else "")
        )


def run(url: str, place: Path, kills: int, seed: int) -> Outcome:
    """Kill so many servers on an empty database, and look.

    Parameters
    ----------
    place
        An empty directory.
    """
    chance, outcome = random.Random(seed), Outcome()
    for name in ("data", "records", "over"):
        (place / name).mkdir()
    database = Database(url)
    database.migrate()
    several = itertools.cycle(POINTS)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kills.life", url, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != VARIABLE},
        text=True,
    ) as lives:
        waited_s = 4.0
        while not outcome.wrong and (outcome.kills < kills or outcome.unmet):
            point, patience_s = f"{next(several).value}:{chance.choice([1, 1, 2, 4])}", 1.0
            if outcome.unmet and outcome.kills > kills / 2:
                # Some are passed more rarely than others, and on a slow machine later: who is
                # sent to a point that nobody has met is given longer each time.
                point, patience_s = f"{chance.choice(outcome.unmet)}:1", waited_s
                waited_s = min(1.1 * waited_s, PATIENCE_S)
            outcome.jobs = len(list((place / "over").iterdir())) + JOBS_AHEAD
            told, by_us = one_life(lives, point, outcome.jobs, chance.uniform(0.1, patience_s))
            if told["done"]:
                continue  # nothing was left to be killed for
            if told["signal"] != -9:
                outcome.wrong.append(f"a server ended by itself: {told}")
            elif by_us:
                outcome.at_random += 1
            else:
                outcome.at_points[point.partition(":")[0]] += 1
        told, _ = one_life(lives, None, outcome.jobs, PATIENCE_S)
        if not told["done"]:
            outcome.wrong.append(f"the last server did not come to an end: {told}")
        assert lives.stdin is not None
        lives.stdin.close()
    look(database, Workspace(place / "data", place), place, range(outcome.jobs), outcome)
    look_at_told(database, place, outcome)
    database.close()
    return outcome


def one_life(
    lives: subprocess.Popen[str], point: str | None, jobs: int, patience_s: float
) -> tuple[dict[str, Any], bool]:
    """Let a server live.

    Returns
    -------
    told
        How it ended.
    by_us
        Whether it was still there when patience was over, and was killed.
    """
    assert lives.stdin is not None
    assert lives.stdout is not None
    lives.stdin.write(json.dumps({"point": point, "jobs": jobs}) + "\n")
    lives.stdin.flush()
    pid = int(lives.stdout.readline())
    killed = threading.Event()

    def kill() -> None:
        killed.set()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)

    timer = threading.Timer(patience_s, kill)
    timer.start()
    told: dict[str, Any] = json.loads(lives.stdout.readline())
    timer.cancel()
    timer.join()
    return told, killed.is_set()


def look(
    database: Database, workspace: Workspace, place: Path, numbers: Sequence[int], outcome: Outcome
) -> None:
    """Find what should not be.

    Parameters
    ----------
    numbers
        Of the jobs that there should be.
    """
    wrong = outcome.wrong
    with database.read() as connection:
        if held := ledger.held(connection):
            wrong.append(f"still reserved: {held}")
        rows = list(
            connection.execute(
                select(training_jobs.c.name, training_jobs.c.id).where(
                    training_jobs.c.parent_id.is_(None)
                )
            )
        )
        names = Counter(row.name for row in rows)
        expected = {TestJob(number).key for number in numbers}
        if set(names) != expected or max(names.values()) > 1:
            wrong.append(f"{len(rows)} jobs of {len(numbers)}: {names - Counter(expected)}")
        for row in rows:
            wanted, job = TestJob(int(row.name.partition("-")[2])), jobs.get(connection, row.id)
            if job.status is not wanted.status:
                wrong.append(f"{wanted} has {job.status}: {job.reason}")
            walked = [Status(e.to_status) for e in lists.history(connection, row.id) if e.to_status]
            if not all(may_follow(one, other) for one, other in itertools.pairwise(walked)):
                wrong.append(f"{wanted} went {walked}")
            if wanted.stages is not None:
                number = wanted.stages.number
                told, runs = pipelines.look(connection, workspace, place, job, number)
                wrong += told
                outcome.attempts += runs
                continue
            if wanted.search is not None:
                number = wanted.search.number
                told, runs = searches.look(connection, database, place, job, number)
                wrong += told
                outcome.attempts += runs
                continue
            several = list(
                connection.execute(
                    select(training_attempts).where(training_attempts.c.job_id == row.id)
                )
            )
            outcome.attempts += len(several)
            failures = [one for one in several if one.cause == Cause.USER_ERROR.value]
            if len(failures) != wanted.failures or job.retry_count > 1:
                wrong.append(
                    f"{wanted} has failed {len(failures)} times, {job.retry_count} counted"
                )
            look_at_record(wanted, place, job.status, wrong)
            for attempt in several:
                directory = workspace.attempt(job.job_id, attempt.number)
                look_at_logs(wanted, directory, attempt.cause, wrong)
                look_at_metrics(wanted, directory, attempt.cause, wrong)
                look_at_usage(wanted, directory, attempt, wrong)
                nodes = range(NODES)
                places = [node_directory(directory, index) for index in nodes]
                if any(map(is_left, places if wanted.is_gang else [directory])):
                    wrong.append(f"{wanted} still has a supervisor")
    mark = f"RECORD={place}/".encode()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                wrong.append(f"still runs: {(entry / 'cmdline').read_bytes()!r}")
        except OSError:
            pass  # gone


def look_at_told(database: Database, place: Path, outcome: Outcome) -> None:
    """What somebody was told of the jobs."""
    lines = (place / RECEIVER).read_text().splitlines()
    told = Counter(line.partition(" ")[0] for line in lines)
    expected: Counter[str] = Counter()
    with database.read() as connection:
        # Of a pipeline and of a search only the whole is told.
        query = select(training_jobs.c.name, training_jobs.c.id)
        for row in connection.execute(query.where(training_jobs.c.parent_id.is_(None))):
            walked = [event.to_status for event in lists.history(connection, row.id)]
            expected[row.name] += sum(walked.count(occasion) for occasion in OCCASIONS)
        if (left := outbox.next_at(connection)) is not None:
            outcome.wrong.append(f"somebody is still to be told: {left}")
    if missing := expected - told:
        outcome.wrong.append(f"never told: {missing}")
    outcome.told_again = (told - expected).total()
    if outcome.told_again > outcome.kills * AT_A_TIME:
        outcome.wrong.append(f"told more than once: {told - expected}")


def look_at_record(wanted: TestJob, place: Path, status: Status, wrong: list[str]) -> None:
    """What a job itself has written."""
    path = wanted.record(place)
    lines = path.read_text().splitlines() if path.exists() else []
    if any(line.startswith("twice") for line in lines):
        wrong.append(f"{wanted} ran twice at once: {lines}")
    begins = Counter(line for line in lines if line.startswith("begin"))
    if begins and max(begins.values()) > 1:
        wrong.append(f"{wanted} had an attempt that ran twice: {lines}")
    if not begins and status is not Status.CANCELLED:
        wrong.append(f"{wanted} never ran")


def look_at_logs(wanted: TestJob, directory: Path, cause: str | None, wrong: list[str]) -> None:
    """The logs of an attempt that came to its own end."""
    if not wanted.is_gang:
        look_at_log(wanted, directory / LOG, cause, wrong)
        return
    for rank in range(NODES):
        # One that did not fail was perhaps not even started when the other did.
        if cause == Cause.SUCCESS.value or rank == 1:
            look_at_log(wanted, directory / log_name(rank), cause, wrong)
    if cause == Cause.USER_ERROR.value:
        notice = "rank 1 of 2 failed first (exit code 3)"
        count = (directory / LOG).read_text().count(notice)
        if count != 1:
            wrong.append(f"{wanted} tells {count} times which rank failed first")


def look_at_log(wanted: TestJob, path: Path, cause: str | None, wrong: list[str]) -> None:
    """The log of an attempt that came to its own end, or was cancelled while it slept."""
    if cause in (Cause.SUCCESS.value, Cause.USER_ERROR.value):
        found = path.read_text()
        if found != "".join(f"line {number}\n" for number in range(1, LINES + 1)):
            wrong.append(f"{wanted} has a log that is not whole: {found!r}")


def look_at_metrics(wanted: TestJob, directory: Path, cause: str | None, wrong: list[str]) -> None:
    """The metrics of an attempt that came to its own end."""
    if cause in (Cause.SUCCESS.value, Cause.USER_ERROR.value):
        index = read_index(directory / DIRECTORY)
        found = [one.values.tolist() for one in curves(directory, index, None, LINES).curves]
        # Those of a gang are of rank 0, which was perhaps not even started when the other failed.
        first_had = len(found[0]) if found else 0
        count = first_had if wanted.is_gang and cause == Cause.USER_ERROR.value else LINES
        if found != ([list(range(1, count + 1))] if count else []):
            wrong.append(f"{wanted} has metrics that are not whole: {found}")


def look_at_usage(wanted: TestJob, directory: Path, attempt: Row[Any], wrong: list[str]) -> None:
    """What an attempt has used that came to its own end, whoever has seen it."""
    if attempt.cause not in (Cause.SUCCESS.value, Cause.USER_ERROR.value):
        return
    if attempt.cpu_seconds is None or not attempt.peak_memory_bytes:
        wrong.append(f"{wanted} does not tell what it has used")
    several = list(usage_files.samples(directory))
    if len({one.at for one in several}) < max(1, len(several)):
        wrong.append(f"{wanted} has samples twice, or none: {several}")


def is_left(directory: Path) -> bool:
    """Whether a supervisor of this attempt still lives; it may be about to end."""
    try:
        started = json.loads((directory / STARTED).read_text())
        pid, since = started["pid"], started["start_time"]
    except (OSError, KeyError):
        return False
    deadline = time.monotonic() + PATIENCE_S
    while start_time(pid) == since:
        if time.monotonic() > deadline:
            return True
        time.sleep(0.01)  # not a child of ours, so there is no event
    return False


def main() -> None:
    """Run it for as long as you like."""
    parser = argparse.ArgumentParser(description="Kill servers, and look at their jobs.")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        if options.database == "sqlite":
            outcome = run(f"sqlite:///{place / 'training.db'}", place, options.kills, options.seed)
        else:
            servers = running_postgres()
            url = next(servers).new_database()
            outcome = run(url, place, options.kills, options.seed)
            servers.close()  # type: ignore[attr-defined]
    print(f"{options.database}: {outcome}")
    sys.exit(bool(outcome.wrong))


if __name__ == "__main__":
    main()
