"""A job in a container, from where a person writes ``--image``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from tests.conftest import Home, Server
from tests.executors.docker_engine import IMAGE, Engine
from tests.notebook.conftest import Kernel


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
        timeout=120,
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
