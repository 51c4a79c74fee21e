"""Data sets over REST, from Python and from a terminal, and in jobs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NAP, Api, Home, Server, python

READ = """
import os, pathlib
place = pathlib.Path(os.environ["JUPYTER_TRAINING_DATASETS"])
for one in sorted(place.iterdir()):
    print(one.name, one.read_text() if one.is_file() else sorted(os.listdir(one)))
"""


@pytest.fixture(autouse=True)
def removed_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """The server is one for many tests."""
    yield
    if "server" in request.fixturenames:
        api: Api = request.getfixturevalue("server").api
        for one in api.get("api/training-datasets").json():
            api.ask("DELETE", f"api/training-datasets/{one['id']}")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data of ada"
    (data / "digits").mkdir(parents=True)
    (data / "digits" / "0.png").write_bytes(b"0")
    (data / "labels.csv").write_text("a,b")
    return data


def register(api: Api, name: str, path: Path | str, status: int = 201) -> dict[str, Any]:
    answer = api.post("api/training-datasets", json={"name": name, "path": str(path)})
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_register_list_look_and_remove(api: Api, data: Path) -> None:
    assert api.get("api/training-datasets").json() == []
    answer = api.post(
        "api/training-datasets",
        json={"name": "digits", "path": str(data / "digits"), "description": "8x8"},
    )
    told = answer.json()
    assert (told["name"], told["path"], told["description"]) == (
        "digits",
        str(data / "digits"),
        "8x8",
    )
    assert api.get(answer.headers["Location"].lstrip("/")).json() == told
    assert api.get("api/training-datasets/digits").json() == told
    assert api.get("api/training-datasets").json() == [told]
    assert register(api, "digits", data / "digits", 200) == told
    assert register(api, "digits", data, 409)["reason"] == "conflict"
    assert api.ask("DELETE", "api/training-datasets/digits").status_code == 204
    gone = api.get("api/training-datasets/digits")
    assert (gone.status_code, gone.json()["reason"]) == (404, "no_such_dataset")
    assert (data / "digits" / "0.png").exists()


def test_a_relative_path_is_below_the_root_directory(server: Server, api: Api) -> None:
    home = server.home
    (home.path / "work" / "here").mkdir()
    assert register(api, "here", "here")["path"] == str(home.path / "work" / "here")


def test_a_path_has_to_be_one_that_jobs_may_see(server: Server, api: Api, tmp_path: Path) -> None:
    home = server.home
    (home.path / "work" / "out").symlink_to("/etc")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    os.mkfifo(tmp_path / "fifo")
    for path, said in (
        (tmp_path / "nothing", "No such file or directory"),
        (home.data_dir, "own directory"),
        (home.data_dir / "training.db", "own directory"),
        (home.data_dir.parent, "contains the server's own directory"),
        (home.path / "runtime", "is inside the server's own directory"),
        ("out/passwd", "directory of the system"),
        (tmp_path / "circle", "cannot be used"),
        (tmp_path / "fifo", "neither a file nor a directory"),
        ("~nobody-of-this-name/x", "cannot be used"),
        ("x" * 5000, "4096"),
    ):
        told = register(api, "x", path, 400)
        (error,) = told["errors"]
        assert error["field"] == "path"
        assert said in error["message"], error
    assert api.get("api/training-datasets").json() == []


def test_an_administrator_says_where_data_sets_are(home: Home, data: Path) -> None:
    api = home.start(dataset_dirs=data / "digits").api
    assert "is not in" in register(api, "x", data, 400)["errors"][0]["message"]
    link = data / "digits" / "link"
    link.symlink_to(data / "labels.csv")
    assert "is not in" in register(api, "x", link, 400)["errors"][0]["message"]
    assert register(api, "x", data / "digits")["path"] == str(data / "digits")


def test_a_job_finds_its_data_sets_under_their_names(api: Api, data: Path) -> None:
    number = register(api, "digits", data / "digits")["id"]
    register(api, "labels.csv", data / "labels.csv")
    told = api.ended(api.submit(python(READ), dataset_ids=["labels.csv", number])["job_id"])
    assert told["status"] == "completed", told["reason"]
    assert api.log(told["job_id"]) == ["digits ['0.png']", "labels.csv a,b"]
    assert sorted(told["dataset_ids"]) == [number, number + 1]
    assert api.ended(api.submit(python(READ))["job_id"])["cause"] == "user_error"
    # Deleting the job deletes its links and nothing behind them.
    assert api.ask("DELETE", f"api/training-jobs/{told['job_id']}").status_code == 204
    assert (data / "digits" / "0.png").read_bytes() == b"0"


def test_what_is_not_there_is_refused(api: Api, data: Path) -> None:
    number = register(api, "digits", data / "digits")["id"]
    spec = {"name": "x", "command": "true"}
    for wrong, said in (
        ([number + 7], f"no data set with the number {number + 7}"),
        (["letters"], "no data set with the name letters"),
        ([True], "numbers or names"),
        (["../x"], "numbers or names"),
        ("digits", "list"),
    ):
        answer = api.post("api/training-jobs", json={**spec, "dataset_ids": wrong})
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert error["field"] == "dataset_ids"
        assert said in error["message"], error
    (data / "digits").rename(data / "elsewhere")
    answer = api.post("api/training-jobs", json={**spec, "dataset_ids": [number]})
    assert "its data set digits is not available" in answer.json()["errors"][0]["message"]
    (data / "digits").symlink_to(data / "elsewhere")
    answer = api.post("api/training-jobs", json={**spec, "dataset_ids": [number]})
    assert "a link there leads to" in answer.json()["errors"][0]["message"]


def test_one_in_use_cannot_be_removed(api: Api, data: Path) -> None:
    register(api, "digits", data / "digits")
    job_id = api.submit(NAP, dataset_ids=["digits"])["job_id"]
    refused = api.ask("DELETE", "api/training-datasets/digits")
    assert refused.status_code == 409
    assert "is used by a job that has not ended" in refused.json()["message"]
    api.cancel(job_id)
    assert api.ask("DELETE", "api/training-datasets/digits").status_code == 204
    again = api.post(f"api/training-jobs/{job_id}/retry")
    assert again.status_code == 409
    assert "there is no data set with the number" in again.json()["message"]


def test_one_that_vanished_while_the_job_waited_fails_the_job_in_words(
    api: Api, data: Path
) -> None:
    register(api, "digits", data / "digits")
    cores = api.get("api/training-resources").json()["total"]["cpu_cores"]
    first = api.submit(NAP, cpu_cores=cores)["job_id"]
    api.status(first, "running")
    waits = api.submit("true", dataset_ids=["digits"])["job_id"]
    (data / "digits").rename(data / "elsewhere")
    api.post(f"api/training-jobs/{first}/cancel")
    told = api.ended(waits)
    assert (told["status"], told["cause"]) == ("failed", "launch_failed")
    assert "its data set digits is not available" in told["reason"]
    # The scheduler goes on with others.
    assert api.ended(api.submit("true")["job_id"])["status"] == "completed"


def test_who_registered_one_removes_it(server: Server, data: Path) -> None:
    register(server.api, "digits", data / "digits")
    other = server.api_of("bob")
    assert [one["name"] for one in other.get("api/training-datasets").json()] == ["digits"]
    refused = other.ask("DELETE", "api/training-datasets/digits")
    assert (refused.status_code, refused.json()["reason"]) == (403, "forbidden")
    assert other.ended(other.submit(python(READ), dataset_ids=["digits"])["job_id"])["status"] == (
        "completed"
    )


def test_from_python_and_from_a_terminal(server: Server, data: Path) -> None:
    code = """
from jupyter_training import list_datasets, register_dataset, remove_dataset, submit
print(list_datasets())
one = register_dataset("digits", "digits", "8x8")
print(list_datasets())
job = submit("true", cpu_cores=1, memory_gb=1, dataset_ids=["digits"]).wait()
print(job.told["status"], job.told["dataset_ids"] == [one["id"]])
remove_dataset("digits")
"""
    run = {"env": server.home.env, "cwd": data, "capture_output": True, "text": True}
    said = subprocess.run([sys.executable, "-c", code], check=False, **run)  # type: ignore[call-overload]
    assert said.returncode == 0, said.stderr
    assert "There are no data sets yet" in said.stdout
    assert str(data / "digits") in said.stdout
    assert "completed True" in said.stdout

    def training(*words: str) -> str:
        done = subprocess.run(  # type: ignore[call-overload]
            [sys.executable, "-m", "jupyter_training", *words], check=False, **run
        )
        return str(done.stdout + done.stderr)

    assert "jupyter training: name: should be a plain" in training("register", "a/b", "labels.csv")
    assert "labels is data set" in training("register", "labels", "labels.csv")
    assert str(data / "labels.csv") in training("datasets")
    small = ("--cpus", "1", "--memory", "1")
    run_it = ("run", *small, "--name", "reader", "--dataset", "labels")
    shown = training(*run_it, sys.executable, "-c", READ)
    assert "labels a,b" in shown
    assert re.search(r"data sets +labels$", training("show", "reader"), re.MULTILINE)
    assert "--dataset: there is no data set with the name nothing" in training(
        "run", *small, "-d", "nothing", "true"
    )
    assert "is not a data set any more" in training("unregister", "labels")
    assert "There is no data set labels" in training("unregister", "labels")
