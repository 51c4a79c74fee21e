"""Commands of ``jupyter training`` in one process: to start one takes longer than most of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_SHELL = """
import contextlib, io, json, sys
from jupyter_training.cli import main
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(json.loads(line))
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


class Shell:
    """Runs commands as a terminal does."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; what it printed, and its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(words)}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"{words} was its end"
        return subprocess.CompletedProcess(words, *json.loads(answer))


@contextmanager
def shell(env: Mapping[str, str], cwd: Path) -> Iterator[Shell]:
    """Open a terminal with this environment in a directory."""
    with subprocess.Popen(
        [sys.executable, "-c", _SHELL],
        env=env,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Shell(process)
