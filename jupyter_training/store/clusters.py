"""What clusters tell of their machines, for whichever server is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from jupyter_training.scheduling.resources import ClusterNode, Gpu, Node
from jupyter_training.store.tables import cluster_nodes


def put(connection: Connection, executor: str, nodes: Sequence[ClusterNode], now: datetime) -> None:
    """Write what a cluster tells of its machines, in place of what it told before."""
    connection.execute(delete(cluster_nodes).where(cluster_nodes.c.executor == executor))
    rows = [
        {
            "executor": executor,
            "name": it.node.name,
            "cpu_cores": it.node.cpu_cores,
            "memory_gb": it.node.memory_gb,
            "gpus": [[gpu.uuid, gpu.model, gpu.memory_gb, gpu.unavailable] for gpu in it.node.gpus],
            "state": it.state,
            "cpu_cores_free": it.cpu_cores_free,
            "memory_gb_free": it.memory_gb_free,
            "gpus_held": sorted(it.gpus_held),
            "seen_at": now,
        }
        for it in nodes
    ]
    if rows:
        connection.execute(insert(cluster_nodes), rows)


def known(connection: Connection) -> Mapping[str, Sequence[ClusterNode]]:
    """By the names of their executors, the machines of clusters as they were told last."""
    found: dict[str, list[ClusterNode]] = {}
    query = select(cluster_nodes).order_by(cluster_nodes.c.executor, cluster_nodes.c.name)
    for row in connection.execute(query):
        gpus = tuple(Gpu(*gpu) for gpu in row.gpus)
        found.setdefault(row.executor, []).append(
            ClusterNode(
                Node(row.name, row.cpu_cores, row.memory_gb, gpus),
                row.state,
                row.cpu_cores_free,
                row.memory_gb_free,
                frozenset(row.gpus_held),
            )
        )
    return found
