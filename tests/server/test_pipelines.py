"""Pipelines over REST, with real jobs: their order, their failures, what they hand on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ENDED, NAP, Api, Home, Server, python

# Reads what the stages before it have left, and leaves its own name behind that.
HANDS_ON = """
import os, sys
from pathlib import Path
inputs = Path(os.environ.get("JUPYTER_TRAINING_INPUTS", "/nowhere"))
read = sorted((one / "told").read_text() for one in inputs.iterdir()) if inputs.is_dir() else []
out = Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"])
(out / "told").write_text(f"{sys.argv[1]}({','.join(read)})")
"""

FAILS_WITHOUT = "import os, sys; sys.exit(0 if os.path.exists(sys.argv[1]) else 3)"


def stage(name: str, *after: str, command: Sequence[str] = (), **fields: Any) -> dict[str, Any]:
    told = list(command) or [*python(HANDS_ON), name]
    return {"name": name, "command": told, "depends_on": list(after), **fields}


def diamond(fit: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Five stages: `prepare`, then `fit` and `augment` side by side, then two one after another."""
    return [
        stage("evaluate", "fit", "augment"),
        stage("prepare"),
        stage("fit", "prepare", command=fit),
        stage("augment", "prepare"),
        stage("publish", "evaluate"),
    ]


def submit(api: Api, stages: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    spec = {"name": "pipe", "stages": stages, "cpu_cores": 1, "memory_gb": 1, **fields}
    answer = api.post("api/training-jobs", json=spec)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def children(api: Api, job_id: str) -> dict[str, dict[str, Any]]:
    found = api.get(f"api/training-jobs/{job_id}/children").json()
    return {one["child_key"]: one for one in found}


def statuses(api: Api, job_id: str) -> dict[str, str]:
    return {name: one["status"] for name, one in children(api, job_id).items()}


def test_stages_run_in_their_order_and_hand_on_what_they_leave(api: Api) -> None:
    pipe = submit(api, diamond())
    assert (pipe["job_type"], pipe["status"], pipe["parent_id"]) == ("pipeline", "pending", None)
    assert (pipe["cpu_cores"], pipe["gpu_count"], pipe["queue_position"]) == (0, 0, None)
    told = api.ended(pipe["job_id"])
    assert (told["status"], told["cause"], told["progress"]) == ("completed", "success", 100)
    assert told["children"] == {"completed": 5}
    assert told["attempt"] == 0
    assert api.history(pipe["job_id"]) == ["pending", "scheduled", "running", "completed"]
    found = children(api, pipe["job_id"])
    assert list(found) == ["prepare", "fit", "augment", "evaluate", "publish"]
    assert {one["name"] for one in found.values()} == {f"pipe/{name}" for name in found}
    assert {one["parent_id"] for one in found.values()} == {pipe["id"]}
    assert found["evaluate"]["depends_on"] == [found["fit"]["job_id"], found["augment"]["job_id"]]
    assert found["evaluate"]["upstreams"] == [
        {"job_id": found[name]["job_id"], "name": name} for name in ("fit", "augment")
    ]
    for later, earlier in (("fit", "prepare"), ("evaluate", "fit"), ("evaluate", "augment")):
        assert found[later]["scheduled_at"] >= found[earlier]["completed_at"]
    last = Path(found["publish"]["output_dir"], "told").read_text()
    assert last == "publish(evaluate(augment(prepare()),fit(prepare())))"


def test_a_failure_in_the_middle_and_a_retry_that_reuses_what_succeeded(
    api: Api, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    fit = [*python(FAILS_WITHOUT), str(there)]
    stages = diamond(fit)
    stages[2]["max_retries"] = 0
    pipe = submit(api, stages)
    told = api.ended(pipe["job_id"])
    assert (told["status"], told["cause"]) == ("failed", "user_error")
    assert "fit failed: the script ended with exit code 3" in told["reason"]
    found = children(api, pipe["job_id"])
    assert {name: one["status"] for name, one in found.items()} == {
        "prepare": "completed",
        "fit": "failed",
        "augment": "completed",
        "evaluate": "cancelled",
        "publish": "cancelled",
    }
    for name in ("evaluate", "publish"):
        assert found[name]["cause"] == "upstream_failed"
        assert found[name]["reason"] == "not run, because fit did not complete"
        assert found[name]["attempt"] == 0

    there.touch()
    again = api.post(f"api/training-jobs/{pipe['job_id']}/retry")
    assert (again.status_code, again.json()["status"]) == (200, "pending")
    # `evaluate` reads what `fit` left, which is nothing.
    told = api.ended(pipe["job_id"])
    after = children(api, pipe["job_id"])
    assert (after["fit"]["status"], after["fit"]["attempt"]) == ("completed", 2)
    for name in ("prepare", "augment"):
        assert after[name]["attempt"] == 1
        assert after[name]["completed_at"] == found[name]["completed_at"]
    assert "running" in api.history(pipe["job_id"])[4:]


def test_a_stage_alone_is_run_again_with_those_that_waited_for_it(api: Api, tmp_path: Path) -> None:
    there, gate = tmp_path / "there", tmp_path / "gate"
    os.mkfifo(gate)
    check = stage("check", command=[*python(FAILS_WITHOUT), str(there)], max_retries=0)
    pipe = submit(api, [check, stage("then", "check", command=["cat", str(gate)])])
    assert api.ended(pipe["job_id"])["status"] == "failed"
    found = children(api, pipe["job_id"])
    refused = api.post(f"api/training-jobs/{found['then']['job_id']}/retry")
    assert refused.status_code == 409
    assert "check did not complete; run that again first" in refused.json()["message"]
    there.touch()
    assert api.post(f"api/training-jobs/{found['check']['job_id']}/retry").status_code == 200
    assert api.job(pipe["job_id"])["status"] not in ENDED
    gate.open("w").close()
    assert api.ended(pipe["job_id"])["status"] == "completed"
    assert statuses(api, pipe["job_id"]) == {"check": "completed", "then": "completed"}


def test_cancelling_a_pipeline_ends_all_of_it(api: Api) -> None:
    pipe = submit(api, [stage("nap", command=NAP), stage("then", "nap")])
    api.status(pipe["job_id"], "running")
    held = children(api, pipe["job_id"])["then"]
    assert (held["status"], held["queue_position"]) == ("pending", None)
    assert held["reason"] == "waits for nap to complete"
    told = api.cancel(pipe["job_id"])
    assert (told["status"], told["cause"]) == ("cancelled", "cancelled_by_user")
    found = children(api, pipe["job_id"])
    assert {one["cause"] for one in found.values()} == {"cancelled_by_user"}
    assert api.post(f"api/training-jobs/{pipe['job_id']}/cancel").status_code == 200


def test_cancelling_a_stage_leaves_its_dependants_out_and_the_others_running(api: Api) -> None:
    stages = [stage("nap", command=NAP), stage("then", "nap"), stage("other", command=["true"])]
    pipe = submit(api, stages)
    nap = api.status(children(api, pipe["job_id"])["nap"]["job_id"], "running")
    api.post(f"api/training-jobs/{nap['job_id']}/cancel")
    told = api.ended(pipe["job_id"])
    assert (told["status"], told["cause"]) == ("cancelled", "cancelled_by_user")
    assert told["reason"].startswith("nap cancelled: cancelled by ")
    found = children(api, pipe["job_id"])
    assert found["then"]["cause"] == "upstream_failed"
    assert found["other"]["status"] == "completed"


def test_lists_are_not_flooded_with_stages_and_a_delete_takes_all_of_them(
    api: Api, server: Server
) -> None:
    pipe = submit(api, [stage("one"), stage("two")])
    api.ended(pipe["job_id"])
    parts = children(api, pipe["job_id"])
    listed = {one["id"] for one in api.get("api/training-jobs").json()}
    assert pipe["id"] in listed
    assert listed.isdisjoint({one["id"] for one in parts.values()})
    everything = {one["id"] for one in api.get("api/training-jobs?include=children").json()}
    assert {one["id"] for one in parts.values()} <= everything
    assert api.get("api/training-jobs?include=parents").status_code == 400
    page = api.get(f"api/training-jobs/{pipe['job_id']}/children?limit=1")
    assert [one["child_key"] for one in page.json()] == ["one"]
    after = page.headers["Link"].partition("after=")[2].partition(">")[0]
    rest = api.get(f"api/training-jobs/{pipe['job_id']}/children?limit=1&after={after}")
    assert [one["child_key"] for one in rest.json()] == ["two"]
    assert "Link" not in rest.headers

    refused = api.ask("DELETE", f"api/training-jobs/{parts['one']['job_id']}")
    assert refused.status_code == 409
    assert f"is part of {pipe['job_id']}; delete that" in refused.json()["message"]
    assert api.ask("DELETE", f"api/training-jobs/{pipe['job_id']}").status_code == 204
    for one in (pipe, *parts.values()):
        assert api.get(f"api/training-jobs/{one['job_id']}").status_code == 404
        assert not (server.home.data_dir / "jobs" / one["job_id"]).exists()


def test_the_stages_of_another_user_are_not_there(api: Api, server: Server) -> None:
    pipe = submit(api, [stage("one", command=["true"])])
    api.ended(pipe["job_id"])
    eve = server.api_of("eve")
    assert eve.get(f"api/training-jobs/{pipe['job_id']}/children").status_code == 404
    mine = {"name": "x", "command": "true", "depends_on": [pipe["job_id"]]}
    answer = eve.post("api/training-jobs", json=mine)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {
            "field": "depends_on",
            "message": f"there is no job {pipe['job_id']}; name one by its id or its number",
        }
    ]


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([stage("a", "c"), stage("b", "a"), stage("c", "b")], "a after c after b after a is a"),
        ([stage("a", "a")], "a after a is a cycle: it cannot go after itself"),
        ([stage("fit"), stage("b", "fitt")], "no such stage; did you mean fit?"),
        ([stage("a"), stage("a"), stage("b")], "there are 2 stages named a"),
        ([], "at least one stage"),
    ],
)
def test_what_is_no_graph_is_refused_with_the_names(
    api: Api, stages: list[dict[str, Any]], words: str
) -> None:
    spec = {"name": "pipe", "job_type": "pipeline", "stages": stages}
    answer = api.post("api/training-jobs", json=spec)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == "stages"
    assert words in error["message"]


def test_what_is_wrong_with_a_stage_names_it(api: Api) -> None:
    stages = [stage("a", working_dir="no/such/place"), stage("b", executor="moon")]
    answer = api.post("api/training-jobs", json={"name": "pipe", "stages": stages})
    told = {one["field"]: one["message"] for one in answer.json()["errors"]}
    assert set(told) == {"stages.0.working_dir", "stages.1.executor"}
    assert told["stages.0.working_dir"].startswith("stage a: there is no directory")


def test_stages_have_what_is_said_of_their_pipeline_and_say_otherwise(api: Api) -> None:
    one = stage("one", command=["true"], env_vars={"B": "2"}, memory_gb=2)
    fields = {"env_vars": {"A": "1", "B": "1"}, "priority": 3, "max_retries": 1}
    pipe = submit(api, [one, stage("two", command=["true"])], **fields)
    found = children(api, pipe["job_id"])
    assert found["one"]["env_vars"] == {"A": "1", "B": "2"}
    assert found["two"]["env_vars"] == {"A": "1", "B": "1"}
    assert [one["memory_gb"] for one in found.values()] == [2, 1]
    assert {one["priority"] for one in found.values()} == {3}
    assert {one["max_retries"] for one in found.values()} == {1}


def test_a_plain_job_waits_for_others_and_reads_what_they_left(api: Api) -> None:
    first = api.submit([*python(HANDS_ON), "first"])
    told = api.submit([*python(HANDS_ON), "second"], depends_on=[first["id"]])
    assert told["depends_on"] == [first["job_id"]]
    told = api.ended(told["job_id"])
    assert told["status"] == "completed"
    assert Path(told["output_dir"], "told").read_text() == "second(first())"


def test_a_plain_job_is_not_run_when_what_it_depends_on_fails(api: Api) -> None:
    first = api.submit(NAP, name="prepare")
    second = api.submit("true", depends_on=[first["job_id"]])
    assert second["upstreams"] == [{"job_id": first["job_id"], "name": "prepare"}]
    called = f"prepare ({first['job_id']})"
    assert api.job(second["job_id"])["reason"] == f"waits for {called} to complete"
    third = api.submit("true", depends_on=[second["job_id"]])
    refused = api.ask("DELETE", f"api/training-jobs/{first['job_id']}")
    assert refused.status_code == 409
    api.status(first["job_id"], "running")
    api.post(f"api/training-jobs/{first['job_id']}/cancel")
    told = api.ended(third["job_id"])
    assert (told["status"], told["cause"]) == ("cancelled", "upstream_failed")
    assert f"because {called} did not complete" in told["reason"]


def test_a_stage_can_be_a_pipeline(api: Api) -> None:
    inner = {"name": "inner", "stages": [stage("x"), stage("y", "x")], "depends_on": ["before"]}
    reads = "import os; print(open(os.environ['JUPYTER_TRAINING_INPUTS'] + '/inner/y/told').read())"
    pipe = submit(api, [stage("before"), inner, stage("after", "inner", command=python(reads))])
    assert api.ended(pipe["job_id"])["status"] == "completed"
    found = children(api, pipe["job_id"])
    parts = children(api, found["inner"]["job_id"])
    assert parts["y"]["name"] == "pipe/inner/y"
    assert parts["x"]["scheduled_at"] >= found["before"]["completed_at"]
    assert found["after"]["scheduled_at"] >= parts["y"]["completed_at"]
    # What a pipeline finds, its stages find.
    left = Path(parts["y"]["output_dir"], "told").read_text()
    assert left == "y(before(),x(before()))"
    assert api.log(found["after"]["job_id"]) == [left]


def test_a_pipeline_goes_on_when_its_server_was_killed(home: Home, tmp_path: Path) -> None:
    server = home.start()
    go = tmp_path / "go"
    waits = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.05)"
    stages = [
        stage("prepare"),
        stage("fit", "prepare", command=[*python(f"{waits}\n{HANDS_ON}"), "fit"]),
        stage("augment", "prepare"),
        stage("evaluate", "fit", "augment"),
        stage("publish", "evaluate"),
    ]
    pipe = submit(server.api, stages)
    stages_of = children(server.api, pipe["job_id"])
    server.api.status(stages_of["fit"]["job_id"], "running")
    server.api.ended(stages_of["augment"]["job_id"])
    server.kill()
    go.touch()
    api = home.start().api
    assert api.ended(pipe["job_id"])["status"] == "completed"
    found = children(api, pipe["job_id"])
    assert {one["attempt"] for one in found.values()} == {1}
    last = Path(found["publish"]["output_dir"], "told").read_text()
    assert last == "publish(evaluate(augment(prepare()),fit(prepare())))"
