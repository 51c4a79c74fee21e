"""A job with the jobs that it is made of: the stages of a pipeline, the trials of a search.

What is asked for is a job only if each of them is one, so that nothing is found out halfway.
"""

from __future__ import annotations

from jupyter_training.jobs import parameters
from jupyter_training.jobs.requests import FieldError, checked
from jupyter_training.jobs.spec import InvalidJob, JobSpec, JobType, is_of_a_gang

_LONGEST = 10**6 - 1
"""The number of a trial that has as many digits as any."""


def parse(data: object) -> JobSpec:
    """Check a request.

    Raises
    ------
    InvalidJob
        With every wrong field.
    """
    if not isinstance(data, dict):
        raise InvalidJob([FieldError("", "a job is a JSON object with at least name and command")])
    spec = checked(JobSpec, data, InvalidJob)
    stage_specs(spec)
    trial_of_search(spec)
    return spec


_INHERITED = (
    *("cpu_cores", "memory_gb", "gpu_count", "gpu_type", "image", "working_dir", "dataset_ids"),
    *(
        "max_retries",
        "time_limit_s",
        "executor",
        "executor_options",
        "cache",
        "snapshot",
        "environment",
    ),
)
"""What is said of a pipeline and holds for each stage that says nothing else."""


def stage_specs(spec: JobSpec) -> list[JobSpec]:
    """The stages of a pipeline as jobs, in order, with what they have from the pipeline.

    What they depend on is left out: a job depends on jobs, and those are not there yet.

    Raises
    ------
    InvalidJob
        If a stage is no job together with what was said of the pipeline.
    """
    found, wrong = [], []
    for number, stage in enumerate(spec.stages):
        own = {name: getattr(stage, name) for name in stage.model_fields_set}
        given = {
            **{name: getattr(spec, name) for name in _INHERITED if name in spec.model_fields_set},
            **own,
            "name": f"{spec.name}/{stage.name}",
            "priority": spec.priority,
            "env_vars": {**spec.env_vars, **stage.env_vars},
            "depends_on": [],
        }
        try:
            child = checked(JobSpec, given, InvalidJob)
            stage_specs(child)
            trial_of_search(child)
            found.append(child)
        except InvalidJob as invalid:
            wrong += in_stage(number, stage, invalid.errors)
    if wrong:
        raise InvalidJob(wrong)
    return found


def in_stage(number: int, stage: JobSpec, errors: list[FieldError]) -> list[FieldError]:
    """What is wrong with a stage, as something that is wrong with its pipeline."""
    return [
        FieldError(f"stages.{number}.{error.field}", f"stage {stage.name}: {error.message}")
        for error in errors
    ]


def trial_of_search(spec: JobSpec, number: int = _LONGEST) -> JobSpec | None:
    """What a trial of a search may be like; None of what is no search.

    Parameters
    ----------
    number
        Which of them, by default one with the longest name.

    Raises
    ------
    InvalidJob
        If together with what was said of the search it is no job.
    """
    if spec.search is None:
        return None
    for name in (name for word in spec.words for name in parameters.named_in(word)):
        if name not in spec.search.space:
            there = ", ".join(spec.search.space)
            told = (
                f"{{{name}}} is not in the space of the search, which has {there}; write "
                f"{{{{{name}}}}} for what is no parameter"
            )
            raise InvalidJob([FieldError("command", told)])
    given = trial_spec(spec, number, spec.search.example)
    return checked(
        JobSpec, {name: getattr(given, name) for name in JobSpec.model_fields}, InvalidJob
    )


def trial_spec(spec: JobSpec, number: int, values: parameters.Parameters) -> JobSpec:
    """A trial of a search as a job.

    What the search depends on is left out, as it has completed, and who is told of the search is
    told of that only.
    """
    names = ("nodes", "min_nodes", "launcher", "procs_per_node")
    is_gang = is_of_a_gang({name: getattr(spec, name) for name in names})
    return spec.model_copy(
        update={
            "name": f"{spec.name}/{number}",
            "job_type": JobType.DISTRIBUTED if is_gang else JobType.SINGLE,
            "search": None,
            "parameters": dict(values),
            "depends_on": [],
            "notify": [],
            "cache": False,
        }
    )
