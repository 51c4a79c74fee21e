"""The example notebook, from the first cell to the last, in a kernel that no server knows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from tests.conftest import Home
from tests.notebook.conftest import end

BINDER = Path(__file__).parents[2] / "binder"


def test_the_notebook_runs_from_top_to_bottom(home: Home) -> None:
    work = home.path / "work"
    shutil.copytree(BINDER, work)
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-c", "from nbclient.cli import main; main()"),
                *("--inplace", "quickstart.ipynb"),
            ],
            cwd=work,
            env=home.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    finally:
        for server in (home.path / "runtime" / "training-servers").glob("*.json"):
            end(int(server.stem))
    notebook = nbformat.read(work / "quickstart.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    outputs = json.dumps([cell.get("outputs") for cell in notebook.cells])
    assert "starting one in the background" in outputs
    assert "('completed', 100)" in outputs
    assert "'cancelled'" in outputs
    assert "Accuracy on held-out digits: 0.9" in outputs
