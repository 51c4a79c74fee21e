"""Which jobs start now, and what the others are told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_training.scheduling.demand import Running, Waiting
from jupyter_training.scheduling.policy import Plan, plan
from jupyter_training.scheduling.resources import Gpu, Node, Placement, Resources

NOW = 1000.0


def node(name: str = "a", cpus: int = 4, memory: int = 16, gpus: int = 0, model: str = "") -> Node:
    cards = tuple(Gpu(f"{name}{index}", model) for index in range(gpus))
    return Node(name, cpus, memory, cards)


def waits(
    number: int,
    cpus: int = 1,
    memory: int = 1,
    gpus: int = 0,
    gpu_type: str | None = None,
    priority: int = 0,
    limit: float | None = None,
    nodes: int = 1,
    least: int | None = None,
) -> Waiting:
    wants = Resources(cpus, memory, gpus, gpu_type)
    return Waiting(number, f"job {number}", wants, priority, limit, nodes, least)


def runs(
    number: int, on: str = "a", cpus: int = 1, gpus: tuple[str, ...] = (), until: float = inf
) -> Running:
    return Running(number, f"job {number}", Placement(on, cpus, 1, gpus), until)


def started(decided: Plan) -> list[int]:
    return [start.job_id for start in decided.starts]


def reason(decided: Plan, number: int) -> str:
    return next(wait.reason for wait in decided.waits if wait.job_id == number)


def test_nothing_waits_or_nothing_is_there() -> None:
    assert plan([], [node()], [], NOW) == Plan((), (), full=False)
    decided = plan([waits(1)], [], [], NOW)
    assert reason(decided, 1) == "there is no machine to run it"


def test_the_order_is_priority_and_then_submission() -> None:
    queue = [waits(1, cpus=3), waits(2, cpus=3, priority=1), waits(3, cpus=3, priority=1)]
    assert started(plan(queue, [node(cpus=3)], [], NOW)) == [2]


def test_what_is_held_is_not_given_again() -> None:
    decided = plan([waits(2, cpus=2)], [node(cpus=4)], [runs(1, cpus=3)], NOW)
    assert started(decided) == []
    assert reason(decided, 2) == "waits for 2 CPU cores (1 free), held by job 1"


def test_exactly_the_free_gpus_are_given() -> None:
    held = [runs(1, gpus=("a1",)), runs(4, cpus=1)]
    decided = plan([waits(2, gpus=2), waits(3, gpus=1)], [node(gpus=3)], held, NOW)
    assert decided.starts[0].placement.gpus == ("a0", "a2")
    assert reason(decided, 3) == "waits for 1 GPU (0 free), held by job 1, job 2"


def test_a_gpu_type_has_to_match() -> None:
    nodes = [node("a", gpus=2, model="NVIDIA T4"), node("b", gpus=1, model="NVIDIA A100")]
    decided = plan([waits(1, gpus=1, gpu_type="a100")], nodes, [], NOW)
    assert decided.starts[0].placement.gpus == ("b0",)
    decided = plan([waits(1, gpus=2, gpu_type="a100")], nodes, [], NOW)
    assert reason(decided, 1) == (
        "asks for 2 GPUs of type a100, but no machine has more than 1 of them "
        "(there are: NVIDIA A100, NVIDIA T4)"
    )


def test_a_type_that_there_is_not_is_told_with_those_that_there_are() -> None:
    nodes = [node("a", gpus=2, model="NVIDIA GeForce RTX 3080 Ti"), node("b", gpus=1, model="T4")]
    decided = plan([waits(1, gpus=1, gpu_type="RTX 3080")], nodes, [], NOW)
    assert reason(decided, 1) == (
        "asks for 1 GPU of type RTX 3080, but no machine has one (there are: NVIDIA GeForce RTX "
        "3080 Ti, T4); did you mean NVIDIA GeForce RTX 3080 Ti?"
    )
    decided = plan([waits(1, gpus=2, gpu_type="MI300")], [node(gpus=2)], [], NOW)
    assert reason(decided, 1) == (
        "asks for 2 GPUs of type MI300, but no machine has any (there is no GPU of a known model)"
    )


def test_one_of_something_is_told_in_the_singular() -> None:
    decided = plan([waits(1, gpus=1)], [node()], [], NOW)
    assert reason(decided, 1) == "can never start here: asks for 1 GPU, the largest machine has 0"


ECC = "drained: reports uncorrectable ECC errors"
USED = "in use by python (pid 123), not one of our jobs"


def with_unavailable(gpus: int, **reasons: str) -> Node:
    """A machine some of whose cards nobody may get."""
    whole = node(cpus=8, gpus=gpus)
    cards = (replace(gpu, unavailable=reasons.get(gpu.uuid, "")) for gpu in whole.gpus)
    return replace(whole, gpus=tuple(cards))


def test_a_drained_card_is_not_given_out_and_the_reason_is_told() -> None:
    decided = plan([waits(1, gpus=2), waits(2, gpus=1)], [with_unavailable(2, a0=ECC)], [], NOW)
    assert reason(decided, 1) == (
        "waits for 2 GPUs (1 free; a0 drained: reports uncorrectable ECC errors)"
    )
    # Nothing is kept free for a card that may never come back.
    assert [start.placement.gpus for start in decided.starts] == [("a1",)]


def test_of_many_drained_cards_a_few_are_told() -> None:
    uuid = "GPU-5a1e0000-0000-0000-0000-000000000001"
    cards = (Gpu(uuid, unavailable=USED), *(Gpu(str(at), unavailable=ECC) for at in range(3)))
    decided = plan([waits(1, gpus=1)], [Node("a", 4, 16, cards)], [], NOW)
    assert reason(decided, 1) == (
        f"waits for 1 GPU (0 free; GPU-5a1e0000… {USED}; 0 {ECC}; and 2 more)"
    )


def test_a_card_that_is_drained_while_a_job_holds_it_is_not_promised_to_the_next() -> None:
    held = [runs(1, gpus=("a0",), until=NOW + 10)]
    decided = plan([waits(2, gpus=2), waits(3, gpus=1)], [with_unavailable(2, a0=ECC)], held, NOW)
    assert started(decided) == [3]


def test_small_jobs_fill_up_a_machine_before_they_break_into_the_next() -> None:
    nodes = [node("a", cpus=8, gpus=4), node("b", cpus=8, gpus=4), node("c", cpus=8, gpus=4)]
    decided = plan([waits(number, gpus=1) for number in range(1, 6)], nodes, [], NOW)
    used = Counter(start.placement.node for start in decided.starts)
    assert sorted(used.values()) == [1, 4]
    held = [
        runs(start.job_id, start.placement.node, gpus=start.placement.gpus)
        for start in decided.starts
    ]
    assert started(plan([waits(6, gpus=4), waits(7, gpus=3)], nodes, held, NOW)) == [6, 7]


def mixed(*models: str) -> Node:
    """A machine with these cards."""
    return Node("a", 8, 16, tuple(Gpu(f"a{at}", model) for at, model in enumerate(models)))


def test_cards_of_one_job_are_of_one_model_where_there_are_as_many() -> None:
    given_ = plan([waits(1, gpus=2)], [mixed("A100", "T4", "A100", "T4")], [], NOW)
    assert given_.starts[0].placement.gpus == ("a0", "a2")
    held = [runs(2, gpus=("a0",))]
    given_ = plan([waits(1, gpus=2)], [mixed("A100", "A100", "T4", "T4")], held, NOW)
    assert given_.starts[0].placement.gpus == ("a2", "a3")
    given_ = plan([waits(1, gpus=3)], [mixed("A100", "A100", "T4", "T4")], held, NOW)
    assert given_.starts[0].placement.gpus == ("a1", "a2", "a3")


def test_small_jobs_leave_as_many_cards_of_one_model_as_possible() -> None:
    held = [runs(9, gpus=("a3",))]
    queue = [waits(1, gpus=1), waits(2, gpus=2)]
    decided = plan(queue, [mixed("A100", "A100", "T4", "T4")], held, NOW)
    assert [start.placement.gpus for start in decided.starts] == [("a2",), ("a0", "a1")]


def test_cards_that_are_promised_are_no_better_for_being_alike() -> None:
    held = [runs(9, gpus=("a0",), until=NOW + 10)]
    queue = [waits(1, gpus=2, gpu_type="A100"), waits(2, gpus=2)]
    decided = plan(queue, [mixed("A100", "A100", "T4", "K80")], held, NOW)
    assert [(start.job_id, start.placement.gpus) for start in decided.starts] == [(2, ("a2", "a3"))]


def test_a_job_without_gpus_leaves_the_machine_with_the_gpus_free() -> None:
    nodes = [node("a", cpus=4, gpus=4), node("b", cpus=4)]
    assert plan([waits(1, cpus=4)], nodes, [], NOW).starts[0].placement.node == "b"


def test_a_request_that_nothing_could_hold_blocks_nobody() -> None:
    queue = [waits(1, cpus=64, memory=512), waits(2, cpus=4)]
    decided = plan(queue, [node()], [], NOW)
    assert started(decided) == [2]
    assert reason(decided, 1) == (
        "can never start here: asks for 64 CPU cores, the largest machine has 4; "
        "512 GB of memory, the largest machine has 16"
    )
    assert not decided.waits[0].feasible


def test_what_these_machines_could_never_hold_is_told_of_the_clusters_there_are() -> None:
    large = replace(waits(1, cpus=64), clusters=("ray", "slurm"))
    assert reason(plan([large], [node()], [], NOW), 1) == (
        "can never start here: asks for 64 CPU cores, the largest machine has 4; "
        "--executor ray or slurm sends such a job to a cluster"
    )
    mistyped = replace(waits(2, gpus=1, gpu_type="A10"), clusters=("slurm",))
    decided = plan([mistyped], [node(gpus=1, model="NVIDIA A100")], [], NOW)
    assert reason(decided, 2).endswith("; did you mean NVIDIA A100?")


def test_the_tightest_place_is_taken() -> None:
    nodes = [node("big", cpus=16), node("small", cpus=2)]
    decided = plan([waits(1, cpus=2), waits(2, cpus=16)], nodes, [], NOW)
    assert [start.placement.node for start in decided.starts] == ["small", "big"]


def test_a_short_job_overtakes_and_a_long_one_does_not() -> None:
    held = [runs(1, cpus=3, until=NOW + 100)]
    queue = [waits(2, cpus=4), waits(3, limit=100), waits(4, limit=101)]
    decided = plan(queue, [node(cpus=4)], held, NOW)
    assert started(decided) == [3]
    held = [runs(1, cpus=2, until=NOW + 100)]
    decided = plan([waits(2, cpus=4), waits(4, limit=101)], [node(cpus=4)], held, NOW)
    assert started(decided) == []
    assert reason(decided, 4) == "would delay job 2, which is ahead of it"


def test_a_job_overtakes_if_it_uses_what_is_left_over() -> None:
    held = [runs(1, cpus=2, until=NOW + 100)]
    queue = [waits(2, cpus=3), waits(3, cpus=1), waits(4, cpus=1)]
    assert started(plan(queue, [node(cpus=4)], held, NOW)) == [3]


def test_without_known_ends_only_what_is_left_over_is_given() -> None:
    held = [runs(1, cpus=3)]
    queue = [waits(2, cpus=4), waits(3, cpus=1, limit=1)]
    assert started(plan(queue, [node(cpus=4)], held, NOW)) == []


def test_without_explanations_the_starts_are_the_same() -> None:
    queue = [waits(1, cpus=3), waits(2, cpus=4), waits(3), waits(4)]
    short = plan(queue, [node(cpus=4)], [], NOW, explain=False)
    assert short.starts == plan(queue, [node(cpus=4)], [], NOW).starts
    assert short.waits == ()


_nodes = st.lists(
    st.builds(
        node,
        st.sampled_from("abc"),
        cpus=st.integers(1, 8),
        memory=st.integers(1, 8),
        gpus=st.integers(0, 4),
        model=st.sampled_from(["T4", "A100"]),
    ),
    max_size=3,
    unique_by=lambda one: one.name,
)
_requests = st.tuples(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 4),
    st.sampled_from([None, "T4", "A100"]),
    st.integers(-1, 1),
    st.none() | st.integers(1, 100),
    st.sampled_from([1, 1, 2, 3]),
    st.sampled_from([None, 1]),
)


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Waiting], list[Node], list[Running]]:
    """A queue, machines, and jobs that run on them because an earlier plan started them.

    Since then, some of the cards have become unavailable, perhaps in the middle of a job.
    """
    nodes = draw(_nodes)
    jobs = [waits(number, *one) for number, one in enumerate(draw(st.lists(_requests)), start=1)]
    cut = draw(st.integers(0, len(jobs)))
    ends = draw(st.lists(st.integers(1, 100), min_size=cut, max_size=cut))
    running = [
        Running(start.job_id, f"job {start.job_id}", placement, NOW + ends[start.job_id - 1])
        for start in plan(jobs[:cut], nodes, [], NOW).starts
        for placement in start.placements
    ]
    drained = draw(
        st.sets(st.sampled_from([gpu.uuid for one in nodes for gpu in one.gpus] or ["-"]))
    )
    nodes = [
        replace(
            one,
            gpus=tuple(
                replace(gpu, unavailable=ECC if gpu.uuid in drained else "") for gpu in one.gpus
            ),
        )
        for one in nodes
    ]
    return jobs[cut:], nodes, running


@given(situations())
@settings(max_examples=300)
def test_nothing_is_ever_given_twice(
    situation: tuple[list[Waiting], list[Node], list[Running]],
) -> None:
    queue, nodes, running = situation
    decided = plan(queue, nodes, running, NOW)
    given_now = [placement for start in decided.starts for placement in start.placements]
    placed = given_now + [one.holds for one in running]
    for one in nodes:
        here = [placement for placement in placed if placement.node == one.name]
        assert sum(placement.cpu_cores for placement in here) <= one.cpu_cores
        assert sum(placement.memory_gb for placement in here) <= one.memory_gb
        given_ = Counter(uuid for placement in here for uuid in placement.gpus)
        assert set(given_) <= {gpu.uuid for gpu in one.gpus}
        assert all(count == 1 for count in given_.values())
    unavailable = {gpu.uuid for one in nodes for gpu in one.gpus if gpu.unavailable}
    assert not unavailable & {uuid for placement in given_now for uuid in placement.gpus}
    wanted = {job.id: job for job in queue}
    for start in decided.starts:
        # A gang starts as a whole, or at least with as many nodes as it would start with.
        job = wanted[start.job_id]
        assert job.least <= len(start.placements) <= job.nodes
        for got in start.placements:
            assert (got.cpu_cores, got.memory_gb) == (job.wants.cpu_cores, job.wants.memory_gb)
            assert len(got.gpus) == job.wants.gpu_count
    # Every job is started or told why not.
    assert sorted(started(decided) + [wait.job_id for wait in decided.waits]) == sorted(wanted)
    assert all(wait.reason for wait in decided.waits)


@given(situations())
@settings(max_examples=300)
def test_overtaking_delays_nobody_who_was_promised_a_start(
    situation: tuple[list[Waiting], list[Node], list[Running]],
) -> None:
    queue, nodes, running = situation
    # Every end is known, so that a start can be promised.
    queue = [replace(job, time_limit_s=job.time_limit_s or 50) for job in queue]
    decided = plan(queue, nodes, running, NOW)
    blocked = next((wait for wait in decided.waits if wait.feasible), None)
    if blocked is None:
        return
    order = sorted(queue, key=lambda job: (-job.priority, job.id))
    place = next(index for index, job in enumerate(order) if job.id == blocked.job_id)
    ahead = {job.id for job in order[:place]}
    limits = {job.id: float(job.time_limit_s or 0) for job in queue}
    new = [
        Running(start.job_id, "", placement, NOW + limits[start.job_id])
        for start in decided.starts
        for placement in start.placements
    ]
    before = running + [one for one in new if one.job_id in ahead]
    job = order[place]
    assert earliest(job, nodes, running + new) <= earliest(job, nodes, before)


def earliest(job: Waiting, nodes: list[Node], running: list[Running]) -> float:
    """When a job could start if nothing else came."""
    for moment in sorted({NOW, *(one.ends_at for one in running)}):
        left = [one for one in running if one.ends_at > moment]
        if plan([job], nodes, left, moment).starts:
            return moment
    return inf


@given(situations(), st.integers(0, 10))
def test_what_is_decided_of_the_first_does_not_depend_on_the_rest(
    situation: tuple[list[Waiting], list[Node], list[Running]], depth: int
) -> None:
    queue, nodes, running = situation
    order = sorted(queue, key=lambda job: (-job.priority, job.id))
    first = plan(order[:depth], nodes, running, NOW)
    whole = plan(order, nodes, running, NOW)
    assert whole.starts[: len(first.starts)] == first.starts
