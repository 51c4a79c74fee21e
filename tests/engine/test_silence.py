"""How much was printed, and which ranks fell silent first."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_training.engine.silence import first_silent, printed


def log(directory: Path, rank: int | None, size: int, at: float) -> None:
    path = directory / ("output.log" if rank is None else f"output-{rank}.log")
    path.write_bytes(b"x" * size)
    os.utime(path, (at, at))


def test_all_logs_count(tmp_path: Path) -> None:
    log(tmp_path, None, 5, 0)
    log(tmp_path, 3, 7, 0)
    (tmp_path / "output.times").write_bytes(b"no log")
    assert printed(tmp_path) == 12
    assert printed(tmp_path / "gone") == 0


def test_those_that_were_silent_first_are_named(tmp_path: Path) -> None:
    log(tmp_path, None, 9, 1000)
    assert first_silent(tmp_path) == ""
    for rank, at in ((0, 990.0), (1, 960.2), (2, 990.0), (3, 960.9)):
        log(tmp_path, rank, 1, at)
    log(tmp_path, 4, 0, 10)  # has never printed, as most ranks do
    assert first_silent(tmp_path) == "the first to fall silent: ranks 1, 3, at 00:16:00 UTC"
    log(tmp_path, 3, 1, 990.0)
    assert first_silent(tmp_path) == "the first to fall silent: rank 1, at 00:16:00 UTC"
    log(tmp_path, 1, 1, 990.0)
    assert first_silent(tmp_path) == "all its ranks fell silent at once"
