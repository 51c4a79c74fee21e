"""Points on the disk: whole or not at all, whoever dies, and whoever else writes."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from jupyter_training.engine.metrics import store
from jupyter_training.engine.metrics.index import (
    POINT_BYTES,
    Index,
    Source,
    read_index,
    read_points,
)
from jupyter_training.engine.metrics.store import MAX_SERIES, Superseded, Writer

REPORTED, PRINTED = Source.REPORTED, Source.PRINTED


def values(place: Path, name: str = "loss") -> list[float]:
    """The values of a series, as a reader finds them."""
    index = read_index(place)
    for number, series in enumerate(index.series):
        if series.name == name:
            rows = np.frombuffer(read_points(place, number, series)).reshape(-1, 3)
            assert len(rows) == series.count
            return [float(value) for value in rows[:, 2]]
    return []


def added(place: Path, *several: float) -> Writer:
    writer = Writer(place)
    for value in several:
        writer.add(REPORTED, "loss", None, 0.0, value)
    writer.commit()
    return writer


def test_nothing_is_there_before_a_commit(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "metrics")
    writer.add(REPORTED, "loss", 1, 2.0, 3.0)
    assert not (tmp_path / "metrics").exists()
    assert read_index(tmp_path / "metrics") == Index()
    writer.commit()
    (series,) = read_index(tmp_path / "metrics").series
    assert (series.name, series.source, series.latest) == ("loss", REPORTED, (1.0, 2.0, 3.0))


def test_one_writer_goes_on_where_the_other_ended(tmp_path: Path) -> None:
    added(tmp_path, 1, 2)
    added(tmp_path, 3)
    writer = added(tmp_path, 4)
    writer.add(REPORTED, "loss", None, 0.0, 5)
    writer.commit()
    assert values(tmp_path) == [1, 2, 3, 4, 5]
    assert read_index(tmp_path).series[0].latest[0] == 4  # counted on across writers


def test_what_was_written_without_a_commit_was_never_there(tmp_path: Path) -> None:
    writer = added(tmp_path, 1)
    writer.add(REPORTED, "loss", None, 0.0, 2)
    writer.index.sources = {"offset": object()}  # which no index can say
    with pytest.raises(TypeError):
        writer.commit()
    assert (tmp_path / "1" / "0.f64").stat().st_size == 2 * POINT_BYTES
    assert values(tmp_path) == [1]
    # The same writer writes over it, and another one does not see it.
    writer.index.sources = {}
    writer.add(REPORTED, "loss", None, 0.0, 3)
    writer.commit()
    assert values(tmp_path) == [1, 2, 3]
    added(tmp_path, 4)
    assert values(tmp_path) == [1, 2, 3, 4]


def test_a_server_that_was_replaced_does_no_harm(tmp_path: Path) -> None:
    old = added(tmp_path, 1)
    new = added(tmp_path, 2)
    assert old.is_superseded
    old.add(REPORTED, "loss", None, 0.0, 666)
    with pytest.raises(Superseded):
        old.commit()
    late = Writer(tmp_path)
    new.add(REPORTED, "loss", None, 0.0, 3)
    new.commit()
    assert values(tmp_path) == [1, 2, 3]
    # Two that begin at once: one of them does, and the other one has to look again.
    other = Writer(tmp_path)
    other.commit()
    with pytest.raises(Superseded):
        late.commit()
    assert values(tmp_path) == [1, 2, 3]


def test_not_a_number_and_infinity_survive(tmp_path: Path) -> None:
    added(tmp_path, math.nan, math.inf, -math.inf, 5e-324)
    first, *others = values(tmp_path)
    assert math.isnan(first)
    assert others == [math.inf, -math.inf, 5e-324]
    latest = read_index(tmp_path).series[0].latest
    assert latest == (3.0, 0.0, 5e-324)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a\0b", "", "ü" * 9, "x" * 5000])
def test_a_name_is_never_one_of_a_file(tmp_path: Path, name: str) -> None:
    writer = Writer(tmp_path / "metrics")
    writer.add(REPORTED, name, 1, 0.0, 1.0)
    writer.commit()
    assert read_index(tmp_path / "metrics").series[0].name == name[: store.MAX_NAME]
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert there == {"metrics/1/index.json", "metrics/1/0.f64"}


def test_too_many_metrics_are_left_out_and_it_is_said(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    for number in range(MAX_SERIES + 7):
        writer.add(REPORTED, f"m{number}", 1, 0.0, number)
    writer.commit()
    index = read_index(tmp_path)
    assert len(index.series) == MAX_SERIES
    (notice,) = index.notices
    assert f"Only the first {MAX_SERIES} metrics are kept" in notice
    assert f"m{MAX_SERIES}, " in notice
    assert "…" in notice


def test_what_is_reported_wins_over_what_is_printed(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    for source, name, value in (
        (PRINTED, "loss", 0.1),
        (PRINTED, "lr", 0.01),
        (REPORTED, "loss", 0.123456),
    ):
        writer.add(source, name, 1, 0.0, value)
    writer.commit()
    assert read_index(tmp_path).latest() == {"lr": 0.01, "loss": 0.123456}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 2}',
        '{"version": 1, "series": [["a", "b", [], []]]}',
        "[" * 10**5,
    ],
)
def test_an_index_that_is_none_is_passed_over(tmp_path: Path, text: str) -> None:
    added(tmp_path, 1)
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "index.json").write_text(text)
    assert values(tmp_path) == [1]
    added(tmp_path, 2)
    assert values(tmp_path) == [1, 2]
    assert read_index(tmp_path).generation == 3


def test_after_a_crash_of_the_machine_nothing_is_made_up(tmp_path: Path) -> None:
    added(tmp_path, 1, 2, 3)
    with (tmp_path / "1" / "0.f64").open("r+b") as file:
        file.truncate(POINT_BYTES + 5)
    assert Writer(tmp_path).index == Index()  # so all of it is read again


def test_links_and_pipes_in_the_place_of_files_are_not_read(tmp_path: Path) -> None:
    place, secret = tmp_path / "metrics", tmp_path / "secret"
    added(place, 1)
    secret.write_bytes(b"s" * POINT_BYTES)
    points, index = place / "1" / "0.f64", place / "1" / "index.json"
    points.unlink()
    points.symlink_to(secret)
    assert read_points(place, 0, read_index(place).series[0]) == b""
    index.unlink()
    os.mkfifo(index)
    assert read_index(place) == Index()


def test_the_index_is_small(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    for _ in range(10_000):
        writer.add(REPORTED, "loss", None, 0.0, 1.0)
    writer.commit()
    assert len(json.dumps(json.loads((tmp_path / "1" / "index.json").read_text()))) < 300
