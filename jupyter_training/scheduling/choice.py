"""Which of several executors runs a job: what it says, what it needs, and the rules of the site.

A job that names an executor gets it. One that says something that only some executors understand
gets the first of those. For all others the *rules* are asked one by one, and the first that is true
decides; if none is, the default does. Everything here is a value or a pure function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import JobSpec, JobType
from jupyter_training.scheduling.demand import Waiting
from jupyter_training.scheduling.placing import room
from jupyter_training.scheduling.resources import Node, resolve


class Images(Enum):
    """Whether an executor runs container images."""

    NEVER = "never"
    ALWAYS = "always"
    EITHER = "either"


@dataclass(frozen=True)
class Offer:
    """What an executor can be asked for.

    Attributes
    ----------
    images
        Whether a job for it may, or has to, have an image.
    options
        What it understands of `JobSpec.executor_options`, by name, and what that means.
    instead_of_images
        What people do there who have an image, where jobs run without; empty for nothing.
    """

    images: Images = Images.NEVER
    options: Mapping[str, str] | None = None
    instead_of_images: str = ""

    def understands(self, spec: JobSpec) -> bool:
        """Whether it can be meant by a job that does not say which executor it wants."""
        if spec.executor_options.keys() - (self.options or {}).keys():
            return False
        return self.images is not (Images.NEVER if spec.image is not None else Images.ALWAYS)


@dataclass(frozen=True)
class Rule:
    """When jobs run where: all that it says has to be so.

    Attributes
    ----------
    executor
        What runs a job for which the rule is true.
    too_large
        Whether the machines that we plan could never hold the job.
    nodes, gpus
        So many nodes, or GPUs in all, or more.
    gpu_type, job_type
        What the job says, whatever the case.
    """

    executor: str
    too_large: bool | None = None
    nodes: int | None = None
    gpus: int | None = None
    gpu_type: str | None = None
    job_type: str | None = None

    def is_true(self, spec: JobSpec, machines: Sequence[Node]) -> bool:
        """Whether it says something, and all of that is so."""
        found = []
        if self.too_large is not None:
            found.append(self.too_large is is_too_large(spec, machines))
        if self.nodes is not None:
            found.append(spec.nodes >= self.nodes)
        if self.gpus is not None:
            found.append(resolve(spec, machines).gpu_count * spec.nodes >= self.gpus)
        if self.gpu_type is not None:
            found.append(_same(self.gpu_type, spec.gpu_type))
        if self.job_type is not None:
            found.append(_same(self.job_type, spec.job_type.value))
        return bool(found) and all(found)


def rule(told: Mapping[str, Any]) -> Rule:
    """A rule as a configuration has it.

    Raises
    ------
    ValueError
        If it is none; the text says why.
    """
    known = {
        "executor": str,
        "too_large": bool,
        "nodes": int,
        "gpus": int,
        "gpu_type": str,
        "job_type": str,
    }
    for name, value in told.items():
        if name not in known:
            raise ValueError(f"a rule knows nothing of {name!r}; it may say {', '.join(known)}")
        if type(value) is not known[name]:
            raise ValueError(f"{name} of a rule should be a {known[name].__name__}, not {value!r}")
    if "executor" not in told or len(told) < 2:
        raise ValueError(
            f'{dict(told)} should say an executor and when, as {{"executor": "slurm", "nodes": 2}}'
        )
    return Rule(**told)


def is_too_large(spec: JobSpec, machines: Sequence[Node]) -> bool:
    """Whether the machines could not hold a job even if nothing else ran."""
    if spec.job_type is JobType.PIPELINE:
        return False  # its stages are looked at one by one
    job = Waiting(0, "", resolve(spec, machines), nodes=spec.nodes, min_nodes=spec.min_nodes)
    return room(job, machines) < job.least


def choose(
    spec: JobSpec,
    offers: Mapping[str, Offer],
    rules: Iterable[Rule],
    default: str,
    machines: Sequence[Node],
) -> str:
    """The name of the executor of a job. It need not be one that is there, nor one that can.

    Parameters
    ----------
    offers
        What the executors that are there can be asked for, by their names, the preferred first.
    default
        For jobs that say nothing of it.
    machines
        Those that we plan.
    """
    if spec.executor is not None:
        return spec.executor
    able = [name for name, offer in offers.items() if offer.understands(spec)]
    for one in rules:
        if one.executor in able and one.is_true(spec, machines):
            return one.executor
    says_something = spec.image is not None or spec.executor_options
    return able[0] if says_something and able and default not in able else default


def problems(spec: JobSpec, executor: str, offers: Mapping[str, Offer]) -> list[FieldError]:
    """What a job asks of its executor that this one has not got."""
    offer = offers.get(executor)
    if offer is None:
        there = ", ".join(sorted(offers))
        return [
            FieldError("executor", f"there is no executor {executor!r}; choose one of: {there}")
        ]
    wrong = []
    if spec.image is not None and offer.images is Images.NEVER:
        with_images = [name for name, one in offers.items() if one.images is not Images.NEVER]
        told = f"an image needs the executor {' or '.join(with_images)}, not {executor}"
        if not with_images:
            told = f"the executor {executor} runs jobs without an image"
        hint = f"; {offer.instead_of_images}" if offer.instead_of_images else ""
        wrong.append(FieldError("image", told + hint))
    elif spec.image is None and offer.images is Images.ALWAYS:
        wrong.append(FieldError("image", f"the executor {executor} needs an image to run"))
    options = offer.options or {}
    for name in spec.executor_options.keys() - options.keys():
        has = f"it has {', '.join(options)}" if options else "it has none"
        others = [other for other, one in offers.items() if name in (one.options or {})]
        hint = f"; {' and '.join(others)} has" if others else ""
        told = f"the executor {executor} has no option {name} ({has}){hint}"
        wrong.append(FieldError(f"executor_options.{name}", told))
    return wrong


def _same(one: str, other: str | None) -> bool:
    return other is not None and one.casefold() == other.casefold()
