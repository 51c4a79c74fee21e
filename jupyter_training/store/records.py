"""Rows as values: what the rest of the package knows of the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from jupyter_training.jobs.lifecycle import Cause, Status
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
    """

    id: int
    job_id: str
    customer_id: int
    owner: str
    spec: JobSpec
    resources: Resources
    executor: str
    status: Status
    cause: Cause | None
    reason: str | None
    progress: int
    attempt: int
    retry_count: int
    not_before: datetime | None
    cancel_requested_at: datetime | None
    cancel_requested_by: str | None
    submitted_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    workspace_id: int | None
    node: str | None
    gpus: tuple[str, ...]

    @classmethod
    def from_row(cls, row: RowMapping) -> Job:
        """From a row of `training_jobs` with its customer and its latest attempt."""
        return cls(
            id=row["id"],
            job_id=row["uuid"],
            customer_id=row["customer_id"],
            owner=row["username"],
            # It was checked when it was stored.
            spec=JobSpec.model_validate(row["spec"]),
            resources=Resources(
                row["cpu_cores"], row["memory_gb"], row["gpu_count"], row["gpu_type"]
            ),
            executor=row["executor"],
            status=Status(row["status"]),
            cause=Cause(row["cause"]) if row["cause"] else None,
            reason=row["reason"],
            progress=row["progress"],
            attempt=row["attempt"],
            retry_count=row["retry_count"],
            not_before=row["not_before"],
            cancel_requested_at=row["cancel_requested_at"],
            cancel_requested_by=row["cancel_requested_by"],
            submitted_at=row["submitted_at"],
            scheduled_at=row["scheduled_at"],
            started_at=row["started_at"],
            completed_at=row["completed_at"],
            workspace_id=row["workspace_id"],
            node=row["node"],
            gpus=tuple(row["gpus"] or ()),
        )


@dataclass(frozen=True)
class Attempt:
    """One run of a job that has not ended.

    Attributes
    ----------
    token
        What whoever reports on it has to show; a report with another token changes nothing.
    handle
        What its executor needs to find it again; None until it was started.
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
