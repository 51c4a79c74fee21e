"""Rows as values: what the rest of the package knows of the database."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from jupyter_training.jobs.lifecycle import Cause, Status
from jupyter_training.jobs.notifications import Receiver
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.scheduling.resources import Placement, Resources


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
    node, gpus
        Where its latest attempt runs or ran, and the UUIDs of its GPUs.
    exit_code, signal
        How its latest attempt ended.
    receivers
        Who is told of it.
    cpu_seconds, peak_memory_bytes, peak_gpu_memory_bytes, gpu_utilization_percent
        What its latest attempt has used, from its start (`attempt_started_at`) to `usage_until`.
    idle_since
        Since when the GPUs of its latest attempt do nothing.
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
    priority: int
    time_limit_s: float | None
    executor: str
    image: str | None
    command: str
    working_dir: str | None
    env_vars: dict[str, str]
    dataset_ids: list[int]
    output_path: str | None
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
    exit_code: int | None
    signal: int | None
    cpu_seconds: float | None
    peak_memory_bytes: int | None
    peak_gpu_memory_bytes: int | None
    gpu_utilization_percent: float | None
    attempt_started_at: datetime | None
    usage_until: datetime | None
    idle_since: datetime | None
    receivers: tuple[Receiver, ...] = ()

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
            gpus=tuple(row["gpus"] or ()),
            receivers=tuple(Receiver.from_json(kept) for kept in row["receivers"] or ()),
        )


_SAME = tuple(
    field.name
    for field in fields(Job)
    if field.name not in {"job_id", "owner", "resources", "status", "cause", "gpus", "receivers"}
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
class Attempt:
    """One run of a job that has not ended.

    Attributes
    ----------
    token
        What whoever reports on it has to show; a report with another token changes nothing.
    handle
        What its executor needs to find it again; None until it was started.
    datasets
        The data sets of its job; known only when it is about to be prepared.
    """

    job_id: int
    job_uuid: str
    number: int
    token: str
    executor: str
    placement: Placement
    handle: dict[str, Any] | None
    spec: JobSpec
    cancel_requested_by: str | None
    datasets: tuple[DataSet, ...] = ()


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
