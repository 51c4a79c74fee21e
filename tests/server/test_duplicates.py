"""What a job was asked to be, and jobs that are asked to be like it."""

from __future__ import annotations

from typing import Any

from tests.conftest import NAP, Api, Home
from tests.server.receiver import Webhook, webhook

SMALL = {"cpu_cores": 1, "memory_gb": 1}
SPACE = {"lr": {"type": "loguniform", "low": 1e-5, "high": 0.1}}
STAGES: list[dict[str, Any]] = [
    {"name": "prepare", "command": "python prepare.py", "gpu_count": 0, "max_retries": 3},
    {
        "name": "sweep",
        "job_type": "hyperparameter",
        "command": "python fit.py {lr}",
        "depends_on": ["prepare"],
        "search": {"metric": "loss", "trials": 4, "space": SPACE},
    },
    {
        "name": "ddp",
        "job_type": "distributed",
        "nodes": 2,
        "script": {"name": "fit.py", "text": "fit()"},
        "command": ["python", "{script}"],
        "depends_on": ["sweep"],
    },
    {
        "name": "more",
        "job_type": "pipeline",
        "stages": [{"name": "report", "command": "true", "env_vars": {"A": "1"}}],
    },
]


def spec_of(api: Api, job_id: str) -> dict[str, Any]:
    told: dict[str, Any] = api.get(f"api/training-jobs/{job_id}/spec").json()
    return told


def again(api: Api, spec: dict[str, Any]) -> dict[str, Any]:
    answer = api.post("api/training-jobs", json=spec)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_job_tells_what_was_asked_for_with_all_of_its_stages(api: Api) -> None:
    first = api.submit(NAP, **SMALL)
    # Nothing of it runs before that one has completed.
    asked = {
        "name": "whole",
        "job_type": "pipeline",
        "max_retries": 5,
        "priority": -7,
        "depends_on": [first["job_id"]],
        "stages": STAGES,
        **SMALL,
    }
    told = spec_of(api, again(api, asked)["job_id"])
    by_name = {one["name"]: one for one in told.pop("stages")}
    assert told == {name: value for name, value in asked.items() if name != "stages"}
    search = by_name["sweep"]["search"]
    assert search["space"]["lr"].items() >= SPACE["lr"].items()
    for stage in STAGES:
        wanted = {name: value for name, value in stage.items() if name not in ("search", "stages")}
        assert by_name[stage["name"]].items() >= wanted.items()
    assert by_name["more"]["stages"] == STAGES[3]["stages"]
    # And so it is asked for again.
    whole = spec_of(api, again(api, {**told, "stages": list(by_name.values())})["job_id"])
    assert whole == {**told, "stages": list(by_name.values())}


def test_a_stage_that_is_asked_for_alone_names_jobs_and_not_stages(api: Api) -> None:
    first = api.submit(NAP, **SMALL)
    whole = again(
        api, {"name": "w", "stages": STAGES[:2], "depends_on": [first["job_id"]], **SMALL}
    )
    prepare, sweep = api.get(f"api/training-jobs/{whole['job_id']}/children").json()
    told = spec_of(api, sweep["job_id"])
    assert (told["depends_on"], told["name"]) == ([prepare["job_id"]], "w/sweep")
    assert told["cpu_cores"] == 1
    assert again(api, told)["job_type"] == "hyperparameter"


def test_the_same_people_are_told_of_a_job_like_another_one_and_no_url_is_shown(home: Home) -> None:
    with webhook() as receiver:
        home.configure(
            f"c.TrainingApp.notification_receivers = {{'team': {receiver.url('team')!r}}}\n"
            f"c.TrainingApp.notification_urls = [{receiver.url('all')!r}]"
        )
        api = home.start().api
        named = api.submit(["true"], notify=[{"to": "team", "on": ["completed"]}])
        assert spec_of(api, named["job_id"])["notify"] == [{"to": "team", "on": ["completed"]}]
        assert "notify" not in spec_of(api, api.submit(["true"])["job_id"])
        stages = [
            {"name": "a", "command": "true", "notify": [receiver.url("a")]},
            {"name": "b", "command": "true"},
        ]
        mine = {"to": receiver.url("mine"), "on": ["completed"]}
        asked = {"name": "whole", "stages": stages, "notify": ["team", mine], **SMALL}
        whole = again(api, asked)
        told = api.get(f"api/training-jobs/{whole['job_id']}/spec")
        assert "the-password" not in told.text
        part, _ = api.get(f"api/training-jobs/{whole['job_id']}/children").json()
        assert told.json()["notify"] == [whole["job_id"]]
        assert [one.get("notify") for one in told.json()["stages"]] == [[part["job_id"]], None]
        until_told(receiver, "mine")
        other = again(api, told.json())
        assert other["notify"] == whole["notify"]
        until_told(receiver, "mine")
        on_failure = [{"to": whole["job_id"], "on": ["failed"]}]
        third = api.submit(["true"], notify=on_failure)
        assert [one["on"] for one in third["notify"]] == [["failed"]] * 3
        unknown = api.post("api/training-jobs", json={**asked, "notify": ["job-0123456789ab"]})
        assert unknown.status_code == 400
        assert "you have no job job-0123456789ab" in unknown.json()["message"]


def until_told(receiver: Webhook, path: str) -> None:
    while receiver.next().path != path:
        pass
