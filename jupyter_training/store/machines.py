"""What machines there are, for whichever server is asked: of servers, and of clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from jupyter_training.scheduling.resources import ClusterNode, Gpu, Node
from jupyter_training.store.tables import cluster_nodes, nodes


def put_node(connection: Connection, node: Node, now: datetime) -> None:
    """Write what a machine has, so that every server can tell people what they may ask for."""
    values = {**_capacity(node), "seen_at": now}
    changed = connection.execute(update(nodes).where(nodes.c.name == node.name).values(**values))
    if changed.rowcount == 0:
        connection.execute(insert(nodes).values(name=node.name, **values))


def known_nodes(connection: Connection) -> list[Node]:
    """The machines on which the scheduler plans."""
    return [_node(row) for row in connection.execute(select(nodes).order_by(nodes.c.name))]


def put_cluster_nodes(
    connection: Connection, executor: str, told: Sequence[ClusterNode], now: datetime
) -> None:
    """Write what a cluster tells of its machines, in place of what it told before."""
    connection.execute(delete(cluster_nodes).where(cluster_nodes.c.executor == executor))
    rows = [
        {
            "executor": executor,
            "name": it.node.name,
            **_capacity(it.node),
            "state": it.state,
            "cpu_cores_free": it.cpu_cores_free,
            "memory_gb_free": it.memory_gb_free,
            "gpus_held": sorted(it.gpus_held),
            "seen_at": now,
        }
        for it in told
    ]
    if rows:
        connection.execute(insert(cluster_nodes), rows)


def known_cluster_nodes(connection: Connection) -> Mapping[str, Sequence[ClusterNode]]:
    """By the names of their executors, the machines of clusters as they were told last."""
    found: dict[str, list[ClusterNode]] = {}
    query = select(cluster_nodes).order_by(cluster_nodes.c.executor, cluster_nodes.c.name)
    for row in connection.execute(query):
        found.setdefault(row.executor, []).append(
            ClusterNode(
                _node(row),
                row.state,
                row.cpu_cores_free,
                row.memory_gb_free,
                frozenset(row.gpus_held),
            )
        )
    return found


def _capacity(node: Node) -> dict[str, Any]:
    return {
        "cpu_cores": node.cpu_cores,
        "memory_gb": node.memory_gb,
        "gpus": [[gpu.uuid, gpu.model, gpu.memory_gb, gpu.unavailable] for gpu in node.gpus],
    }


def _node(row: Row[Any]) -> Node:
    gpus = tuple(Gpu(*gpu) for gpu in row.gpus)
    return Node(row.name, row.cpu_cores, row.memory_gb, gpus)
