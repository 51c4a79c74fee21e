"""What can be reserved, what a job asks for, and what it was given."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from jupyter_training.jobs.spec import JobSpec

DEFAULT = {"cpu_cores": 4, "memory_gb": 16, "gpu_count": 1}
"""The specification's defaults, for what a person leaves out."""


@dataclass(frozen=True)
class Gpu:
    """One GPU of a node.

    Attributes
    ----------
    uuid
        What ``CUDA_VISIBLE_DEVICES`` and a container's device request call it.
    model
        Its product name, such as ``NVIDIA A100-SXM4-80GB``; empty if not known.
    memory_gb
        Its memory in GB; 0 if not known.
    """

    uuid: str
    model: str = ""
    memory_gb: float = 0.0


@dataclass(frozen=True)
class Resources:
    """An amount: asked for, reserved, or there.

    Attributes
    ----------
    cpu_cores, memory_gb, gpu_count
        Cores, GB of 1024**3 bytes, GPUs.
    gpu_type
        What the model name of each GPU should contain; None for any.
    """

    cpu_cores: int = 1
    memory_gb: int = 1
    gpu_count: int = 0
    gpu_type: str | None = None

    def __str__(self) -> str:
        gpu = f" {self.gpu_type}" if self.gpu_type else ""
        return f"{self.cpu_cores}C / {self.memory_gb}GB / {self.gpu_count}{gpu} GPU"


@dataclass(frozen=True)
class Node:
    """A machine with what it has in all, free or not."""

    name: str
    cpu_cores: int
    memory_gb: int
    gpus: tuple[Gpu, ...] = ()

    def gpus_of(self, gpu_type: str | None) -> tuple[Gpu, ...]:
        """Those GPUs whose model matches."""
        return tuple(gpu for gpu in self.gpus if matches(gpu, gpu_type))

    def could_hold(self, wanted: Resources) -> bool:
        """Whether the request fits this node when nothing else runs on it."""
        return (
            wanted.cpu_cores <= self.cpu_cores
            and wanted.memory_gb <= self.memory_gb
            and wanted.gpu_count <= len(self.gpus_of(wanted.gpu_type))
        )


@dataclass(frozen=True)
class Placement:
    """What one attempt holds, and where.

    Attributes
    ----------
    gpus
        The UUIDs of exactly the GPUs that it was given.
    """

    node: str
    cpu_cores: int
    memory_gb: int
    gpus: tuple[str, ...] = ()


def matches(gpu: Gpu, gpu_type: str | None) -> bool:
    """Whether a GPU is of the type that a person wrote.

    Every word of it has to be a word of the model name, whatever the case: 'RTX 4090' finds
    'NVIDIA GeForce RTX 4090' and 'a100' finds 'NVIDIA A100-SXM4-80GB', but not 'NVIDIA RTX A1000'.
    """
    return gpu_type is None or _words(gpu_type) <= _words(gpu.model)


def _words(name: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", name.casefold()))


def largest(nodes: Iterable[Node]) -> Resources:
    """The most that any single node has of each resource."""
    several = list(nodes)
    return Resources(
        cpu_cores=max((node.cpu_cores for node in several), default=0),
        memory_gb=max((node.memory_gb for node in several), default=0),
        gpu_count=max((len(node.gpus) for node in several), default=0),
    )


def resolve(spec: JobSpec, nodes: Iterable[Node]) -> Resources:
    """The resources to reserve for a job.

    An explicit number is never changed. What was left out becomes the smaller of the
    specification's default and the largest node, so that an omission never makes a job
    unschedulable.
    """
    most = largest(nodes)
    return Resources(
        cpu_cores=spec.cpu_cores or max(1, min(DEFAULT["cpu_cores"], most.cpu_cores)),
        memory_gb=spec.memory_gb or max(1, min(DEFAULT["memory_gb"], most.memory_gb)),
        gpu_count=(
            min(DEFAULT["gpu_count"], most.gpu_count) if spec.gpu_count is None else spec.gpu_count
        ),
        gpu_type=spec.gpu_type,
    )
