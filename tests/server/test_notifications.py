"""People are told of their jobs outside of Jupyter: at least once, and not more than needed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.points import VARIABLE, Point
from tests.conftest import NAP, Api, Home, Server, python
from tests.patience import PATIENCE_S, until
from tests.postgres import Postgres
from tests.server.receiver import Webhook, taking, webhook

FAILS = "print('epoch 1'); print('no such file'); raise SystemExit(3)"


@pytest.fixture
def receiver() -> Iterator[Webhook]:
    with webhook() as made:
        yield made


def noted(api: Api, job_id: str) -> list[dict[str, Any]]:
    """What a job's history says about notifications."""
    events: list[dict[str, Any]] = api.get(f"api/training-jobs/{job_id}/events").json()
    return [one for one in events if one["kind"] in ("notified", "not_notified")]


def until_noted(api: Api, job_id: str, count: int = 1) -> list[dict[str, Any]]:
    until(lambda: len(noted(api, job_id)) >= count)
    return noted(api, job_id)


def test_a_job_that_completed_is_told_of_and_that_is_in_its_history(
    server: Server, api: Api, receiver: Webhook
) -> None:
    code = "print('Epoch 1/2 - loss: 0.5'); print('Epoch 2/2 - loss: 0.25')"
    job = api.submit(python(code), name="digits", notify=[receiver.url("hook")])
    told = receiver.next()
    assert "loss 0.25" in told.body
    assert (told.title.split(" after")[0], told.mood) == ("digits completed", "success")
    assert f"More: jupyter training show {job['job_id']}" in told.body
    (event,) = until_noted(api, job["job_id"])
    assert event["reason"] == "json://… was told that it completed"
    assert receiver.rest == []


def test_a_job_that_failed_is_told_of_with_its_cause_and_the_end_of_its_log(
    api: Api, receiver: Webhook
) -> None:
    on = ["failed", "retrying"]
    api.submit(
        python(FAILS), name="fit", max_retries=1, notify=[{"to": receiver.url("a"), "on": on}]
    )
    first, last = receiver.next(), receiver.next()
    assert first.title.endswith("and is tried again")
    assert last.title.startswith("fit failed after")
    assert "Attempt 1 of at most 2 on" in first.body
    assert "The script ended with exit code 3; its log says why.\nAttempt 2 of" in last.body
    assert "The end of its log:\n  epoch 1\n  no such file\n" in last.body
    assert last.mood == "failure"


def test_of_a_job_that_is_made_of_others_it_is_told_what_came_of_them(
    api: Api, receiver: Webhook
) -> None:
    whom = {"notify": [receiver.url("a")], "cpu_cores": 1, "memory_gb": 1, "max_retries": 0}
    stages = [
        {"name": "fit", "command": python(FAILS)},
        {"name": "then", "command": "true", "depends_on": ["fit"]},
    ]
    api.post("api/training-jobs", json={"name": "digits", "stages": stages, **whom})
    told = receiver.next()
    assert told.title.startswith("digits failed")
    assert told.body.startswith("Fit failed: the script ended with exit code 3; its log says why.")
    assert "The end of the log of digits/fit:\n  epoch 1\n  no such file\n" in told.body
    search = {"metric": "loss", "trials": 1, "space": {"x": "uniform:0:1"}}
    measures = python("from jupyter_training import report; report(loss=0.5, x={x})")
    spec = {"name": "tune", "command": measures, "search": search, **whom}
    job_id = api.post("api/training-jobs", json=spec).json()["job_id"]
    told = receiver.next()
    assert told.title.startswith("tune completed after")
    assert told.body.startswith("Best loss 0.5 in trial 0 of 1.")
    assert f"Results: {api.job(job_id)['output_dir']}" in told.body


def test_what_one_cancels_oneself_is_no_news(api: Api, receiver: Webhook) -> None:
    job_id = api.submit(NAP, notify=[receiver.url("a")])["job_id"]
    api.status(job_id, "running")
    assert api.cancel(job_id)["status"] == "cancelled"
    api.submit(["true"], name="next", notify=[receiver.url("a")])
    assert receiver.next().title.startswith("next completed")


def test_a_receiver_that_fails_is_told_again_and_the_others_are_not(
    api: Api, receiver: Webhook
) -> None:
    receiver.answers["bad"] = [500, 302]  # what is sent on arrives nowhere
    urls = [receiver.url("good"), receiver.url("bad")]
    job_id = api.submit(["true"], notify=urls)["job_id"]
    until_noted(api, job_id, 2)
    paths = sorted(told.path for told in receiver.rest)
    assert paths == ["bad", "bad", "bad", "good"]


def test_a_receiver_that_does_not_answer_keeps_nobody_waiting(api: Api, receiver: Webhook) -> None:
    receiver.answers["hangs"] = [0] * 20
    for _ in range(4):
        api.submit(["true"], notify=[receiver.url("hangs")])
    last = api.submit(["true"], name="quick", notify=[receiver.url("good")])["job_id"]
    assert api.ended(last)["status"] == "completed"
    until_noted(api, last)
    assert any(told.path == "good" for told in receiver.rest)


def test_a_receiver_that_is_down_is_told_when_it_is_back_also_by_another_server(
    home: Home,
) -> None:
    with Webhook() as back:
        first = home.start()
        job_id = first.api.submit(["true"], name="fit", notify=[back.url("hook")])["job_id"]
        first.api.ended(job_id)
        log = home.path / "server.log"
        until(lambda: f"json://… was not told of {job_id}" in log.read_text())
        first.kill()
        second = home.start()
        with taking(back):
            assert back.next().title.startswith("fit completed")
            until_noted(second.api, job_id)
            assert back.rest == []
        assert "the-password" not in log.read_text()


@pytest.mark.parametrize(
    ("point", "times"),
    [(Point.TELLING_CLAIMED, 1), (Point.TOLD, 2), (Point.TELLING_WRITTEN, 1)],
)
def test_a_server_that_is_killed_while_it_tells_has_told_or_is_followed_by_one_that_does(
    home: Home, receiver: Webhook, point: Point, times: int
) -> None:
    """Twice only if it died between the answer of the receiver and its own note of it."""
    home.variables[VARIABLE] = point.value
    first = home.start()
    first.api.submit_to_one_that_dies(["true"], notify=[receiver.url("hook")])
    assert first.process.wait(PATIENCE_S) == -signal.SIGKILL
    home.variables.clear()
    second = home.start()
    job_id = second.api.only_job()
    assert second.api.ended(job_id)["status"] == "completed"
    assert len(until_noted(second.api, job_id)) == 1
    last = second.api.submit(["true"], notify=[receiver.url("last")])["job_id"]
    until_noted(second.api, last)
    assert [told.path for told in receiver.rest] == ["hook"] * times + ["last"]


def test_two_servers_of_one_database_do_not_both_tell(
    home: Home, postgres: Postgres, receiver: Webhook
) -> None:
    url = postgres.new_database()
    servers = [home.start(database_url=url) for _ in range(2)]
    several = [
        servers[n % 2].api.submit(["true"], name=f"job {n}", notify=[receiver.url(f"{n}")])
        for n in range(12)
    ]
    for job in several:
        servers[0].api.ended(job["job_id"])
        until_noted(servers[0].api, job["job_id"])
    assert sorted(told.path for told in receiver.rest) == sorted(str(n) for n in range(12))


def test_named_receivers_and_those_who_hear_of_every_job(home: Home, receiver: Webhook) -> None:
    home.configure(
        f"c.TrainingApp.notification_receivers = {{'team': {receiver.url('team')!r}}}\n"
        f"c.TrainingApp.notification_urls = [{receiver.url('all')!r}]\n"
        "c.TrainingApp.notify_on = ['completed']\n"
        "c.TrainingApp.notification_schemes = []"
    )
    server = home.start()
    told = server.api.get("api/training-notifications").json()
    assert told == {"available": True, "receivers": ["team"], "on": ["completed"], "schemes": []}
    job = server.api.submit(["true"], notify=["team"])
    assert job["notify"] == [
        {"to": "json://…", "on": ["completed"]},
        {"to": "team", "on": ["completed"]},
    ]
    assert {receiver.next().path, receiver.next().path} == {"team", "all"}
    refused = server.api.post(
        "api/training-jobs",
        json={"name": "fit", "command": "true", "notify": [receiver.url("mine")]},
    )
    assert refused.status_code == 400
    assert "json:// are not allowed here" in refused.json()["message"]
    assert "the-password" not in refused.text
    # The same from a terminal.
    command = [sys.executable, "-m", "jupyter_training", "notify"]
    options: dict[str, Any] = {"env": home.env, "capture_output": True, "text": True}
    shown = subprocess.run(command, check=True, **options).stdout
    assert "receivers  team" in shown
    tested = subprocess.run([*command, "--test", "team"], check=True, **options).stdout
    assert tested == "The receiver has taken a test message.\n"
    assert receiver.next().title == "A test of jupyter-training"
    receiver.answers["team"] = [404]
    failed = subprocess.run([*command, "--test", "team"], check=False, **options)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "the test did not arrive: it answered 404" in failed.stderr


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("team", "this server knows no receiver of that name (there is none); or give a URL"),
        ("nonsense://the-password", "nonsense://… is not a URL that Apprise understands"),
        ("syslog://", "receivers of the kind syslog:// are not allowed here"),
        (
            "json://the-password@host/?template=/etc/passwd",
            "template would read a file of the server",
        ),
    ],
)
def test_whom_nobody_can_tell_is_refused_with_the_reason_and_without_the_url(
    api: Api, to: str, said: str
) -> None:
    spec = {"name": "fit", "command": "true", "notify": [to]}
    for answer in (
        api.post("api/training-jobs", json=spec),
        api.post("api/training-notifications/test", json={"to": to}),
    ):
        assert answer.status_code == 400
        assert said in answer.json()["message"]
        assert "the-password" not in answer.text
    assert api.post("api/training-notifications/test", json={"to": 7}).status_code == 400


def test_a_url_is_shown_to_nobody(server: Server, api: Api, receiver: Webhook) -> None:
    job = api.submit(["true"], notify=[receiver.url("hook")])
    until_noted(api, job["job_id"])
    job_id = job["job_id"]
    for path in (f"api/training-jobs/{job_id}", f"api/training-jobs/{job_id}/events"):
        assert "the-password" not in api.get(path).text
    assert "the-password" not in (server.home.path / "server.log").read_text()
    place = server.home.data_dir / "jobs" / job_id
    assert not any(b"the-password" in path.read_bytes() for path in files_below(place))


def files_below(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_file()]
