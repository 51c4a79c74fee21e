"""When a job hangs, and when it does something again."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from jupyter_training.jobs.hanging import Stillness

HANG_S = 60
Look = tuple[float, float | None, float | None, int]
"""When, the CPU time so far, the utilisation of the GPUs, the bytes printed."""


def fold(looks: Iterable[Look], still: Stillness | None = None) -> Stillness:
    still = still or Stillness()
    for at, cpu_seconds, percent, printed in looks:
        still = still.after(
            at,
            cpu_seconds=cpu_seconds,
            busiest_percent=percent,
            printed=printed,
            hang_s=HANG_S,
        )
    return still


def quiet(begin: int, end: int) -> list[Look]:
    return [(at, 5.0, 0.0, 100) for at in range(begin, end + 1, 10)]


def test_what_does_nothing_for_long_hangs_since_it_was_first_seen_to() -> None:
    assert fold(quiet(0, 50)).hangs is None
    still = fold([(0, 1.0, 90.0, 50), (10, 5.0, 0.0, 100), *quiet(20, 70)])
    assert (still.hangs, still.since) == (True, 10)


@pytest.mark.parametrize("sign", [(65, 5.0, 0.0, 101), (65, 6.0, 0.0, 100), (65, 5.0, 30.0, 100)])
def test_output_or_cpu_time_or_a_gpu_is_a_sign_of_life(sign: Look) -> None:
    begun = [*quiet(0, 50), sign]
    assert fold(begun).hangs is False
    after = [(at, sign[1], 0.0, sign[3]) for at in range(70, 121, 10)]
    assert fold([*begun, *after]).hangs is False
    assert fold([*begun, *after, (130, sign[1], 0.0, sign[3])]).hangs is True


def test_what_hangs_hangs_until_it_does_something() -> None:
    still = fold(quiet(0, 80))
    assert fold([(90, 5.0, 0.0, 100)], still).hangs is True
    assert fold([(90, 5.0, 0.0, 200)], still).hangs is False


def test_threads_that_look_at_a_clock_are_no_life_and_a_rank_that_ended_is() -> None:
    assert fold([(at, at * 0.01, None, 100) for at in range(0, 71, 10)]).hangs is True
    assert fold([*quiet(0, 60), (70, 2.0, 0.0, 100)]).hangs is False


def test_nothing_is_said_without_knowing_the_cpu_time() -> None:
    assert fold([(at, None, 0.0, 100) for at in range(0, 200, 10)]) == Stillness()
    assert fold([*quiet(0, 50), (55, None, 0.0, 100), (60, 5.0, 0.0, 100)]).hangs is True


def test_a_look_that_is_not_newer_begins_anew() -> None:
    assert fold([*quiet(0, 50), (50, 5.0, 0.0, 100), (60, 5.0, 0.0, 100)]).hangs is None
