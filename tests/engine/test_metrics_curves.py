"""Curves: few points, and every peak; CSV: all of them."""

from __future__ import annotations

import csv as csv_reader
import io
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_training.engine.metrics.curves import ALL_POINTS, chosen_points, csv, curves
from jupyter_training.engine.metrics.index import DIRECTORY, Source, read_index
from jupyter_training.engine.metrics.store import Writer

NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(st.lists(NUMBERS, max_size=300), st.integers(10, 60))
def test_peaks_survive_and_there_are_never_too_many(values: list[float], most: int) -> None:
    curve = np.array(values, dtype=np.float64)
    chosen = chosen_points(curve, most)
    assert len(chosen) <= most
    assert list(chosen) == sorted(set(chosen))
    kept = curve[chosen]
    assert np.isnan(kept).any() == np.isnan(curve).any()
    present = curve[~np.isnan(curve)]
    if len(present):
        assert np.nanmax(kept) == present.max()
        assert np.nanmin(kept) == present.min()
        left = kept[~np.isnan(kept)]
        assert (left[0], left[-1]) == (present[0], present[-1])
    if len(curve) <= most:
        assert len(chosen) == len(curve)


def test_one_bad_step_in_a_million_is_seen() -> None:
    values = np.full(1_000_000, 0.5)
    values[123_456], values[654_321], values[777_777] = 9.0, math.nan, -math.inf
    chosen = chosen_points(values, 500)
    assert {123_456, 654_321, 777_777} <= set(chosen)
    assert len(chosen) <= 500


@pytest.mark.parametrize("count", [804, 1766, 2000, 2025])
def test_the_last_point_is_never_lost(count: int) -> None:
    values = np.zeros(count)
    values[-1] = 5.0
    assert count - 1 in chosen_points(values, 401)


def attempt(place: Path, *points: tuple[Source, str, float | None, float]) -> Path:
    writer = Writer(place / DIRECTORY)
    for number, (source, name, step, value) in enumerate(points):
        writer.add(source, name, step, 1_700_000_000 + number / 8, value)
    writer.commit()
    return place


def test_of_what_is_printed_again_for_a_step_the_last_counts(tmp_path: Path) -> None:
    place = attempt(
        tmp_path,
        *(
            (Source.PRINTED, "loss", step, value)
            for step, value in ((1, 9), (1, 8), (2, 7), (2, 6))
        ),
        *((Source.REPORTED, "mine", step, value) for step, value in ((1, 9), (1, 8))),
    )
    loss, mine = curves(place, read_index(place / DIRECTORY), None, 500).curves
    assert (loss.steps.tolist(), loss.values.tolist(), loss.points) == ([1, 2], [8, 6], 2)
    assert (mine.steps.tolist(), mine.values.tolist()) == ([1, 1], [9, 8])


def test_the_names_that_are_asked_for_in_their_order(tmp_path: Path) -> None:
    place = attempt(tmp_path, *((Source.REPORTED, name, 1, 1.0) for name in "abc"))
    found = curves(place, read_index(place / DIRECTORY), ["c", "x", "a", "c"], 500)
    assert [one.name for one in found.curves] == ["c", "a"]
    assert found.names == ["a", "b", "c"]


def test_very_many_curves_have_fewer_points(tmp_path: Path) -> None:
    writer = Writer(tmp_path / DIRECTORY)
    for name in range(300):
        for step in range(1000):
            writer.add(Source.REPORTED, str(name), step, 0.0, float(step % 7))
    writer.commit()
    found = curves(tmp_path, read_index(tmp_path / DIRECTORY), None, 20_000)
    assert len(found.curves) == 300
    assert 100 * 300 < sum(len(one.values) for one in found.curves) <= ALL_POINTS


def test_csv_says_the_same_to_a_spreadsheet_and_to_pandas(tmp_path: Path) -> None:
    name = 'top,"1"\nü'
    several = [0.1, math.nan, math.inf, -math.inf, 3.0, 1e-300]
    place = attempt(
        tmp_path, *((Source.REPORTED, name, step, one) for step, one in enumerate(several))
    )
    text = b"".join(csv(place, read_index(place / DIRECTORY), None)).decode()
    rows = list(csv_reader.DictReader(io.StringIO(text, newline="")))
    assert [row["metric"] for row in rows] == [name] * 6
    assert rows[1]["time"] == "2023-11-14T22:13:20.125Z"
    assert [row["step"] for row in rows] == ["0", "1", "2", "3", "4", "5"]
    table = pd.read_csv(io.StringIO(text))
    assert np.array_equal(table["value"], several, equal_nan=True)


@pytest.mark.parametrize("at", [math.nan, math.inf, 1e300, -1e300])
def test_a_time_that_is_none_is_empty(tmp_path: Path, at: float) -> None:
    writer = Writer(tmp_path / DIRECTORY)
    writer.add(Source.REPORTED, "loss", 1, at, 2.0)
    writer.commit()
    lines = b"".join(csv(tmp_path, read_index(tmp_path / DIRECTORY), None)).splitlines()
    assert lines[1] == b"loss,reported,1,,2"
