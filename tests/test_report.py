"""`report` in a script: quick to say what it wants, and never in its way."""

from __future__ import annotations

import ast
import json
import math
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import jupyter_training

REPORT = Path(jupyter_training.__file__).with_name("report.py")
INTEGRATIONS = REPORT.with_name("integrations.py")


def run(tmp_path: Path, code: str, **variables: str) -> list[dict[str, Any]]:
    """What a script reports for which only the one file of the package is there."""
    library = tmp_path / "lib" / "jupyter_training"
    library.mkdir(parents=True, exist_ok=True)
    (library / "__init__.py").write_text(REPORT.read_text())
    path = tmp_path / "metrics.jsonl"
    env = {
        "PYTHONPATH": str(tmp_path / "lib"),
        "JUPYTER_TRAINING_METRICS_FILE": str(path),
        **variables,
    }
    script = f"from jupyter_training import report\n{code}"
    subprocess.run([sys.executable, "-S", "-c", script], env=env, cwd=tmp_path, check=True)
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line]


def test_what_is_said_is_written(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
report(step=3, loss=0.25, progress=0.5, count=7, flag=True)
report(loss=float("nan"), up=float("inf"), down=-float("inf"))
report(**{'a "name" \\n with 😀': 1})
report()
""",
    )
    assert all(line["time"] > 1_700_000_000 for line in told)
    assert [
        {name: value for name, value in line.items() if name not in ("time", "metrics")}
        for line in told
    ] == [{"step": 3, "progress": 0.5}, {}, {}, {}]
    first, second, third, nothing = (line["metrics"] for line in told)
    assert first == {"loss": 0.25, "count": 7.0, "flag": 1.0}
    assert math.isnan(second.pop("loss"))
    assert second == {"up": math.inf, "down": -math.inf}
    assert third == {'a "name" \n with 😀': 1.0}
    assert nothing == {}


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
class Bad:
    def __float__(self): raise RuntimeError("no")
class Tensor:
    def __float__(self): return 0.5
class Loss(float): pass
bad = dict(a=Bad(), b="text", c=None, d=[1], e=1j, f=10**400)
report(step=Bad(), progress="x", **bad, g=Tensor(), h=Loss(2))
report(step=float("nan"), progress=float("inf"), a=1)
report(step=Tensor(), a=1)
""",
    )
    assert [line["metrics"] for line in told] == [{"g": 0.5, "h": 2.0}, {"a": 1.0}, {"a": 1.0}]
    assert ["step" in line or "progress" in line for line in told] == [False, False, True]


@pytest.mark.parametrize("path", ["", "/nowhere/x", "/", "/dev/full", "a\\0b"])
def test_it_never_raises(tmp_path: Path, path: str) -> None:
    code = "for _ in range(3): report(step=1, loss=1)\nprint('went on')"
    if path == "":
        code = f"import os; os.environ.pop('JUPYTER_TRAINING_METRICS_FILE')\n{code}"
    assert run(tmp_path, code, JUPYTER_TRAINING_METRICS_FILE=path) == []


def test_threads_and_processes_report_at_once(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
import os, threading
def several(who):
    for step in range(500):
        report(step=step, **{"m%d" % who: step, "padding" * 50: 1.0})
report(begin=1)
for who in range(4):
    if os.fork() == 0:
        threads = [threading.Thread(target=several, args=(10 * who + n,)) for n in range(3)]
        [one.start() for one in threads]
        [one.join() for one in threads]
        os._exit(0)
for _ in range(4):
    os.wait()
""",
    )
    assert len(told) == 1 + 4 * 3 * 500
    for who in (10 * process + thread for process in range(4) for thread in range(3)):
        mine = [line["step"] for line in told if f"m{who}" in line["metrics"]]
        assert mine == list(range(500))


def test_a_daemon_that_closed_everything_writes_into_no_other_file(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
import os
report(step=1, a=1)
if os.fork() == 0:
    os.closerange(0, 256)
    files = [os.open("precious", os.O_RDWR | os.O_CREAT) for _ in range(20)]
    report(step=2, a=2)
    os._exit(0)
os.wait()
""",
    )
    assert [line["step"] for line in told] == [1, 2]
    assert (tmp_path / "precious").read_bytes() == b""


def test_what_a_full_disk_leaves_of_a_line_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
report(step=1, loss=1)
size = __import__("os").path.getsize("metrics.jsonl")
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, resource.RLIM_INFINITY))
report(step=2, loss=2)
report(step=3, loss=3)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
report(step=4, loss=4)
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    with pytest.raises(json.JSONDecodeError):
        run(tmp_path, code)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(lines[0])["step"], json.loads(lines[-1])["step"]] == [1, 4]


@pytest.mark.parametrize("path", [REPORT, INTEGRATIONS], ids=lambda path: path.name)
def test_it_is_python_3_8_with_its_standard_library(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    imported = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported <= sys.stdlib_module_names | {"jupyter_training"}


def test_importing_it_loads_the_standard_library_and_nothing_else() -> None:
    code = "import sys, jupyter_training; print(sorted(set(sys.modules)))"
    env = {**os.environ, "PYTHONPATH": str(REPORT.parents[1])}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=env, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in ast.literal_eval(done.stdout)}
    assert loaded <= sys.stdlib_module_names | {"jupyter_training", "__main__"}
