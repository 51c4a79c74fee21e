"""Finds the job of a user by what they call it, and one of its attempts."""

from __future__ import annotations

from jupyter_training.engine.engine import Engine
from jupyter_training.store import jobs
from jupyter_training.store.records import Job


class NoSuchJob(LookupError):
    """There is no such job, or it is not this user's."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"There is no job {reference}.")


async def job_of(engine: Engine, user: str, reference: str) -> Job:
    """A job by its `job_id` or its number.

    Raises
    ------
    NoSuchJob
        If this user has none of that name.
    """
    job = await engine.read(lambda c: jobs.find(c, reference, user))
    if job is None:
        raise NoSuchJob(reference)
    return job


def attempt_of(job: Job, asked: int | None) -> int:
    """The number of an attempt of a job that is asked for; None for the latest.

    Raises
    ------
    NoSuchJob
        If it has not had such an attempt.
    """
    if asked is None:
        return job.attempt
    if not 1 <= asked <= job.attempt:
        there = f"it has had {job.attempt}" if job.attempt else "it has had none yet"
        raise NoSuchJob(f"{job.job_id} with an attempt {asked}: {there}")
    return asked
