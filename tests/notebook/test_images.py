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
