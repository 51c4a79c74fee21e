"""Jobs and machines as tables, for a notebook and for a terminal."""

from __future__ import annotations

import html
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jupyter_training.notebook.display import how_far, is_known, measured, printable, resources
from jupyter_training.notebook.formats import duration, figure, time
from jupyter_training.notebook.live import Pair
from jupyter_training.notebook.states import badge, badge_of_trial, cause_word
from jupyter_training.notebook.words import ENGLISH, Words

if TYPE_CHECKING:
    from jupyter_training.scheduling.simulator import Figures

_LEFT = "text-align:left;padding:2px 8px"

_WRAPPED = frozenset(
    {"name", "metrics", "held by", "command", "description", "path", "after"}
    | {"parameters", "resources", "progress"}
)
"""The columns whose cells may be broken into lines; the others are read at a glance, or copied."""

_LEAST = {"metrics": "8em", "parameters": "8em", "name": "5em", "resources": "6em"} | {
    "progress": "5em"
}
"""How wide these are at least: in a column of single words nobody reads anything."""

_ROW = (
    "background:none;border-top:1px solid "
    "var(--jp-border-color2,var(--vscode-widget-border,rgba(127,127,127,.4)))"
)
"""A row with a sentence below it, which belong together: no stripes, but a line above both."""

_COMPLETED = "finished"
"""The reason of a job of which its state says all."""

Said = Callable[[str], str]
"""Says a sentence of the server, perhaps in another language."""


class Table:
    """Rows of text under a heading.

    Attributes
    ----------
    columns, rows
        The heading and the cells.
    empty
        What is said instead of a table without rows.
    sentence
        The column that a notebook shows below each row: there it has room.
    below
        Columns that a narrow terminal shows below each row.
    shortened
        Columns that lose their ends where it is still too narrow.
    states
        By what a column of states is called, how they are drawn.
    words
        Those of the language that it is in. What is not said of a job in a cell is English.
    """

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    empty = ""
    sentence = ""
    below: Sequence[str] = ()
    shortened: Sequence[str] = ()
    states: Mapping[str, Callable[[str, Words], str]] = MappingProxyType({"status": badge})
    words = ENGLISH

    @property
    def lines(self) -> list[list[str]]:
        """The cells as a terminal shows them: each is one line that does nothing to it."""
        return [
            [printable(" ".join(cell.expandtabs(1).splitlines())) for cell in row]
            for row in self.rows
        ]

    def __repr__(self) -> str:
        if not self.rows:
            return self.empty
        everything = [self.columns, *self.lines]
        widths = [max(len(row[i]) for row in everything) for i in range(len(self.columns))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in everything
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        if not self.rows:
            return html.escape(self.words(self.empty))
        head = "".join(
            f"<th scope='col' style='{_LEFT}'>{html.escape(self.words(column))}</th>"
            for column in self.columns
            if column != self.sentence
        )
        body = "".join(_row(self, dict(zip(self.columns, row, strict=True))) for row in self.rows)
        table = (
            "<table style='border-collapse:collapse'>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )
        # Where there is no room for it, it is moved, also by keys.
        return f'<div tabindex="0" style="overflow-x:auto">{table}</div>'


def _row(table: Table, row: dict[str, str]) -> str:
    """A row; what is a sentence stands below it."""
    sentence = row.pop(table.sentence, "")
    cells = "".join(
        f"<td style='{_LEFT}{_fit(column)}'>{_shown(table, column, cell)}</td>"
        for column, cell in row.items()
    )
    if not table.sentence:
        return f"<tr>{cells}</tr>"
    below = (
        "<tr style='background:none'>"
        f"<td colspan='{len(row)}' style='text-align:left;padding:0 8px 4px;white-space:normal'>"
        f"{html.escape(sentence)}</td></tr>"
    )
    return f"<tr style='{_ROW}'>{cells}</tr>{below if sentence else ''}"


def _shown(table: Table, column: str, cell: str) -> str:
    state = table.states.get(column)
    return html.escape(cell) if state is None else state(cell, table.words)


def _fit(column: str) -> str:
    if column not in _WRAPPED:
        return ";white-space:nowrap"
    return f";min-width:{_LEAST[column]}" if column in _LEAST else ""


class JobTable(Table):
    """Jobs, newest first.

    Parameters
    ----------
    pair
        What this and the widget beside it are called.
    words, said
        The language that it is in.
    """

    columns = ("job", "name", "resources", "status", "progress", "metrics", "reason")
    empty = "You have no training jobs here yet."
    sentence = "reason"
    below = ("resources", "metrics", "reason")
    shortened = ("name",)

    def __init__(
        self,
        jobs: Sequence[dict[str, Any]],
        pair: Pair | None = None,
        words: Words = ENGLISH,
        said: Said = str,
    ) -> None:
        self._pair, self.words = pair, words
        self.rows = [
            (
                job["job_id"],
                job["name"],
                _needs(job, words),
                job["status"],
                how_far(job, words),
                measured(job, 3),
                "" if job["reason"] == _COMPLETED else said(job["reason"] or ""),
            )
            for job in jobs
        ]

    def text(self) -> str:
        """For a terminal."""
        return repr(self)

    def _repr_html_(self) -> str:
        shown = super()._repr_html_()
        if self._pair is None:
            return shown
        return f'<div class="{self._pair.picture}">{self._pair.style}{shown}</div>'


def _needs(job: dict[str, Any], words: Words) -> str:
    """What a job holds, or of how many others it is made."""
    if (search := job.get("search")) is not None:
        done, trials = search["done"], search["trials"]
        if trials is None:
            return words("%1 trial", done) if done == 1 else words("%1 trials", done)
        return words("%1 of %2 trials", done, trials)
    if job.get("children") is not None:
        count = sum(job["children"].values())
        return words("%1 stage", count) if count == 1 else words("%1 stages", count)
    return resources(job, words)


class StageTable(Table):
    """The stages of a pipeline, and whatever else a job is made of.

    Parameters
    ----------
    now
        Until when what runs is told to have run; by default that is not told.
    words, said
        The language that it is in.
    """

    columns = ("stage", "status", "progress", "took", "after", "reason")
    empty = "It has no stages yet."
    sentence = "reason"
    below = ("reason",)
    shortened = ("stage", "after")

    def __init__(
        self,
        children: Sequence[dict[str, Any]],
        now: datetime | None = None,
        words: Words = ENGLISH,
        said: Said = str,
    ) -> None:
        self.words = words
        names = {child["job_id"]: child["child_key"] for child in children}
        self.rows = [
            (
                child["child_key"],
                child["status"],
                words("%1 %", child["progress"]) if is_known(child) else "",
                words("reused")
                if child.get("reused_from")
                else _took(child["started_at"], child["completed_at"], now, words),
                ", ".join(names.get(one, one) for one in child["depends_on"]),
                _why_not(child, words, said),
            )
            for child in children
        ]


def _why_not(child: Mapping[str, Any], words: Words, said: Said) -> str:
    """Why a stage is not done, or will not be; what it was given is told where one looks at it."""
    if child["status"] in ("running", "completed"):
        return ""
    is_told = child["status"] == "failed" and child["cause"]
    cause = words(cause_word(child["cause"])) if is_told else ""
    return ": ".join(filter(None, [cause, said(child["reason"] or "")]))


class TrialTable(Table):
    """The trials of a search, in the order in which they are given.

    Parameters
    ----------
    most
        How many rows at most.
    words, said
        The language that it is in.
    """

    columns = ("trial", "state", "value", "step", "progress", "parameters", "reason")
    empty = "It has no trials yet."
    sentence = "reason"
    below = ("reason",)
    states = MappingProxyType({"state": badge_of_trial})

    def __init__(
        self,
        trials: Sequence[dict[str, Any]],
        most: int = 12,
        words: Words = ENGLISH,
        said: Said = str,
    ) -> None:
        self.words = words
        self.rows = [
            (
                words("%1 (best)", one["number"]) if one.get("is_best") else str(one["number"]),
                one["state"],
                "" if one["value"] is None else figure(one["value"]),
                "" if one["step"] is None else figure(one["step"]),
                words("%1 %", one["progress"]) if is_known(one) else "",
                parameters(one["params"]),
                "" if one["state"] == "complete" else said(one["reason"] or ""),
            )
            for one in trials[:most]
        ]
        if len(trials) > most:
            others = ("", "", "", "", words("and %1 more", len(trials) - most), "")
            self.rows.append(("…", *others))


def parameters(values: Mapping[str, Any]) -> str:
    """What a job runs with, as ``lr 0.001, batch 32``."""
    told = (
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    )
    return ", ".join(told)


def parts(children: Sequence[dict[str, Any]], words: Words = ENGLISH, said: Said = str) -> Table:
    """What a job is made of: the stages of a pipeline, or the trials of a search."""
    if "params" in children[0]:
        return TrialTable(children, words=words, said=said)
    return StageTable(children, words=words, said=said)


class PlanTable(Table):
    """The stages of a pipeline that is not submitted yet."""

    columns = ("stage", "after", "command")
    empty = "It has no stages yet."

    def __init__(self, stages: Sequence[dict[str, Any]]) -> None:
        self.rows = [
            (stage["name"], ", ".join(stage["depends_on"]), _what(stage)) for stage in stages
        ]


def _what(stage: dict[str, Any]) -> str:
    """What a stage runs, in a few words."""
    if "script" in stage:
        lines = [line for line in stage["script"]["text"].splitlines() if line.strip()]
        text = f"{lines[0] if lines else ''}{' …' if len(lines) > 1 else ''}"
    else:
        command = stage.get("command") or ""
        text = command if isinstance(command, str) else shlex.join(command)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _took(start: str | None, end: str | None, now: datetime | None, words: Words) -> str:
    """How long something took, or has taken until now."""
    until = now if end is None else time(end)
    if start is None or until is None:
        return ""
    return duration((until - time(start)).total_seconds(), words)


class DataSetTable(Table):
    """Data sets, by name.

    Attributes
    ----------
    datasets
        As the server described them.
    """

    columns = ("number", "name", "path", "registered by", "description")
    empty = "There are no data sets yet; register_dataset(name, path) adds one."

    def __init__(self, datasets: Sequence[dict[str, Any]]) -> None:
        self.datasets = list(datasets)
        self.rows = [
            (str(one["id"]), one["name"], one["path"], one["owner"], one["description"] or "")
            for one in datasets
        ]


class MachineTable(Table):
    """Machines, what is free on them, and who holds the rest."""

    columns = ("machine", "CPU cores free", "memory free", "GPUs free", "held by")
    empty = "There is no machine yet; the scheduler is starting."
    below = ("held by",)
    shortened = ("machine",)

    def __init__(self, machines: dict[str, Any]) -> None:
        self.rows = [
            (
                _machine(node),
                f"{node['cpu_cores_free']} of {node['cpu_cores']}",
                f"{node['memory_gb_free']} of {node['memory_gb']} GB",
                f"{node['gpu_count_free']} of {node['gpu_count']}",
                ", ".join(one["held_by"] for one in node["held"]) or "nobody",
            )
            for node in machines["nodes"]
        ]
        self.gpus = GpuTable(machines)

    def __repr__(self) -> str:
        text = super().__repr__()
        return f"{text}\n\n{self.gpus!r}" if self.gpus.rows else text

    def _repr_html_(self) -> str:
        return super()._repr_html_() + (self.gpus._repr_html_() if self.gpus.rows else "")


def _machine(node: dict[str, Any]) -> str:
    """A machine; of one that a cluster has, also which that is and what it says of it."""
    if node["executor"] is None:
        return str(node["name"])
    return f"{node['name']} ({node['executor']}, {node['state']})"


class SimulationTable(Table):
    """What would come of the jobs of a trace."""

    columns = (
        *("jobs", "GPUs", "mean completion", "median", "99 % within", "mean wait"),
        *("all done after", "GPUs held"),
    )
    below = ("mean wait", "all done after", "GPUs held")

    def __init__(self, figures: Figures, gpus: int) -> None:
        times = (
            *(figures.mean_jct_s, figures.median_jct_s, figures.p99_jct_s),
            *(figures.mean_wait_s, figures.makespan_s),
        )
        held = f"{figures.gpu_utilization_percent:.0f} %"
        self.rows = [(str(figures.jobs), str(gpus), *map(duration, times), held)]


class GpuTable(Table):
    """GPUs, what each of them does at the moment, and who holds it."""

    columns = ("GPU", "model", "state", "busy", "memory", "temp.", "power", "held by", "notes")
    empty = "There are no GPUs."
    sentence = "notes"
    below = ("temp.", "power", "notes")
    shortened = ("model", "held by")

    def __init__(self, machines: dict[str, Any]) -> None:
        several = len(machines["nodes"]) > 1
        self.rows = [
            (
                f"{node['name']} {_called(gpu)}" if several else _called(gpu),
                gpu["model"],
                gpu["state"].replace("_", " "),
                _with_unit(gpu["utilization_percent"], "%"),
                _of(gpu["memory_used_gb"], gpu["memory_gb"], "GB"),
                _with_unit(gpu["temperature_c"], "°C"),
                _of(gpu["power_w"], gpu["power_limit_w"], "W", digits=0),
                gpu["held_by"] or "",
                "; ".join([*filter(None, [_why(gpu)]), *_processes(gpu)]),
            )
            for node in machines["nodes"]
            for gpu in node["gpus"]
        ]


def _called(gpu: dict[str, Any]) -> str:
    """A GPU by its place, if that is known, and as much of its UUID as tells it from others."""
    name: str = gpu["uuid"][:12]
    return name if gpu["index"] is None else f"{gpu['index']}  {name}"


def _why(gpu: dict[str, Any]) -> str:
    """Why nobody gets it, without the word that its state has said."""
    return (gpu["unavailable"] or "").removeprefix("drained: ")


def _processes(gpu: dict[str, Any]) -> list[str]:
    found = []
    for one in gpu["processes"] or ():
        told = f"pid {one['pid']}"
        if one["held_by"] or one["user"]:
            told += f" of {one['held_by'] or one['user']}"
        if one["memory_gb"] is not None:
            told += f" ({one['memory_gb']:.1f} GB)"
        found.append(told)
    return found


def _with_unit(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.0f} {unit}"


def _of(part: float | None, whole: float | None, unit: str, *, digits: int = 1) -> str:
    """An amount out of another one, or what is known of it."""
    if part is None:
        return f"{whole:.0f} {unit}" if whole else ""
    known = f"{part:.{digits}f}"
    return f"{known} of {whole:.0f} {unit}" if whole else f"{known} {unit}"


def receivers_in_words(told: dict[str, Any]) -> str:
    """Who can be told of jobs outside of Jupyter, as `GET api/training-notifications` tells it."""
    if not told["available"]:
        return (
            "Nobody can be told of jobs: Apprise is not installed where the server runs.\n"
            "  pip install 'jupyter-training[notify]'"
        )
    names = ", ".join(told["receivers"]) or "none"
    schemes = ", ".join(f"{one}://" for one in told["schemes"]) or "none"
    return (
        f"receivers  {names}\n"
        f"told of    {', '.join(told['on'])}\n"
        f"URLs       {schemes}\n"
        "Try one with: jupyter training notify --test TO"
    )
