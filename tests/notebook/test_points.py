"""Which points of a curve are sent to a browser."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from jupyter_training.notebook.chart import Curve
from jupyter_training.notebook.points import News, news


def test_of_a_curve_that_goes_on_only_the_end_is_sent() -> None:
    before = Curve("loss", [1, 2, 3], [3.0, 2.0, 1.0])
    now = Curve("loss", [1, 2, 3, 4], [3.0, 2.0, 1.0, math.nan])
    # The last one comes again, in case that there is another value for the same step.
    found = news(before, now)
    assert found == News("loss", 2, [3, 4], [1.0, None])
    assert news(found.after(before), now) is None
    again = Curve("loss", [1, 2, 3], [3.0, 2.0, 0.5])
    assert news(before, again) == News("loss", 2, [3], [0.5])


def test_another_curve_or_one_that_has_grown_too_long_is_sent_as_a_whole() -> None:
    before = Curve("loss", [1, 2, 3], [3.0, 2.0, 1.0])
    for other in ([2, 3, 4], [1, 2], [1, 3, 2, 4]):
        now = Curve("loss", other, [0.0] * len(other))
        assert news(before, now) == News("loss", 0, other, [0.0] * len(other))
    long = Curve("loss", [1, 4, 5], [3.0, 2.0, 1.0])
    assert news(before, long, most=4) == News("loss", 2, [4, 5], [2.0, 1.0])
    assert news(before, long, most=3) == News("loss", 0, [1, 4, 5], [3.0, 2.0, 1.0])


@given(
    st.lists(st.tuples(st.integers(0, 9), st.floats(allow_nan=True)), min_size=1, max_size=60),
    st.lists(st.integers(1, 9), min_size=1, max_size=12),
)
def test_whoever_takes_in_all_news_has_the_newest_point_and_not_too_many(
    steps: list[tuple[int, float]], looks: list[int]
) -> None:
    points, at = [], 0
    for step, value in steps:
        at += step
        points.append((at, value))
    has: Curve | None = None
    seen = 0
    for look in looks:
        seen = min(seen + look, len(points))
        # Thinned out, with the first and the last one.
        every = max(1, seen // 10)
        known = [*points[:seen:every], points[seen - 1]]
        now = Curve("loss", [x for x, _ in known], [y for _, y in known])
        found = news(has, now, most=30)
        if found is not None:
            has = found.after(has)
        assert has is not None
        assert len(has.x) <= 30
        last = points[seen - 1][1]
        assert has.x[-1] == points[seen - 1][0]
        assert has.y[-1] == (last if math.isfinite(last) else None)
        assert news(has, now, most=30) is None
