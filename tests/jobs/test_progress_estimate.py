"""How long the rest takes: jobs whose end is known."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_training.jobs.progress import Remaining, observed, remaining
from jupyter_training.jobs.progress.estimate import OBSERVATIONS, Observation

Pace = Callable[[int, random.Random], float]


def even(step: int, chance: random.Random) -> float:
    return 1.0


def noisy(step: int, chance: random.Random) -> float:
    return chance.lognormvariate(0, 0.5)


def slow_start(step: int, chance: random.Random) -> float:
    return (10.0 if step < 10 else 1.0) * chance.uniform(0.8, 1.2)


def validation(step: int, chance: random.Random) -> float:
    """After each of 25 epochs it stands still for as long as 4 of its 8 steps."""
    return chance.uniform(0.8, 1.2) + (4.0 if step % 8 == 7 else 0.0)


def one_pause(step: int, chance: random.Random) -> float:
    return chance.uniform(0.8, 1.2) + (300.0 if step == 60 else 0.0)


def drift(step: int, chance: random.Random) -> float:
    return (1 + step / 200) * chance.uniform(0.8, 1.2)


def run(pace: Pace, seed: int) -> list[Observation]:
    """When each of 200 steps was over."""
    chance, at, history = random.Random(seed), 1000.0, [(1000.0, 0.0)]
    for step in range(200):
        at += pace(step, chance)
        history.append((at, (step + 1) / 2))
    return history


@pytest.mark.parametrize("pace", [even, noisy, slow_start, validation, one_pause, drift])
def test_the_truth_is_mostly_between_low_and_high(pace: Pace) -> None:
    within, errors = 0, []
    for seed in range(10):
        history = run(pace, seed)
        for seen in range(40, 180, 10):
            told, truth = remaining(history[:seen]), history[-1][0] - history[seen - 1][0]
            assert told is not None
            assert told.low <= told.likely <= told.high
            # The pause is not to be foreseen.
            if pace is not one_pause or seen > 61:
                within += told.low <= truth <= told.high
                errors.append(abs(told.likely - truth) / truth)
    assert within / len(errors) >= 0.7
    assert sorted(errors)[len(errors) // 2] < 0.25


def test_it_is_not_told_too_early() -> None:
    assert remaining([]) is None
    assert remaining([(0.0, 0.0)]) is None
    assert remaining([(float(at), at / 10) for at in range(9)]) is None  # less than one percent
    assert remaining([(at / 10, 5.0 * at) for at in range(10)]) is None  # a second
    assert remaining([(0.0, 0.0), (100.0, 50.0)]) is None  # a single move
    assert remaining([(float(at), 2.0 * at) for at in range(10)]) is not None


def test_it_goes_on_from_a_checkpoint_and_begins_again_where_progress_went_back() -> None:
    resumed = [(float(at), 50.0 + at) for at in range(21)]
    told = remaining(resumed)
    assert told is not None
    assert told.likely == pytest.approx(30)
    begun_again = [(float(at) - 100, at * 4.0) for at in range(20)] + resumed
    assert remaining(begun_again) == told


def test_standing_still_makes_it_less_certain() -> None:
    history = [(float(at), float(at)) for at in range(51)]
    told, later, late = (remaining(history, now) for now in (50.0, 50.5, 250.0))
    assert told is not None
    assert later is not None
    assert late is not None
    assert later.likely == pytest.approx(told.likely - 0.5)
    # It does not count down to nothing while nothing happens.
    assert late.likely == pytest.approx(told.likely - 1)
    assert late.high >= told.high + 190


def test_at_the_end_nothing_is_left() -> None:
    assert remaining([(float(at), at * 10.0) for at in range(11)]) == Remaining(0, 0, 0)


def test_a_history_is_bounded_and_keeps_what_matters() -> None:
    history: list[Observation] = []
    for at in range(10_000):
        history = observed(history, float(at), at / 100)
        history = observed(history, at + 0.5, at / 100)  # did not move
    assert len(history) <= OBSERVATIONS
    assert history[0] == (0.0, 0.0)
    assert history[-1] == (9999.0, 99.99)
    assert observed(history, 10_000.0, 5.0) == [(10_000.0, 5.0)]
    assert observed(history, 10_000.0, None) == []


@given(
    st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 100)), max_size=60),
    st.floats(0, 2e9) | st.none(),
)
def test_any_history_gives_numbers_in_order(history: list[Observation], now: float | None) -> None:
    for it in (history, sorted(history)):
        told = remaining(it, now)
        if told is not None:
            assert 0 <= told.low <= told.likely <= told.high < float("inf")
