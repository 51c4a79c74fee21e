"""When a job that waits will start, in words."""

from __future__ import annotations

import pytest

from jupyter_training.engine.forecasts import ExpectedStart


@pytest.mark.parametrize(
    ("seconds", "when"),
    [
        (0, "in less than 1 min"),
        (59, "in less than 1 min"),
        (95, "in about 2 min"),
        (7000, "in about 117 min"),
        (7300, "in about 2 h"),
        (47 * 3600, "in about 47 h"),
        (72 * 3600, "in about 3 days"),
    ],
)
def test_far_away_it_is_told_less_exactly(seconds: float, when: str) -> None:
    told = str(ExpectedStart(seconds, None, "a job of ada"))
    assert told == f"{when}, when a job of ada has ended"
