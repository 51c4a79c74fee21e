"""The ranks of a distributed job, as a table with what failed first."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from jupyter_training.jobs.contents import human_size
from jupyter_training.notebook.display import printable
from jupyter_training.notebook.formats import moment, time
from jupyter_training.notebook.tables import Table


def _in_full(gpus: Sequence[str]) -> str:
    return ", ".join(gpus)


class RankTable(Table):
    """Where each rank of an attempt is.

    Parameters
    ----------
    now
        By default the time of the day.
    called
        What GPUs are called; by default by their UUIDs.
    most
        How many ranks at most, of which the one that failed first is never left out.

    Attributes
    ----------
    told
        As the server tells it: `nodes`, `ranks`, and `first_failure`, which is None if none failed.
    """

    columns = ("rank", "state", "node", "gpus", "printed", "last at")
    empty = "It has no ranks yet."
    shortened = ("node",)

    def __init__(
        self,
        told: Mapping[str, Any],
        now: datetime | None = None,
        called: Callable[[Sequence[str]], str] = _in_full,
        most: int = 64,
    ) -> None:
        self.told = told
        now = now or datetime.now().astimezone()
        ranks = told["ranks"]
        if len(ranks) > most:
            first = [one for one in ranks if one["state"] == "failed"]
            ranks = [*first, *(one for one in ranks if one["state"] != "failed")][:most]
        self.rows = [
            (
                str(one["rank"]),
                one["state"],
                f"{one['node']} on {told['nodes'][one['node']]['node']}",
                called(told["nodes"][one["node"]]["gpus"]),
                human_size(one["log_bytes"]),
                moment(time(one["printed_at"]), now, to_the_second=True)
                if one["printed_at"]
                else "",
            )
            for one in ranks
        ]
        if len(told["ranks"]) > most:
            self.rows.append(("…", f"and {len(told['ranks']) - most} more", "", "", "", ""))

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
        told, lines = self.first_failure
        return [*([told] if told else []), *(f"  {line}" for line in lines)]

    @property
    def first_failure(self) -> tuple[str, list[str]]:
        """What failed first, in words, and its last lines; nothing if none failed."""
        first = self.told["first_failure"]
        if first is None:
            return "", []
        of = f"node {first['node']}" if first["rank"] is None else f"rank {first['rank']}"
        how = first["detail"] or (
            f"exit code {first['exit_code']}"
            if first["signal"] is None
            else f"signal {first['signal']}"
        )
        return f"{of} failed first ({printable(how)})", first["lines"]
