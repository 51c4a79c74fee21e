"""Series of samples: cores from CPU time, gaps, and thinning that keeps peaks."""

from __future__ import annotations

from jupyter_training.engine.usage import Point, points_of, thinned
from jupyter_training.jobs.usage import Consumption, GpuSample, Sample

GB = 1024**3


def sample(at: float, cpu_s: float | None = None, memory: int | None = None) -> Sample:
    return Sample(at, Consumption(cpu_s, memory), (GpuSample(50.0, GB),))


def test_cpu_cores_are_those_since_the_point_before() -> None:
    points, totals = points_of([sample(105, 5), sample(110, 20), sample(115, 20)], 100)
    assert [point.cpu_cores for point in points] == [1, 3, 0]
    assert totals.cpu_seconds == 20


def test_cpu_time_that_was_not_known_or_counted_twice_is_made_up_for() -> None:
    points, _ = points_of([sample(105, 5), sample(110), sample(115, 4), sample(120, 10)], 100)
    assert [point.cpu_cores for point in points] == [1, None, 0, 1]


def test_where_nobody_looked_there_is_a_point_without_values() -> None:
    points, _ = points_of([sample(105, 5, GB), sample(1105, 1005, GB)], 100)
    assert [(point.at, point.memory_bytes) for point in points] == [
        (105, GB),
        (605, None),
        (1105, GB),
    ]
    assert points[1] == Point(605, None, None, (GpuSample(),))
    assert points[2].cpu_cores == 1


def test_samples_of_before_the_start_and_out_of_order_are_left_out() -> None:
    points, _ = points_of([sample(90, 1), sample(105, 5), sample(104, 5), sample(110, 5)], 100)
    assert [point.at for point in points] == [105, 110]


def test_every_peak_and_both_ends_survive_the_thinning() -> None:
    several = [
        Point(
            float(at),
            9.0 if at == 40_001 else 1.0,
            20 * GB if at == 50_003 else GB,
            (GpuSample(99.0 if at == 60_007 else 10.0, 70 * GB if at == 70_013 else GB),),
        )
        for at in range(100_000)
    ]
    kept = thinned(several, 500)
    assert len(kept) <= 500
    assert [kept[0].at, kept[-1].at] == [0, 99_999]
    assert {40_001, 50_003, 60_007, 70_013} <= {point.at for point in kept}
    assert [point.at for point in kept] == sorted({point.at for point in kept})


def test_a_gap_survives_the_thinning() -> None:
    empty = Point(777.5, None, None, (GpuSample(),))
    several = [Point(float(at), 1.0, GB, (GpuSample(1.0, GB),)) for at in range(5000)]
    several.insert(778, empty)
    assert empty in thinned(several, 100)


def test_a_series_that_is_short_enough_stays_as_it_is() -> None:
    several = [Point(float(at), 1.0, GB, ()) for at in range(100)]
    assert thinned(several, 100) == several
