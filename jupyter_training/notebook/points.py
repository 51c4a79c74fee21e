"""Which points of a curve a front end does not have yet."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from jupyter_training.notebook.chart import Curve, is_gap

MOST_POINTS = 600
"""A front end has no more points of a curve than these, or as many as it is sent at once."""


@dataclass(frozen=True)
class News:
    """What is new of a curve: so many of its points stay, and then come these.

    Attributes
    ----------
    y
        A gap is None, as JSON knows neither NaN nor infinity.
    """

    name: str
    keep: int
    x: Sequence[float]
    y: Sequence[float | None]

    def told(self) -> dict[str, Any]:
        """As it is sent."""
        return {"name": self.name, "keep": self.keep, "x": list(self.x), "y": list(self.y)}

    def after(self, sent: Curve | None) -> Curve:
        """The curve that somebody has who had the other one."""
        x, y = ((), ()) if sent is None else (sent.x, sent.y)
        return Curve(self.name, [*x[: self.keep], *self.x], [*y[: self.keep], *self.y])


def news(sent: Curve | None, now: Curve, most: int = MOST_POINTS) -> News | None:
    """What to send to somebody who has a curve as it was.

    A long curve comes thinned out, each time with other points of those that there are. Whoever has
    some of the earlier ones needs only those behind them: it looks the same.

    Parameters
    ----------
    sent
        What they have; None for nothing.
    now
        The curve as it is.
    most
        With more points than this they get the curve anew.

    Returns
    -------
    News | None
        None if there is nothing new.
    """
    y = [None if is_gap(value) else value for value in now.y]
    keep, start = 0, 0
    if sent is not None and _goes_on(sent.x, now.x):
        # What was measured last comes again: there may be another value for the same step.
        keep, start = bisect_left(sent.x, sent.x[-1]), bisect_left(now.x, sent.x[-1])
        if keep + len(y) - start > most:
            keep, start = 0, 0
    found = News(now.name, keep, now.x[start:], y[start:])
    is_old = sent is not None and (list(found.x), found.y) == (
        list(sent.x[keep:]),
        list(sent.y[keep:]),
    )
    return None if is_old else found


def _goes_on(before: Sequence[float], now: Sequence[float]) -> bool:
    return (
        bool(before)
        and bool(now)
        and before[0] == now[0]
        and before[-1] <= now[-1]
        and all(one <= other for one, other in pairwise(now))
    )
