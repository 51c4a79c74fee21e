"""Rows as values: what the rest of the package knows of the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from jupyter_training.jobs.gangs import Launcher, ranks_per_node
from jupyter_training.jobs.lifecycle import Cause, Status
from jupyter_training.jobs.notifications import Receiver
from jupyter_training.jobs.spec import PARENTS, JobSpec, JobType
from jupyter_training.scheduling.resources import Placement, Resources
from jupyter_training.store.tables import Hold


@dataclass(frozen=True)
class Job:
    """A job as it stands.

    Attributes
    ----------
    id, job_id
        Its number, which is also its place in the sequence of submissions, and its public name
        (the table's `uuid`).
    owner
        The user name of its customer.
    attempt
        How many attempts it has had.
    resources
        What it asks for; a gang for each of its nodes.
    node, gpus
        Where its latest attempt runs or ran, and the UUIDs of its GPUs.
    parts
        What the nodes of its latest attempt hold or held; of a job that is no gang, the one.
    exit_code, signal
        How its latest attempt ended.
    receivers
        Who is told of it.
    cpu_seconds, peak_memory_bytes, peak_gpu_memory_bytes, gpu_utilization_percent
        What its latest attempt has used, from its start (`attempt_started_at`) to `usage_until`.
    idle_since
        Since when the GPUs of its latest attempt do nothing.
    parent_id, child_key
        The number of the job that it is a part of, and its name within that.
    hold
        Why it is not in the queue although it waits.
    digest
        What it does, if other jobs may be reused that did the same.
    origin
        The run whose results it has, if it was not run itself: a job id, ``#``, an attempt.
    stop_cause, stop_detail
        Why it is being stopped, or was, if that was nobody's wish.
    snapshot, environment, variables
        The contents that it refers to, by their SHA-256; the variables by their names.
    parameters
        What it runs with, by name.
    """

    id: int
    job_id: str
    customer_id: int
    workspace_id: int | None
    owner: str
    name: str
    description: str | None
    job_type: str
    resources: Resources
    nodes: int
    min_nodes: int | None
    procs_per_node: int | None
    launcher: str | None
    priority: int
    time_limit_s: float | None
    executor: str
    image: str | None
    command: str
    working_dir: str | None
    env_vars: dict[str, str]
    dataset_ids: list[int]
    output_path: str | None
    snapshot: str | None
    environment: str | None
    variables: dict[str, str]
    parameters: dict[str, Any]
    status: Status
    cause: Cause | None
    reason: str | None
    progress: int
    attempt: int
    retry_count: int
    max_retries: int
    not_before: datetime | None
    cancel_requested_at: datetime | None
    cancel_requested_by: str | None
    submitted_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    node: str | None
    gpus: tuple[str, ...]
    parts: tuple[Placement, ...]
    exit_code: int | None
    signal: int | None
    cpu_seconds: float | None
    peak_memory_bytes: int | None
    peak_gpu_memory_bytes: int | None
    gpu_utilization_percent: float | None
    attempt_started_at: datetime | None
    usage_until: datetime | None
    idle_since: datetime | None
    parent_id: int | None
    child_key: str | None
    digest: str | None
    origin: str | None
    hold: Hold | None
    hung_since: datetime | None
    hung_first: str | None
    stop_cause: Cause | None
    stop_detail: str | None
    receivers: tuple[Receiver, ...] = ()

    @property
    def given(self) -> Resources:
        """What its latest attempt was given in all; what it asks for if it has had none."""
        if not self.parts:
            return self.resources
        return Resources(
            sum(one.cpu_cores for one in self.parts),
            sum(one.memory_gb for one in self.parts),
            sum(len(one.gpus) for one in self.parts),
            self.resources.gpu_type,
        )

    @property
    def ranks(self) -> int:
        """How many processes its latest attempt has, or the next one will have if all goes well."""
        if self.job_type != JobType.DISTRIBUTED:
            return 1
        launcher = Launcher(self.launcher or Launcher.BUILTIN)
        local = ranks_per_node(launcher, self.resources.gpu_count, self.procs_per_node)
        return local * (len(self.parts) or self.nodes)

    @property
    def is_parent(self) -> bool:
        """Whether other jobs do its work."""
        return self.job_type in PARENTS

    @property
    def is_search(self) -> bool:
        """Whether its children are the trials of a search for hyperparameters."""
        return self.job_type == JobType.HYPERPARAMETER

    @classmethod
    def from_row(cls, row: RowMapping) -> Job:
        """From a row of `training_jobs` with its customer and its latest attempt."""
        same = {name: row[name] for name in _SAME}
        return cls(
            **same,
            job_id=row["uuid"],
            owner=row["username"],
            resources=Resources(
                row["cpu_cores"], row["memory_gb"], row["gpu_count"], row["gpu_type"]
            ),
            status=Status(row["status"]),
            cause=Cause(row["cause"]) if row["cause"] else None,
            stop_cause=Cause(row["stop_cause"]) if row["stop_cause"] else None,
            gpus=tuple(row["gpus"] or ()),
            receivers=tuple(Receiver.from_json(kept) for kept in row["receivers"] or ()),
            parts=placements_of(row),
            hold=Hold(row["hold"]) if row["hold"] else None,
        )


def parts_as_json(placements: Sequence[Placement]) -> list[list[Any]]:
    """The nodes of a gang as a value for JSON."""
    return [[one.node, one.cpu_cores, one.memory_gb, list(one.gpus)] for one in placements]


def parts_of_json(parts: Iterable[Sequence[Any]]) -> tuple[Placement, ...]:
    """The nodes of a gang as they were written."""
    return tuple(Placement(node, cores, memory, tuple(gpus)) for node, cores, memory, gpus in parts)


def placements_of(row: RowMapping) -> tuple[Placement, ...]:
    """What an attempt was given on each of its nodes; nothing while a job has had no attempt."""
    if row["node"] is None:
        return ()
    if row["parts"] is not None:
        return parts_of_json(row["parts"])
    return (Placement(row["node"], row["cpu_cores"], row["memory_gb"], tuple(row["gpus"])),)


_SAME = tuple(
    field.name
    for field in fields(Job)
    if field.name not in {"job_id", "owner", "resources", "status", "cause", "gpus", "receivers"}
    if field.name not in {"parts", "hold", "stop_cause"}
)
"""What a row and a `Job` call by the same name."""


@dataclass(frozen=True)
class DataSet:
    """A registered data set.

    Attributes
    ----------
    owner
        The user name of the customer who registered it.
    path
        Absolute, and without symbolic links when it was registered.
    """

    id: int
    name: str
    path: str
    description: str | None
    owner: str
    created_at: datetime


@dataclass(frozen=True)
class UpstreamJob:
    """A job that another one depends on.

    Attributes
    ----------
    name
        What the other one calls it.
    number, job_id
        None if it was deleted.
    working_dir, output_path, image
        What tells where its results are.
    origin
        The run that its results are from.
    title
        Its own name; None if it was deleted.
    """

    name: str
    number: int | None
    job_id: str | None
    job_type: str | None
    status: Status | None
    cause: Cause | None
    attempt: int
    working_dir: str | None
    output_path: str | None
    image: str | None
    origin: str
    title: str | None = None

    @property
    def is_stage(self) -> bool:
        """Whether it is a stage of the same pipeline, and not a job that was named by its id."""
        return self.name != self.job_id

    @property
    def called(self) -> str:
        """What a person calls it: a stage by its name, another job by its name and its id."""
        return self.name if self.is_stage or not self.title else f"{self.title} ({self.name})"


@dataclass(frozen=True)
class Attempt:
    """One run of a job that has not ended.

    Attributes
    ----------
    token
        What whoever reports on it has to show; a report with another token changes nothing.
    placements
        What it holds; several if it is a gang.
    handle
        What its executor needs to find it again; None until it was started.
    datasets
        The data sets of its job; known only when it is about to be prepared.
    upstreams
        The jobs whose results it reads; likewise.
    digest
        What its job does, if later ones may reuse it; likewise.
    owner
        The user name of its job's customer, whose contents it may read; likewise.
    parent
        The number of what its job is a part of, if it is; likewise.
    """

    job_id: int
    job_uuid: str
    number: int
    token: str
    executor: str
    placements: tuple[Placement, ...]
    handle: dict[str, Any] | None
    spec: JobSpec
    cancel_requested_by: str | None
    datasets: tuple[DataSet, ...] = ()
    upstreams: tuple[UpstreamJob, ...] = ()
    digest: str | None = None
    owner: str = ""
    parent: int | None = None

    @property
    def placement(self) -> Placement:
        """What its only, or its first node holds."""
        return self.placements[0]

    @property
    def gpus(self) -> tuple[str, ...]:
        """The UUIDs of all its GPUs."""
        return tuple(uuid for one in self.placements for uuid in one.gpus)

    @property
    def ranks(self) -> int:
        """How many processes it has."""
        spec = self.spec
        if not spec.is_gang:
            return 1
        launcher = spec.launcher or Launcher.BUILTIN
        local = ranks_per_node(launcher, len(self.placement.gpus), spec.procs_per_node)
        return local * len(self.placements)


@dataclass(frozen=True)
class Event:
    """One line of a job's history."""

    id: int
    at: datetime
    actor: str
    kind: str
    from_status: str | None
    to_status: str | None
    attempt: int | None
    cause: str | None
    reason: str | None


@dataclass(frozen=True)
class Change:
    """A change of a job, as it is told to those who look on.

    Attributes
    ----------
    sequence
        Its number: they grow in the order of the commits.
    change
        What happened, in a word such as ``started`` or ``progress``.
    status, cause, reason
        Where the job stood then, and why.
    attempt
        The attempt that it is about; 0 before the first one.
    progress
        In percent.
    parent_id
        The number of the job that it is a part of; None for others, and when it is gone.
    """

    sequence: int
    job_id: str
    owner: str
    name: str
    change: str
    status: str
    cause: str | None
    reason: str | None
    attempt: int
    progress: int
    at: datetime
    parent_id: int | None = None


@dataclass(frozen=True)
class Server:
    """A process that may hold a lease, or a claim.

    Attributes
    ----------
    pid_started
        When the process started, so that a reused pid is not mistaken for it.
    """

    name: str
    host: str
    pid: int
    pid_started: float
