"""Changes of jobs, as Jupyter's own event system tells them to whoever subscribes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any

import websocket
import yaml

from jupyter_training.server.job_events import SCHEMA_ID, data
from jupyter_training.store.records import Change
from tests.conftest import NAP, Api, Home, Server, python
from tests.patience import PATIENCE_S, until
from tests.postgres import Postgres
from tests.schemas import Draft202012Validator
from tests.store.conftest import T0

SCHEMA = yaml.safe_load(
    resources.files("jupyter_training.server").joinpath("events/job.yaml").read_text()
)


class Subscriber:
    """Who listens to a server's events."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket = socket
        self.got: list[dict[str, Any]] = []

    def until(self, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next event that is as wanted; those before it are kept, too."""
        while True:
            event = json.loads(self._socket.recv())
            if event.pop("schema_id") != SCHEMA_ID:
                continue
            told = {key: value for key, value in event.items() if not key.startswith("__")}
            told.pop("metadata", None)
            Draft202012Validator(SCHEMA).validate(told)
            self.got.append(told)
            if enough(told):
                return told

    def of(self, job_id: str) -> list[str]:
        return [one["change"] for one in self.got if one["job_id"] == job_id]


@contextmanager
def subscribed(server: Server, token: str = "the-servers-own") -> Iterator[Subscriber]:
    url = server.url.replace("http:", "ws:") + "api/events/subscribe"
    socket = websocket.create_connection(
        url, timeout=PATIENCE_S, header={"Authorization": f"token {token}"}
    )
    try:
        yield Subscriber(socket)
    finally:
        socket.close()


def is_(job_id: str, change: str) -> Callable[[dict[str, Any]], bool]:
    return lambda told: (told["job_id"], told["change"]) == (job_id, change)


def test_a_job_is_told_of_from_its_submission_to_its_deletion(server: Server, api: Api) -> None:
    with subscribed(server) as events:
        job_id = api.submit(python("raise SystemExit(3)"), name="fit", max_retries=0)["job_id"]
        api.ended(job_id)
        api.ask("DELETE", f"api/training-jobs/{job_id}")
        events.until(is_(job_id, "deleted"))
    assert events.of(job_id) == ["submitted", "scheduled", "started", "failed", "deleted"]
    failed = next(one for one in events.got if one["change"] == "failed")
    assert failed["name"] == "fit"
    assert (failed["status"], failed["cause"], failed["attempt"]) == ("failed", "user_error", 1)
    assert failed["reason"] == "the script ended with exit code 3; its log says why"
    assert failed["at"].endswith("Z")


def test_a_client_can_see_that_it_has_missed_an_event_and_read_what_it_was(
    server: Server, api: Api
) -> None:
    with subscribed(server) as events:
        first = api.submit(["true"])["job_id"]
        last = events.until(is_(first, "completed"))
    for one, other in zip(events.got, events.got[1:], strict=False):
        assert other["previous"] == one["sequence"] < other["sequence"]
    with subscribed(server) as others:
        missed = api.submit(["true"])["job_id"]
        others.until(is_(missed, "completed"))  # so nothing of it is still to be told
    with subscribed(server) as again:
        api.submit(["true"])
        event = again.until(lambda _: True)
    assert event["previous"] != last["sequence"]
    page = api.get(f"api/training-changes?since={last['sequence']}").json()
    assert page["complete"]
    assert [one["change"] for one in page["changes"] if one["job_id"] == missed] == [
        *("submitted", "scheduled", "started", "completed")
    ]
    assert event["previous"] in [one["sequence"] for one in page["changes"]]


def test_changes_are_read_page_by_page_and_only_ones_own(server: Server, api: Api) -> None:
    start = api.get("api/training-changes").json()
    assert start["changes"] == []
    job_id = api.submit(["true"])["job_id"]
    api.ended(job_id)
    since, found, more = start["sequence"], [], True
    while more:
        page = api.get(f"api/training-changes?since={since}&limit=1").json()
        assert len(page["changes"]) <= 1
        found += [one["change"] for one in page["changes"] if one["job_id"] == job_id]
        since, more = page["sequence"], page["more"]
    assert found == ["submitted", "scheduled", "started", "completed"]
    assert api.get(f"api/training-changes?since={since}").json()["changes"] == []
    others = server.api_of("somebody-else")
    page = others.get(f"api/training-changes?since={start['sequence']}").json()
    assert page == {"changes": [], "sequence": since, "more": False, "complete": True}
    assert not api.get(f"api/training-changes?since={since + 1000}").json()["complete"]
    assert api.get("api/training-changes?since=-1").status_code == 400


def test_progress_is_told(server: Server, api: Api) -> None:
    lines = "Epoch 1/4 - loss: 0.5\\nEpoch 2/4 - loss: 0.4"
    code = f"print('{lines}', flush=True); import time; time.sleep(600)"
    with subscribed(server) as events:
        job_id = api.submit(python(code))["job_id"]
        told = events.until(is_(job_id, "progress"))
    assert told["status"] == "running"
    assert told["progress"] == api.job(job_id)["progress"]
    assert 0 < told["progress"] < 100


def test_of_a_part_of_a_job_it_is_told_of_which_one(server: Server, api: Api) -> None:
    stages = [{"name": "only", "command": "true"}]
    with subscribed(server) as events:
        spec = {"name": "whole", "job_type": "pipeline", "stages": stages}
        parent = api.post("api/training-jobs", json=spec).json()
        events.until(is_(parent["job_id"], "completed"))
    of_parts = {one["parent_id"] for one in events.got if one["job_id"] != parent["job_id"]}
    assert of_parts == {parent["id"]}
    assert {one["parent_id"] for one in events.got if one["job_id"] == parent["job_id"]} == {None}


def test_jobs_of_others_are_not_told(server: Server, api: Api) -> None:
    """Whoever may listen hears everything, so it is the server's user whose jobs are told."""
    others = server.api_of("somebody-else")
    with subscribed(server) as events:
        hidden = others.submit(["true"])["job_id"]
        others.ended(hidden)
        shown = api.submit(["true"])["job_id"]
        events.until(is_(shown, "completed"))
    # Of an earlier test's job it may hear that it was cancelled.
    mine = {one["job_id"] for one in api.get("api/training-jobs?limit=1000").json()}
    assert hidden not in mine
    assert {shown} <= {one["job_id"] for one in events.got} <= mine


def test_what_several_users_get_tells_nothing_but_that_something_happened() -> None:
    change = Change(
        *(7, "job-1", "ada", "secret", "failed", "failed", "user_error", "secret", 1, 50, T0)
    )
    told = {**data(change, for_owner=False), "previous": 3}
    Draft202012Validator(SCHEMA).validate(told)
    assert {key: value for key, value in told.items() if value is not None} == {
        "sequence": 7,
        "previous": 3,
        "job_id": "job-1",
        "change": "failed",
        "at": "2026-01-26T10:00:00.000Z",
    }


def test_every_server_of_a_database_tells_of_every_job(home: Home, database_url: str) -> None:
    first, second = (home.start(database_url=database_url) for _ in range(2))
    with subscribed(first) as one, subscribed(second) as other:
        jobs = [server.api.submit(NAP)["job_id"] for server in (first, second)]
        for events in (one, other):
            left = {*jobs}
            while left:  # which of them starts first nobody knows
                told = events.until(lambda told: told["change"] == "started")
                left.discard(told["job_id"])
        # Whoever leads: the other one tells, and is told of, what follows.
        first.kill()
        second.api.post(f"api/training-jobs/{jobs[0]}/cancel")
        other.until(is_(jobs[0], "cancelled"))
        third = home.start(database_url=database_url)
        with subscribed(third) as newcomer:
            second.api.post(f"api/training-jobs/{jobs[1]}/cancel")
            newcomer.until(is_(jobs[1], "cancelled"))
            assert newcomer.of(jobs[0]) == []
            assert newcomer.of(jobs[1]) in (["cancel_requested", "cancelled"], ["cancelled"])
    for job_id in jobs:
        assert one.of(job_id)[:3] == other.of(job_id)[:3] == ["submitted", "scheduled", "started"]


SEVERAL_USERS = """
from jupyter_server.auth import IdentityProvider, User

class ByHeader(IdentityProvider):
    def get_user(self, handler):
        name = handler.request.headers.get("X-User")
        return User(name) if name else None

    def is_token_authenticated(self, handler):
        return True

c.ServerApp.identity_provider_class = ByHeader
"""


def test_where_several_users_log_in_nobody_reads_of_others(home: Home) -> None:
    home.configure(SEVERAL_USERS)
    server = home.start()
    ada = server.api_of("ada")
    url = server.url.replace("http:", "ws:") + "api/events/subscribe"
    socket = websocket.create_connection(url, timeout=PATIENCE_S, header={"X-User": "bob"})
    events = Subscriber(socket)
    job_id = ada.submit(["echo", "secret"], name="secret")["job_id"]
    ended = events.until(is_(job_id, "completed"))
    socket.close()
    assert set(events.of(job_id)) == {"submitted", "scheduled", "started", "completed"}
    assert {key for key, value in ended.items() if value is not None} == {
        *("sequence", "previous", "job_id", "change", "at")
    }
    assert "secret" not in json.dumps(events.got)
    assert server.api_of("bob").get(f"api/training-jobs/{job_id}").status_code == 404
    assert server.api_of("bob").get("api/training-changes?since=0").json()["changes"] == []
    assert ada.get("api/training-changes?since=0").json()["changes"][0]["name"] == "secret"


def test_what_changes_after_the_database_was_away_is_told_without_a_gap(
    home: Home, own_postgres: Postgres
) -> None:
    server = home.start(database_url=own_postgres.new_database())
    with subscribed(server) as events:
        first = server.api.submit(["true"])["job_id"]
        before = events.until(is_(first, "completed"))
        own_postgres.stop()
        assert server.api.get("api/training-changes").status_code == 503
        own_postgres.start()
        until(lambda: server.api.get("api/training-changes?since=0").status_code == 200)
        second = server.api.submit(["true"])["job_id"]
        assert events.until(is_(second, "submitted"))["previous"] == before["sequence"]
        events.until(is_(second, "completed"))
