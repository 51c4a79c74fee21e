"""What jobs use and have held: as text with small plots in a terminal, as plots in a notebook."""

from __future__ import annotations

import argparse
import html
from collections.abc import Sequence
from typing import Any

from jupyter_training.notebook import jobs
from jupyter_training.notebook.asking import ask
from jupyter_training.notebook.chart import Curve, line_chart
from jupyter_training.notebook.options import UsageError
from jupyter_training.notebook.tables import Table

_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH = 60
"""How many characters a plot in a terminal has."""

_GB = 1024**3

_PLOT = (420, 90)
"""The size of a plot in a notebook (pixels)."""


class JobUsage:
    """What an attempt of a job used over time. It shows itself as plots.

    Attributes
    ----------
    told
        As the server tells it: arrays over `time`, and `peaks`, `means` and `requested`.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told

    def __getitem__(self, name: str) -> Any:
        return self.told[name]

    def __repr__(self) -> str:
        told = self.told
        head = f"{told['job_id']}  attempt {told['attempt']}"
        said = told["usage"] or "nothing is known of its use yet"
        lines = [f"{head}: {said}"]
        if told["idle_since"]:
            lines.append(f"its GPUs have done nothing since {told['idle_since']}")
        plots = self._plots()
        wide = max((len(name) for name, _, _, _ in plots), default=0)
        for name, values, top, unit in plots:
            lines.append(f"{name.ljust(wide)}  {_line(values, top)}  0 to {top:.4g} {unit}")
        if plots:
            lines.append(f"{''.ljust(wide)}  {told['time'][0]} to {told['time'][-1]}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        told = self.told
        said = told["usage"] or "nothing is known of its use yet"
        warning = (
            f"<div>⚠ its GPUs have done nothing since {html.escape(told['idle_since'])}</div>"
            if told["idle_since"]
            else ""
        )
        plots = "".join(_figure(*plot) for plot in self._plots())
        when = (
            f'<div style="opacity:.75">{html.escape(told["time"][0])} to '
            f"{html.escape(told['time'][-1])}</div>"
            if plots
            else ""
        )
        return (
            '<div style="font-family:var(--jp-ui-font-family,sans-serif);font-size:13px">'
            f"<div><code>{html.escape(told['job_id'])}</code> attempt {told['attempt']}: "
            f"{html.escape(said)}</div>{warning}"
            f'<div style="display:flex;flex-wrap:wrap;gap:12px">{plots}</div>{when}</div>'
        )

    def _plots(self) -> list[tuple[str, list[float | None], float, str]]:
        """Name, values, the upper end of the axis and the unit of each plot that has values."""
        told, asked = self.told, self.told["requested"]
        memory = [None if one is None else one / _GB for one in told["memory_bytes"]]
        plots = [
            ("CPU", told["cpu_cores"], float(asked["cpu_cores"]), "cores"),
            ("memory", memory, asked["memory_bytes"] / _GB, "GB"),
        ]
        for place, gpu in enumerate(told["gpus"]):
            used = [None if one is None else one / _GB for one in gpu["memory_bytes"]]
            plots.append((f"GPU {place}", gpu["utilization_percent"], 100.0, "%"))
            plots.append((f"GPU {place} memory", used, 0.0, "GB"))
        return [
            (name, values, max([top, *(one for one in values if one is not None)]), unit)
            for name, values, top, unit in plots
            if any(one is not None for one in values)
        ]


def _line(values: Sequence[float | None], top: float) -> str:
    """A plot of one line of characters: of several values in one place the highest."""
    count = min(_WIDTH, len(values))
    drawn = []
    for place in range(count):
        part = values[place * len(values) // count : (place + 1) * len(values) // count]
        known = [one for one in part if one is not None]
        height = round(max(known) / top * (len(_BLOCKS) - 1)) if known and top > 0 else 0
        drawn.append(_BLOCKS[height] if known else " ")
    return "".join(drawn)


def _figure(name: str, values: Sequence[float | None], top: float, unit: str) -> str:
    """A plot that has a gap where nothing is known."""
    told = f"{name}: 0 to {top:.4g} {unit}"
    curve = Curve("now", range(len(values)), values)
    plot = line_chart([curve], label=told, size=_PLOT, bottom=0, top=top)
    return (
        f'<figure style="margin:6px 0"><figcaption>{html.escape(told)}</figcaption>{plot}</figure>'
    )


class UsageTable(Table):
    """Who has held how much, the greatest consumer of GPUs first.

    Attributes
    ----------
    told
        As the server tells it.
    """

    empty = "Nothing was held in this time."

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        amounts = ("GPU hours", "core hours", "GB hours")
        by_job = told["by"] == "job"
        self.columns = ("job", "name", *amounts) if by_job else ("user", "jobs", *amounts)
        self.rows = [
            (
                *(
                    (one["job_id"], one["name"] or "(deleted)")
                    if by_job
                    else (one["username"], str(one["jobs"]))
                ),
                f"{one['gpu_hours']:.2f}",
                f"{one['core_hours']:.2f}",
                f"{one['gb_hours']:.2f}",
            )
            for one in told["usage"]
        ]
        if len(self.rows) > 1:
            total = told["total"]
            sums = (f"{total[name]:.2f}" for name in ("gpu_hours", "core_hours", "gb_hours"))
            self.rows.append(("all", "", *sums))


def of_job(job_id: str, attempt: int | None = None, max_points: int = 500) -> JobUsage:
    """What a job used over time, by default in its latest attempt."""
    query = {"max_points": max_points, **({} if attempt is None else {"attempt": attempt})}
    return JobUsage(ask(lambda client: client.usage(job_id, **query)))


def held(by: str = "job", since: str | None = None, until: str | None = None) -> UsageTable:
    """Who has held how much.

    Parameters
    ----------
    by
        ``job`` for your own jobs, ``user`` for the sums of everybody.
    since, until
        Times in ISO 8601; by default the last 30 days.

    Raises
    ------
    TrainingError
        If one of these is none.
    """
    query = {"by": by}
    query |= {name: one for name, one in (("since", since), ("until", until)) if one is not None}
    return UsageTable(ask(lambda client: client.held(**query)))


def asked_usage(options: argparse.Namespace) -> JobUsage | UsageTable:
    """What somebody wants to see who gave the options of `add_usage_options`.

    Raises
    ------
    UsageError
        If they do not go together.
    """
    if options.job is None:
        if options.attempt is not None:
            raise UsageError("--attempt is for the usage of a job; name one")
        return held(options.by or "job", options.since, options.until)
    if options.by or options.since or options.until:
        raise UsageError("--by, --since and --until are for the sums of all jobs; name no job")
    return of_job(jobs.get_job(options.job).id, options.attempt)
