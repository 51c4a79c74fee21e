"""How long the rest of a job may take, from how its progress moved until now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

OBSERVATIONS = 400
"""The most that a history has; more are thinned out."""

_LEAST_MOVES = 4
_LEAST_SHARE = 1.0
_LEAST_S = 5.0
_BLOCKS = 8

# Up to so many seconds it is told in this unit.
_UNITS = (("min", 60, 120 * 60), ("h", 3600, 48 * 3600), ("days", 86_400, math.inf))

Observation = tuple[float, float]
"""When (s, of any clock that does not stop) and how far (from 0 to 100)."""


@dataclass(frozen=True)
class Remaining:
    """How long it may take until a job is at 100 %.

    Attributes
    ----------
    low, likely, high
        In seconds. About four out of five times the truth is between `low` and `high`.
    """

    low: float
    likely: float
    high: float

    def __str__(self) -> str:
        """As it is told to a person: ``about 5 to 8 min left``."""
        unit, seconds = next((unit, s) for unit, s, most in _UNITS if self.high < most)
        low, high = math.floor(self.low / seconds), math.ceil(self.high / seconds)
        if high <= 1:
            return f"less than 1 {unit} left"
        if low <= 0:
            return f"at most {high} {unit} left"
        return f"about {low} {unit} left" if low == high else f"about {low} to {high} {unit} left"


def observed(
    history: Sequence[Observation], at: float, progress: float | None
) -> list[Observation]:
    """A history with one more observation, still of bounded length.

    What is kept is where the progress moved. Where it went back, or was lost, the history begins
    again.
    """
    if progress is None:
        return []
    if not history or progress < history[-1][1] or at < history[-1][0]:
        return [(at, progress)]
    kept = list(history)
    if progress > kept[-1][1]:
        kept.append((at, progress))
    if len(kept) > OBSERVATIONS:
        # The first and the last one stay, and between them every other one.
        kept = [*kept[:-1:2], kept[-1]]
    return kept


def remaining(history: Sequence[Observation], now: float | None = None) -> Remaining | None:
    """Estimate how long the rest takes.

    What was done is cut into parts of equal progress, and the times that these took are compared.
    Their median is not moved by a slow start or by one pause; what happens again and again, as a
    validation after each epoch, is in each of them; how much they differ is how uncertain it is.

    Parameters
    ----------
    history
        In the order of time. Only what comes after progress last went back counts.
    now
        The present, of the same clock; by default the time of the last observation.

    Returns
    -------
    Remaining or None
        None while it is too early to tell.
    """
    moves = _moves(history)
    if len(moves) <= _LEAST_MOVES:
        return None
    (begin, first), (end, last) = moves[0], moves[-1]
    if last - first < _LEAST_SHARE or end - begin < _LEAST_S:
        return None
    left = 100.0 - last
    if left <= 0:
        return Remaining(0.0, 0.0, 0.0)
    paces = _paces(moves)
    # A later part says more about the rest than an earlier one.
    weighted = [(pace, 1.0 + number) for number, pace in enumerate(paces)]
    likely = _quantile(weighted, 0.5)
    mean = (end - begin) / (last - first)
    # A few parts show less of how different they can be than there is; and the further it is to go
    # compared to what was seen, the more can happen that did not happen yet.
    unseen = 1.0 + 0.5 / math.sqrt(len(paces)) * math.sqrt(left / (left + last - first))
    trend = _on_trend(paces, left / (last - first))
    equal = [(pace, 1.0) for pace in paces]
    # Of eight parts one may be the exception.
    low = min(_quantile(equal, 0.15), mean, likely, trend) / unseen
    high = max(_quantile(equal, 0.85), mean, likely, trend) * unseen
    passed = max((end if now is None else now) - end, 0.0)
    # As long as one move takes, time goes by as it should. After that it stands still.
    longest = max(later - earlier for (earlier, _), (later, _) in pairwise(moves))
    spent, late = min(passed, longest), max(passed - longest, 0.0)
    return Remaining(
        low=max(low * left - spent, 0.0),
        likely=max(likely * left - spent, 0.0),
        high=max(high * left - spent, 0.0) + late,
    )


def _moves(history: Sequence[Observation]) -> list[Observation]:
    """The observations at which the progress moved, since it last went back."""
    moves: list[Observation] = []
    for at, progress in history:
        if moves and (progress < moves[-1][1] or at < moves[-1][0]):
            moves.clear()
        if not moves or progress > moves[-1][1]:
            moves.append((at, progress))
    return moves


def _paces(moves: Sequence[Observation]) -> list[float]:
    """How long one percent took (s) in parts of equal progress."""
    first, last = moves[0][1], moves[-1][1]
    count = max(min(_BLOCKS, (len(moves) - 1) // 2), 2)
    size = (last - first) / count
    times = [_when(moves, first + size * number) for number in range(count + 1)]
    return [(later - earlier) / size for earlier, later in pairwise(times)]


def _when(moves: Sequence[Observation], progress: float) -> float:
    """When the progress was there; between two moves it is taken as even."""
    for (earlier, before), (later, after) in pairwise(moves):
        if progress <= after:
            return earlier + (later - earlier) * max(progress - before, 0.0) / (after - before)
    return moves[-1][0]


def _on_trend(paces: Sequence[float], ahead: float) -> float:
    """The pace of the rest, `ahead` times as long as what was seen, if it goes on to change.

    The median of the slopes is not moved by a single part that was slow.
    """
    slopes = [
        ((later - pace) / (other - number), 1.0)
        for number, pace in enumerate(paces)
        for other, later in enumerate(paces[number + 1 :], number + 1)
    ]
    middle = _quantile([(pace, 1.0) for pace in paces], 0.5)
    # From the middle of what was seen to the middle of the rest.
    distance = len(paces) * (1.0 + ahead) / 2
    # What has changed by more than that will hardly go on to do so.
    return min(max(middle + _quantile(slopes, 0.5) * distance, middle / 2), middle * 2)


def _quantile(weighted: Sequence[tuple[float, float]], share: float) -> float:
    total, passed = sum(weight for _, weight in weighted), 0.0
    for value, weight in sorted(weighted):
        passed += weight
        if passed >= share * total:
            return value
    return max(value for value, _ in weighted)
