"""Why a job waits, in the sentence that a person reads."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from math import inf

from jupyter_training.scheduling.demand import Running, Waiting
from jupyter_training.scheduling.placing import Free, place, room
from jupyter_training.scheduling.resources import Gpu, Node, Resources, nearest


def never(job: Waiting, nodes: Sequence[Node]) -> str:
    """Why the machines could never hold this, and what could."""
    told = _never(job, nodes)
    if not job.clusters or told.endswith("?"):
        return told
    return f"{told}; --executor {' or '.join(job.clusters)} sends such a job to a cluster"


def _never(job: Waiting, nodes: Sequence[Node]) -> str:
    if not nodes:
        return "there is no machine to run it"
    wants, most = job.wants, room(job, nodes)
    if most:
        return f"can never start here: asks for {job}, and there is room for {most} at most"
    if wants.gpu_count and wants.gpu_type is not None:
        most = max(len(node.gpus_of(wants.gpu_type)) for node in nodes)
        if wants.gpu_count > most:
            return _never_of_type(wants.gpu_count, wants.gpu_type, most, nodes)
    lacks = [
        f"{_count(asked, unit)}, the largest machine has {most}"
        for asked, most, unit in (
            (wants.cpu_cores, max(node.cpu_cores for node in nodes), "CPU core"),
            (wants.memory_gb, max(node.memory_gb for node in nodes), "GB of memory"),
            (wants.gpu_count, max(len(node.gpus) for node in nodes), "GPU"),
        )
        if asked > most
    ]
    if not lacks:
        return f"asks for {wants} in one machine, and no machine has all of that"
    return "can never start here: asks for " + "; ".join(lacks)


def _never_of_type(count: int, gpu_type: str, most: int, nodes: Sequence[Node]) -> str:
    models = sorted({gpu.model for node in nodes for gpu in node.gpus if gpu.model})
    has = f"more than {most} of them" if most else "one" if count == 1 else "any"
    asked = "1 GPU" if count == 1 else f"{count} GPUs"
    there = f"there are: {', '.join(models)}" if models else "there is no GPU of a known model"
    told = f"asks for {asked} of type {gpu_type}, but no machine has {has} ({there})"
    meant = None if most else nearest(gpu_type, models)
    return told if meant is None else f"{told}; did you mean {meant}?"


def _count(number: int, unit: str) -> str:
    """A number with its unit, which is in the plural unless it is a measure."""
    return f"{number} {unit}" + "s" * (number != 1 and not unit.startswith("GB"))


def busy(job: Waiting, nodes: Iterable[Free], held: Sequence[Running]) -> str:
    """What it waits for, and who holds it."""
    wants = job.wants
    several = [free for free in nodes if free.node.could_hold(wants)]
    if job.nodes > 1:
        left = {free.node.name: free for free in several}
        there = len(place(replace(job, min_nodes=1), left, None, inf))
        drained = "".join(_drained(free, wants) for free in several[:2])
        told = f"waits for {job} (there is room for {there}{drained})"
        return told + _held_by(left, held)
    # Speak of the machine where least is missing.
    free = min(
        several,
        key=lambda free: (
            max(0, wants.gpu_count - len(_usable(free, wants))),
            max(0, wants.cpu_cores - free.cpu_cores),
            max(0, wants.memory_gb - free.memory_gb),
        ),
    )
    lacks = [
        f"{_count(asked, unit)} ({max(there, 0)} free{more})"
        for asked, there, unit, more in (
            (wants.gpu_count, len(_usable(free, wants)), "GPU", _drained(free, wants)),
            (wants.cpu_cores, free.cpu_cores, "CPU core", ""),
            (wants.memory_gb, free.memory_gb, "GB of memory", ""),
        )
        if asked > there
    ]
    if not lacks:
        return "would delay a job that is ahead of it"
    if wants.cpu_cores <= free.cpu_cores and wants.memory_gb <= free.memory_gb:
        # Whoever has no GPU holds nothing of what is missing.
        held = [one for one in held if one.holds.gpus]
    return f"waits for {' and '.join(lacks)}" + _held_by([free.node.name], held)


def _held_by(nodes: Container[str], held: Sequence[Running]) -> str:
    """Who holds something of these machines, as the end of a sentence."""
    names = list({one.job_id: one.name for one in held if one.holds.node in nodes}.values())
    told = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f", held by {told}" if told else ""


def _usable(free: Free, wants: Resources) -> list[Gpu]:
    return [gpu for gpu in free.node.gpus_of(wants.gpu_type) if gpu.uuid in free.gpus]


def _drained(free: Free, wants: Resources) -> str:
    """Which GPUs would do but are given to nobody, and why."""
    several = [gpu for gpu in free.node.gpus_of(wants.gpu_type) if gpu.unavailable]
    told = [f"; {_short(gpu.uuid)} {gpu.unavailable}" for gpu in several[:2]]
    return "".join(told) + (f"; and {len(several) - 2} more" if len(several) > 2 else "")


def _short(uuid: str) -> str:
    """A UUID as it is told apart from the few others of a machine."""
    return f"{uuid[:12]}…" if len(uuid) == len("GPU-") + 36 else uuid
