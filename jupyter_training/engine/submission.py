"""A checked request on its way to the database: a job, and if it is a parent its children."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from jupyter_training.jobs import families, pipelines
from jupyter_training.jobs.children import in_stage, stage_specs, trial_of_search
from jupyter_training.jobs.notifications import Receiver
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import InvalidJob, JobSpec
from jupyter_training.scheduling.resources import ClusterNode, Node, Resources, resolve
from jupyter_training.store import (
    datasets,
    leases,
    machines,
    submissions,
    trials,
    upstreams,
)
from jupyter_training.store.families import expected_s
from jupyter_training.store.records import Job

NOTHING = Resources(0, 0, 0)
"""What a parent holds."""


@dataclass(frozen=True)
class Checked:
    """What a check has found out about a job that is right.

    Attributes
    ----------
    executor
        Which one is to run it.
    receivers
        Who is told of it.
    """

    executor: str
    receivers: Sequence[Receiver] = ()


@dataclass(frozen=True)
class Submission:
    """A job to be, with its children.

    Attributes
    ----------
    key
        Its name within its parent; empty if it has none.
    after
        The siblings that it depends on, by their keys.
    children
        Each behind those that it depends on.
    """

    spec: JobSpec
    checked: Checked
    key: str = ""
    after: Sequence[str] = ()
    children: Sequence[Submission] = ()

    @property
    def leaves(self) -> list[Submission]:
        """The jobs of it that run something."""
        trial = trial_of_search(self.spec, number=0)
        if trial is not None:
            return [Submission(trial, self.checked)]
        if not self.spec.is_parent:
            return [self]
        return [leaf for child in self.children for leaf in child.leaves]


async def checked(
    spec: JobSpec,
    check: Callable[[JobSpec], Awaitable[Checked]],
    key: str = "",
    after: Sequence[str] = (),
) -> Submission:
    """A request as it will be stored, if all of it is right.

    Parameters
    ----------
    check
        Finds out what has to be known of a job, or raises `InvalidJob`.

    Raises
    ------
    InvalidJob
        With everything that is wrong with it or with one of its stages.
    """
    found = await check(spec)
    if key and not spec.notify:  # who is told of everything is told of the whole
        found = Checked(found.executor)
    wrong: list[FieldError] = []
    children = {}
    specs = dict(zip((stage.name for stage in spec.stages), stage_specs(spec), strict=True))
    for number, stage in enumerate(spec.stages):
        needs = [str(one) for one in stage.depends_on]
        try:
            children[stage.name] = await checked(specs[stage.name], check, stage.name, needs)
        except InvalidJob as invalid:
            wrong += in_stage(number, stage, invalid.errors)
    if wrong:
        raise InvalidJob(wrong)
    order = pipelines.in_order({name: child.after for name, child in children.items()})
    return Submission(spec, found, key, after, [children[name] for name in order])


def put(
    connection: Connection,
    it: Submission,
    *,
    username: str,
    idempotency_key: str | None,
    now: datetime,
) -> tuple[Job, bool]:
    """Store a job with all its children.

    Returns
    -------
    job
        The new job, or the earlier one of the same user and idempotency key.
    created
        Whether it is new.

    Raises
    ------
    InvalidJob
        If it names a data set or a job that there is not.
    """
    if it.spec.depends_on:
        leases.between_turns(connection)
    needs = upstreams.resolve(connection, it.spec.depends_on, username)
    numbers = {name: one.number for name, one in needs.items() if one.number is not None}
    here = machines.known_nodes(connection)
    elsewhere = machines.known_cluster_nodes(connection)
    writer = _Writer(connection, username, here, elsewhere, now)
    job, created = writer.write(it, None, numbers, idempotency_key)
    if created:
        writer.write_children(job, it)
    return job, created


def wanted(
    it: Submission, here: Sequence[Node], elsewhere: Mapping[str, Sequence[ClusterNode]]
) -> Resources:
    """What a job asks for, by the machines that it may run on.

    Parameters
    ----------
    elsewhere
        By the names of the executors of clusters, their machines.
    """
    there = elsewhere.get(it.checked.executor)
    nodes = here if there is None else [one.node for one in there]
    return resolve(it.spec, nodes)


@dataclass(frozen=True)
class _Writer:
    connection: Connection
    username: str
    here: Sequence[Node]
    elsewhere: Mapping[str, Sequence[ClusterNode]]
    now: datetime

    def write(
        self,
        it: Submission,
        within: submissions.Within | None,
        needs: dict[str, int],
        idempotency_key: str | None = None,
    ) -> tuple[Job, bool]:
        found = datasets.resolve(self.connection, it.spec.dataset_ids, keep=True)
        spec = it.spec.model_copy(
            update={"dataset_ids": [one.id for one in found], "depends_on": list(needs)}
        )
        search = spec.search
        if search is not None and search.seed is None:
            # Drawn here, so that whoever goes on with it goes on with the same.
            search = search.model_copy(update={"seed": secrets.randbelow(2**32)})
            spec = spec.model_copy(update={"search": search})
        job, created = submissions.submit(
            self.connection,
            spec,
            NOTHING if spec.is_parent else wanted(it, self.here, self.elsewhere),
            job_id=f"job-{secrets.token_hex(6)}",
            username=self.username,
            executor=it.checked.executor,
            receivers=it.checked.receivers,
            idempotency_key=idempotency_key,
            now=self.now,
            within=within,
            upstreams=needs,
        )
        if created and search is not None:
            trials.add_search(self.connection, job.id, search)
        return job, created

    def write_children(self, parent: Job, it: Submission) -> None:
        shares = families.weights(
            [self._expected_s(parent, child) for child in it.children],
            [child.spec.time_limit_s for child in it.children],
        )
        numbers: dict[str, int] = {}
        for child, weight in zip(it.children, shares, strict=True):
            needs = {name: numbers[name] for name in child.after}
            job, _ = self.write(child, submissions.Within(parent, child.key, weight), needs)
            numbers[child.key] = job.id
            self.write_children(job, child)

    def _expected_s(self, parent: Job, child: Submission) -> float | None:
        return expected_s(self.connection, parent.customer_id, child.spec.name)
