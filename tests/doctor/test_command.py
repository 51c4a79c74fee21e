"""``jupyter training doctor`` in a terminal, on this machine as it is."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_training._version import __version__
from jupyter_training.doctor.checks import Verdict
from jupyter_training.store.database import Database
from tests.conftest import Home
from tests.patience import PATIENCE_S

DOCTOR = [sys.executable, "-m", "jupyter_training", "doctor"]


def doctor(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DOCTOR, *words],
        env=home.env,
        cwd=home.path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def told(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The checks by their names; the exit code has to be what they say."""
    answer = json.loads(done.stdout)
    assert done.returncode == (0 if answer["jobs_can_run"] else 1)
    assert answer["version"] == __version__
    assert not any(line for line in done.stderr.splitlines()), done.stderr
    return {check["name"]: check for check in answer["checks"]}


def test_a_machine_on_which_jobs_can_run_stays_as_it_is(home: Home) -> None:
    (home.path / "data").mkdir()
    home.configure("c.TrainingApp.gpus = 0")
    before = {path: path.stat().st_mtime_ns for path in home.path.rglob("*")}
    checks = told(doctor(home, "--json"))
    assert {path: path.stat().st_mtime_ns for path in home.path.rglob("*")} == before
    required = ("platform", "configuration", "database", "data directory", "disk space")
    for name in (*required, "local jobs", "servers", "GPUs", "notifications"):
        assert checks[name]["verdict"] == "ok", checks[name]
        assert checks[name]["found"]
    assert {"memory limits", "Docker"} <= set(checks)
    assert (
        str(home.path / "config" / "jupyter_server_config.py") in checks["configuration"]["found"]
    )
    assert str(home.data_dir / "training.db") in checks["database"]["found"]


def test_what_the_server_would_use_is_looked_at(home: Home, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere' / 'jobs.db'}"
    database = Database(url)
    database.migrate()
    database.close()
    (tmp_path / "file").touch()
    home.configure(
        f"c.TrainingApp.database_url = {url!r}\n"
        f"c.TrainingApp.data_dir = {str(tmp_path / 'file' / 'training')!r}\n"
        f"c.TrainingApp.docker_url = {f'unix://{tmp_path}/docker.sock'!r}\n"
        "c.TrainingApp.gpus = ['GPU-1=NVIDIA A100']"
    )
    checks = told(doctor(home, "--json", "--TrainingApp.default_executor=docker"))
    assert "elsewhere/jobs.db: revision" in checks["database"]["found"]
    assert "Not a directory" in checks["data directory"]["found"]
    assert f"{tmp_path}/docker.sock does not answer" in checks["Docker"]["found"]
    for name in ("data directory", "Docker", "GPUs"):
        assert checks[name]["blocks_jobs"], checks[name]
        assert checks[name]["repair"]
    assert checks["local jobs"]["verdict"] == "ok"


def test_a_configuration_that_no_server_can_use(home: Home) -> None:
    home.configure("c.TrainingApp.default_executor = 'abacus'")
    done = doctor(home)
    assert done.returncode == 1
    assert "default_executor" in done.stdout
    assert "'abacus'" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stdout.splitlines()[-1] == (
        "Jobs cannot run here until this is repaired: configuration."
    )


def test_a_server_that_runs_is_told_of_and_a_file_that_it_leaves_out(home: Home) -> None:
    home.configure("print('hello')\nc.TrainingApp.gpus = 1 / 0")
    server = home.start()
    checks = told(doctor(home, "--json"))
    assert checks["servers"]["verdict"] == "ok"
    here = f"{server.url} ({__version__}, pid {server.process.pid})"
    assert here in checks["servers"]["found"]
    check = checks["configuration"]
    assert check["verdict"] == "problem"
    assert "jupyter_server_config.py (ZeroDivisionError('division by zero'))" in check["found"]


def test_what_is_not_understood(home: Home) -> None:
    done = doctor(home, "--TrainingApp.database=x")
    assert done.returncode == 2
    assert "did you mean --TrainingApp.database_url" in done.stderr


SHOW = """
from jupyter_training.doctor.checks import absent, ok, problem
from jupyter_training.doctor.command import show
show([ok("a", "Well."), absent("b", "Not here."), problem("c", "Ill [red].", "Heal it.")],
     as_json=False)
"""


@pytest.mark.parametrize("no_colour", [False, True])
def test_a_verdict_is_a_word_and_a_colour(home: Home, no_colour: bool) -> None:
    home.variables |= {"TERM": "xterm-256color", **({"NO_COLOR": "1"} if no_colour else {})}
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", SHOW], env=home.env, stdout=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how Linux tells that the other side is closed
        pass
    os.close(ours)
    assert process.wait(PATIENCE_S) == 0
    text = shown.decode()
    assert ("\x1b[32m" in text, "31m" in text) == (not no_colour, not no_colour)
    for verdict in Verdict:
        assert verdict.value in text
    assert "Ill [red]." in text
    assert "→ Heal it." in text
