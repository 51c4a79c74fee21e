"""The parts of what is shown of a job, as HTML. Everything that a job or a person wrote is escaped.

Styles stand with the elements, because a front end that does not trust a notebook leaves style
sheets out. Colours are those of JupyterLab's theme, or of VS Code's.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_training.notebook import states
from jupyter_training.notebook.chart import TEXT, Curve, line_chart
from jupyter_training.notebook.formats import figure
from jupyter_training.notebook.words import ENGLISH, Words

_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
"""What would move a terminal's cursor or change its colours."""

_SURFACE = "var(--jp-layout-color2,var(--vscode-textCodeBlock-background,rgba(127,127,127,.12)))"
_TRACK = "var(--jp-layout-color3,var(--vscode-scrollbarSlider-background,#d4d4d4))"
_MARK = "background:var(--jp-search-unselected-match-background-color,#ffe066);color:#111"

_HATCHED = "background:repeating-linear-gradient(-45deg,currentColor 0 3px,transparent 3px 8px)"

MOST_CURVES = 3
"""So many metrics are drawn where nobody has chosen."""

_LONGEST = 500
"""So much of a line of a log is shown (characters)."""


def head(
    told: dict[str, Any],
    gpus: Sequence[tuple[int | None, float | None]] = (),
    words: Words = ENGLISH,
) -> str:
    """What a job is, where it is, and what it holds."""
    attempt, place = told["attempt"], told["queue_position"]
    facts = [
        holds(told, gpus, words),
        words("attempt %1", attempt) if attempt > 1 else "",
        words("place %1 in the queue", place) if place else "",
    ]
    return (
        f"{states.badge(told['status'], words)} <b>{html.escape(told['name'])}</b> "
        f'<code style="user-select:all">{html.escape(told["job_id"])}</code> '
        f'<span style="color:{TEXT}">{html.escape(" · ".join(filter(None, facts)))}</span>'
    )


def holds(
    told: Mapping[str, Any],
    gpus: Sequence[tuple[int | None, float | None]] = (),
    words: Words = ENGLISH,
) -> str:
    """What a job holds or asks for; of GPUs, which ones and how busy they are, if that is known."""
    if told.get("children") is not None:
        return ""
    cores, count = told["cpu_cores"], told["gpu_count"]
    parts = [
        words("%1 core", cores) if cores == 1 else words("%1 cores", cores),
        words("%1 GB", told["memory_gb"]),
    ]
    known = [(index, busy) for index, busy in gpus if index is not None]
    if known:
        called = ", ".join(str(index) for index, _ in known)
        busy = ", ".join("?" if busy is None else f"{busy:.0f} %" for _, busy in known)
        is_known = any(busy is not None for _, busy in known)
        those = words("GPU %1", called) if len(known) == 1 else words("GPUs %1", called)
        parts.append(those + (f" ({busy})" if is_known else ""))
    elif count:
        parts.append(words("%1 GPU", count) if count == 1 else words("%1 GPUs", count))
    if told.get("job_type") == "distributed":
        nodes = len(told["parts"]) or told["nodes"]
        text = words("%1 node of %2") if nodes == 1 else words("%1 nodes of %2")
        parts[0] = words(text, nodes, parts[0])
    return " · ".join(parts)


def bar(
    told: dict[str, Any], how_far: str, words: Words = ENGLISH, *, is_known: bool = True
) -> str:
    """How far a job has come; if that is not known, that it runs."""
    progress, style = int(told["progress"]), states.of(told["status"]).style
    now, filled = f'aria-valuenow="{progress}" ', "background:currentColor"
    if not is_known:
        now, progress, filled = "", 100, _HATCHED if told["status"] == "running" else ""
    label = html.escape(words("Progress of %1", told["name"]))
    return (
        f'<div role="progressbar" aria-label="{label}" '
        f'aria-valuemin="0" aria-valuemax="100" {now}'
        f'aria-valuetext="{html.escape(how_far)}" '
        'style="display:flex;align-items:center;gap:8px;line-height:1.4">'
        f'<div style="flex:1;height:6px;border-radius:3px;background:{_TRACK}">'
        f'<div style="width:{progress}%;height:6px;border-radius:3px;{style};{filled}"></div>'
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
    last = [f"{one.name} {figure(one.last)}" for one in drawn if one.last is not None]
    label = f"metrics: {', '.join(last)}"
    return line_chart(drawn, label=label, x_axis="step", log=log, smoothing=smoothing)
