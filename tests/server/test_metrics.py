"""The metrics of jobs through a real server, from the script to the answer."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NAP, Api, Home, Server, python


def curves(api: Api, job_id: str, **query: Any) -> dict[str, list[tuple[float, float]]]:
    """Steps and values by name."""
    told = api.get(f"api/training-jobs/{job_id}/metrics", params=query).json()
    return {
        one["name"]: [
            (step, float(value)) for step, value in zip(one["steps"], one["values"], strict=True)
        ]
        for one in told["series"]
    }


def test_all_that_is_measured_is_there_when_a_job_has_ended(api: Api) -> None:
    code = """
from jupyter_training import report
for epoch in range(1, 6):
    report(step=epoch, loss=1 / epoch, **{"a,b": epoch})
    print(f"Epoch {epoch}/5 - loss: {1 / epoch:.2f} - acc: {epoch / 10}")
report(step=6, loss=float("nan")); report(step=7, loss=float("inf"))
print("Epoch 5/5 - acc: 0.99", end="")
"""
    told = api.ended(api.submit(python(code))["job_id"])
    job_id = told["job_id"]
    assert told["metrics"] == {"loss": "Infinity", "a,b": 5, "acc": 0.99}
    assert (told["remaining_s"], told["remaining_text"]) == (None, None)
    found = curves(api, job_id)
    assert found["loss"][:5] == [(epoch, 1 / epoch) for epoch in range(1, 6)]
    assert math.isnan(found["loss"][5][1])
    assert found["loss"][6][1] == math.inf
    assert found["acc"] == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4), (5, 0.99)]
    assert list(curves(api, job_id, names="acc,loss")) == ["acc", "loss"]
    assert list(curves(api, job_id, names="a,b")) == ["a,b"]
    answer = api.get(f"api/training-jobs/{job_id}/metrics").json()
    assert {one["name"]: one["source"] for one in answer["series"]} == {
        "loss": "reported",
        "a,b": "reported",
        "acc": "printed",
    }
    assert answer["names"] == ["loss", "a,b", "acc"]
    assert (answer["attempt"], answer["over"], answer["notices"]) == (1, True, [])
    assert all(abs(at - time.time()) < 600 for one in answer["series"] for at in one["times"])


def test_csv_has_every_point(api: Api) -> None:
    code = (
        "from jupyter_training import report\n"
        "for step in range(30000): report(step=step, loss=step / 4)"
    )
    job_id = api.ended(api.submit(python(code), name="two words")["job_id"])["job_id"]
    for path, headers in (("metrics.csv", {}), ("metrics", {"Accept": "text/csv"})):
        answer = api.http.get(f"api/training-jobs/{job_id}/{path}?names=loss", headers=headers)
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert "two%20words" in answer.headers["Content-Disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [float(row["value"]) for row in rows] == [step / 4 for step in range(30_000)]
    assert len(curves(api, job_id)["loss"]) <= 500
    assert len(curves(api, job_id, max_points=40)["loss"]) <= 40
    assert curves(api, job_id, max_points=40)["loss"][-1] == (29_999, 29_999 / 4)


def test_a_new_point_is_told_to_whoever_waits(api: Api, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    code = (
        "from jupyter_training import report\n"
        f"for step in range(3): report(step=step, loss=step); open({str(go)!r}).read()"
    )
    job_id = api.submit(python(code))["job_id"]
    api.until(job_id, lambda told: told["metrics"] != {})
    path, tag, seen, over = f"api/training-jobs/{job_id}/metrics?wait=60", "", list[int](), False
    while not over:
        answer = api.get(path, headers={"If-None-Match": tag})
        if answer.status_code == 304:  # a machine may be so slow that there was none in a minute
            continue
        assert answer.elapsed.total_seconds() < 50  # not when the minute was over
        tag, told = answer.headers["ETag"], answer.json()
        over = told["over"]
        steps = told["series"][0]["steps"] if told["series"] else []
        if steps != seen:
            assert steps == list(range(len(steps)))
            seen = steps
            go.open("w").close()
    assert len(seen) == 3
    assert api.get(path[:-2] + "0", headers={"If-None-Match": tag}).status_code == 304


def test_each_attempt_has_metrics_of_its_own(api: Api) -> None:
    code = """
import os, pathlib
from jupyter_training import report
attempt = int(os.environ["JUPYTER_TRAINING_ATTEMPT"])
saved = pathlib.Path(os.environ["JUPYTER_TRAINING_CHECKPOINT_DIR"], "step")
first = int(saved.read_text()) if saved.exists() else 0
for step in range(first, first + 3):
    report(step=step, loss=step * attempt)
saved.write_text(str(first + 3))
raise SystemExit(attempt < 2)
"""
    told = api.ended(api.submit(python(code), max_retries=1)["job_id"])
    job_id = told["job_id"]
    assert (told["attempt"], told["metrics"]) == (2, {"loss": 10})
    assert curves(api, job_id) == {"loss": [(3, 6), (4, 8), (5, 10)]}
    assert curves(api, job_id, attempt=1) == {"loss": [(0, 0), (1, 1), (2, 2)]}
    for path in ("metrics", "metrics.csv"):
        answer = api.get(f"api/training-jobs/{job_id}/{path}?attempt=3")
        assert answer.status_code == 404
        assert "it has had 2" in answer.json()["message"]


def test_a_job_without_metrics_has_none(api: Api) -> None:
    api.submit(NAP, cpu_cores=2)
    waiting = api.submit(NAP, cpu_cores=2)
    assert waiting["metrics"] == {}
    answer = api.get(f"api/training-jobs/{waiting['job_id']}/metrics").json()
    assert answer == {"attempt": 0, "over": False, "names": [], "notices": [], "series": []}
    lines = api.http.get(f"api/training-jobs/{waiting['job_id']}/metrics.csv").text
    assert lines == "metric,source,step,time,value\r\n"


@pytest.mark.parametrize("query", ["max_points=9", "max_points=x", "attempt=0", "wait=61"])
def test_a_wrong_query_is_told(api: Api, query: str) -> None:
    job_id = api.ended(api.submit(["true"])["job_id"])["job_id"]
    answer = api.get(f"api/training-jobs/{job_id}/metrics?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_the_metrics_of_another_user_are_unknown(server: Server, api: Api) -> None:
    code = "from jupyter_training import report; report(secret=1)"
    job_id = api.ended(api.submit(python(code))["job_id"])["job_id"]
    mallory = server.api_of("mallory")
    for path in ("metrics", "metrics.csv"):
        answer = mallory.get(f"api/training-jobs/{job_id}/{path}")
        assert answer.status_code == 404
        assert "secret" not in answer.text


def test_the_remaining_time_is_told_with_its_bounds(api: Api) -> None:
    # It says that it began ten minutes ago, and since then it has done half of its work.
    code = """
import json, os, time
with open(os.environ["JUPYTER_TRAINING_METRICS_FILE"], "a") as file:
    for part in range(1, 51):
        at = time.time() - 600 + 12 * part
        file.write(json.dumps({"time": at, "progress": part / 100}) + chr(10))
time.sleep(600)
"""
    job_id = api.submit(python(code))["job_id"]
    told = api.until(job_id, lambda told: told["remaining_text"] and told["progress"] == 50)
    assert told["remaining_low_s"] <= told["remaining_s"] <= told["remaining_high_s"]
    assert 400 < told["remaining_s"] < 700
    assert re.fullmatch(r"about \d+ to \d+ min left", told["remaining_text"])
    # The tag does not change with each moment, or whoever waits for a change would not wait.
    before = api.get(f"api/training-jobs/{job_id}")
    tag = {"If-None-Match": before.headers["ETag"]}
    after = api.get(f"api/training-jobs/{job_id}?wait=1", headers=tag)
    assert after.status_code == 304 or roughly(after.json()) != roughly(before.json())


def roughly(told: dict[str, Any]) -> dict[str, Any]:
    """What is told of a job, but for what is another at each moment."""
    exact = ("remaining_s", "remaining_low_s", "remaining_high_s", "starts_in_s")
    return {name: value for name, value in told.items() if name not in exact}


def test_a_killed_server_loses_and_doubles_nothing(home: Home, tmp_path: Path) -> None:
    # One for each epoch, as two signals through the same one could come as one.
    gates, own = [tmp_path / f"go{epoch}" for epoch in range(7)], tmp_path / "own.json"
    for gate in gates:
        os.mkfifo(gate)
    code = f"""
import json, math
from jupyter_training import report
own = []
for epoch in range(1, 7):
    for part in range(200):
        own.append([epoch * 200 + part, math.inf if part == 50 else epoch / (part + 1)])
        report(step=own[-1][0], loss=own[-1][1])
    print(f"Epoch {{epoch}}/6 - acc: {{epoch / 8}}")
    open(f"{tmp_path}/go{{epoch}}").read()
json.dump(own, open({str(own)!r}, "w"))
"""
    server = home.start()
    job_id = server.api.submit(python(code))["job_id"]
    for epoch in range(1, 7):
        if epoch % 2:  # so it has taken in the points, or else maybe not, when it dies

            def has_them(told: dict[str, Any], acc: float = epoch / 8) -> bool:
                return bool(told["metrics"].get("acc") == acc)

            server.api.until(job_id, has_them)
        if epoch in (3, 6):
            server.kill()
        gates[epoch].open("w").close()
        if epoch in (3, 6):
            server = home.start()
    server.api.ended(job_id)
    found: dict[str, list[list[float]]] = {}
    text = server.api.http.get(f"api/training-jobs/{job_id}/metrics.csv").text
    for row in csv.DictReader(io.StringIO(text)):
        found.setdefault(row["metric"], []).append([float(row["step"]), float(row["value"])])
    assert found["loss"] == json.loads(own.read_text())
    assert found["acc"] == [[epoch, epoch / 8] for epoch in range(1, 7)]


def test_the_end_waits_for_what_was_reported_last(api: Api) -> None:
    code = (
        "from jupyter_training import report\n"
        "for step in range(100_000): report(step=step, loss=step)"
    )
    told = api.ended(api.submit(python(code))["job_id"])
    assert told["metrics"] == {"loss": 99_999}


def test_a_server_that_does_not_schedule_tells_of_new_points_too(
    home: Home, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    leader, other = home.start(), home.start()
    wait = f"open({str(go)!r}).read()"
    code = f"from jupyter_training import report; {wait}; report(step=1, loss=1); {wait}"
    job_id = leader.api.submit(python(code))["job_id"]
    other.api.status(job_id, "running")
    path = f"api/training-jobs/{job_id}/metrics"
    tag = other.api.get(path).headers["ETag"]
    threading.Timer(0.3, lambda: go.open("w").close()).start()
    while True:
        answer = other.api.get(f"{path}?wait=60", headers={"If-None-Match": tag})
        if answer.status_code == 200:
            break  # a machine may be so slow that there was none in the first minute
    assert answer.json()["series"][0]["values"] == [1]
    assert answer.elapsed.total_seconds() < 50  # not when the minute was over
    go.open("w").close()
