"""What `report` costs a training script, and how soon a million points are answered.

*Report* is the processor time of a call with a step and two metrics. The baseline is a bare
``os.write`` of the same line to a file opened in the same way; the two take turns.

*A million points* is the time from a request for the curve of a metric with a million points to its
500 points, over REST. The baseline is the same points as ``numpy.load`` reads them from a file,
without a server and without thinning them out. *All of them* is the download as CSV, next to
``numpy.savetxt`` of the same columns.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure
from jupyter_training.report import report
from tests.conftest import Api

POINTS = 1_000_000
CALLS = 20_000

_VARIABLE = "JUPYTER_TRAINING_METRICS_FILE"

_REPORTS = f"""
import json, os
# As report() writes them, only sooner.
line = '{{"time": %d, "step": %d, "metrics": {{"loss": %r}}}}' + chr(10)
with open(os.environ["{_VARIABLE}"], "a") as file:
    for step in range({POINTS}):
        file.write(line % (step, step, 1 / (step + 1)))
"""


def calls(repeat: int) -> list[Figure]:
    """The time of a call (µs)."""
    with tempfile.TemporaryDirectory() as place:
        path, bare_path = Path(place, "metrics.jsonl"), Path(place, "bare")
        os.environ[_VARIABLE] = str(path)
        try:
            report(step=1, loss=0.123456, accuracy=0.5)
            line = path.read_bytes()
            bare = os.open(bare_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

            def reports() -> None:
                for step in range(CALLS):
                    report(step=step, loss=0.123456, accuracy=0.5)

            def writes() -> None:
                for _ in range(CALLS):
                    os.write(bare, line)

            ours, theirs = _in_turns(reports, writes, repeat, time.thread_time)
            os.close(bare)
        finally:
            del os.environ[_VARIABLE]
    per_call = ours / CALLS * 1e6, theirs / CALLS * 1e6
    more = per_call[0] - per_call[1]
    return [Figure("report(), µs", *per_call, more, "µs more", "at most 10", more <= 10)]


def million(api: Api, repeat: int) -> list[Figure]:
    """The times of the answers (ms)."""
    spec = {"name": "points", "command": [sys.executable, "-c", _REPORTS], "cpu_cores": 1}
    job_id = api.http.post("api/training-jobs", json={**spec, "memory_gb": 1}).json()["job_id"]
    while api.http.get(f"api/training-jobs/{job_id}?wait=30").json()["status"] != "completed":
        pass
    steps = np.arange(POINTS, dtype=np.float64)
    points = np.column_stack([steps, steps, 1 / (steps + 1)])
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "points.npy")
        np.save(path, points)

        def curve() -> None:
            told = api.http.get(f"api/training-jobs/{job_id}/metrics").json()["series"][0]
            assert told["points"] == POINTS
            assert len(told["values"]) <= 500

        def load() -> None:
            assert len(np.load(path)) == POINTS

        ours, theirs = _in_turns(curve, load, repeat)

    def download() -> None:
        answer = api.http.get(f"api/training-jobs/{job_id}/metrics.csv")
        assert answer.content.count(b"\n") == POINTS + 1

    def savetxt() -> None:
        np.savetxt(io.BytesIO(), points, "%r", ",")

    whole, text = _in_turns(download, savetxt, 1)
    return [
        Figure(
            "a million points, ms",
            ours * 1e3,
            theirs * 1e3,
            ours * 1e3,
            "ms",
            "at most 500",
            ours <= 0.5,
        ),
        Figure("all of them as CSV, ms", whole * 1e3, text * 1e3, whole / text, "times", "", None),
    ]


def _in_turns(
    one: Callable[[], None],
    other: Callable[[], None],
    repeat: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float]:
    """The median times of both (s)."""
    times: dict[Callable[[], None], list[float]] = {one: [], other: []}
    for turn in range(repeat):
        for way in (one, other) if turn % 2 else (other, one):
            began = clock()
            way()
            times[way].append(clock() - began)
    return statistics.median(times[one]), statistics.median(times[other])
