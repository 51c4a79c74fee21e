"""The ranks of a distributed job, as a table with what failed first."""

from __future__ import annotations

import html
from typing import Any

from jupyter_training.notebook.tables import Table


class RankTable(Table):
    """Where each rank of an attempt is.

    Attributes
    ----------
    told
        As the server tells it: `nodes`, `ranks`, and `first_failure`, which is None if none failed.
    """

    columns = ("rank", "state", "node", "gpus", "printed", "last at")
    empty = "It has no ranks yet."

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.rows = [
            (
                str(one["rank"]),
                one["state"],
                f"{one['node']} on {told['nodes'][one['node']]['node']}",
                ", ".join(told["nodes"][one["node"]]["gpus"]),
                f"{one['log_bytes']} B",
                one["printed_at"] or "",
            )
            for one in told["ranks"]
        ]

    def __getitem__(self, name: str) -> Any:
        return self.told[name]

    def __repr__(self) -> str:
        return "\n".join([super().__repr__(), *self._failure()])

    def _repr_html_(self) -> str:
        failure = self._failure()
        if not failure:
            return super()._repr_html_()
        told = html.escape("\n".join(failure))
        return f"{super()._repr_html_()}<pre>{told}</pre>"

    def _failure(self) -> list[str]:
        """What failed first, and the last lines of that."""
        first = self.told["first_failure"]
        if first is None:
            return []
        of = f"node {first['node']}" if first["rank"] is None else f"rank {first['rank']}"
        how = first["detail"] or (
            f"exit code {first['exit_code']}"
            if first["signal"] is None
            else f"signal {first['signal']}"
        )
        return [f"{of} failed first ({how})", *(f"  {line}" for line in first["lines"])]
