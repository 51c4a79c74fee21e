"""When a job that has to wait would start."""

from __future__ import annotations

from jupyter_training.scheduling.outlook import Outlook, outlook, outlooks
from tests.scheduling.test_policy import NOW, node, runs, waits


def test_it_starts_when_enough_jobs_have_ended() -> None:
    running = [runs(1, cpus=2, until=NOW + 60), runs(2, cpus=2, until=NOW + 3600)]
    assert outlook(3, [waits(3, cpus=2)], [node()], running, NOW) == Outlook(NOW + 60, 1)
    assert outlook(3, [waits(3, cpus=4)], [node()], running, NOW) == Outlook(NOW + 3600, 2)


def test_those_ahead_of_it_run_first_and_use_their_time_limit_up() -> None:
    running = [runs(1, cpus=4, until=NOW + 60)]
    queue = [waits(2, cpus=4, limit=100), waits(3, cpus=4)]
    assert outlook(3, queue, [node()], running, NOW) == Outlook(NOW + 160, 2)


def test_several_are_told_at_once_and_those_that_are_not_known_are_left_out() -> None:
    running = [runs(1, cpus=4, until=NOW + 60)]
    queue = [waits(2, cpus=4, limit=100), waits(3, cpus=4), waits(4, cpus=4), waits(5, cpus=9)]
    assert outlooks({2, 3, 4, 5}, queue, [node()], running, NOW) == {
        2: Outlook(NOW + 60, 1),
        3: Outlook(NOW + 160, 2),
    }


def test_a_job_that_is_late_is_expected_to_end_any_moment() -> None:
    assert outlook(2, [waits(2, cpus=4)], [node()], [runs(1, until=NOW - 5)], NOW) == Outlook(
        NOW, 1
    )


def test_what_is_not_known_is_not_told() -> None:
    assert outlook(2, [waits(2)], [node()], [], NOW) is None  # it starts at once
    assert outlook(2, [waits(2, cpus=4)], [node()], [runs(1)], NOW) is None
    queue = [waits(2, cpus=4), waits(3, cpus=4)]  # the first one runs for any length
    assert outlook(3, queue, [node()], [runs(1, cpus=4, until=NOW + 60)], NOW) is None
    assert outlook(2, [waits(2, cpus=5)], [node()], [runs(1, until=NOW + 60)], NOW) is None
