"""Following an attempt: everything that it reports and prints is there, once, whoever dies."""

from __future__ import annotations

import json
import math
import os
import random
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_training.engine.metrics import follower as module
from jupyter_training.engine.metrics.curves import csv, curves
from jupyter_training.engine.metrics.follower import Follower
from jupyter_training.engine.metrics.index import DIRECTORY, Source, read_index
from jupyter_training.engine.metrics.sources import PIECE_BYTES, Tail, told
from jupyter_training.engine.metrics.store import Writer
from jupyter_training.engine.workspace import METRICS
from jupyter_training.executors.log_files import TIME, times_name
from jupyter_training.executors.records import LOG


class Attempt:
    """What a job writes, and what is found of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = 1_000.0

    def follower(self) -> Follower:
        return Follower(self.directory, lambda: self.now)

    def report(self, *lines: str) -> None:
        with (self.directory / METRICS).open("a") as file:
            file.write("".join(lines))

    def print(self, text: str) -> None:
        with (self.directory / LOG).open("a") as file:
            file.write(text)

    def found(self) -> dict[str, list[tuple[float, float]]]:
        """Steps and values by name."""
        index = read_index(self.directory / DIRECTORY)
        several = curves(self.directory, index, None, 20_000).curves
        return {
            one.name: list(zip(one.steps.tolist(), one.values.tolist(), strict=True))
            for one in several
        }

    @property
    def notices(self) -> list[str]:
        return read_index(self.directory / DIRECTORY).notices


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt(tmp_path)


def line(step: int, **metrics: float) -> str:
    return json.dumps({"time": 5.0, "step": step, "metrics": metrics}) + "\n"


def test_both_sources_are_followed(attempt: Attempt) -> None:
    follower = attempt.follower()
    assert follower.read() == module.Look(None, moved=False)
    assert not (attempt.directory / DIRECTORY).exists()
    attempt.print("Epoch 1/4 - loss: 0.5 - acc: 0.9\n")
    attempt.report(line(1, loss=0.512345))
    assert follower.read() == module.Look(25, moved=True)
    assert follower.read() == module.Look(25, moved=False)
    assert attempt.found() == {"acc": [(1, 0.9)], "loss": [(1, 0.512345)]}
    attempt.report('{"progress": 0.75}\n')
    assert follower.read().percent == 75


def test_half_a_line_is_left_for_later(attempt: Attempt) -> None:
    follower, whole = attempt.follower(), line(1, loss=0.5)
    for part in (whole[:7], whole[7:-1]):
        attempt.report(part)
        assert not follower.read().moved
    attempt.report("\n")
    assert follower.read().moved
    attempt.print("Epoch 2/4 - acc: 0.7")
    attempt.report(line(2, loss=0.4)[:-1])
    assert attempt.found() == {"loss": [(1, 0.5)]}
    assert follower.drain().moved
    assert attempt.found() == {"loss": [(1, 0.5), (2, 0.4)], "acc": [(2, 0.7)]}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"metrics": {"a": 1, "b": true, "c": "x", "d": null, "": 3}}', {"a": 1.0}),
        ('{"metrics": {"a": 1e999, "b": -Infinity}}', {"a": math.inf, "b": -math.inf}),
        ('{"metrics": {"\\ud800": 1}}', {"?": 1.0}),
        ('{"metrics": {"a": ' + "1" * 400 + "}}", {}),
        ('{"metrics": [1]}', {}),
        ('{"time": 1, "metr{"time": 2, "metrics": {"a": 3}}', {"a": 3.0}),
    ],
)
def test_what_a_job_writes_is_not_trusted(text: str, values: dict[str, float]) -> None:
    said = told(text)
    assert said is not None
    assert said.values == values


@pytest.mark.parametrize("text", ["", "x", "[]", "1", "[" * 10**5, '{"time', '{"a": 1}{"time"'])
def test_a_line_that_is_none(text: str) -> None:
    assert told(text) is None


def test_junk_in_the_metrics_file_costs_nothing_else(attempt: Attempt) -> None:
    with (attempt.directory / METRICS).open("wb") as file:
        file.write(b"\xff\xfe\x00junk\n" + b"x" * (2 * PIECE_BYTES + 5) + b"\n")
    attempt.report('{"time": NaN, "step": Infinity, "progress": 9, "metrics": {"a": 1}}\n')
    look = attempt.follower().read()
    assert attempt.found() == {"a": [(0, 1)]}
    assert look.percent == 99


def test_a_pipe_or_a_link_in_the_place_of_a_source_is_not_read(attempt: Attempt) -> None:
    os.mkfifo(attempt.directory / METRICS)
    secret = attempt.directory / "secret"
    secret.write_text("loss: 0.5\n")
    (attempt.directory / LOG).symlink_to(secret)
    assert attempt.follower().drain() == module.Look(None, moved=False)


def test_servers_that_die_again_and_again_lose_and_double_nothing(attempt: Attempt) -> None:
    chance, expected = random.Random(3), list[tuple[float, float]]()
    follower, text = attempt.follower(), ""
    for step in range(1, 401):
        value = math.inf if step % 50 == 0 else step / 8
        expected.append((step, value))
        text += line(step, loss=value)
        cut = chance.randrange(len(text) + 1)  # no server sees only whole lines
        attempt.report(text[:cut])
        text = text[cut:]
        attempt.print(f"step {step}/400 acc: {step / 4}\n")
        if chance.random() < 0.3:
            follower.read()
        if chance.random() < 0.1:
            follower = attempt.follower()
        if chance.random() < 0.05:  # one that was replaced, and does not know it yet
            attempt.follower().read()
    attempt.report(text)
    follower.drain()
    found = attempt.found()
    assert found["loss"] == expected
    assert found["acc"] == [(step, step / 4) for step in range(1, 401)]


def test_a_drain_is_whole_also_if_another_server_writes_at_the_same_time(attempt: Attempt) -> None:
    mine, other = attempt.follower(), attempt.follower()
    attempt.report(line(1, loss=1))
    mine.read()
    other.read()  # it has nothing to add yet, and begins no generation
    attempt.report(line(2, loss=2))
    other.read()
    attempt.report(line(3, loss=3))
    mine.drain()
    assert attempt.found() == {"loss": [(1, 1), (2, 2), (3, 3)]}


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can have more than some bytes, which is as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_delays_and_loses_nothing(attempt: Attempt) -> None:
    follower = attempt.follower()
    attempt.report(line(1, loss=1))
    follower.read()
    for step in (2, 3):
        attempt.report(line(step, loss=step))
        with full_disk():
            assert not follower.read().moved
    points = attempt.directory / DIRECTORY / "1" / "0.f64"
    assert points.stat().st_size == 30  # a part of the second point
    assert attempt.found() == {"loss": [(1, 1)]}
    assert follower.read().moved
    assert attempt.found() == {"loss": [(1, 1), (2, 2), (3, 3)]}


def test_a_log_that_grows_too_fast_is_passed_over_and_it_is_said(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BEHIND_BYTES", 10_000)
    monkeypatch.setattr(module, "_END_BYTES", 1_000)
    follower = attempt.follower()
    attempt.print("Epoch 1/9 - loss: 1\n")
    follower.read()
    attempt.print("Epoch 2/9 - loss: 2\n" * 1000 + "Epoch 3/9 - loss: 3\n")
    attempt.report(line(1, mine=1))
    assert follower.read().percent == 33
    assert attempt.found()["loss"][-1] == (3, 3)
    assert attempt.found()["mine"] == [(1, 1)]
    (notice,) = attempt.notices
    assert "grew faster than it could be read" in notice


def test_what_was_reported_in_a_long_time_without_a_server_is_taken_in_bit_by_bit(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COMMIT_POINTS", 1_000)
    attempt.report(*(line(step, loss=step) for step in range(60_000)))
    assert attempt.follower().read().moved
    assert read_index(attempt.directory / DIRECTORY).commits >= 3
    text = b"".join(csv(attempt.directory, read_index(attempt.directory / DIRECTORY), None))
    steps = [int(row.split(b",")[2]) for row in text.splitlines()[1:]]
    assert steps == list(range(60_000))


def test_an_index_of_an_earlier_version_is_made_again(attempt: Attempt) -> None:
    attempt.report(line(1, loss=1))
    attempt.follower().read()
    writer = Writer(attempt.directory / DIRECTORY)
    writer.add(Source.REPORTED, "loss", 9, 0.0, 9)
    writer.index.sources["log"] = {"version": 0}
    writer.commit()
    attempt.report(line(2, loss=2))
    attempt.follower().read()
    assert attempt.found() == {"loss": [(1, 1), (2, 2)]}


def test_the_history_of_progress_survives_a_server(attempt: Attempt) -> None:
    for epoch in range(1, 6):
        attempt.print(f"Epoch {epoch}/10 - loss: 1\n")
        attempt.now += 60
        attempt.follower().read()
    history = read_index(attempt.directory / DIRECTORY).history
    assert history == [(1_000.0 + 60 * epoch, 10.0 * epoch) for epoch in range(1, 6)]


def test_a_point_from_the_log_has_the_time_at_which_it_was_printed(attempt: Attempt) -> None:
    text = "Epoch {}/4 - loss: 1\n"
    size = len(text.format(1))
    with (attempt.directory / times_name(LOG)).open("wb") as file:
        for epoch in range(1, 5):
            # The second one was begun again after a kill.
            for moment in (1.0, 100.0 * epoch) if epoch == 2 else (100.0 * epoch,):
                file.write(TIME.pack(size * (epoch - 1), moment))
        file.write(b"torn")
    attempt.print("".join(text.format(epoch) for epoch in range(1, 5)))
    attempt.follower().read()
    index = read_index(attempt.directory / DIRECTORY)
    (loss,) = curves(attempt.directory, index, None, 500).curves
    assert loss.times.tolist() == [100, 200, 300, 400]
    assert index.history == [(100, 25), (200, 50), (300, 75), (400, 100)]


def test_a_quiet_job_costs_no_write(attempt: Attempt) -> None:
    follower = attempt.follower()
    attempt.print("Epoch 1/4 - loss: 0.5\n")
    follower.read()
    before = read_index(attempt.directory / DIRECTORY).version
    attempt.print("nothing that is measured\n" * 100)
    attempt.now += 60
    follower.read()
    assert read_index(attempt.directory / DIRECTORY).version == before


def test_a_tail_of_a_file_that_became_shorter_waits(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("a\nb\n")
    tail = Tail(path)
    assert list(tail.lines(complete=False)) == ["a\nb\n"]
    path.write_text("c\n")
    assert list(tail.lines(complete=False)) == []
    assert tail.behind() == 0
