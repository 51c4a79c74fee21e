"""What jobs have measured, in a notebook, from Python and from a terminal."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_training.notebook.display import View, how_far, measured
from jupyter_training.notebook.metrics import Metrics, Series
from tests.conftest import Api, Server
from tests.conftest import python as running_python
from tests.notebook.conftest import Kernel
from tests.notebook.test_outputs import environment, python, training

TRAINS = r"""
from jupyter_training import report
for step in range(1, 2001):
    report(step=step, loss=1 / step, **({"val\x1b[31m<b>": step} if step % 1000 == 0 else {}))
report(step=2001, loss=float("nan"))
print("Epoch 1/1 - acc: 0.5")
"""


@pytest.fixture(scope="module")
def job_id(server: Server) -> str:
    """A job that has measured something."""
    job_id: str = server.api.submit(running_python(TRAINS), name="measures")["job_id"]
    assert server.api.ended(job_id)["status"] == "completed"
    return job_id


def test_the_metrics_of_a_handle(server: Server, tmp_path: Path, job_id: str) -> None:
    said = python(
        server,
        tmp_path,
        f"""
        job = get_job({job_id!r})
        metrics = job.metrics()
        loss = metrics["loss"]
        print(list(metrics), loss.source, loss.points, len(loss.values) <= 500, loss.latest)
        print(loss.steps[0], loss.values[0], metrics.latest["acc"], metrics["acc"].source)
        print(list(job.metrics("acc,loss")), list(job.metrics(["acc"])), job.metrics("x").latest)
        every = job.metrics("loss", max_points=None)["loss"]
        print(len(every.values), every.steps[:3], abs(every.times[0] - loss.times[0]) < 0.01)
        table = job.metrics(max_points=None).to_pandas()
        print(table.shape, table.index.name, table["loss"][4], table["acc"].dropna().tolist())
        print(loss.to_pandas().min() == 1 / 2000)
        """,
    ).splitlines()
    assert said == [
        "['loss', 'val\\x1b[31m<b>', 'acc'] reported 2001 True nan",
        "1 1.0 0.5 printed",
        "['acc', 'loss'] ['acc'] {}",
        "2001 [1, 2, 3] True",
        "(2001, 3) step 0.25 [0.5]",
        "True",
    ]


def test_without_pandas_it_is_said_what_to_install(
    server: Server, tmp_path: Path, job_id: str
) -> None:
    said = python(
        server,
        tmp_path,
        f"""
        import sys
        sys.modules["pandas"] = None
        try:
            get_job({job_id!r}).metrics().to_pandas()
        except Exception as error:
            print(error)
        """,
    )
    assert "pip install 'jupyter-training[pandas]'" in said


def test_the_metrics_in_a_terminal(server: Server, tmp_path: Path, job_id: str) -> None:
    table = training(server, tmp_path, "metrics", job_id)
    assert table.returncode == 0, table.stderr
    head, loss, *_ = table.stdout.splitlines()
    assert head.split() == ["metric", "last", "at", "step", "lowest", "highest", "points", "source"]
    assert loss.split() == ["loss", "nan", "2001", "5e-4", "1", "2001", "reported"]
    assert "\x1b" not in table.stdout
    told = json.loads(
        training(server, tmp_path, "metrics", job_id, "--json", "--names", "acc").stdout
    )
    assert [one["name"] for one in told["series"]] == ["acc"]
    lines = training(server, tmp_path, "metrics", "measures", "--csv", "--names", "loss").stdout
    assert len(list(csv.DictReader(io.StringIO(lines)))) == 2001
    wrong = training(server, tmp_path, "metrics", job_id, "--attempt", "7")
    assert wrong.returncode == 1
    assert "it has had 1" in wrong.stderr
    assert "loss nan" in training(server, tmp_path, "list").stdout


def test_whoever_has_read_enough_of_a_csv_may_go(
    server: Server, tmp_path: Path, job_id: str
) -> None:
    words = [sys.executable, "-m", "jupyter_training", "metrics", job_id, "--csv"]
    with subprocess.Popen(
        words, env=environment(server), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(6) == b"metric"
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_the_magic_and_the_display(
    server: Server, kernel_of: Callable[[Server], Kernel], api: Api, tmp_path: Path
) -> None:
    kernel, go = kernel_of(server), tmp_path / "go"
    os.mkfifo(go)
    kernel.run("%load_ext jupyter_training")
    cell = kernel.run(
        "%%train --name shows --cpus 1 --memory 1\n"
        "from jupyter_training import report\n"
        f"report(step=1, **{{'loss <b>': 0.25}}); open({str(go)!r}).read()\n"
    )
    seen = kernel.updated(cell.display_id, lambda data: "loss" in data["text/html"])
    assert "loss &lt;b&gt; 0.25" in seen["text/html"]
    assert "loss <b> 0.25" in seen["text/plain"]
    table = kernel.run("%train_metrics shows")
    assert ">loss &lt;b&gt;</td>" in table.html
    assert "0.25" in table.text
    assert "Nothing was measured" in kernel.run("%train_metrics shows --names x").text
    go.open("w").close()


TOLD = {
    "name": "x",
    "job_id": "job-1",
    "status": "running",
    "progress": 45,
    "reason": None,
    "remaining_text": "about 5 to 8 min left",
    "metrics": {"loss": 0.123456, "acc": "NaN", "lr": 1e-05, "n": 3, "more": 1},
    "cpu_cores": 1,
    "memory_gb": 1,
    "gpu_count": 0,
    "attempt": 1,
    "queue_position": None,
}


def test_a_job_is_shown_with_its_last_metrics_and_the_time_that_is_left() -> None:
    assert measured(TOLD) == "loss 0.1235 · acc nan · lr 1e-5 · n 3 · …"
    assert how_far(TOLD) == "45 %, about 5 to 8 min left"
    assert how_far({"progress": 3, "remaining_text": None}) == "3 %"
    unknown = {**TOLD, "progress": 99, "progress_known": False, "started_at": "2026-01-26"}
    assert how_far(unknown) == "progress unknown"
    assert "valuenow" not in View(unknown, []).html()
    view = View(TOLD, [])
    for text in (view.text(), view.html()):
        assert "45 %, about 5 to 8 min left" in text
        assert "loss 0.1235" in text


def test_nothing_that_was_measured_is_an_empty_table() -> None:
    nothing = Metrics([], 1, over=False)
    assert nothing.to_pandas().shape == (0, 0)
    assert "Nothing was measured yet" in repr(nothing)
    notice = Metrics([], 1, over=True, notices=["Only <b>"])
    assert "Only &lt;b&gt;" in notice._repr_html_()
    one = Metrics([Series("a", "reported", 2, [1, 1], [0, 0], [1.0, 2.0])], 1, over=True)
    assert one.to_pandas()["a"].to_dict() == {1: 2.0}
