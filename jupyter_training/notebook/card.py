"""The parts of what is shown of a job, as HTML. Everything that a job or a person wrote is escaped.

Styles stand with the elements, because a front end that does not trust a notebook leaves style
sheets out. Colours are those of JupyterLab's theme, or of VS Code's.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

from jupyter_training.notebook.chart import TEXT, Curve, line_chart, number

COLOURS = {
    "pending": "#6b7280",
    "scheduled": "#0369a1",
    "running": "#1d4ed8",
    "retrying": "#b45309",
    "completed": "#15803d",
    "failed": "#b91c1c",
    "cancelled": "#57534e",
}
"""White text on each of these has a contrast of at least 4.5 : 1 (WCAG 2.2, 1.4.3)."""

_STROKE = 'fill="none" stroke="currentColor" stroke-width="1.7"'
_CLOCK = f'<circle cx="7" cy="7" r="5.5" {_STROKE}/><path d="M7 4v3l2 1.5" {_STROKE}/>'
_ICONS = {
    "pending": _CLOCK,
    "scheduled": f'<path d="M4 2.5l6.5 4.5L4 11.5z" {_STROKE}/>',
    "running": f'<circle cx="7" cy="7" r="5" stroke-dasharray="20 12" {_STROKE}/>',
    "retrying": f'<path d="M11.5 7a4.5 4.5 0 1 1-1.3-3.2M11 1.5v2.6H8.4" {_STROKE}/>',
    "completed": f'<path d="M2.5 7.4l3 3 6-6.6" {_STROKE}/>',
    "failed": f'<path d="M3 3l8 8M11 3l-8 8" {_STROKE}/>',
    "cancelled": f'<circle cx="7" cy="7" r="5.5" {_STROKE}/><path d="M3.5 10.5l7-7" {_STROKE}/>',
}
"""A shape for each state, 14 pixels wide."""

_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
"""What would move a terminal's cursor or change its colours."""

_SURFACE = "var(--jp-layout-color2,var(--vscode-textCodeBlock-background,rgba(127,127,127,.12)))"
_TRACK = "var(--jp-layout-color3,var(--vscode-scrollbarSlider-background,#d4d4d4))"
_MARK = "background:var(--jp-search-unselected-match-background-color,#ffe066);color:#111"

MOST_CURVES = 3
"""So many metrics are drawn where nobody has chosen."""

_LONGEST = 500
"""So much of a line of a log is shown (characters)."""


def badge(status: str) -> str:
    """A state as a shape, a word and a colour."""
    icon = (
        '<svg aria-hidden="true" width="11" height="11" viewBox="0 0 14 14" '
        f'style="vertical-align:-1px;margin-right:4px">{_ICONS.get(status, _CLOCK)}</svg>'
    )
    return (
        f'<span style="background:{COLOURS.get(status, "#6b7280")};color:#fff;border-radius:9px;'
        f'padding:1px 8px;white-space:nowrap">{icon}{html.escape(status)}</span>'
    )


def head(told: dict[str, Any], gpus: Sequence[tuple[int | None, float | None]] = ()) -> str:
    """What a job is, where it is, and what it holds."""
    facts = [
        holds(told, gpus),
        *([f"attempt {told['attempt']}"] if told["attempt"] > 1 else []),
        *([f"place {told['queue_position']} in the queue"] if told["queue_position"] else []),
    ]
    return (
        f"{badge(told['status'])} <b>{html.escape(told['name'])}</b> "
        f'<code style="user-select:all">{html.escape(told["job_id"])}</code> '
        f'<span style="color:{TEXT}">{html.escape(" · ".join(filter(None, facts)))}</span>'
    )


def holds(told: dict[str, Any], gpus: Sequence[tuple[int | None, float | None]] = ()) -> str:
    """What a job holds or asks for; of GPUs, which ones and how busy they are, if that is known."""
    if told.get("children") is not None:
        return ""
    cores, count = told["cpu_cores"], told["gpu_count"]
    words = [f"{cores} core{'s' * (cores != 1)}", f"{told['memory_gb']} GB"]
    known = [(index, busy) for index, busy in gpus if index is not None]
    if known:
        called = ", ".join(str(index) for index, _ in known)
        busy = ", ".join("?" if busy is None else f"{busy:.0f} %" for _, busy in known)
        words.append(f"GPU{'s' * (len(known) > 1)} {called} ({busy})")
    elif count:
        words.append(f"{count} GPU{'s' * (count != 1)}")
    if told.get("job_type") == "distributed":
        nodes = len(told["parts"]) or told["nodes"]
        words[0] = f"{nodes} node{'s' * (nodes != 1)} of {words[0]}"
    return " · ".join(words)


def bar(told: dict[str, Any], how_far: str) -> str:
    """How far a job has come."""
    progress, colour = int(told["progress"]), COLOURS.get(told["status"], "#6b7280")
    return (
        f'<div role="progressbar" aria-label="progress of {html.escape(told["name"])}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{progress}" '
        f'aria-valuetext="{html.escape(how_far)}" '
        'style="display:flex;align-items:center;gap:8px;line-height:1.4">'
        f'<div style="flex:1;height:6px;border-radius:3px;background:{_TRACK}">'
        f'<div style="width:{progress}%;height:6px;border-radius:3px;background:{colour}"></div>'
        f"</div><span>{html.escape(how_far)}</span></div>"
    )


def said(*sentences: str | None) -> str:
    """Sentences about a job."""
    return html.escape(" · ".join(filter(None, sentences)))


def plain(line: str) -> str:
    """A line of a log without what is meant for a terminal."""
    text = _CONTROL.sub("", line)[:_LONGEST]
    return "".join(one for one in text if one.isprintable() or one == "\t")


def log(lines: Sequence[str], search: str = "", height: str = "") -> str:
    """The end of a log, at whose end it is scrolled; what is searched for is marked."""
    if not lines:
        return ""
    text = "\n".join(_marked(plain(line), search) for line in lines)
    scrolled = (
        # Whatever comes, the end stays in view.
        f"height:{height};overflow:auto;display:flex;flex-direction:column-reverse;"
        if height
        else "overflow-x:auto;"
    )
    return (
        f'<div tabindex="0" role="log" aria-live="off" aria-label="log" style="{scrolled}'
        f'background:{_SURFACE};border-radius:3px;padding:4px 8px">'
        '<pre style="flex:none;margin:0;padding:0;background:none;white-space:pre;font-size:12px;'
        f'line-height:1.45;color:inherit">{text}</pre></div>'
    )


def _marked(line: str, search: str) -> str:
    if not search:
        return html.escape(line)
    parts = re.split(f"({re.escape(search)})", line, flags=re.IGNORECASE)
    return "".join(
        f'<mark style="{_MARK}">{html.escape(part)}</mark>' if place % 2 else html.escape(part)
        for place, part in enumerate(parts)
    )


def by_itself(curves: Sequence[Curve]) -> list[str]:
    """Which metrics are drawn where nobody has chosen: the losses, or else the first one."""
    losses = [one.name for one in curves if "loss" in one.name.lower()]
    return losses[:MOST_CURVES] or [one.name for one in curves[:1]]


def chart(
    curves: Sequence[Curve],
    names: Sequence[str] | None = None,
    *,
    log: bool = False,
    smoothing: float = 0.0,
) -> str:
    """A chart of metrics; nothing if there are none."""
    wanted = names or by_itself(curves)
    drawn = [one for one in curves if one.name in wanted]
    if not drawn:
        return ""
    last = [f"{one.name} {number(one.y[-1])}" for one in drawn if one.y]
    label = f"metrics: {', '.join(last)}"
    return line_chart(drawn, label=label, x_axis="step", log=log, smoothing=smoothing)
