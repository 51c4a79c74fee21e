"""Jobs that a cluster schedules: handed over at once, and nothing of ours is theirs."""

from __future__ import annotations

from dataclasses import replace

from jupyter_training.scheduling.policy import plan
from jupyter_training.scheduling.resources import UNNAMED, Placement
from tests.scheduling.test_policy import NOW, node, reason, runs, started, waits


def test_a_job_for_a_cluster_is_handed_over_whatever_is_free_here() -> None:
    queue = [
        waits(1, cpus=4),
        replace(waits(2, cpus=1000, gpus=3, gpu_type="h100", nodes=2), elsewhere="slurm"),
        waits(3, cpus=1),
        replace(waits(4), elsewhere="ray"),
    ]
    for explain in (True, False):
        decided = plan(queue, [node(cpus=4)], [], NOW, explain=explain)
        assert started(decided) == [1, 2, 4]
        assert [one.is_elsewhere for one in decided.starts] == [False, True, True]
        assert decided.full
    placement = Placement("slurm", 1000, 1, (UNNAMED, UNNAMED, UNNAMED))
    assert decided.starts[1].placements == (placement, placement)
    assert reason(plan(queue, [node(cpus=4)], [], NOW), 3) == (
        "waits for 1 CPU core (0 free), held by job 1"
    )


def test_it_delays_nobody_and_waits_behind_nobody() -> None:
    first = replace(waits(1, cpus=4, priority=9), elsewhere="slurm")
    blocked, small = waits(2, cpus=4), waits(3, cpus=1, limit=50)
    last = replace(waits(4, cpus=4), elsewhere="slurm")
    held = [runs(9, cpus=3, until=NOW + 100)]
    ours = [waits(2, cpus=4), waits(3, cpus=1, limit=50)]
    with_cluster = plan([first, blocked, small, last], [node(cpus=4)], held, NOW)
    assert started(with_cluster) == [1, 3, 4]
    without = plan(ours, [node(cpus=4)], held, NOW)
    assert [one for one in with_cluster.starts if not one.is_elsewhere] == list(without.starts)
    assert with_cluster.waits == without.waits


def test_it_can_go_where_there_is_no_machine_of_ours() -> None:
    decided = plan([replace(waits(1), elsewhere="slurm"), waits(2)], [], [], NOW)
    assert started(decided) == [1]
    assert reason(decided, 2) == "there is no machine to run it"
