"""What can be reserved, what a job asks for, and what it was given."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

from jupyter_training.jobs.spec import JobSpec

DEFAULT = {"cpu_cores": 4, "memory_gb": 16, "gpu_count": 1}
"""The specification's defaults, for what a person leaves out."""

UNNAMED = ""
"""A GPU of which only the cluster that gives it knows, or will know, which one it is."""


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
    unavailable
        Why no new job may get it, as what follows its name in a sentence; empty if one may.
    """

    uuid: str
    model: str = ""
    memory_gb: float = 0.0
    unavailable: str = ""


@dataclass(frozen=True)
class Resources:
    """An amount: asked for, reserved, or there.

    Attributes
    ----------
    cpu_cores, memory_gb, gpu_count
        Cores, GB of 1024**3 bytes, GPUs.
    gpu_type
        What the model name of each GPU should contain, see `matches`; None for any.
    """

    cpu_cores: int = 1
    memory_gb: int = 1
    gpu_count: int = 0
    gpu_type: str | None = None

    def __str__(self) -> str:
        gpu = f" \N{MULTIPLICATION SIGN} {self.gpu_type}" if self.gpu_type else "GPU"
        return f"{self.cpu_cores}C / {self.memory_gb}GB / {self.gpu_count}{gpu}"


@dataclass(frozen=True)
class Node:
    """A machine with what it has in all, free or not."""

    name: str
    cpu_cores: int
    memory_gb: int
    gpus: tuple[Gpu, ...] = ()

    def gpus_of(self, gpu_type: str | None) -> tuple[Gpu, ...]:
        """Those GPUs whose model matches, also those that no job may get at the moment."""
        return tuple(gpu for gpu in self.gpus if matches(gpu, gpu_type))

    def could_hold(self, wanted: Resources) -> int:
        """How often the request fits this node when nothing else runs on it and all GPUs are well.

        A request of nothing at all fits once.
        """
        amounts = (
            (wanted.cpu_cores, self.cpu_cores),
            (wanted.memory_gb, self.memory_gb),
            (wanted.gpu_count, len(self.gpus_of(wanted.gpu_type))),
        )
        return min((there // asked for asked, there in amounts if asked), default=1)


@dataclass(frozen=True)
class ClusterNode:
    """A machine of a cluster, as the cluster tells of it.

    Attributes
    ----------
    node
        All that it has. Its GPUs are called as the cluster calls them.
    state
        The cluster's own word for what it does, such as ``mixed`` or ``drained``.
    cpu_cores_free, memory_gb_free
        What nobody has, whoever else uses the cluster.
    gpus_held
        Which of its GPUs somebody has.
    """

    node: Node
    state: str
    cpu_cores_free: int
    memory_gb_free: int
    gpus_held: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Placement:
    """What one attempt holds, and where.

    Attributes
    ----------
    node
        The machine; of what was handed over to a cluster, the name of that, until it has decided.
    gpus
        The UUIDs of exactly the GPUs that it was given, or as often `UNNAMED`.
    """

    node: str
    cpu_cores: int
    memory_gb: int
    gpus: tuple[str, ...] = ()


def matches(gpu: Gpu, gpu_type: str | None) -> bool:
    """Whether a GPU is of the type that a person wrote.

    Every word of it has to be a word of the model name, whatever the case, the order and the spaces
    in between: 'RTX 4090', 'rtx4090' and '4090' find 'NVIDIA GeForce RTX 4090', 'a100-80gb' and
    'A100 SXM' find 'NVIDIA A100-SXM4-80GB'. Words are whole: 'A100' does not find 'A1000'. What
    makes a number another card belongs to it: 'RTX 3080' does not find 'RTX 3080 Ti', which has
    another amount of memory and another speed, nor 'RTX 6000' an 'RTX PRO 6000'.
    """
    return gpu_type is None or _is_called(gpu.model, gpu_type)


@lru_cache(4096)  # A plan asks for each job and each GPU, and the names are few.
def _is_called(model: str, gpu_type: str) -> bool:
    wanted, there = _words(gpu_type), _words(model)
    names = [word for word in wanted if word not in _VENDOR]
    if not names:  # nothing was said, or only the vendor
        return set(wanted) <= set(there)
    return _are_in(names, _runs(there) | {_REVISION.sub("", word) for word in there})


def nearest(gpu_type: str, models: Iterable[str]) -> str | None:
    """The model that a person may have meant who wrote a type that there is not; None for none."""
    several = sorted(models)
    wanted = [word for word in _words(gpu_type) if word not in _VENDOR | _BRANDS]
    # The same number with something else around it: 'A100 PCIe' where there is 'A100-SXM4-80GB'.
    numbers = {word for word in wanted if re.search(r"\d", word)}
    same = {model: len(numbers & _runs(_words(model))) for model in several}
    best = max(several, key=same.__getitem__, default=None)
    if best is not None and same[best]:
        return best
    plain = {
        "".join(word for word in _words(model) if word not in _VENDOR | _BRANDS): model
        for model in several
    }
    said = "".join(wanted)
    # A name may go on for long after what people say of it.
    for names in (plain, {name[: len(said)]: model for name, model in plain.items()}):
        found = difflib.get_close_matches(said, names, n=1)
        if found:
            return names[found[0]]
    return None


_VENDOR = {"nvidia", "gpu"}
"""Words that only some drivers have in their names."""

_BRANDS = {"geforce", "quadro", "tesla"}

_VARIANTS = {"ti", "super", "d"}
"""Words after a number that make it another card."""

_REVISION = re.compile(r"(?<=^sxm)\d$")
"""The number of a socket, which people leave out."""


def _words(name: str) -> list[str]:
    """The words of a name, each variant together with what it is a variant of."""
    words: list[str] = []
    for word in re.findall(r"[^\W_]+", name.casefold()):
        is_variant = word in _VARIANTS and words and re.search(r"\d(ti|super)?$", words[-1])
        if is_variant or (words and words[-1] == "pro"):
            words[-1] += word
        else:
            words.append(word)
    return words


def _runs(words: Sequence[str]) -> set[str]:
    """What people could write without spaces: each word, and several that follow each other."""
    ends = range(1, len(words) + 1)
    return {"".join(words[start:end]) for end in ends for start in range(max(0, end - 4), end)}


def _are_in(wanted: Sequence[str], runs: AbstractSet[str]) -> bool:
    """Whether all of it is there, also when it was written with spaces that are not there."""
    return not wanted or any(
        "".join(wanted[:size]) in runs and _are_in(wanted[size:], runs)
        for size in range(1, min(len(wanted), 4) + 1)
    )


def resolve(spec: JobSpec, nodes: Iterable[Node]) -> Resources:
    """The resources to reserve for a job, or for each node of a distributed one.

    An explicit number is never changed. What was left out becomes the smaller of the
    specification's default and the largest node, so that an omission never makes a job
    unschedulable; and if it is to be there several times, no more than there is so many times.
    """
    several = list(nodes)
    return Resources(
        cpu_cores=spec.cpu_cores
        or max(1, _default("cpu_cores", spec.nodes, [node.cpu_cores for node in several])),
        memory_gb=spec.memory_gb
        or max(1, _default("memory_gb", spec.nodes, [node.memory_gb for node in several])),
        gpu_count=(
            _default("gpu_count", spec.nodes, [len(node.gpus) for node in several])
            if spec.gpu_count is None
            else spec.gpu_count
        ),
        gpu_type=spec.gpu_type,
    )


def _default(name: str, times: int, there: Sequence[int]) -> int:
    """The most up to the default that the machines have so many times; 0 if they have not."""
    amounts = range(DEFAULT[name], 0, -1)
    return next((one for one in amounts if sum(most // one for most in there) >= times), 0)
