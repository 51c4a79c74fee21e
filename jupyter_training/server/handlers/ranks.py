"""``api/training-jobs/…/ranks``: the nodes and processes of a distributed job."""

from __future__ import annotations

from typing import Any

from jupyter_training.engine.gang_ranks import Ranks
from jupyter_training.server.handlers.base import MAX_NUMBER, TrainingHandler, endpoint
from jupyter_training.server.representation import time


class RanksHandler(TrainingHandler):
    """The ranks of one attempt of a job."""

    @endpoint("read")
    async def get(self, reference: str) -> None:
        """Where each is, and which one failed first."""
        attempt = self.integer("attempt", None, least=1, most=MAX_NUMBER)
        service = await self.service()
        self.answer(_shown(await service.ranks.of(self.user, reference, attempt)))


def _shown(it: Ranks) -> dict[str, Any]:
    failure = it.failure
    return {
        "job_id": it.job.job_id,
        "attempt": it.attempt,
        "nodes": [
            {
                "index": index,
                "node": node.node,
                "cpu_cores": node.cpu_cores,
                "memory_gb": node.memory_gb,
                "gpus": list(node.gpus),
                "ranks": [rank.rank for rank in it.ranks if rank.node == index],
            }
            for index, node in enumerate(it.nodes)
        ],
        "ranks": [
            {
                "rank": rank.rank,
                "node": rank.node,
                "local_rank": rank.local_rank,
                "state": rank.state.value,
                "log_bytes": rank.log_bytes,
                "printed_at": time(rank.printed_at),
            }
            for rank in it.ranks
        ],
        "first_failure": None
        if failure is None
        else {
            "rank": failure.rank,
            "node": failure.node,
            "exit_code": failure.exit.exit_code,
            "signal": failure.exit.signal,
            "detail": failure.exit.detail or None,
            "lines": list(it.lines),
        },
    }


HANDLERS: list[tuple[str, type[TrainingHandler]]] = [
    (r"api/training-jobs/(?P<reference>[^/]+)/ranks", RanksHandler),
]
