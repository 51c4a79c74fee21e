"""Jobs in containers, through a real server and a real engine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.executors.containers import ATTEMPT, INSTALLATION, JOB
from jupyter_training.server.identity import TrainingTokens
from tests.conftest import Api, Home, Server
from tests.executors.docker_engine import IMAGE, Engine
from tests.patience import until

IN_IMAGE: dict[str, Any] = {"image": IMAGE}


def python(code: str) -> list[str]:
    return ["python3", "-c", code]


@pytest.fixture
def container_server(engine: Engine, home: Home) -> Server:
    return home.start(docker_url=engine.url, gpus=2)


@pytest.fixture
def containers(container_server: Server) -> Api:
    return container_server.api


def none_is_left(engine: Engine, home: Home) -> None:
    """Return when there is no container any more; one is removed right after its end was told."""
    until(lambda: not running(engine, home))


def running(engine: Engine, home: Home) -> list[dict[str, Any]]:
    """The containers of a home's servers, as others use the engine, too."""
    ours = f"{INSTALLATION}={TrainingTokens(home.data_dir).installation}"
    client = engine.client
    try:
        return list(client.containers(all=True, filters={"label": ours}))
    finally:
        client.close()


def test_tc_02_and_04_a_container_runs_with_what_was_asked_for(
    containers: Api, home: Home, engine: Engine
) -> None:
    (home.path / "work" / "data.txt").write_text("from the workspace\n")
    code = """
import json, os, pathlib, sys
from jupyter_training import report
print(pathlib.Path("data.txt").read_text(), end="")
report(step=1, loss=0.5, progress=0.4)
output = pathlib.Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"], "model.json")
output.write_text(json.dumps(dict(os.environ)))
print("Epoch 1/2 - loss: 0.5")
"""
    told = containers.ended(
        containers.submit(python(code), gpu_count=1, env_vars={"LR": "-1e-3"}, **IN_IMAGE)["job_id"]
    )
    assert (told["status"], told["executor"], told["progress"]) == ("completed", "docker", 100)
    assert containers.log(told["job_id"]) == ["from the workspace", "Epoch 1/2 - loss: 0.5"]
    assert containers.history(told["job_id"]) == ["pending", "scheduled", "running", "completed"]
    env = json.loads((Path(told["output_dir"]) / "model.json").read_text())
    assert (env["LR"], env.get("PWD", "/workspace")) == ("-1e-3", "/workspace")
    assert told["gpus"] == [env["CUDA_VISIBLE_DEVICES"]] == [env["NVIDIA_VISIBLE_DEVICES"]]
    metrics = home.data_dir / "jobs" / told["job_id"] / "attempt-1" / "metrics.jsonl"
    assert json.loads(metrics.read_text())["metrics"] == {"loss": 0.5}
    none_is_left(engine, home)


def test_the_callbacks_are_found_in_every_image(containers: Api) -> None:
    code = """
from jupyter_training.integrations import _report
_report(3, {"loss": 0.25, "step": 9}, 0.5)
try:
    from jupyter_training.integrations import KerasCallback
except ImportError as error:
    print(error)
"""
    told = containers.ended(containers.submit(python(code), **IN_IMAGE)["job_id"])
    (line,) = containers.log(told["job_id"])
    assert line.startswith("KerasCallback needs keras, which cannot be imported here")
    assert told["metrics"] == {"loss": 0.25}
    answer = containers.get(f"api/training-jobs/{told['job_id']}/metrics").json()
    assert answer["series"][0]["steps"] == [3]


def test_a_cell_runs_in_an_image_too(containers: Api) -> None:
    script = {"name": "cell.py", "text": "import sys; print(sys.argv, __file__)\n"}
    job_id = containers.submit(["python3", "{script}", "x"], script=script, **IN_IMAGE)["job_id"]
    assert containers.ended(job_id)["status"] == "completed"
    at = "/training/code/cell.py"
    assert containers.log(job_id) == [f"['{at}', 'x'] {at}"]


def test_results_are_found_where_the_job_wanted_to_put_them(containers: Api) -> None:
    code = "open('/results/model', 'w').write('weights')"
    told = containers.ended(
        containers.submit(python(code), output_path="/results", **IN_IMAGE)["job_id"]
    )
    assert told["status"] == "completed"
    assert (Path(told["output_dir"]) / "model").read_text() == "weights"


def test_a_job_cannot_reach_its_own_records(containers: Api, home: Home) -> None:
    code = f"import os; print([os.path.exists(p) for p in ({str(home.data_dir)!r}, '/workspace')])"
    job_id = containers.submit(python(code), **IN_IMAGE)["job_id"]
    assert containers.ended(job_id)["status"] == "completed"
    assert containers.log(job_id) == ["[False, True]"]


def test_data_sets_are_mounted_read_only(containers: Api, tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "0.png").write_bytes(b"0")
    (tmp_path / "labels.csv").write_text("a,b")
    for name in ("digits", "labels.csv"):
        spec = {"name": name, "path": str(tmp_path / name)}
        assert containers.post("api/training-datasets", json=spec).status_code == 201
    code = """
import os, pathlib
place = pathlib.Path(os.environ["JUPYTER_TRAINING_DATASETS"])
print(place, sorted(os.listdir(place)), (place / "labels.csv").read_text())
for one in (place / "digits" / "1.png", place / "digits" / "0.png", place / "labels.csv"):
    try:
        one.write_text("changed")
    except OSError as error:
        print(error.strerror)
"""
    asked = {"dataset_ids": ["digits", "labels.csv"], **IN_IMAGE}
    job_id = containers.submit(python(code), **asked)["job_id"]
    told = containers.ended(job_id)
    assert told["status"] == "completed", told["reason"]
    assert containers.log(job_id) == [
        "/training/datasets ['digits', 'labels.csv'] a,b",
        *["Read-only file system"] * 3,
    ]


def test_what_is_ours_below_the_root_directory_is_not_seen(engine: Engine, home: Home) -> None:
    """As with a server for one user, whose root directory is their home."""
    api = home.start(root=home.path, docker_url=engine.url, data_dir=home.path / "own").api
    (home.path / "notes.txt").write_text("mine")
    code = """
import os
print(sorted(os.listdir(".")))
for name in ("own", "runtime", "config"):
    print(name, os.listdir(name))
    try:
        open(name + "/x", "w")
    except OSError as error:
        print(error.strerror)
"""
    job_id = api.submit(python(code), **IN_IMAGE)["job_id"]
    told = api.ended(job_id)
    assert told["status"] == "completed", told["reason"]
    log = api.log(job_id)
    assert "'notes.txt'" in log[0]
    assert log[1:] == [
        line for name in ("own", "runtime", "config") for line in (f"{name} []", log[2])
    ]
    assert log[2] in ("Read-only file system", "Permission denied")


def test_only_the_images_that_are_allowed_run(engine: Engine, home: Home) -> None:
    server = home.start(docker_url=engine.url, docker_images="some/other")
    spec = {"name": "x", "command": "true", **IN_IMAGE}
    refused = server.api.post("api/training-jobs", json=spec)
    assert refused.status_code == 400
    (error,) = refused.json()["errors"]
    assert error["field"] == "image"
    assert "is not one that this server allows: some/other" in error["message"]
    # A job that was submitted before the administrator said so does not run either.
    server.stop()
    server = home.start(docker_url=engine.url)
    nap = server.api.submit(python("import time; time.sleep(600)"), cpu_cores=2)["job_id"]
    server.api.status(nap, "running")
    waits = server.api.submit("true", **IN_IMAGE)["job_id"]
    server.kill()
    server = home.start(docker_url=engine.url, docker_images="some/other")
    server.api.post(f"api/training-jobs/{nap}/cancel")
    told = server.api.ended(waits)
    assert (told["status"], told["cause"]) == ("failed", "image_unavailable")


def test_a_root_directory_of_everything_is_nothing_for_containers(
    engine: Engine, home: Home
) -> None:
    api = home.start(root=Path("/"), docker_url=engine.url).api
    answer = api.post("api/training-jobs", json={"name": "x", "command": "true", **IN_IMAGE})
    assert answer.status_code == 400
    assert "would see all files of this machine" in answer.json()["errors"][0]["message"]


def test_tc_05_and_06_a_container_that_fails_is_retried(containers: Api) -> None:
    told = containers.ended(
        containers.submit(python("raise SystemExit(3)"), max_retries=1, **IN_IMAGE)["job_id"]
    )
    assert (told["status"], told["attempt"], told["exit_code"]) == ("failed", 2, 3)


def test_tc_07_a_cancelled_container_is_stopped_and_gone(
    containers: Api, home: Home, engine: Engine
) -> None:
    code = "import time; print('up', flush=True); time.sleep(600)"
    job_id = containers.submit(python(code), **IN_IMAGE)["job_id"]
    containers.printed(job_id, "up")
    (container,) = running(engine, home)
    assert container["Labels"][JOB] == job_id
    assert container["Labels"][INSTALLATION]
    assert container["Labels"][ATTEMPT]
    assert containers.cancel(job_id)["status"] == "cancelled"
    none_is_left(engine, home)


def test_a_container_outlives_a_killed_server_with_its_log(
    container_server: Server, home: Home, engine: Engine
) -> None:
    code = """
import os, time
print("one", flush=True)
while not os.path.exists("go"): time.sleep(0.01)
print("two")
raise SystemExit(7)
"""
    api = container_server.api
    job_id = api.submit(python(code), max_retries=0, **IN_IMAGE)["job_id"]
    api.printed(job_id, "one")
    container_server.kill()
    (home.path / "work" / "go").touch()
    second = home.start(docker_url=engine.url)
    told = second.api.ended(job_id)
    assert (told["status"], told["exit_code"], told["attempt"]) == ("failed", 7, 1)
    assert second.api.log(job_id) == ["one", "two"]
    none_is_left(engine, home)


def test_an_image_that_is_nowhere_is_not_tried_again(containers: Api) -> None:
    job_id = containers.submit("true", image="127.0.0.1:9/no/such:image")["job_id"]
    told = containers.ended(job_id)
    assert (told["status"], told["cause"], told["attempt"]) == ("failed", "image_unavailable", 1)
    assert "127.0.0.1:9" in told["reason"]


def test_a_job_says_that_its_image_is_pulled(containers: Api) -> None:
    image = "192.0.2.1:5000/of/nobody"  # nobody answers there, or nobody can be reached
    for more in ({}, {"job_type": "distributed", "nodes": 2}):
        job_id = containers.submit("true", image=image, **more)["job_id"]
        # Whoever looks too late finds that it has failed.
        until(lambda: reasons_to_wait(containers, job_id))  # noqa: B023
        assert reasons_to_wait(containers, job_id)[0] == f"pulling the image {image}"


def reasons_to_wait(api: Api, job_id: str) -> list[str]:
    """Why a job that was given resources did not run yet, as everybody was told."""
    changes = api.get("api/training-changes?since=0&limit=1000").json()["changes"]
    of_job = [one for one in changes if one["job_id"] == job_id and one["change"] == "waits"]
    assert all(one["status"] == "scheduled" for one in of_job)
    return [one["reason"] for one in of_job]


def test_without_an_engine_an_image_is_refused_at_once(api: Api) -> None:
    spec = {"name": "x", "command": "true", "image": "python:3"}
    for more, said in (
        ({}, "no container can be run"),
        ({"executor": "local"}, "an image needs the executor docker"),
    ):
        answer = api.post("api/training-jobs", json={**spec, **more})
        assert answer.status_code == 400
        assert said in answer.json()["errors"][0]["message"]


def test_several_can_be_told_apart_from_others(containers: Api, home: Home, engine: Engine) -> None:
    client = engine.client
    foreign = client.create_container(IMAGE, ["sleep", "600"], labels={INSTALLATION: "another"})
    try:
        job_id = containers.submit(python("pass"), **IN_IMAGE)["job_id"]
        assert containers.ended(job_id)["status"] == "completed"
        none_is_left(engine, home)
        assert client.inspect_container(foreign["Id"])["State"]["Status"] == "created"
    finally:
        client.remove_container(foreign["Id"], force=True)
        client.close()


def test_a_container_reads_what_a_local_stage_has_left_and_cannot_change_it(
    containers: Api,
) -> None:
    leaves = "import os; open(os.environ['JUPYTER_TRAINING_OUTPUT_DIR'] + '/told', 'w').write('42')"
    reads = """
import os
from pathlib import Path
told = Path(os.environ["JUPYTER_TRAINING_INPUTS"], "prepare", "told")
print(told, told.read_text())
try:
    told.write_text("43")
except OSError as error:
    print(error.strerror)
"""
    stages = [
        {"name": "prepare", "command": [sys.executable, "-c", leaves]},
        {"name": "fit", "command": python(reads), "depends_on": ["prepare"], **IN_IMAGE},
    ]
    spec = {"name": "pipe", "stages": stages, "cpu_cores": 1, "memory_gb": 1}
    job_id = containers.post("api/training-jobs", json=spec).json()["job_id"]
    assert containers.ended(job_id)["status"] == "completed"
    fit = containers.get(f"api/training-jobs/{job_id}/children").json()[1]
    assert containers.log(fit["job_id"]) == [
        "/training/inputs/prepare/told 42",
        "Read-only file system",
    ]
