"""What a person may ask for.

A :class:`JobSpec` is the body of ``POST api/training-jobs``, what the magics build from their
options, and what is stored with the job. It is checked as a whole: every wrong field is named, with
a sentence for each, before anything is written.

A resource that is left out stays None here; what that comes to depends on the machines there are,
and is decided in :func:`jupyter_training.scheduling.resources.resolve`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from jupyter_training.jobs import parameters, pipelines
from jupyter_training.jobs.datasets import DataSetId, DataSetName
from jupyter_training.jobs.gangs import RANK_VARIABLES, Launcher
from jupyter_training.jobs.notifications import Notify
from jupyter_training.jobs.placeholders import SCRIPT_PLACEHOLDER
from jupyter_training.jobs.requests import (
    InvalidRequest,
    Line,
    Text,
    as_file_name,
    as_text,
)
from jupyter_training.jobs.searches import Search
from jupyter_training.jobs.snapshots import Digest

RESERVED_PREFIX = "JUPYTER_TRAINING_"
RESERVED_VARIABLES = frozenset({"CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"})

OptionName = Annotated[Line, Field(max_length=64)]
OptionValue = StrictBool | StrictInt | StrictFloat | Annotated[Line, Field(max_length=1024)]

ReceiverName = Annotated[Line, Field(max_length=2048)]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class JobType(str, Enum):
    """The four kinds of job."""

    SINGLE = "single"
    DISTRIBUTED = "distributed"
    HYPERPARAMETER = "hyperparameter"
    PIPELINE = "pipeline"


PARENTS = frozenset({JobType.PIPELINE, JobType.HYPERPARAMETER})
"""Jobs that run nothing themselves: other jobs, their children, do their work."""

_OF_STAGES = ("command", "script", "output_path")
"""What a pipeline does not have, as each of its stages has its own."""


def _stage_name(name: str) -> str:
    if not re.fullmatch(r"[\w][\w.+-]*", name):
        raise ValueError("should be a plain name such as fit or fit-2")
    return as_file_name(name)


StageName = Annotated[str, Field(max_length=64), AfterValidator(_stage_name)]


class Script(BaseModel):
    """A script that is stored with the job, such as the text of a notebook cell.

    Attributes
    ----------
    name
        Its file name, as it will stand in tracebacks.
    text
        Its content.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=128)] = "cell.py"
    text: Annotated[Text, Field(max_length=5_000_000)]

    @field_validator("name")
    @classmethod
    def _plain_file_name(cls, name: str) -> str:
        if not re.fullmatch(r"[\w][\w.+-]*", name):
            raise ValueError("should be a plain file name such as train.py")
        return as_file_name(name)


class JobSpec(BaseModel):
    """A training job as a person asks for it. Only `name` and `command` are required.

    A pipeline has `stages` instead of a command. What else is said of it, but for `priority` and
    `depends_on`, holds for each stage that says nothing else. A search for hyperparameters has
    `search`, and what else is said of it holds for each of its trials.

    Attributes
    ----------
    name, description
        For people.
    job_type
        One of `JobType`. It may be left out if what else is said is only for one of them.
    nodes, min_nodes
        Of how many nodes a distributed job consists, each with the resources below. With
        `min_nodes` it starts with fewer, but at least so many, when there is no room for all.
    launcher, procs_per_node
        How the ranks of a node are started, and how many there are: by default one for each GPU, or
        one.
    cpu_cores
        Cores to reserve; in a distributed job for each node, as all resources.
    memory_gb
        Memory to reserve, in GB of 1024**3 bytes.
    gpu_count, gpu_type
        GPUs to reserve, and what their model name should contain.
    image
        A container image; without one the job is a local process. The container sees the server's
        root directory as ``/workspace``.
    command
        A string, split as a shell would split it (and not expanded), or an array.
    script
        Stored with the job; a word ``{script}`` of the command becomes its path.
    working_dir
        Where it runs; relative to the server's root directory, which is also the default. In a
        container any other absolute path is the container's own. With a snapshot, a directory in
        there.
    snapshot
        The SHA-256 of the manifest of the files it runs with, uploaded to
        ``api/training-snapshots``. Without one it runs in `working_dir` itself.
    environment
        The SHA-256 of a JSON object, uploaded likewise, that tells with which software it was
        submitted.
    variables
        Values that it can load, by name: the SHA-256 of each, uploaded likewise.
    env_vars
        Added to the environment.
    dataset_ids
        The data sets that it reads, by number or by name.
    output_path
        Where its results go; relative to `working_dir`. Default: a directory of its own. A
        container finds that directory at this path.
    max_retries
        How often it is run again after a failure that a retry can cure.
    priority
        Higher goes first.
    time_limit_s
        Seconds after which an attempt is ended.
    executor
        What runs it, such as ``local``, ``docker`` or ``slurm``. If it is left out, that follows
        from what the job needs: ``docker`` for one with an image, else what the server is
        configured for.
    executor_options
        What only its executor understands, such as ``{"partition": "gpu"}`` for ``slurm``.
    notify
        Who is told of it outside of Jupyter: URLs as Apprise writes them, or names of receivers
        that the server has, or the id of a job, for those who are told of that one; with
        ``{"to": …, "on": ["failed"]}`` only on some occasions.
    depends_on
        The jobs that have to complete before it begins, by id or number. It finds their results in
        ``JUPYTER_TRAINING_INPUTS``, each under its id.
    stages
        Of a pipeline: the jobs that it is made of.
    search
        Of a search for hyperparameters: the space, the budget, and how it is gone about.
    parameters
        Values that it finds as variables of its cell, as ``{name}`` in its command, and in its
        environment.
    cache
        Of a pipeline or a stage: whether a stage is not run if an earlier one did the same with the
        same inputs; then it has the results of that one.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"anyOf": [{"required": ["command"]}, {"required": ["stages"]}]},
    )

    name: Annotated[Line, Field(max_length=256)]
    description: Annotated[Text, Field(max_length=10_000)] | None = None
    job_type: JobType = JobType.SINGLE
    nodes: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    min_nodes: Annotated[int, Field(ge=1, le=1000, strict=True)] | None = None
    launcher: Launcher | None = None
    procs_per_node: Annotated[int, Field(ge=1, le=1000, strict=True)] | None = None
    cpu_cores: Annotated[int, Field(ge=1, le=100_000, strict=True)] | None = None
    memory_gb: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    gpu_count: Annotated[int, Field(ge=0, le=10_000, strict=True)] | None = None
    gpu_type: Annotated[Line, Field(max_length=64)] | None = None
    image: Annotated[Line, Field(max_length=256)] | None = None
    command: Annotated[str | list[str] | None, Field(validate_default=True)] = None
    script: Script | None = None
    working_dir: Annotated[Line, Field(max_length=512)] | None = None
    snapshot: Digest | None = None
    environment: Digest | None = None
    variables: dict[Annotated[str, Field(max_length=128)], Digest] = Field(
        default_factory=dict, max_length=1000
    )
    env_vars: dict[str, str] = Field(default_factory=dict, max_length=1000)
    dataset_ids: list[DataSetId | DataSetName] = Field(default_factory=list, max_length=100)
    output_path: Annotated[Line, Field(max_length=512)] | None = None
    max_retries: Annotated[int, Field(ge=0, le=100, strict=True)] = 3
    priority: Annotated[int, Field(ge=-1000, le=1000, strict=True)] = 0
    time_limit_s: Annotated[float, Field(gt=0, allow_inf_nan=False, le=10**9)] | None = None
    executor: Annotated[Line, Field(max_length=32)] | None = None
    executor_options: dict[OptionName, OptionValue] = Field(default_factory=dict, max_length=100)
    notify: Annotated[list[ReceiverName | Notify], Field(max_length=20)] = Field(
        default_factory=list
    )
    depends_on: list[int | Line] = Field(default_factory=list, max_length=100)
    stages: Annotated[list[Stage], Field(max_length=1000, validate_default=True)] = Field(
        default_factory=list
    )
    search: Annotated[Search | None, Field(validate_default=True)] = None
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=100)
    cache: bool = False

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if data.get("job_type") is None and _has_stages(data):
            return {**data, "job_type": JobType.PIPELINE.value}
        if data.get("job_type") is None and data.get("search") is not None:
            return {**data, "job_type": JobType.HYPERPARAMETER.value}
        if data.get("job_type") is None and is_of_a_gang(data):
            return {**data, "job_type": JobType.DISTRIBUTED.value}
        return data

    @field_validator("nodes", "min_nodes", "launcher", "procs_per_node")
    @classmethod
    def _of_distributed_jobs(cls, value: Any, info: ValidationInfo) -> Any:
        told = info.data.get("job_type")
        # Each trial of a search may be a distributed job.
        may_be = (None, JobType.DISTRIBUTED, JobType.HYPERPARAMETER)
        if told not in may_be and is_of_a_gang({info.field_name: value}):
            raise ValueError(f"is for jobs of the type distributed, and this is {told.value}")
        if info.field_name == "min_nodes" and value is not None:
            nodes = info.data.get("nodes", value)
            if value > nodes:
                raise ValueError(f"should not be more than nodes, which is {nodes}")
        if value is Launcher.MPI and info.data.get("nodes", 1) > 1:
            raise ValueError(
                "mpi reaches other nodes by ssh, which nobody serves there; "
                "use one node, and procs_per_node or GPUs for the number of ranks"
            )
        return value

    @field_validator(*_OF_STAGES)
    @classmethod
    def _not_of_a_pipeline(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("job_type") is JobType.PIPELINE:
            raise ValueError("a pipeline has none of its own; give it to its stages")
        is_search = info.data.get("job_type") is JobType.HYPERPARAMETER
        if value is not None and is_search and info.field_name == "output_path":
            raise ValueError(
                "its trials would overwrite each other's results; each finds a directory of its "
                "own in JUPYTER_TRAINING_OUTPUT_DIR"
            )
        return value

    @field_validator("search")
    @classmethod
    def _of_a_search(cls, search: Search | None, info: ValidationInfo) -> Search | None:
        job_type = info.data.get("job_type", JobType.HYPERPARAMETER)
        if search is None and job_type is JobType.HYPERPARAMETER and "job_type" in info.data:
            raise PydanticCustomError("missing", "is required")
        if search is not None and job_type is not JobType.HYPERPARAMETER:
            raise ValueError(
                f"is for jobs of the type hyperparameter, and this is {job_type.value}"
            )
        return search

    @field_validator("parameters")
    @classmethod
    def _values_of_parameters(cls, given: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if given and info.data.get("job_type") in PARENTS:
            raise ValueError("is for a job that runs something itself")
        if told := parameters.wrong_names(given):
            raise ValueError(told)
        for name, value in given.items():
            if told := parameters.wrong_value(value):
                raise ValueError(f"{name}: {told}")
        return given

    @field_validator("stages")
    @classmethod
    def _stages_that_go(cls, stages: list[Stage], info: ValidationInfo) -> list[Stage]:
        if "job_type" not in info.data:
            return stages
        if info.data["job_type"] is not JobType.PIPELINE:
            if stages:
                raise ValueError("only a pipeline has stages; its job_type is pipeline")
            return stages
        if not stages:
            raise ValueError("a pipeline needs at least one stage")
        named = [(stage.name, [str(one) for one in stage.depends_on]) for stage in stages]
        if wrong := pipelines.problems(named):
            raise ValueError("; ".join(wrong))
        if max(map(_depth, stages)) > MAX_DEPTH:
            raise ValueError(f"pipelines in pipelines may be {MAX_DEPTH} deep")
        return stages

    @field_validator("command")
    @classmethod
    def _runnable(
        cls, command: str | list[str] | None, info: ValidationInfo
    ) -> str | list[str] | None:
        if command is None:
            if info.data.get("job_type", JobType.PIPELINE) is not JobType.PIPELINE:
                raise PydanticCustomError("missing", "is required")
            return None
        if isinstance(command, str):
            try:
                words = shlex.split(command)
            except ValueError as error:
                raise ValueError(
                    f"cannot be split into words ({str(error).lower()}); "
                    "check its quotes or give an array"
                ) from None
        else:
            words = command
        if not words or not words[0]:
            raise ValueError("should name a program to run")
        for word in words:
            as_text(word)
        return command

    @field_validator("variables")
    @classmethod
    def _identifiers(cls, variables: dict[str, str]) -> dict[str, str]:
        for name in variables:
            if not name.isidentifier():
                raise ValueError(f"{name!r} is not the name of a variable")
        return variables

    @field_validator("env_vars")
    @classmethod
    def _variables(cls, variables: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        reserved = RESERVED_VARIABLES
        if info.data.get("job_type") is JobType.DISTRIBUTED:
            reserved |= RANK_VARIABLES
        for name, value in variables.items():
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"{name!r} is not a name for an environment variable")
            if name.startswith(RESERVED_PREFIX) or name in reserved:
                raise ValueError(f"{name} is set by jupyter-training itself")
            as_text(value)
        return variables

    @model_validator(mode="after")
    def _script_is_used(self) -> JobSpec:
        if self.script is not None and SCRIPT_PLACEHOLDER not in self.words:
            raise ValueError(
                f"script is given, so one word of command should be {SCRIPT_PLACEHOLDER!r}"
            )
        return self

    @property
    def is_gang(self) -> bool:
        """Whether it consists of nodes that start and end together."""
        return self.job_type is JobType.DISTRIBUTED

    @property
    def is_parent(self) -> bool:
        """Whether other jobs do its work."""
        return self.job_type in PARENTS

    @property
    def words(self) -> tuple[str, ...]:
        """The command as the program and its arguments; empty if it runs nothing itself."""
        if self.command is None:
            return ()
        if isinstance(self.command, str):
            return tuple(shlex.split(self.command))
        return tuple(self.command)

    def argv(self, script_path: str | None) -> list[str]:
        """The command with its parameters, and the stored script's path, in their places."""
        words = list(self.words)
        if self.parameters:
            words = [parameters.filled(word, self.parameters) for word in words]
        if self.script is None or script_path is None:
            return words
        return [script_path if word == SCRIPT_PLACEHOLDER else word for word in words]

    @property
    def text(self) -> str | None:
        """The stored script with the parameters as its variables; None if there is no script."""
        if self.script is None:
            return None
        try:
            return parameters.assigned(self.script.text, self.parameters)
        except (SyntaxError, ValueError):
            return self.script.text  # it is no Python, or none that this Python knows


def is_of_a_gang(fields: Mapping[str | None, Any]) -> bool:
    """Whether something is said that only a distributed job can be."""
    names = ("min_nodes", "launcher", "procs_per_node")
    return fields.get("nodes") not in (None, 1) or any(fields.get(one) for one in names)


MAX_DEPTH = 3
"""How deep pipelines may be within each other."""


class Stage(JobSpec):
    """One job of a pipeline.

    Attributes
    ----------
    name
        What others of the pipeline call it, and what its results are called where they find them.
    depends_on
        The stages that have to complete before it begins.
    """

    name: StageName
    depends_on: list[StageName] = Field(default_factory=list, max_length=1000)  # type: ignore[assignment]

    @field_validator("priority")
    @classmethod
    def _as_the_pipeline(cls, priority: int) -> int:
        raise ValueError("is that of the pipeline")


def _has_stages(data: dict[str, Any]) -> bool:
    """Whether this is meant to be a pipeline, if only one without stages yet."""
    stages = data.get("stages")
    return bool(stages) or (stages == [] and data.get("command") is None)


def _depth(spec: JobSpec) -> int:
    return 1 + max(map(_depth, spec.stages), default=0) if spec.stages else 0


JobSpec.model_rebuild()


class InvalidJob(InvalidRequest):
    """A request that cannot be a job."""

    what = "This job cannot be submitted"
