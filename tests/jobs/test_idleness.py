"""When the GPUs of a job are idle, and when they are busy again."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_training.jobs.idleness import Idleness

IDLE_S = 100


def fold(readings: Iterable[tuple[float, float | None]], idle_s: float = IDLE_S) -> Idleness:
    idleness = Idleness()
    for at, percent in readings:
        idleness = idleness.after(at, percent, idle_s)
    return idleness


def quiet(begin: int, end: int) -> list[tuple[float, float | None]]:
    return [(at, 0.0) for at in range(begin, end + 1, 10)]


def test_gpus_that_do_nothing_for_long_are_idle_since_they_began_to_do_nothing() -> None:
    assert not fold([(0, 90), *quiet(10, 100)]).is_idle
    idle = fold([(0, 90), *quiet(10, 110)])
    assert (idle.is_idle, idle.since) == (True, 10)


def test_one_reading_with_work_begins_the_wait_anew() -> None:
    assert not fold([*quiet(0, 90), (95, 5), *quiet(100, 190)]).is_idle
    assert fold([*quiet(0, 90), (95, 5), *quiet(100, 200)]).since == 100


def test_a_display_or_an_open_program_is_no_work() -> None:
    assert fold([(at, 4.9) for at in range(0, 101, 10)]).is_idle


def test_one_spike_does_not_end_what_was_called_idle() -> None:
    idle = fold([*quiet(0, 100), (110, 60), (120, 0)])
    assert (idle.is_idle, idle.since) == (True, 0)
    # Nor do two that are not in a row.
    assert fold([*quiet(0, 100), (110, 60), (120, 0), (130, 60)]).is_idle


def test_two_readings_with_work_in_a_row_end_it_and_the_wait_is_whole_again() -> None:
    busy = [*quiet(0, 100), (110, 60), (120, 60)]
    assert fold(busy).since is None
    assert not fold([*busy, *quiet(130, 220)]).is_idle
    assert fold([*busy, *quiet(130, 230)]).since == 130


def test_a_driver_that_tells_nothing_changes_nothing() -> None:
    before = fold(quiet(0, 90))
    assert before.after(1000, None, IDLE_S) == before


def test_an_old_reading_changes_nothing() -> None:
    before = fold(quiet(0, 100))
    assert before.after(100, 100, IDLE_S) == before


def test_what_the_gpus_did_while_nobody_looked_is_not_held_against_them() -> None:
    idleness = fold(quiet(0, 50)).after(5000, 0, IDLE_S, gap=True)
    assert not idleness.is_idle
    assert idleness.after(5100, 0, IDLE_S).since == 5000


def test_what_was_idle_before_a_gap_is_idle_after_it() -> None:
    assert fold(quiet(0, 100)).after(5000, 0, IDLE_S, gap=True).since == 0
