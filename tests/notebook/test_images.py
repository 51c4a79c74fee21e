"""A job in a container, from where a person writes ``--image``."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import nbformat
import zmq

from tests.conftest import Home, Server
from tests.executors.docker_engine import IMAGE, Engine
from tests.notebook.conftest import Kernel
from tests.patience import PATIENCE_S


def test_a_container_from_a_terminal_and_from_a_notebook(
    home: Home, engine: Engine, kernel_of: Callable[[Server], Kernel]
) -> None:
    container_server = home.start(docker_url=engine.url)
    (home.path / "work" / "train.py").write_text("import sys; print(sys.argv, sys.version_info[0])")
    shown = subprocess.run(
        [
            *(sys.executable, "-m", "jupyter_training", "run", "--cpus", "1", "--memory", "1"),
            *("--image", IMAGE, "train.py", "--lr", "1e-3"),
        ],
        env=home.env,
        cwd=home.path / "work",
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "['train.py', '--lr', '1e-3'] 3" in shown.stdout
    kernel = kernel_of(container_server)
    kernel.run("%load_ext jupyter_training")
    kernel.run(
        f"%%train --name inside --image {IMAGE} --cpus 1 --memory 1 --wait\n"
        "import os; print('in', os.getcwd(), 'with', os.environ['JUPYTER_TRAINING_OUTPUT_DIR'])"
    )
    (job,) = container_server.api.get("api/training-jobs?q=inside").json()
    assert (job["status"], job["executor"]) == ("completed", "docker")
    assert container_server.api.log(job["job_id"]) == ["in /workspace with /training/output"]


def test_a_container_runs_in_the_copy_and_finds_what_is_not_in_it(
    home: Home, engine: Engine
) -> None:
    server = home.start(docker_url=engine.url, data_dir=str(home.path / "work" / "own"))
    project = home.path / "work" / "project"
    (project / "data").mkdir(parents=True)
    (project / "data" / "x").write_text("data")
    (home.path / "work" / "shared").write_text("shared")
    (project / ".trainignore").write_text("data/\n")
    (project / "helper.py").write_text("WORD = 'as it was'")
    (project / "train.py").write_text(
        "import helper, os; print(helper.WORD, open('data/x').read(), open('../shared').read())\n"
        "print(os.getcwd(), os.listdir('/workspace/own'), os.listdir('/training/workspace/own'))\n"
        "open('helper.py', 'w').write('WORD = 3')\n"
    )
    submitted = subprocess.run(
        [
            *(sys.executable, "-m", "jupyter_training", "submit", "--cpus", "1", "--memory", "1"),
            *("--image", IMAGE, "--retries", "0", "train.py"),
        ],
        env=home.env,
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    (project / "helper.py").write_text("WORD = 'edited'")
    job_id = submitted.stdout.strip()
    assert server.api.ended(job_id)["status"] == "completed", server.api.log(job_id)
    assert server.api.log(job_id) == ["as it was data shared", "/workspace/project [] []"]
    assert (project / "helper.py").read_text() == "WORD = 'edited'"


def test_values_and_notebooks_go_into_a_container_and_come_back(
    home: Home, engine: Engine, kernel_of: Callable[[Server], Kernel]
) -> None:
    server = home.start(docker_url=engine.url)
    kernel = kernel_of(server)
    kernel.run("%load_ext jupyter_training\nfrom jupyter_training import get_job")
    kernel.run("config = {'lr': 0.1, 'epochs': [1, 2]}")
    kernel.run(
        f"%%train --name valued --image {IMAGE} --cpus 1 --memory 1 --in config --out best --wait\n"
        "best = [config['lr'] * one for one in config['epochs']]"
    )
    (job,) = server.api.get("api/training-jobs?q=valued").json()
    assert job["status"] == "completed", server.api.log(job["job_id"])
    # With --wait the values are in the notebook at the end of the cell.
    assert kernel.value("best, get_job('valued').result()") == ([0.1, 0.2], [0.1, 0.2])
    path = notebook(home.path / "work" / "mine.ipynb", "lr = 1", "print('with', lr)")
    run = f"-p lr 0.5 --image {IMAGE} --cpus 1 --memory 1"
    kernel.run(f"%train {run} --name lacks {path}")
    (job,) = server.api.get("api/training-jobs?q=lacks").json()
    ended = server.api.ended(job["job_id"])
    # At once: no retry installs it.
    assert (ended["status"], ended["cause"], ended["attempt"]) == ("failed", "launch_failed", 1)
    assert (
        "in its image (pip install papermill ipykernel), and papermill was not found"
        in ended["reason"]
    )
    # The image has no installer, so that it is lent what this Python has.
    lent = {"site": Path(sysconfig.get_paths()["purelib"]), "libraries": home.path / "libraries"}
    copy_libraries(lent["libraries"])
    for name, place in lent.items():
        register = {"name": name, "path": str(place)}
        assert server.api.post("api/training-datasets", json=register).status_code == 201
        run += f" --dataset {name}"
    given = ["PYTHONPATH=/training/datasets/site", "LD_LIBRARY_PATH=/training/datasets/libraries"]
    kernel.run(f"%train {run} --name has --env {given[0]} --env {given[1]} {path}")
    (job,) = server.api.get("api/training-jobs?q=has").json()
    ended = server.api.ended(job["job_id"])
    assert ended["status"] == "completed", server.api.log(job["job_id"])
    assert {"with 0.5", "Cell 3 of 3 is done"} <= {*server.api.log(job["job_id"])}
    executed = nbformat.read(Path(ended["output_dir"]) / "mine.ipynb", 4)  # type: ignore[no-untyped-call]
    assert executed.cells[-1].outputs[0]["text"] == "with 0.5\n"


def notebook(path: Path, *cells: str) -> Path:
    """A notebook whose first cell has its parameters."""
    made = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    for text in cells:
        made.cells.append(nbformat.v4.new_code_cell(text))  # type: ignore[no-untyped-call]
    made.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(made, path)  # type: ignore[no-untyped-call]
    return path


def copy_libraries(target: Path) -> None:
    """Copy what this Python's own modules, and those of a kernel, are linked to."""
    target.mkdir()
    modules = [*Path(sysconfig.get_paths()["stdlib"], "lib-dynload").glob("*.so")]
    modules += Path(zmq.__file__).parent.rglob("*.so")
    told = subprocess.run(["ldd", *modules], capture_output=True, text=True, check=True).stdout
    for library in set(re.findall(r"=> (/[^\s:]+) \(0x", told)):
        shutil.copy(library, target)
