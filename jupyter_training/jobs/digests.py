"""What a job does, as far as its description tells: the same text for two that do the same."""

from __future__ import annotations

import hashlib
import json

from jupyter_training.jobs.spec import JobSpec

_NOT_WHAT_IT_DOES = frozenset(
    {
        *("name", "description", "priority", "max_retries", "time_limit_s", "notify"),
        *(
            "cpu_cores",
            "memory_gb",
            "gpu_count",
            "gpu_type",
            "executor",
            "executor_options",
            "depends_on",
            "cache",
        ),
        # The files of a snapshot count one by one, in the fingerprint of a run.
        *("snapshot", "environment"),
    }
)
"""Fields that change when, where and how often a job runs, and not what it does."""


def definition(spec: JobSpec) -> str | None:
    """What stands for what a job does: its code, its parameters, its environment.

    Returns
    -------
    str or None
        None if its results are not its own, as they are at a place of its choice, or if other jobs
        do its work.
    """
    if spec.is_parent or spec.output_path is not None:
        return None
    # Whatever is added to a JobSpec counts, unless it is known not to.
    told = spec.model_dump(mode="json", exclude=set(_NOT_WHAT_IT_DOES))
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
