"""Gangs: the nodes of a distributed job start all or not at all, and wait no longer than others."""

from __future__ import annotations

from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_training.scheduling.demand import Running, Waiting
from jupyter_training.scheduling.policy import plan
from jupyter_training.scheduling.resources import Node
from tests.scheduling.test_policy import NOW, node, reason, runs, started, waits


def test_several_nodes_share_a_machine_with_gpus_of_their_own() -> None:
    decided = plan([waits(1, nodes=2, gpus=2)], [node(gpus=4)], [], NOW)
    assert [one.gpus for one in decided.starts[0].placements] == [("a0", "a1"), ("a2", "a3")]


def test_a_gang_starts_as_a_whole_or_not_at_all() -> None:
    held = [runs(1, gpus=("a0",))]
    decided = plan([waits(2, nodes=2, gpus=2)], [node(gpus=4)], held, NOW)
    assert decided.starts == ()
    assert reason(decided, 2) == (
        "waits for 2 nodes, each of 1C / 1GB / 2GPU (there is room for 1), held by job 1"
    )


def test_a_gang_may_be_spread_over_machines() -> None:
    nodes = [node("a", gpus=2), node("b", gpus=1)]
    decided = plan([waits(1, nodes=3, gpus=1)], nodes, [], NOW)
    assert sorted(one.node for one in decided.starts[0].placements) == ["a", "a", "b"]


def test_one_that_may_be_smaller_takes_what_there_is() -> None:
    held = [runs(1, gpus=("a0",))]
    job = waits(2, nodes=4, least=2, gpus=1)
    assert len(plan([job], [node(gpus=4)], held, NOW).starts[0].placements) == 3
    assert len(plan([job], [node(gpus=4)], [], NOW).starts[0].placements) == 4
    held = [runs(1, gpus=("a0", "a1", "a2"))]
    assert reason(plan([job], [node(gpus=4)], held, NOW), 2).startswith(
        "waits for 4 nodes, or at least 2, each of 1C / 1GB / 1GPU (there is room for 1)"
    )


def test_a_gang_that_the_machines_could_never_hold_is_told_so_and_blocks_nobody() -> None:
    decided = plan([waits(1, nodes=3, gpus=2), waits(2)], [node(gpus=4)], [], NOW)
    assert started(decided) == [2]
    assert reason(decided, 1) == (
        "can never start here: asks for 3 nodes, each of 1C / 1GB / 2GPU, "
        "and there is room for 2 at most"
    )


def test_what_a_blocked_gang_was_promised_is_kept_on_all_machines() -> None:
    nodes = [node("a", cpus=2), node("b", cpus=2)]
    held = [runs(1, "a", cpus=2, until=NOW + 100)]
    gang = waits(2, nodes=2, cpus=2)
    decided = plan([gang, waits(3, limit=101), waits(4, limit=100)], nodes, held, NOW)
    assert started(decided) == [4]
    assert reason(decided, 3) == "would delay job 2, which is ahead of it"


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2), st.integers(1, 30)), max_size=12),
    st.integers(2, 4),
    st.integers(1, 2),
    st.integers(0, 2),
)
@settings(max_examples=200)
def test_a_gang_is_not_starved_by_smaller_jobs_that_go_on_coming(
    others: list[tuple[int, int, int]], count: int, cpus: int, gpus: int
) -> None:
    nodes = [node("a", cpus=4, gpus=4), node("b", cpus=4, gpus=4)]
    gang = waits(1, nodes=count, cpus=cpus, gpus=gpus, limit=10)
    small = [
        waits(number, cpus=cores, gpus=cards, limit=limit)
        for number, (cores, cards, limit) in enumerate(others, start=2)
    ]
    # What runs already has the first claim; from then on the gang is ahead of all that comes.
    half = len(small) // 2
    running = take(small[:half], nodes, [], NOW)
    promised = max((one.ends_at for one in running), default=NOW)
    queue, now = small[half:], NOW
    while True:
        begun = take([gang, *queue], nodes, running, now)
        if any(one.job_id == 1 for one in begun):
            return
        queue = [job for job in queue if job.id not in {one.job_id for one in begun}]
        running += begun
        now = min((one.ends_at for one in running if one.ends_at > now), default=inf)
        assert now <= promised
        running = [one for one in running if one.ends_at > now]


def take(
    queue: list[Waiting], nodes: list[Node], running: list[Running], now: float
) -> list[Running]:
    """What a plan starts, until the time limits of those jobs."""
    limits = {job.id: now + float(job.time_limit_s or inf) for job in queue}
    return [
        Running(start.job_id, "", placement, limits[start.job_id])
        for start in plan(queue, nodes, running, now).starts
        for placement in start.placements
    ]
