"""What becomes of jobs that others decide about, on graphs of all kinds."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_training.jobs import pipelines
from jupyter_training.jobs.families import (
    Child,
    Turnout,
    Upstream,
    after_upstreams,
    standing,
    way,
    weighted_progress,
    weights,
)
from jupyter_training.jobs.lifecycle import ENDED, Cause, Status, may_follow

Graph = dict[str, list[str]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs without cycles, with their names in any order."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 8)))]
    graph = {
        name: draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else []
        for number, name in enumerate(names)
    }
    return dict(draw(st.permutations(list(graph.items()))))


def reachable(graph: Graph, name: str) -> set[str]:
    """All that a stage goes after, directly or not."""
    return {name for one in graph[name] for name in (one, *reachable(graph, one))}


class Run:
    """A pipeline played through with values alone, in any order of events."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.status = dict.fromkeys(graph, Status.PENDING)
        self.cause: dict[str, Cause | None] = dict.fromkeys(graph)
        self.blamed: dict[str, str] = {}
        self.begun: list[str] = []

    def settle(self) -> None:
        """Let everybody begin who may, and end everybody who never can, until nothing moves."""
        moved = True
        while moved:
            moved = False
            for name, after in self.graph.items():
                if self.status[name] is not Status.PENDING:
                    continue
                upstreams = [Upstream(one, self.status[one], self.blamed.get(one)) for one in after]
                turnout, names = after_upstreams(upstreams)
                if turnout is Turnout.BEGINS:
                    self.status[name] = Status.RUNNING
                    self.begun.append(name)
                elif turnout is Turnout.NEVER:
                    self.status[name] = Status.CANCELLED
                    self.cause[name], self.blamed[name] = Cause.UPSTREAM_FAILED, names
                moved |= turnout is not Turnout.WAITS

    def end(self, name: str, status: Status) -> None:
        assert self.status[name] is Status.RUNNING
        self.status[name] = status
        if status is Status.FAILED:
            self.cause[name] = Cause.USER_ERROR

    @property
    def running(self) -> list[str]:
        return [name for name, status in self.status.items() if status is Status.RUNNING]

    @property
    def children(self) -> list[Child]:
        return [Child(name, self.status[name], self.cause[name]) for name in self.graph]


@given(graphs(), st.data())
def test_any_pipeline_comes_to_an_end_in_its_order(graph: Graph, data: st.DataObject) -> None:
    run, walked = Run(graph), [Status.PENDING]
    failing = data.draw(st.sets(st.sampled_from(sorted(graph))))
    run.settle()
    while run.running:
        its = standing(run.children)
        assert its.status not in ENDED
        walked += way(walked[-1], its.status)
        name = data.draw(st.sampled_from(run.running))
        run.end(name, Status.FAILED if name in failing else Status.COMPLETED)
        run.settle()
    its = standing(run.children)
    walked += way(walked[-1], its.status)
    assert all(status in ENDED for status in run.status.values())
    for name in graph:
        before = reachable(graph, name)
        if name in run.begun:  # everything that it goes after had completed by then
            assert before <= set(run.begun[: run.begun.index(name)])
            assert all(run.status[one] is Status.COMPLETED for one in before)
        else:  # something that it goes after is to blame, and is named
            blamed = set(run.blamed[name].replace(" and ", ", ").split(", "))
            assert blamed <= before & failing
            assert all(run.status[one] is Status.FAILED for one in blamed)
    failed = Status.FAILED in run.status.values()
    assert its.status is (Status.FAILED if failed else Status.COMPLETED)
    assert walked[-1] is its.status
    assert all(may_follow(one, other) for one, other in itertools.pairwise(walked))


@given(graphs())
def test_the_order_has_each_name_behind_those_that_it_goes_after(graph: Graph) -> None:
    assert pipelines.problems(list(graph.items())) == []
    order = pipelines.in_order(graph)
    assert sorted(order) == sorted(graph)
    for name in graph:
        assert all(order.index(one) < order.index(name) for one in graph[name])


@given(graphs(), st.data())
def test_a_cycle_is_told_with_its_path(graph: Graph, data: st.DataObject) -> None:
    last = data.draw(st.sampled_from(sorted(graph)))
    first = data.draw(st.sampled_from(sorted({last, *reachable(graph, last)})))
    graph[first] = [*graph[first], last]
    path = pipelines.find_cycle(graph)
    assert path[0] == path[-1]
    assert len(path) > 1
    assert all(after in graph[name] for name, after in itertools.pairwise(path))
    (told,) = pipelines.problems(list(graph.items()))
    assert " after ".join(path) in told


@given(
    st.lists(
        st.builds(
            Child,
            st.just("x"),
            st.sampled_from(Status),
            st.sampled_from([Cause.UPSTREAM_FAILED, Cause.USER_ERROR]),
            progress=st.integers(0, 100),
            weight=st.floats(1e-3, 1e6),
        ),
        min_size=1,
    ),
    st.none() | st.just("ada"),
)
def test_a_parent_ends_when_all_of_its_children_have(children: list[Child], by: str | None) -> None:
    its = standing(children, by)
    assert (its.status in ENDED) == all(child.status in ENDED for child in children)
    assert 0 <= its.progress <= 100
    assert (its.status is Status.COMPLETED) == (its.progress == 100 and its.status in ENDED)
    assert (its.cause is not None) == (its.status in ENDED)


@pytest.mark.parametrize(
    ("statuses", "by", "expected"),
    [
        ("pending pending", None, "pending"),
        ("scheduled pending", None, "scheduled"),
        ("completed pending", None, "running"),
        ("retrying pending", None, "running"),
        ("failed running", None, "running"),
        ("failed cancelled", None, "failed"),
        ("failed cancelled", "ada", "cancelled"),
        ("completed completed", "ada", "completed"),
        ("completed cancelled", None, "cancelled"),
    ],
)
def test_where_a_parent_stands(statuses: str, by: str | None, expected: str) -> None:
    children = [Child("x", Status(word)) for word in statuses.split()]
    assert standing(children, by).status is Status(expected)


def test_the_progress_is_weighted_by_what_is_expected() -> None:
    long = Child("fit", Status.RUNNING, progress=50, weight=90)
    short = Child("prepare", Status.COMPLETED, weight=10)
    assert weighted_progress([short, long]) == 55


@pytest.mark.parametrize(
    ("durations", "limits", "expected"),
    [
        ([None, None], [None, None], [1, 1]),
        ([10, None, 30], [None, None, 99], [10, 20, 30]),
        ([None, None], [60, None], [60, 60]),
        ([0.0, 4.0], [None, None], [0.001, 4]),
    ],
)
def test_how_much_of_the_work_each_is(
    durations: list[float | None], limits: list[float | None], expected: list[float]
) -> None:
    assert weights(durations, limits) == expected
