"""The example notebooks, from the first cell to the last, in a kernel that no server knows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.conftest import Home
from tests.notebook.conftest import end
from tests.patience import PATIENCE_S

BINDER = Path(__file__).parents[2] / "binder"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A user with the examples, and with the server that the first one of them starts."""
    made = Home(tmp_path_factory.mktemp("home"))
    shutil.copytree(BINDER, made.path / "work")
    yield made
    for server in (made.path / "runtime" / "training-servers").glob("*.json"):
        end(int(server.stem))


def outputs_of(home: Home, name: str) -> str:
    """What the cells of a notebook put out when all of them are run."""
    path = home.path / "work" / name
    # So many epochs are trained where the README's first command is tested.
    path.write_text(path.read_text().replace(r"\"30\"", r"\"12\""))
    nbclient = [sys.executable, "-c", "from nbclient.cli import main; main()"]
    done = subprocess.run(
        [*nbclient, f"--startup_timeout={PATIENCE_S:.0f}", "--inplace", name],
        cwd=path.parent,
        env=home.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return json.dumps([cell.get("outputs") for cell in notebook.cells])


def test_the_quickstart_runs_from_top_to_bottom(home: Home) -> None:
    outputs = outputs_of(home, "quickstart.ipynb")
    assert "starting one in the background" in outputs
    assert "('completed', 100)" in outputs
    assert "'cancelled'" in outputs
    assert "Accuracy on held-out digits: 0.9" in outputs


def test_values_functions_and_notebooks_go_into_jobs_and_come_back(home: Home) -> None:
    outputs = outputs_of(home, "values.ipynb")
    assert "in: data (" in outputs
    assert "('MLPClassifier', True)" in outputs
    assert "([0.0001, 1.0], True)" in outputs
    assert "InvalidParameterError in the job: The 'alpha' parameter" in outputs
    assert "from sklearn.neural_network import MLPClassifier" in outputs
    assert "experiment.ipynb" in outputs


def test_a_search_has_the_model_of_its_best_trial(home: Home) -> None:
    outputs = outputs_of(home, "search.ipynb")
    assert "(best)" in outputs
    assert "params_alpha" in outputs
    assert "Its accuracy, here again: True" in outputs
    assert "Trials in the study: 6" in outputs
