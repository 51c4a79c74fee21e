"""What records mean in which a job may have written anything."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.executors import cluster_records
from jupyter_training.executors.base import Ended
from jupyter_training.executors.cluster_node import ALIVE, LAUNCH
from jupyter_training.executors.cluster_records import SignsOfLife
from jupyter_training.executors.processes import Processes
from jupyter_training.executors.records import EXIT, STARTED
from jupyter_training.executors.supervised import ended_of, read_record
from jupyter_training.jobs.lifecycle import Exit
from jupyter_training.jobs.usage import Consumption, Spent

END: dict[str, Any] = {
    "exit_code": 3,
    "signal": None,
    "cause": None,
    "detail": "",
    "ended_at": 1_000_000.0,
    "cpu_seconds": 2.5,
    "peak_memory_gb": 0.5,
}
STARTED_AS: dict[str, Any] = {"token": "t", "pid": 1, "started_at": 1_000_000.0, "node": "n1"}


def write(directory: Path, name: str, content: object) -> None:
    (directory / name).write_text(json.dumps(content))


def test_an_end_is_read_as_a_supervisor_writes_it() -> None:
    at = datetime.fromtimestamp(1_000_000, timezone.utc)
    assert ended_of(END) == Ended(Exit(exit_code=3), at, Spent(2.5, 1 << 29))


@pytest.mark.parametrize(
    "changed",
    [
        {"exit_code": 2**31},
        {"exit_code": "3"},
        {"exit_code": math.inf},
        {"signal": -(2**40)},
        {"signal": []},
        {"cause": "none that there is"},
        {"cause": ["timed_out"]},
        {"detail": None},
        {"ended_at": 1e300},
        {"ended_at": math.nan},
        {"ended_at": "now"},
    ],
)
def test_what_is_no_end_is_not_taken_for_one(changed: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        ended_of({**END, **changed})


def test_no_more_was_used_than_a_database_can_store() -> None:
    wild = {"cpu_seconds": math.inf, "peak_memory_gb": 1e14}
    spent = ended_of({**END, **wild}).spent
    assert spent is not None
    assert spent.cpu_seconds is None
    assert spent.peak_memory_bytes is not None
    assert spent.peak_memory_bytes < 2**60


def test_a_record_that_is_nested_too_deep_is_none(tmp_path: Path) -> None:
    (tmp_path / EXIT).write_text("[" * 200_000)
    assert read_record(tmp_path / EXIT) == {}


@pytest.mark.parametrize(
    "changed", [{"started_at": 10**400}, {"started_at": 1e300}, {"gpus": 7}, {"token": 7}]
)
def test_an_attempt_on_a_cluster_whose_start_makes_no_sense_is_given_up(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    write(tmp_path, STARTED, STARTED_AS)
    assert cluster_records.read("t", tmp_path).started_at is not None
    write(tmp_path, STARTED, {**STARTED_AS, **changed})
    assert cluster_records.read("t", tmp_path).is_given_up


def test_nodes_of_an_attempt_that_are_no_list_are_none(tmp_path: Path) -> None:
    write(tmp_path, LAUNCH, {"token": "t", "nodes": 7})
    assert not cluster_records.read("t", tmp_path).is_gang


def test_signs_of_life_count_only_what_can_be(tmp_path: Path) -> None:
    write(tmp_path, ALIVE, {"cpu_seconds": 1.5, "memory_bytes": math.inf})
    assert SignsOfLife([tmp_path]).read(Processes()) == Consumption(1.5, None)
