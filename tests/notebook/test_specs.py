"""Where a job runs that somebody submits from a notebook or a terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.specs import of_cell, of_command, of_fields


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    for script in ("a.py", "sub/b.py", "sub/c.ipynb"):
        (tmp_path / script).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_script_is_in_the_directory_in_which_it_runs(here: Path) -> None:
    found = of_command(["b.py", "--lr", "1"], cwd="sub")
    assert found == {
        "name": "b",
        "command": [sys.executable, "b.py", "--lr", "1"],
        "working_dir": str(here / "sub"),
    }
    # One that is elsewhere is named as it is seen from there, whose copy has another path.
    assert of_command([str(here / "a.py")], cwd="sub/deep")["command"][1] == "../../a.py"
    assert of_command(["../b.py"], cwd="sub/deep")["command"][1] == "../b.py"
    assert of_cell("1", None, cwd="sub/../sub")["working_dir"] == str(here / "sub")
    assert of_command(["a.py"])["working_dir"] == str(here)


def test_what_is_not_there_is_told(here: Path) -> None:
    with pytest.raises(TrainingError, match=r"There is no script .*/sub/a\.py\.$"):
        of_command(["a.py"], cwd="sub")
    with pytest.raises(TrainingError, match=f"There is no directory {here}/nowhere"):
        of_cell("1", None, cwd="nowhere")
    with pytest.raises(TrainingError, match="runs in its own directory"):
        of_command(["c.ipynb"], cwd="sub")


def test_an_image_may_have_directories_that_are_not_here(here: Path) -> None:
    found = of_command(["train.py"], "trainer:2", "/app")
    assert (found["working_dir"], found["command"]) == ("/app", ["python3", "train.py"])


def test_in_python_it_is_a_field_like_others(here: Path) -> None:
    found = of_fields(["b.py"], {"name": "x", "working_dir": "sub"}, None)
    assert (found["name"], found["working_dir"]) == ("x", str(here / "sub"))
    # What is no directory here may be one of the server.
    assert of_fields(["a.py"], {"working_dir": "theirs"}, None)["working_dir"] == "theirs"
