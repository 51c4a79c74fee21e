"""Jobs that depend on others, and families, on both databases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from jupyter_training.engine import families as engine_families
from jupyter_training.engine.submission import NOTHING
from jupyter_training.jobs.children import parse
from jupyter_training.jobs.lifecycle import ACTIVE, ENDED, Cause, Exit, Status
from jupyter_training.scheduling.resources import Resources
from jupyter_training.store import families, jobs, ledger, lists, submissions, upstreams
from jupyter_training.store.records import Attempt, Job
from jupyter_training.store.submissions import Within
from jupyter_training.store.tables import metadata
from jupyter_training.store.transitions import StaleWrite
from tests.store.conftest import Store, after

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


class Family:
    """A pipeline in the store, and turns without processes."""

    def __init__(self, store: Store, graph: dict[str, list[str]], priority: int = 0) -> None:
        self.store, self.graph = store, graph
        stages = [{"name": name, "command": "true"} for name in graph]
        self.parent: Job = store.write(self._submit, stages, priority)

    def _submit(self, connection: Connection, stages: list[dict[str, Any]], priority: int) -> Job:
        def put(spec: Any, resources: Resources, **more: Any) -> Job:
            self.store.count += 1
            job, _ = submissions.submit(
                connection,
                spec,
                resources,
                job_id=f"job-f{self.store.count}",
                username="ada",
                executor="local",
                idempotency_key=None,
                now=after(0),
                **more,
            )
            return job

        parent = put(parse({"name": "pipe", "stages": stages, "priority": priority}), NOTHING)
        numbers: dict[str, int] = {}
        for name, needs in self.graph.items():
            spec = parse({"name": f"pipe/{name}", "command": "true", "priority": priority})
            job = put(
                spec,
                Resources(1, 1, 0),
                within=Within(parent, name),
                upstreams={one: numbers[one] for one in needs},
            )
            numbers[name] = job.id
        self.numbers = numbers
        return parent

    def add(self, name: str) -> int:
        """Make another child."""
        job, _ = self.store.write(
            submissions.submit,
            parse({"name": f"pipe/{name}", "command": "true"}),
            Resources(1, 1, 0),
            job_id=f"job-{name}",
            username="ada",
            executor="local",
            idempotency_key=None,
            now=after(0),
            within=Within(self.parent, name),
        )
        return int(job.id)

    def turn(self, changed: Iterable[int] | None = None) -> set[int]:
        """What a turn writes for others; of what has changed, or of everything."""
        advance = self.store.write(
            engine_families.advance,
            engine_families.COORDINATORS,
            changed or (),
            {},
            after(0),
            look_at_all=changed is None,
        )
        moved: set[int] = advance.changed
        return moved

    def child(self, name: str) -> Job:
        found: Job = self.store.read(jobs.get, self.numbers[name])
        return found

    @property
    def statuses(self) -> dict[str, str]:
        return {name: self.child(name).status.value for name in self.graph}

    @property
    def now(self) -> Job:
        found: Job = self.store.read(jobs.get, self.parent.id)
        return found

    def run(self, exits: dict[str, Exit] | None = None) -> None:
        """Schedule and end, until nothing more starts."""
        names = {number: name for name, number in self.numbers.items()}
        while attempts := self.store.schedule():
            for attempt in attempts:
                self.store.start(attempt)
                self.turn([attempt.job_id])
                self.store.end(attempt, (exits or {}).get(names[attempt.job_id]))
                self.turn([attempt.job_id])


def failing() -> Exit:
    return Exit(exit_code=2, cause=Cause.INVALID_ARGUMENTS, detail="x")


def test_only_what_may_begin_is_in_the_queue(store: Store) -> None:
    family = Family(store, DIAMOND)
    assert [one.id for one in store.read(ledger.queue, after(0))] == [family.numbers["a"]]
    assert store.read(lists.count_waiting) == 1
    assert store.read(lists.queue_positions, list(family.numbers.values())) == {
        family.numbers["a"]: 1
    }
    family.run()
    assert set(family.statuses.values()) == {"completed"}
    assert (family.now.status, family.now.progress) == (Status.COMPLETED, 100)
    assert store.history(family.parent) == ["pending", "scheduled", "running", "completed"]
    assert store.read(ledger.held) == []


def test_children_are_served_with_their_parent_and_not_behind_those_submitted_later(
    store: Store,
) -> None:
    family = Family(store, {"a": [], "b": []})
    store.cancel(family.child("a"))
    other = store.submit("other")
    # As a search makes its trials one after the other.
    store.write(families.run_again, family.child("a"), by="ada", now=after(1))
    late = family.add("late")
    family.turn()
    served = [one.id for one in store.read(ledger.queue, after(0))]
    assert late > other.id
    assert served == [family.numbers["a"], family.numbers["b"], late, other.id]
    positions = store.read(lists.queue_positions, served)
    assert [positions[number] for number in served] == [1, 2, 3, 4]


def test_what_cannot_be_run_is_named_with_whom_it_is_because(store: Store) -> None:
    family = Family(store, {"a": [], "b": ["a"], "c": ["b"]})
    family.run({"a": failing()})
    assert family.statuses == {"a": "failed", "b": "cancelled", "c": "cancelled"}
    assert family.child("c").reason == "not run, because a did not complete"
    assert family.now.cause is Cause.INVALID_ARGUMENTS


def test_a_retry_goes_on_and_leaves_what_completed(store: Store) -> None:
    family = Family(store, DIAMOND)
    family.run({"b": failing()})
    assert family.statuses == {"a": "completed", "b": "failed", "c": "completed", "d": "cancelled"}
    again = store.write(families.run_again, family.now, by="ada", now=after(1))
    assert again.status is Status.PENDING
    assert family.statuses == {"a": "completed", "b": "pending", "c": "completed", "d": "pending"}
    family.turn()
    family.run()
    assert set(family.statuses.values()) == {"completed"}
    assert family.child("a").attempt == 1
    assert family.child("b").attempt == 2
    # Of what completed as a whole, all is run again.
    store.write(families.run_again, family.now, by="ada", now=after(2))
    family.turn()
    family.run()
    assert family.child("a").attempt == 2


def test_a_child_that_was_given_up_is_not_run_again_before_its_culprit(store: Store) -> None:
    family = Family(store, {"a": [], "b": ["a"]})
    family.run({"a": failing()})
    with pytest.raises(StaleWrite, match="a did not complete; run that again first"):
        store.write(families.run_again, family.child("b"), by="ada", now=after(1))
    store.write(families.run_again, family.child("a"), by="ada", now=after(1))
    assert family.now.status.value == "pending"
    family.turn()
    family.run()
    assert family.now.status is Status.COMPLETED


def test_a_family_is_removed_as_a_whole_and_only_when_nobody_needs_it(store: Store) -> None:
    family = Family(store, {"a": [], "b": ["a"]})
    with pytest.raises(StaleWrite, match="has not ended"):
        store.write(families.remove, family.now, now=after(0))
    family.run()
    with pytest.raises(StaleWrite, match=f"is part of {family.parent.job_id}"):
        store.write(families.remove, family.child("a"), now=after(0))
    waiting = store.submit("waits")
    store.write(upstreams.add, waiting.id, {"x": family.numbers["b"]})
    with pytest.raises(StaleWrite, match="a job that has not ended depends on"):
        store.write(families.remove, family.now, now=after(0))
    store.cancel(waiting)
    gone = store.write(families.remove, family.now, now=after(0))
    assert len(gone) == 3
    assert store.read(jobs.find, family.parent.job_id, None) is None
    (left,) = store.read(upstreams.own, [waiting.id])[waiting.id]
    assert (left.name, left.job_id) == ("x", None)


def test_a_server_that_knows_nothing_finds_all_that_is_to_be_done(store: Store) -> None:
    family = Family(store, DIAMOND)
    store.run(store.job(family.child("a")))  # and then it died, before anything followed
    assert family.statuses["b"] == "pending"
    moved = family.turn()
    assert {family.numbers["b"], family.numbers["c"], family.parent.id} <= moved
    assert family.turn() == set()
    assert len(store.read(ledger.queue, after(0))) == 2


def test_who_waits_is_looked_at_also_when_somebody_else_who_waits_has_changed(store: Store) -> None:
    family = Family(store, {"a": [], "b": ["a"], "c": ["b"]})
    store.run(store.job(family.child("a")))
    family.turn([family.numbers["a"], family.numbers["c"]])
    assert [one.id for one in store.read(ledger.queue, after(0))] == [family.numbers["b"]]


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_whatever_happens_a_family_comes_to_an_end_that_its_children_tell(
    store: Store, data: st.DataObject
) -> None:
    # An example that was broken off leaves jobs behind that hold what this one would be given.
    with store.database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    names = [f"s{number}" for number in range(data.draw(st.integers(1, 5)))]
    graph = {
        name: data.draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else []
        for number, name in enumerate(names)
    }
    family = Family(store, graph)
    running: list[Attempt] = []
    for _ in range(60):
        if family.now.status in ENDED:
            break
        mine = set(family.numbers.values())
        running += [one for one in store.schedule() if one.job_id in mine]
        what = data.draw(st.sampled_from(["start", "end", "fail", "cancel", "cancel all", "sweep"]))
        if what == "cancel all":
            store.write(families.request_cancel, family.now, by="ada", now=after(0))
        elif what == "cancel":
            store.cancel(family.child(data.draw(st.sampled_from(names))))
        elif what != "sweep" and running:
            attempt = data.draw(st.sampled_from(running))
            store.start(attempt)
            if what != "start":
                running.remove(attempt)
                store.end(attempt, failing() if what == "fail" else None)
        family.turn()
        for name, needs in graph.items():
            child = family.child(name)
            if child.status in ACTIVE:
                assert all(family.statuses[one] == "completed" for one in needs)
    else:
        for attempt in running:
            store.start(attempt)
            store.end(attempt)
        family.turn()
        family.run()
    assert family.now.status in ENDED
    assert all(Status(word) in ENDED for word in family.statuses.values())
    everything = set(family.statuses.values()) == {"completed"}
    assert (family.now.status is Status.COMPLETED) == everything
    assert family.turn() == set()
