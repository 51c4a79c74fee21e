"""Machines, what is free on them and who holds the rest, as the JSON of the REST interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_training.engine.gpus import is_drained
from jupyter_training.engine.live_gpus import LiveGpu, LiveProcess
from jupyter_training.engine.nvml import GpuReading
from jupyter_training.engine.service import Holdings
from jupyter_training.scheduling.demand import Running
from jupyter_training.scheduling.resources import UNNAMED, ClusterNode, Gpu
from jupyter_training.server.representation import rounded, time


def holdings(it: Holdings) -> dict[str, Any]:
    """The machines, what is free on them and who holds the rest."""
    running_jobs = {running.job_id: running for running in it.held}
    of_token = {
        token: running_jobs[number]
        for token, number in it.attempts.items()
        if number in running_jobs
    }
    nodes = []
    for node in it.nodes:
        here = [running for running in it.held if running.holds.node == node.name]
        holders = {uuid: running for running in here for uuid in running.holds.gpus}
        nodes.append(
            {
                "name": node.name,
                "executor": None,
                "state": None,
                "cpu_cores": node.cpu_cores,
                "cpu_cores_free": node.cpu_cores - sum(one.holds.cpu_cores for one in here),
                "memory_gb": node.memory_gb,
                "memory_gb_free": node.memory_gb - sum(one.holds.memory_gb for one in here),
                "gpu_count": len(node.gpus),
                "gpu_count_free": sum(
                    gpu.uuid not in holders and not gpu.unavailable for gpu in node.gpus
                ),
                "gpus": [
                    _gpu(gpu, holders.get(gpu.uuid), it.live_gpus.get(gpu.uuid), of_token)
                    for gpu in node.gpus
                ],
                "held": [_held(running) for running in here],
            }
        )
    nodes += [
        _cluster_node(executor, one, it.held_elsewhere.get(executor, ()))
        for executor, several in it.clusters.items()
        for one in several
    ]
    totals = ("cpu_cores", "memory_gb", "gpu_count")
    return {
        "nodes": nodes,
        "free": {name: sum(node[f"{name}_free"] for node in nodes) for name in totals},
        "total": {name: sum(node[name] for node in nodes) for name in totals},
        "waiting": it.waiting,
    }


def _held(it: Running) -> dict[str, Any]:
    return {
        "id": it.job_id,
        "held_by": it.name,
        "cpu_cores": it.holds.cpu_cores,
        "memory_gb": it.holds.memory_gb,
        "gpus": [gpu for gpu in it.holds.gpus if gpu != UNNAMED],
    }


def _cluster_node(executor: str, it: ClusterNode, held: Iterable[Running]) -> dict[str, Any]:
    """A machine of a cluster, which others use too."""
    node, here = it.node, [one for one in held if one.holds.node == it.node.name]
    holders = {uuid: one for one in here for uuid in one.holds.gpus}
    taken = it.gpus_held | holders.keys()
    gpus = []
    for gpu in node.gpus:
        told = _gpu(gpu, holders.get(gpu.uuid), None, {})
        if told["state"] == "free" and gpu.uuid in taken:
            told["state"] = "in_use"
        gpus.append(told)
    return {
        "name": node.name,
        "executor": executor,
        "state": it.state,
        "cpu_cores": node.cpu_cores,
        "cpu_cores_free": it.cpu_cores_free,
        "memory_gb": node.memory_gb,
        "memory_gb_free": it.memory_gb_free,
        "gpu_count": len(node.gpus),
        "gpu_count_free": sum(gpu["state"] == "free" for gpu in gpus),
        "gpus": gpus,
        "held": [_held(one) for one in here],
    }


def _gpu(
    gpu: Gpu, holder: Running | None, live: LiveGpu | None, of_token: Mapping[str, Running]
) -> dict[str, Any]:
    """A card: what is written of it, who holds it, and what it tells at the moment."""
    reading = live.reading if live is not None else GpuReading(gpu.uuid, 0, gpu.model)
    return {
        "uuid": gpu.uuid,
        "index": reading.index if live is not None else None,
        "model": gpu.model or reading.model,
        "state": _state(gpu, holder),
        "unavailable": gpu.unavailable or None,
        "held_by": holder.name if holder is not None else None,
        "memory_gb": gpu.memory_gb or round(reading.memory_gb or 0.0, 1),
        "memory_used_gb": rounded(reading.memory_used_gb, 3),
        "utilization_percent": reading.utilization_percent,
        "temperature_c": reading.temperature_c,
        "power_w": rounded(reading.power_w, 1),
        "power_limit_w": rounded(reading.power_limit_w, 1),
        "processes": None
        if live is None or live.processes is None
        else [_process(one, of_token.get(one.token or "")) for one in live.processes],
        "read_at": time(live.at) if live is not None else None,
    }


def _state(gpu: Gpu, holder: Running | None) -> str:
    if is_drained(gpu):
        return "drained"
    if holder is not None:
        return "held"
    return "in_use" if gpu.unavailable else "free"


def _process(it: LiveProcess, of: Running | None) -> dict[str, Any]:
    """A process on a card. What it is called and runs is nobody's business but its user's."""
    return {
        "pid": it.pid,
        "user": it.user,
        "memory_gb": rounded(it.memory_gb, 3),
        "id": of.job_id if of is not None else None,
        "held_by": of.name if of is not None else None,
    }
