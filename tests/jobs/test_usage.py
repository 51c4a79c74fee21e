"""Samples and what is kept of them, the schedule of looks, and the words."""

from __future__ import annotations

import pytest

from jupyter_training.jobs.usage import (
    GB,
    Consumption,
    GpuSample,
    Sample,
    Spent,
    Totals,
    amount,
    is_gap,
    pause_s,
    summary,
)


def sample(at: float, cpu_s: float = 0, gb: float = 0, *gpus: tuple[float, float]) -> Sample:
    return Sample(
        at,
        Consumption(cpu_s, int(gb * GB)),
        tuple(GpuSample(share, int(used * GB)) for share, used in gpus),
    )


def fold(*several: Sample) -> Totals:
    totals = Totals()
    for one in several:
        totals = totals.with_sample(one)
    return totals


def test_totals_are_the_peaks_and_the_cpu_time_of_the_samples() -> None:
    totals = fold(sample(0, 0, 1), sample(5, 8, 6), sample(10, 18, 2))
    assert (totals.until, totals.cpu_seconds) == (10, 18)
    assert totals.peak_memory_bytes == 6 * GB
    assert (totals.peak_gpu_memory_bytes, totals.gpu_utilization_percent) == (None, None)


def test_gpus_are_busy_as_a_mean_over_the_time_and_over_all_of_them() -> None:
    totals = fold(
        sample(0, 0, 1, (0, 1), (0, 1)),
        sample(10, 0, 1, (100, 30), (0, 2)),
        sample(40, 0, 1, (80, 20), (80, 2)),
    )
    # 10 s at 50 %, then 30 s at 80 %.
    assert totals.gpu_utilization_percent == pytest.approx((10 * 50 + 30 * 80) / 40)
    assert totals.peak_gpu_memory_bytes == 30 * GB


def test_what_gpus_did_while_nobody_looked_does_not_count() -> None:
    totals = fold(sample(0, 0, 1, (100, 1)), sample(10, 0, 1, (100, 1)), sample(5000, 0, 1, (0, 1)))
    assert totals.gpu_utilization_percent == 100


def test_a_sample_that_is_not_newer_changes_nothing() -> None:
    totals = fold(sample(0, 1, 1), sample(5, 2, 1))
    assert totals.with_sample(sample(5, 99, 99)) == totals
    assert totals.with_sample(sample(4, 99, 99)) == totals


def test_what_nobody_could_tell_leaves_what_was_known() -> None:
    totals = fold(sample(0, 3, 2), Sample(5))
    assert (totals.cpu_seconds, totals.peak_memory_bytes, totals.until) == (3, 2 * GB, 5)


def test_at_the_end_the_kernel_knows_the_cpu_time_and_perhaps_a_higher_peak() -> None:
    totals = fold(sample(0, 3, 2)).at_the_end(9, Spent(2.5, 4 * GB))
    assert (totals.until, totals.cpu_seconds, totals.peak_memory_bytes) == (9, 2.5, 4 * GB)
    assert Totals().at_the_end(9, None) == Totals(until=9)
    assert fold(sample(0, 3, 2)).at_the_end(9, Spent(None, GB)).peak_memory_bytes == 2 * GB


@pytest.mark.parametrize(
    ("now", "told", "worth"),
    [
        (1.0, None, True),
        (1.0, 1.0, False),
        (1.04, 1.0, False),
        (1.1, 1.0, True),
        (None, 1.0, False),
    ],
)
def test_a_peak_is_told_again_when_it_is_much_higher(
    now: float | None, told: float | None, worth: bool
) -> None:
    now_bytes, told_bytes = (None if one is None else int(one * GB) for one in (now, told))
    assert (
        Totals(peak_memory_bytes=now_bytes).has_risen_since(Totals(peak_memory_bytes=told_bytes))
        is worth
    )
    assert (
        Totals(peak_gpu_memory_bytes=now_bytes).has_risen_since(
            Totals(peak_gpu_memory_bytes=told_bytes)
        )
        is worth
    )


def test_a_young_attempt_is_looked_at_often_and_an_old_one_seldom() -> None:
    assert [pause_s(age) for age in (0, 8, 40, 3600, 6 * 3600, 1e7)] == [0.5, 1, 5, 5, 30, 30]
    ages = [0.0]
    while ages[-1] < 30 * 86400:
        ages.append(ages[-1] + pause_s(ages[-1]))
    assert len(ages) < 90_000


def test_a_gap_is_a_pause_that_nobody_planned() -> None:
    assert not is_gap(10, 5)
    assert not is_gap(86400, 60)
    assert is_gap(100, 60)


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        (int(6.2 * GB), 16, "6.2 of 16 GB"),
        (9 * 1024**2, 1, "9 MB of 1 GB"),
        (int(71.5 * GB), None, "71.5 GB"),
        (0, None, "0 MB"),
    ],
)
def test_an_amount_of_memory_in_words(part: int, whole: int | None, told: str) -> None:
    assert amount(part, whole) == told


def test_a_person_reads_what_was_used_of_what_was_asked_for() -> None:
    assert (
        summary(
            peak_memory_bytes=int(6.2 * GB),
            memory_gb=16,
            cpu_cores=4,
            mean_cpu_cores=1.94,
            gpu_count=2,
            gpu_utilization_percent=87.4,
            peak_gpu_memory_bytes=70 * GB,
        )
        == "used at most 6.2 of 16 GB of memory, 1.9 of 4 CPU cores on average, "
        "its 2 GPUs 87 % busy, at most 70.0 GB of a GPU's memory"
    )
    assert summary(peak_memory_bytes=None, memory_gb=16, cpu_cores=4) is None
    assert (
        summary(peak_memory_bytes=None, memory_gb=1, cpu_cores=1, mean_cpu_cores=0.5)
        == "0.5 of 1 CPU core on average"
    )
