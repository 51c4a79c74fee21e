"""Charts, and the other parts of what is shown of a job, as HTML."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_training.notebook import card
from jupyter_training.notebook.chart import Curve, line_chart, smoothed, ticks

VALUES = st.none() | st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(st.lists(VALUES, max_size=30), st.booleans(), st.sampled_from([0.0, 0.6, 0.99]))
def test_whatever_the_values_a_chart_is_whole_and_within_its_frame(
    values: list[float | None], log: bool, smoothing: float
) -> None:
    curve = Curve('<"&', range(len(values)), values)
    drawn = line_chart([curve], label="<all>", log=log, smoothing=smoothing, x_axis="step")
    root = ElementTree.fromstring(drawn)
    assert root.attrib["aria-label"] == "<all>"
    for path in root.iter("path"):
        for point in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path.attrib["d"]):
            assert 0 <= float(point[0]) <= 360
            assert -0.5 <= float(point[1]) <= 120.5


def test_a_gap_is_a_gap() -> None:
    drawn = line_chart([Curve("a", range(5), [1, 2, math.nan, 3, 4])], label="")
    (path,) = re.findall(r'<path d="([^"]*)"', drawn)
    assert path.count("M") == 2


def test_smoothing_is_a_mean_that_begins_with_the_first_value() -> None:
    assert smoothed([2.0, 2.0, None, 2.0], 0.9) == pytest.approx([2.0, 2.0, None, 2.0])
    assert smoothed([0.0, 1.0], 0.5) == pytest.approx([0.0, 2 / 3])
    assert smoothed([1.0, 5.0], 0.0) == [1.0, 5.0]
    with pytest.raises(ValueError, match="less than 1"):
        smoothed([1.0], 1.0)


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9))
def test_ticks_are_few_and_around_the_values(low: float, wide: float) -> None:
    found = ticks(low, low + wide)
    assert found[0] <= low + wide * 1e-6
    assert found[-1] >= (low + wide) - wide * 1e-6
    assert 2 <= len(found) <= 7


def test_without_a_choice_the_losses_are_drawn_or_else_the_first() -> None:
    both = [Curve(name, [1], [1.0]) for name in ("lr", "loss", "val_loss")]
    assert card.by_itself(both) == ["loss", "val_loss"]
    assert card.by_itself(both[:1]) == ["lr"]
    assert card.chart([]) == ""


def test_a_log_is_plain_escaped_and_marked() -> None:
    shown = card.log(["\x1b[31m<b>Loss\x1b[0m 1\x07", "other"], search="<B>")
    assert "<mark" in shown
    assert "&lt;b&gt;</mark>Loss 1" in shown
    assert "\x1b" not in shown


def test_gpus_are_told_by_their_numbers_as_far_as_they_are_known() -> None:
    told = {"cpu_cores": 1, "memory_gb": 8, "gpu_count": 2}
    assert card.holds(told) == "1 core · 8 GB · 2 GPUs"
    assert card.holds(told, [(0, 93.0), (1, None)]) == "1 core · 8 GB · GPUs 0, 1 (93 %, ?)"
