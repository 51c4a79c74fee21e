"""Pipelines from cells, from Python and from files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.pipelines import Collected, Pipeline, of_file
from jupyter_training.notebook.tables import StageTable
from tests.conftest import Server
from tests.notebook.conftest import Kernel

WRITES = """
import os
from pathlib import Path
Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"], "number").write_text("42")
"""
READS = """
import os
from pathlib import Path
print("read", Path(os.environ["JUPYTER_TRAINING_INPUTS"], "prepare", "number").read_text())
"""


def test_cells_form_a_pipeline_that_one_line_submits(kernel: Kernel, server: Server) -> None:
    small = "--cpus 1 --memory 1"
    first = kernel.run(f"%%train --pipeline cellwork --stage prepare {small}\n{WRITES}")
    assert "Stage prepare of cellwork; %train_pipeline submits all of these:" in first.text
    assert not server.api.get("api/training-jobs?q=cellwork").json()
    again = f"%%train --stage fit --after prepare {small} --pipeline cellwork\n"
    kernel.run(again + "raise SystemExit('to be replaced')")
    told = kernel.run(again + READS).text
    assert told.count("fit") == 2  # its own line, and one in the table
    assert "prepare" in told
    shown = kernel.run("%train_pipeline --wait").text
    assert "cellwork" in shown
    pipe = kernel.value("vars(__import__('jupyter_training').get_job('cellwork'))")["told"]
    assert (pipe["status"], pipe["job_type"]) == ("completed", "pipeline")
    assert kernel.value("list(__import__('jupyter_training').get_job('cellwork').stages)") == [
        "prepare",
        "fit",
    ]
    assert "read 42" in kernel.run("%train_logs cellwork/fit").text
    kernel.run("%train_pipeline --cache --wait")
    again = kernel.value("vars(__import__('jupyter_training').get_job('cellwork'))")["told"]
    assert (again["status"], again["id"] > pipe["id"]) == ("completed", True)
    parts = server.api.get(f"api/training-jobs/{again['job_id']}/children").json()
    assert all(part["reused_from"] for part in parts)
    assert [row[3] for row in StageTable(parts).rows] == ["reused", "reused"]
    for magic, did in (("%train_logs", "printed"), ("%train_metrics", "measured")):
        told = kernel.run(f"{magic} cellwork").text
        assert (
            f"cellwork has {did} nothing itself, but its stages may have: cellwork/prepare" in told
        )


def test_what_is_wrong_is_told_in_a_sentence_with_the_names(kernel: Kernel) -> None:
    kernel.run("%train_pipeline cellwork --forget")  # which another test may have described
    for line, told in (
        ("%train_pipeline", "no cell has described a stage of a pipeline yet"),
        ("%train_pipeline moon", "of a pipeline moon yet"),
        ("%%train --after x\npass", "name it by --stage"),
        ("%%train --stage x --name y\npass", "a stage is named by --stage"),
        ("%%train --stage x --wait\npass", "%train_pipeline submits it"),
    ):
        error = kernel.run(line).error
        assert error.startswith("UsageError")
        assert told in error
    kernel.run("%%train --pipeline loop --stage a --after b\npass")
    kernel.run("%%train --pipeline loop --stage b --after a\npass")
    assert "a after b after a is a cycle" in kernel.run("%train_pipeline").error
    assert "forgotten" in kernel.run("%train_pipeline --forget").text
    assert "no cell has described" in kernel.run("%train_pipeline loop").error


def test_a_stage_that_names_no_pipeline_is_of_the_one_that_has_what_it_goes_after() -> None:
    cells = Collected()
    cells.add("digits", "prepare", {}, [])
    cells.add("words", "prepare", {}, [])
    cells.add("words", "split", {}, ["prepare"])
    assert cells.having(["split"], "notebook") == "words"
    assert cells.having(["prepare"], "notebook") == "words"
    assert cells.having([], "notebook") == cells.having(["fit"], "notebook") == "notebook"
    cells.add("notebook", "prepare", {}, [])
    assert cells.having(["prepare"], "notebook") == "notebook"


def test_a_pipeline_in_python() -> None:
    pipeline = (
        Pipeline("cellwork", cpu_cores=2, cache=True)
        .stage("prepare", "python prepare.py --all")
        .stage("fit", ["python", "fit.py"], after="prepare", gpu_count=1)
        .stage("evaluate", "python evaluate.py", after=["prepare", "fit"])
    )
    spec = pipeline.spec
    assert (spec["name"], spec["cpu_cores"], spec["cache"]) == ("cellwork", 2, True)
    stages = {stage["name"]: stage for stage in spec["stages"]}
    assert [stage["depends_on"] for stage in stages.values()] == [
        [],
        ["prepare"],
        ["prepare", "fit"],
    ]
    assert stages["fit"]["command"] == [sys.executable, "fit.py"]
    assert stages["fit"]["gpu_count"] == 1
    assert "evaluate  prepare, fit" in repr(pipeline)
    assert "<td" in pipeline._repr_html_()


FILE = """
cpu_cores: 1
memory_gb: 1
stages:
  - name: prepare
    command: python write.py
  - {name: fit, command: read.py, depends_on: [prepare]}
"""


def test_a_file_names_scripts_that_lie_next_to_it(tmp_path: Path) -> None:
    file = tmp_path / "cellwork.yaml"
    file.write_text(FILE)
    (tmp_path / "read.py").touch()
    spec = of_file(file)
    assert (spec["name"], spec["working_dir"]) == ("cellwork", str(tmp_path))
    prepare, fit = spec["stages"]
    assert prepare["command"] == [sys.executable, "write.py"]
    assert fit["command"] == [sys.executable, "read.py"]
    (tmp_path / "read.py").unlink()
    with pytest.raises(TrainingError, match=f"There is no script {tmp_path}/read.py"):
        of_file(file)
    assert fit["depends_on"] == ["prepare"]
    file = tmp_path / "same.json"
    file.write_text(json.dumps({"name": "cellwork", "stages": [{"name": "a", "command": "true"}]}))
    assert of_file(file)["stages"][0]["name"] == "a"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read: No such file"),
        ("a: [", "is neither YAML nor JSON"),
        ("- 1", "does not describe a job"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str | None, words: str) -> None:
    file = tmp_path / "pipe.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(TrainingError, match=words):
        of_file(file)


def test_stages_as_a_table() -> None:
    def child(key: str, status: str, **more: Any) -> dict[str, Any]:
        told = {"job_id": f"job-{key}", "child_key": key, "status": status, "progress": 0}
        times = {"started_at": None, "completed_at": None}
        return {**told, **times, "depends_on": [], "reason": None, **more}

    times = {
        "started_at": "2026-01-26T10:00:00.000Z",
        "completed_at": "2026-01-26T11:02:03.000Z",
    }
    table = StageTable(
        [
            child("prepare", "completed", **times),
            child("fit", "running", depends_on=["job-prepare"], reason="<b>"),
        ]
    )
    assert [row[3:5] for row in table.rows] == [("1 h 2 min", ""), ("", "prepare")]
    shown = table._repr_html_()
    assert "</svg>running</span>" in shown
    assert "<b>" not in shown
