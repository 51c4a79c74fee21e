"""What a search for hyperparameters has found, as Python, a notebook and a terminal show it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_training.notebook import jobs
from jupyter_training.notebook.asking import ask
from jupyter_training.notebook.chart import GRID, TEXT, Curve, line_chart
from jupyter_training.notebook.formats import figure
from jupyter_training.notebook.metrics import _pandas as pandas
from jupyter_training.notebook.tables import TrialTable, parameters

if TYPE_CHECKING:
    import pandas as pd

    from jupyter_training.notebook.job import Job


@dataclass(frozen=True)
class Trial:
    """A trial of a search.

    Attributes
    ----------
    number
        What the study calls it.
    params
        What it runs with.
    state
        ``waiting``, ``running``, ``complete``, ``pruned`` or ``failed``.
    value, step
        Its value, and at which step that was measured; None before there is one.
    output_dir, checkpoint_dir
        Where its results and its checkpoints are, on the machine of the server.
    told
        All that the server told.
    """

    number: int
    params: Mapping[str, Any]
    state: str
    value: float | None
    step: float | None
    job_id: str
    output_dir: Path
    checkpoint_dir: Path
    told: Mapping[str, Any] = field(repr=False)

    @property
    def job(self) -> Job:
        """Its job, with its log and its metrics."""
        return jobs.get_job(self.job_id)


def trial(told: Mapping[str, Any]) -> Trial:
    """A trial as the server told it."""
    return Trial(
        told["number"],
        told["params"],
        told["state"],
        _number(told["value"]),
        _number(told["step"]),
        told["job_id"],
        Path(told["output_dir"]),
        Path(told["checkpoint_dir"]),
        told,
    )


class Found:
    """What a search has found so far. It shows itself as a table and plots.

    Attributes
    ----------
    told
        What the server told.
    trials
        By their numbers.
    best
        The best of those that are complete; None before the first.
    importance
        How much each parameter matters, from 0 to 1, the most first; empty while nobody knows.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.told = told
        self.trials = [trial(one) for one in told["trials"]]
        self.best = None if told["best"] is None else trial(told["best"])
        self.importance: dict[str, float] = dict(told["importance"] or {})

    def to_pandas(self) -> pd.DataFrame:
        """A pandas DataFrame with a row for each trial; the names are those of Optuna's.

        Raises
        ------
        TrainingError
            If pandas is not installed.
        """
        names = list(self.told["search"]["space"])
        rows = [
            {
                "number": one.number,
                "value": one.value,
                **{f"params_{name}": one.params.get(name) for name in names},
                "state": one.state,
                "step": one.step,
                "datetime_start": _time(one.told["started_at"]),
                "datetime_complete": _time(one.told["completed_at"]),
                "job_id": one.job_id,
            }
            for one in self.trials
        ]
        columns = [
            *("number", "value", *(f"params_{name}" for name in names)),
            *("state", "step", "datetime_start", "datetime_complete", "job_id"),
        ]
        frame = pandas().DataFrame(rows, columns=columns)
        frame["value"] = frame["value"].astype(float)
        frame.insert(2, "duration", frame["datetime_complete"] - frame["datetime_start"])
        return frame

    def table(self, most: int = 12) -> TrialTable:
        """The best trials and those that run."""
        return TrialTable(rows(self.told), most)

    def __repr__(self) -> str:
        return self.text()

    def text(self, most: int = 12) -> str:
        """All of it but the plots, with so many trials at most."""
        lines = [repr(self.table(most))]
        if self.importance:
            shares = (f"{name} {share:.0%}" for name, share in self.importance.items())
            lines.append(f"what matters: {', '.join(shares)}")
        lines.append(f"method: {method(self.told['search'])}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        how = f'<div style="color:{TEXT}">method: {html.escape(method(self.told["search"]))}</div>'
        parts = [
            self.table()._repr_html_() + how,
            history_chart(self.told),
            self._importance_html(),
        ]
        return (
            '<div style="display:flex;flex-wrap:wrap;gap:10px;align-items:flex-start">'
            + "".join(f"<div>{part}</div>" for part in parts if part)
            + "</div>"
        )

    def _importance_html(self) -> str:
        """How much each parameter matters, as bars."""
        if not self.importance:
            return ""
        bars = "".join(
            f"<tr><td>{html.escape(name)}</td>"
            f'<td style="width:160px"><div style="background:{GRID};height:8px">'
            f'<div style="width:{share:.1%};height:8px;'
            'background:var(--jp-brand-color1,#1976d2)"></div></div></td>'
            f"<td>{share:.0%}</td></tr>"
            for name, share in self.importance.items()
        )
        return (
            f'<table aria-label="how much each parameter matters"><caption style="color:{TEXT};'
            f'text-align:left">what matters</caption>{bars}</table>'
        )


def found(reference: str) -> Found:
    """What a search has found so far; see `Job.search`."""
    return Found(ask(lambda client: client.trials(reference)))


def method(search: Mapping[str, Any]) -> str:
    """How a search is gone about: ``tpe, asha, seed 3``."""
    pruner, seed = search.get("pruner"), search.get("seed")
    words = [
        search["sampler"],
        None if pruner in (None, "none") else pruner,
        None if seed is None else f"seed {seed}",
    ]
    return ", ".join(filter(None, words))


def rows(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The trials in the order in which a person wants to see them: what runs, then the best."""
    sign = 1 if told["search"]["goal"] == "minimize" else -1
    best = told["best"]["number"] if told["best"] is not None else None

    def place(one: Mapping[str, Any]) -> tuple[Any, ...]:
        value = _number(one["value"])
        known = value is not None and value == value
        rank = {"running": 0, "complete": 1, "pruned": 2, "waiting": 3, "failed": 4}[one["state"]]
        return rank, sign * value if known and value is not None else float("inf"), one["number"]

    return [{**one, "is_best": one["number"] == best} for one in sorted(told["trials"], key=place)]


def curves(told: Mapping[str, Any]) -> list[Curve]:
    """The course of a search: the best value so far, and the value of each trial, by their ends."""
    history = told["history"]
    if not history:
        return []
    metric, x = told["search"]["metric"], [float(place + 1) for place in range(len(history))]
    return [
        Curve(f"best {metric}", x, [_number(one["best"]) for one in history]),
        Curve(metric, x, [_number(one["value"]) for one in history]),
    ]


def history_chart(told: Mapping[str, Any]) -> str:
    """The course of a search as a chart; empty before it has one."""
    drawn = curves(told)
    if not drawn:
        return ""
    last = figure(told["history"][-1]["best"])
    label = f"the course of the search: {drawn[0].name} is {last}"
    return line_chart(drawn, label=label, x_axis="trials complete")


def _number(value: float | str | None) -> float | None:
    # JSON has no NaN and no infinity: they are told as strings.
    return None if value is None else float(value)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))


def said(child: Mapping[str, Any]) -> str:
    """A trial in a line of a terminal: its number and its parameters."""
    return f"trial {child['child_key']} ({parameters(child['parameters'])})"
