"""GPU-hours from attempts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from jupyter_training.jobs.holding import Holding, Hours, hours_by

T0 = datetime(2026, 1, 26, tzinfo=timezone.utc)


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def held(job: int, by: str, since: float, until: float | None, gpus: int = 1) -> Holding:
    end = None if until is None else at(until)
    return Holding(job, f"job-{job}", "name", 1, by, at(since), end, 4, 16, gpus)


def by_user(
    *several: Holding, since: float = 0, until: float = 100, now: float = 50
) -> dict[str, Hours]:
    return hours_by(
        several, lambda one: one.username, since=at(since), until=at(until), now=at(now)
    )


def test_every_attempt_counts_for_as_long_as_it_held_something() -> None:
    found = by_user(
        held(1, "ada", 0, 2, gpus=2), held(1, "ada", 3, 4, gpus=2), held(2, "ada", 0, 1)
    )
    assert found == {"ada": Hours(7.0, 16.0, 64.0, attempts=3, jobs=2)}


def test_only_what_was_held_within_the_time_counts() -> None:
    found = by_user(held(1, "ada", 0, 10), since=4, until=6)
    assert found["ada"].gpu_hours == pytest.approx(2)
    assert by_user(held(1, "ada", 0, 4), held(2, "ada", 6, 8), since=4, until=6) == {}


def test_what_is_still_held_counts_until_now() -> None:
    assert by_user(held(1, "ada", 40, None))["ada"].gpu_hours == pytest.approx(10)
    assert by_user(held(1, "ada", 40, None), until=45)["ada"].gpu_hours == pytest.approx(5)


def test_the_greatest_consumer_of_gpus_comes_first() -> None:
    found = by_user(held(1, "ada", 0, 1), held(2, "bob", 0, 9), held(3, "eve", 0, 5, gpus=0))
    assert list(found) == ["bob", "ada", "eve"]
