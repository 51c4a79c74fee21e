"""What a job was asked to be, so that it can be asked for once more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from jupyter_training.engine.receivers import Receivers
from jupyter_training.jobs.notifications import Notify
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.store import families, jobs, upstreams
from jupyter_training.store.records import Job


def request_of(connection: Connection, job: Job, receivers: Receivers) -> dict[str, Any]:
    """The JSON of a JobSpec that asks for the same as was asked for a job.

    What was not said is not in it. In the place of names that only its pipeline knows, what it
    depends on is named by job ids, and receivers whose URLs are secrets by the job itself.
    """
    spec = jobs.spec_of(connection, job.id)
    said = spec.model_dump(mode="json", exclude_unset=True)
    needs = upstreams.own(connection, [job.id]).get(job.id, ())
    said["depends_on"] = [one.job_id for one in needs if one.job_id is not None]
    stages = families.descendants(connection, job.id, with_trials=False) if spec.stages else []
    by_key = {(one.parent_id, one.child_key): one for one in stages}
    _say_who_is_told(said, job, by_key, receivers)
    return {name: value for name, value in said.items() if value != _default(name)}


def _say_who_is_told(
    said: dict[str, Any],
    job: Job,
    stages: Mapping[tuple[int | None, str | None], Job],
    receivers: Receivers,
) -> None:
    """Add the receivers of a job, and of each stage that has some of its own."""
    said["notify"] = [
        one.model_dump(mode="json") if isinstance(one, Notify) else one
        for one in receivers.asked_again(job.job_id, job.receivers)
    ]
    for one in said.get("stages", ()):
        if (stage := stages.get((job.id, one["name"]))) is not None:
            _say_who_is_told(one, stage, stages, receivers)
        if not one.get("notify"):
            one.pop("notify", None)


def _default(name: str) -> Any:
    """What it means if a job says nothing; of a stage it may mean something else."""
    return JobSpec.model_fields[name].get_default(call_default_factory=True)
