"""Several servers on one database: one schedules, all serve, any may die or stand still."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from jupyter_training.engine.workspace import Workspace
from jupyter_training.store.database import Database
from tests.conftest import ENDED, Home, Server
from tests.kills.jobs import TestJob
from tests.kills.matrix import Outcome, look
from tests.patience import until
from tests.postgres import Postgres

JOBS, KILLS = 500, 8


def leader(server: Server) -> str:
    """Who schedules, by the servers' history."""
    events = history(server)
    return str(next(event["actor"] for event in events if event["kind"] == "lease"))


def history(server: Server) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = server.api.get("api/training-events").json()
    return told


def is_of(actor: str, server: Server) -> bool:
    """Whether this is the name of a server in the history."""
    return f"-{server.process.pid}-" in actor


@contextmanager
def paused(server: Server) -> Iterator[None]:
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


def test_a_leader_that_stands_still_is_replaced_and_writes_nothing_when_it_wakes(
    home: Home, database_url: str, tmp_path: Path
) -> None:
    first = home.start(database_url=database_url, cpu_cores=4)
    record = tmp_path / "record"
    begun = first.api.submit(["sh", "-c", f"echo one >>{record}; sleep 600"])["job_id"]
    first.api.status(begun, "running")
    second = home.start(database_url=database_url, cpu_cores=4)
    old = leader(second)
    # On a busy machine the first one may have stood still for so long already.
    asleep, awake = (first, second) if is_of(old, first) else (second, first)
    with paused(asleep):
        job_id = awake.api.submit(["sh", "-c", f"echo two >>{record}"])["job_id"]
        assert awake.api.ended(job_id)["status"] == "completed"
        new = leader(awake)
        assert is_of(new, awake)
        # What the one watched is watched by the other one.
        assert awake.api.cancel(begun)["status"] == "cancelled"
        before, known = awake.api.get("api/training-jobs").json(), history(awake)

    def does() -> list[str]:
        """What the one that stood still does when it wakes, the latest first."""
        new = history(awake)
        return [one["kind"] for one in new[: len(new) - len(known)] if one["actor"] == old]

    until(does)
    assert does()[-1] == "fenced"
    assert awake.api.get("api/training-jobs").json() == before
    # It serves as before, and the other one schedules.
    last = asleep.api.submit(["true"])["job_id"]
    assert asleep.api.ended(last)["status"] == "completed"
    assert record.read_text() == "one\ntwo\n"
    assert awake.api.history(begun) == ["pending", "scheduled", "running", "cancelled"]
    kinds = [event["kind"] for event in awake.api.get(f"api/training-jobs/{begun}/events").json()]
    leaders = [one["actor"] for one in known if one["kind"] == "lease"]
    assert 1 <= kinds.count("adopted") < len(leaders)


def is_plain(job: TestJob) -> bool:
    """Whether it is one process that nobody cancels; the kill matrix has the others."""
    return not job.is_to_be_cancelled and not job.is_gang and job.stages is None


def test_two_servers_that_die_in_turn_lose_none_of_many_jobs_and_double_none(
    home: Home, postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    place = tmp_path / "place"
    (place / "records").mkdir(parents=True)
    plain = (one for one in map(TestJob, itertools.count()) if is_plain(one))
    several = list(itertools.islice(plain, JOBS))
    traits: dict[str, Any] = {
        "database_url": url,
        "cpu_cores": 8,
        "gpus": 2,
        "schedule_interval": 1,
    }
    servers = [home.start(**traits), home.start(**traits)]
    turn = itertools.cycle((0, 1))

    def ask(method: str, path: str, **kwargs: Any) -> Any:
        """Ask one server after the other, until one of them answers."""
        while True:
            for server in list(servers):
                try:
                    answer = server.api.http.request(method, path, **kwargs)
                except httpx.TransportError:
                    continue
                assert answer.status_code < 300, answer.text
                return answer.json()

    killed = 0
    for count, job in enumerate(several, 1):
        headers = {"Idempotency-Key": job.key}
        ask("POST", "api/training-jobs", json=job.spec(place), headers=headers)
        if count % (JOBS // KILLS) == 0:
            index = next(turn)
            servers[index].kill()
            killed += 1
            servers[index] = home.start(**traits)
    while left := ask("GET", "api/training-jobs?status=pending,scheduled,running,retrying"):
        ask("GET", f"api/training-jobs/{left[-1]['job_id']}?wait=5")
    assert killed == KILLS
    told = ask("GET", "api/training-jobs?limit=1000")
    assert len(told) == JOBS
    assert {one["status"] for one in told} <= set(ENDED)
    database, outcome = Database(url), Outcome()
    numbers = [job.number for job in several]
    look(database, Workspace(home.data_dir, place), place, numbers, outcome)
    database.close()
    assert outcome.wrong == []
