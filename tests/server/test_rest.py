"""The REST interface: what is asked wrongly, and what is answered."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NAP, Api, Server, python

GOOD: dict[str, Any] = {"name": "x", "command": ["true"]}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({}, ["name", "command"]),
        ([], [""]),
        ({"name": "", "command": ""}, ["name", "command"]),
        (
            {**GOOD, "cpu_cores": 0, "memory_gb": "a", "gpu_count": -1},
            ["cpu_cores", "memory_gb", "gpu_count"],
        ),
        ({**GOOD, "cpu_coers": 1}, ["cpu_coers"]),
        ({**GOOD, "command": "a 'b"}, ["command"]),
        ({**GOOD, "command": ["a\0"]}, ["command"]),
        ({**GOOD, "env_vars": {"JUPYTER_TRAINING_X": "1"}}, ["env_vars"]),
        ({**GOOD, "working_dir": "no/such/place"}, ["working_dir"]),
        (
            {**GOOD, "executor": "moon", "image": "x", "dataset_ids": [4]},
            ["executor", "dataset_ids"],
        ),
        ({**GOOD, "job_type": "pipeline"}, ["command", "stages"]),
        ({**GOOD, "depends_on": ["job-nothing"]}, ["depends_on"]),
        ({**GOOD, "time_limit_s": float("inf")}, ["time_limit_s"]),
    ],
)
def test_every_wrong_field_is_named_and_nothing_is_stored(
    api: Api, spec: object, fields: list[str]
) -> None:
    before = api.get("api/training-jobs").json()
    answer = api.post("api/training-jobs", content=json.dumps(spec))
    assert answer.status_code == 400
    told = answer.json()
    assert sorted(error["field"] for error in told["errors"]) == sorted(fields)
    assert all(error["message"] for error in told["errors"])
    assert told["reason"] == "invalid_request"
    assert api.get("api/training-jobs").json() == before


@pytest.mark.parametrize("body", ["", "{", "\xff", "[" * 100_000])
def test_a_body_that_is_not_json(api: Api, body: str) -> None:
    answer = api.post("api/training-jobs", content=body.encode("latin-1"))
    assert answer.status_code == 400
    assert answer.json()["message"] == "The body of the request is not JSON."


@pytest.mark.parametrize("reference", ["job-nothing", "999999", "9" * 40, "%2e%2e", "a%2Fb"])
@pytest.mark.parametrize("rest", ["", "/logs", "/events"])
def test_an_unknown_job(api: Api, reference: str, rest: str) -> None:
    answer = api.get(f"api/training-jobs/{reference}{rest}")
    assert answer.status_code == 404
    assert answer.json()["reason"] == "no_such_job"


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "before=-1", "status=done", "job_type=x"])
def test_a_wrong_query(api: Api, query: str) -> None:
    answer = api.get(f"api/training-jobs?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_a_method_that_is_not_there(api: Api) -> None:
    answer = api.http.put("api/training-jobs")
    assert answer.status_code == 405
    assert answer.json()["reason"] == "method_not_allowed"


def test_without_a_token_nothing_is_told(server: Server) -> None:
    stranger = server.api_with("wrong")
    for method, path in (("GET", "api/training-jobs"), ("POST", "api/training-jobs")):
        answer = stranger.ask(method, path, json=GOOD)
        assert answer.status_code == 403
        assert answer.json()["reason"] == "forbidden"


def test_a_training_token_opens_nothing_else(server: Server, me: str) -> None:
    mine = server.api_of(me)
    assert mine.get("api/training-jobs").status_code == 200
    assert mine.http.get("api/contents").status_code == 403
    assert mine.http.get("api/kernels").status_code == 403


@pytest.mark.parametrize("damage", [lambda token: token[:-1] + "x", lambda token: token + "0"])
def test_a_forged_training_token_opens_nothing(server: Server, me: str, damage: Any) -> None:
    token = server.api_of(me).http.headers["Authorization"].removeprefix("token ")
    assert server.api_with(damage(token)).get("api/training-jobs").status_code == 403


def test_another_users_job_is_unknown(server: Server, api: Api) -> None:
    job_id = api.submit(NAP, name="secret plan", cpu_cores=2)["job_id"]
    api.status(job_id, "running")
    mallory = server.api_of("mallory")
    assert mallory.get("api/training-jobs").json() == []
    for method, rest in (
        *(("GET", rest) for rest in ("", "/logs", "/events")),
        *(("POST", rest) for rest in ("/cancel", "/retry")),
        ("DELETE", ""),
    ):
        assert mallory.ask(method, f"api/training-jobs/{job_id}{rest}").status_code == 404
    # Whose job holds the machine may be known, but not what they call it.
    theirs = mallory.submit(python("pass"), name="theirs")
    told = mallory.until(theirs["job_id"], lambda told: told["reason"] is not None)
    assert "a job of " in told["reason"]
    assert "secret" not in mallory.get("api/training-resources").text + told["reason"]
    assert mallory.post(f"api/training-jobs/{theirs['job_id']}/cancel").status_code == 200
    assert api.job(job_id)["status"] == "running"


def test_the_same_key_gives_the_same_job(api: Api) -> None:
    headers = {"Idempotency-Key": "once"}
    first = api.post("api/training-jobs", json=GOOD, headers=headers)
    second = api.post("api/training-jobs", json=GOOD, headers=headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["job_id"] == second.json()["job_id"]
    assert first.headers["Location"].endswith(first.json()["job_id"])
    assert api.get(first.headers["Location"]).status_code == 200


def test_a_dry_run_stores_nothing(api: Api) -> None:
    before = api.get("api/training-jobs").json()
    fits = api.post("api/training-jobs?dry_run=true", json=GOOD).json()
    assert fits["node"]
    assert (fits["starts_in_s"], fits["after"], fits["gpus"]) == (0, None, [])
    never = api.post("api/training-jobs?dry_run=true", json={**GOOD, "gpu_count": 8}).json()
    assert never["node"] is None
    assert "8 GPUs" in never["reason"]
    assert never["starts_in_s"] is None
    assert api.post("api/training-jobs?dry_run=true", json={}).status_code == 400
    assert api.get("api/training-jobs").json() == before


def test_after_which_job_another_one_starts_is_told_before_it_is_submitted_and_afterwards(
    api: Api,
) -> None:
    holds = api.submit(NAP, cpu_cores=2, time_limit_s=3600)
    api.status(holds["job_id"], "running")
    wanted = {**GOOD, "cpu_cores": 2}
    told = api.post("api/training-jobs?dry_run=true", json=wanted).json()
    waits = api.job(api.post("api/training-jobs", json=wanted).json()["job_id"])
    api.post(f"api/training-jobs/{waits['job_id']}/cancel")
    api.post(f"api/training-jobs/{holds['job_id']}/cancel")
    api.ended(holds["job_id"])
    assert (told["node"], told["after"]) == (None, holds["job_id"])
    assert 3000 < told["starts_in_s"] <= 3600
    # And so does one that was submitted.
    assert waits["starts_after"] == holds["job_id"]
    assert 3000 < waits["starts_in_s"] <= 3600
    assert re.fullmatch(r"in about \d\d min, when test has ended", waits["starts_text"])
    assert api.job(waits["job_id"])["starts_in_s"] is None


def test_what_is_left_out_never_makes_a_job_unschedulable(api: Api) -> None:
    told = api.post("api/training-jobs", json=GOOD).json()
    # The specification's 4 cores, 16 GB and 1 GPU, or what the machine has.
    assert (told["cpu_cores"], told["memory_gb"], told["gpu_count"]) == (2, 8, 0)
    assert api.ended(told["job_id"])["status"] == "completed"


def test_a_list_is_filtered_and_paged(server: Server) -> None:
    api = server.api_of("lister")
    ids = [api.submit(["true"], name=f"run_{i}")["id"] for i in range(5)]
    for number in ids:
        api.ended(str(number))
    answer = api.get("api/training-jobs?limit=2&status=completed")
    pages = [answer.json()]
    while "Link" in answer.headers:
        answer = api.get(answer.headers["Link"].partition(">")[0].lstrip("<"))
        pages.append(answer.json())
    assert [[job["id"] for job in page] for page in pages] == [
        [ids[4], ids[3]],
        [ids[2], ids[1]],
        [ids[0]],
    ]
    assert [job["name"] for job in api.get("api/training-jobs?q=n_3").json()] == ["run_3"]
    assert api.get("api/training-jobs?status=failed,cancelled").json() == []
    assert len(api.get("api/training-jobs?job_type=single").json()) == 5


def test_the_log_by_lines_and_by_offset(api: Api) -> None:
    job_id = api.submit(python("for i in range(200): print(i)"))["job_id"]
    api.ended(job_id)
    assert api.log(job_id) == [str(i) for i in range(100, 200)]
    assert api.log(job_id, tail=2) == ["198", "199"]
    page = api.get(f"api/training-jobs/{job_id}/logs?offset=0").json()
    assert page["logs"] == [str(i) for i in range(200)]
    rest = api.get(f"api/training-jobs/{job_id}/logs?offset={page['next_offset']}&wait=5").json()
    assert (rest["logs"], rest["next_offset"]) == ([], page["next_offset"])
    assert api.get(f"api/training-jobs/{job_id}/logs?attempt=2").status_code == 404


def test_a_log_can_be_waited_for(api: Api, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    job_id = api.submit(python(f"open({str(go)!r}).read(); print('told')"))["job_id"]
    api.status(job_id, "running")
    go.open("w").close()
    api.printed(job_id, "told")


def test_a_job_that_has_ended_cannot_be_cancelled(api: Api) -> None:
    job_id = api.ended(api.submit(["true"])["job_id"])["job_id"]
    answer = api.post(f"api/training-jobs/{job_id}/cancel")
    assert answer.status_code == 409
    assert answer.json()["message"] == (f"{job_id} cannot be cancelled: it has already completed.")


def test_a_waiting_job_is_cancelled_at_once(api: Api) -> None:
    api.submit(NAP, cpu_cores=2)
    waiting = api.submit(NAP, cpu_cores=2)["job_id"]
    assert api.post(f"api/training-jobs/{waiting}/cancel").json()["status"] == "cancelled"
    assert api.history(waiting) == ["pending", "cancelled"]


def test_an_ended_job_runs_again_and_can_be_deleted(server: Server, api: Api) -> None:
    job_id = api.submit(python("print('hi')"))["job_id"]
    assert api.post(f"api/training-jobs/{job_id}/retry").status_code in (200, 409)
    api.ended(job_id)
    assert api.post(f"api/training-jobs/{job_id}/retry").json()["status"] == "pending"
    told = api.until(job_id, lambda told: told["status"] == "completed" and told["attempt"] >= 2)
    place = server.home.data_dir / "jobs" / told["job_id"]
    assert place.is_dir()
    assert api.ask("DELETE", f"api/training-jobs/{job_id}").status_code == 204
    assert api.get(f"api/training-jobs/{job_id}").status_code == 404
    assert not place.exists()


def test_a_running_job_cannot_be_deleted(api: Api) -> None:
    job_id = api.submit(NAP)["job_id"]
    api.status(job_id, "running")
    assert api.ask("DELETE", f"api/training-jobs/{job_id}").status_code == 409
    assert api.job(job_id)["status"] == "running"


def test_a_program_that_is_not_there_is_not_retried(api: Api) -> None:
    told = api.ended(api.submit(["no-such-program"])["job_id"])
    assert (told["status"], told["cause"], told["attempt"]) == ("failed", "launch_failed", 1)
    assert "no-such-program" in told["reason"] or "No such file" in told["reason"]


def test_a_time_limit(api: Api) -> None:
    told = api.ended(api.submit(NAP, time_limit_s=0.2)["job_id"])
    assert (told["status"], told["cause"]) == ("failed", "timed_out")
    assert "--time-limit" in told["reason"]


def test_progress_comes_from_what_is_printed(api: Api, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    code = f"""
for epoch in (3, 5, 1):
    print(f"Epoch {{epoch}}/10 - loss: 0.1")
    open({str(go)!r}).read()
"""
    job_id = api.submit(python(code))["job_id"]
    told = api.until(job_id, lambda told: told["progress"] == 30)
    assert told["progress_known"]
    go.open("w").close()
    api.until(job_id, lambda told: told["progress"] == 50)
    go.open("w").close()
    # It begins again: nobody knows how often it will.
    assert api.until(job_id, lambda told: not told["progress_known"])["progress"] == 50
    go.open("w").close()
    told = api.ended(job_id)
    assert (told["progress"], told["progress_known"]) == (100, True)


def test_progress_comes_from_what_is_reported(api: Api, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    code = (
        "from jupyter_training import report; report(step=1, progress=0.42, loss=1); "
        f"print('Epoch 1/10'); open({str(go)!r}).read()"
    )
    job_id = api.submit(python(code))["job_id"]
    api.until(job_id, lambda told: told["progress"] == 42)
    go.open("w").close()
    api.ended(job_id)


def test_what_a_job_finds_in_its_environment(server: Server, api: Api) -> None:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    told = api.ended(api.submit(python(code), env_vars={"LR": "-1e-3", "X": "$HOME {y}"})["job_id"])
    env = json.loads(api.log(told["job_id"])[0])
    assert env["JUPYTER_TRAINING_JOB_ID"] == told["job_id"]
    assert env["JUPYTER_TRAINING_ATTEMPT"] == "1"
    assert env["JUPYTER_TRAINING_OUTPUT_DIR"] == told["output_dir"]
    assert Path(env["JUPYTER_TRAINING_CHECKPOINT_DIR"]).is_dir()
    assert env["CUDA_VISIBLE_DEVICES"] == ""
    assert (env["LR"], env["X"]) == ("-1e-3", "$HOME {y}")
    del env["JUPYTER_TRAINING_ATTEMPT_TOKEN"]
    assert not [name for name in env if "JPY_" in name or "TOKEN" in name]
    assert "the-servers-own" not in env.values()


def test_the_machine_and_who_holds_it(api: Api) -> None:
    job_id = api.submit(NAP, name="holder", cpu_cores=1, memory_gb=3)["job_id"]
    api.status(job_id, "running")
    told = api.get("api/training-resources").json()
    assert told["total"] == {"cpu_cores": 2, "memory_gb": 8, "gpu_count": 0}
    assert told["free"] == {"cpu_cores": 1, "memory_gb": 5, "gpu_count": 0}
    assert [one["held_by"] for one in told["nodes"][0]["held"]] == ["holder"]
