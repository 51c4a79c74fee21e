"""A node of Slurm, however Slurm was asked: values and pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from jupyter_training.executors.cluster_dialect import gpu_name
from jupyter_training.scheduling.resources import ClusterNode, Gpu, Node

_MB_IN_GB = 1024


@dataclass(frozen=True)
class SlurmNode:
    """A node, and the machine that it is."""

    node: ClusterNode
    host: str


def node_of(told: Mapping[str, str]) -> ClusterNode:
    """A node, from its fields as ``scontrol`` calls and writes them."""
    name, state = told["NodeName"], told.get("State", "UNKNOWN")
    cpus = _number(told, "CPUEfctv") or _number(told, "CPUTot")
    memory_mb = _number(told, "RealMemory")
    models = _gpu_models(told.get("Gres", ""))
    words = set(re.split(r"[+*~#!%$@^-]+", state.upper()))
    usable = bool(words & {"IDLE", "MIXED", "ALLOCATED"}) and not words & {
        *("DRAIN", "DRAINING", "DRAINED", "DOWN", "FAIL", "FAILING", "NOT_RESPONDING"),
        *("MAINT", "REBOOT", "POWERED_DOWN", "UNKNOWN"),
    }
    usable = usable and not state.endswith("*")
    why = "" if usable else f"drained: its node is {state.lower()}"
    gpus = tuple(Gpu(gpu_name(name, index), model, 0.0, why) for index, model in enumerate(models))
    held = frozenset(gpu_name(name, index) for index in _used(told.get("GresUsed", "")))
    node = Node(name, cpus, memory_mb // _MB_IN_GB, gpus)
    if not usable:
        return ClusterNode(node, state.lower(), 0, 0, held)
    free_mb = memory_mb - _number(told, "AllocMem")
    return ClusterNode(
        node,
        state.lower(),
        max(0, cpus - _number(told, "CPUAlloc")),
        max(0, free_mb // _MB_IN_GB),
        held,
    )


def _number(told: Mapping[str, str], name: str) -> int:
    value = told.get(name, "0")
    return int(value) if value.isdecimal() else 0


def _gpu_models(text: str) -> list[str]:
    """The type of each GPU, in their order, of ``gpu:a100:4(S:0-1),gpu:2``."""
    found: list[str] = []
    for one in re.split(r",(?![^(]*\))", text):
        part = re.fullmatch(r"gpu(?::([^:(]*[^:(\d][^:(]*))?(?::(\d+))?(?:\(.*\))?", one.strip())
        if part is not None:
            found += [part[1] or ""] * int(part[2] or 1)
    return found


def _used(text: str) -> set[int]:
    """The places of the GPUs that are in use, of ``gpu:a100:2(IDX:0-1,3),gpu:v100:0(IDX:N/A)``."""
    found: set[int] = set()
    for ranges in re.findall(r"gpu[^(,]*\(IDX:([\d,-]+)\)", text):
        for one in ranges.split(","):
            first, _, last = one.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    return found
