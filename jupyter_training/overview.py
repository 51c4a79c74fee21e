"""A job at a glance, drawn in a terminal; in a file, or for a program, as plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table as RichTable
from rich.text import Text

from jupyter_training.notebook import card, facts
from jupyter_training.notebook.display import is_known, printable
from jupyter_training.notebook.facts import Known
from jupyter_training.notebook.history import HistoryTable
from jupyter_training.notebook.states import of
from jupyter_training.notebook.tables import Table
from jupyter_training.terminal import STYLES, print_table

_INDENT = "  "
_UNIT = re.compile(r"(?<=\d) (?=%|(?:[KMGT]?B|d|h|min|s)\b)")
_GLUE = "\ue000"
"""Stands for a space at which no line is broken; no text that is shown has it."""

_TROUBLED = frozenset({"failed", "retrying"})
"""What is said of jobs in these states has their colour, too."""

_BAR = 40
"""How wide a bar is at most (characters)."""

_LEAST_BAR = 10
"""Where there is no room for such a bar, there is none (characters)."""


def print_overview(known: Known) -> None:
    """Show what is known of a job: what it is and why first, what to do with it last."""
    console = Console(highlight=False)
    told = known.told
    style = STYLES.get(told["status"], "")
    head = Text.assemble(
        (printable(told["name"]), "bold"),
        "  ",
        told["job_id"],
        "  ",
        (of(told["status"]).word, f"bold {style}"),
    )
    _say(console, head)
    warned = "yellow" if told.get("idle_since") or told.get("hung_since") else ""
    for sentence in facts.reasons(known):
        _say(console, Text(sentence, style=style if told["status"] in _TROUBLED else warned))
    _bar(console, known)
    print()
    _fields(console, facts.facts(known))
    if known.found is not None:
        _title(console, "search")
        _fields(console, facts.best(known.found))
    if (stages := facts.stages(known)) is not None:
        _table(console, "stages", stages)
    failure, lines = "", list(known.lines)
    if (ranks := facts.ranks(known)) is not None:
        _table(console, "ranks", ranks)
        failure, of_the_first = ranks.first_failure
        lines = of_the_first if failure else lines
    history = HistoryTable(known)
    earlier = f" ({history.earlier} earlier: --json has all)" if history.earlier else ""
    _table(console, f"history{earlier}", history)
    if lines:
        _title(console, f"{failure}; its last lines" if failure else "last lines of its log")
        for line in lines:
            _say(console, Text(card.plain(line)), Text(_INDENT))
    _commands(console, commands(known))


def commands(known: Known) -> list[tuple[str, str]]:
    """What one can do with it, as arguments of ``jupyter training`` and what comes of them."""
    told, job_id = known.told, str(known.told["job_id"])
    is_parent = told.get("children") is not None
    found = []
    if known.found is not None:
        found.append((f"trials {job_id}", "every trial, as a table"))
    elif known.children:
        # By its id, as its name may be that of a stage of a later pipeline.
        stage = _of_interest(known.children)
        found.append((f"show {stage['job_id']}", f"its stage {stage['child_key']}"))
    if told["attempt"] and not is_parent:
        follow = "" if known.has_ended else "-f "
        found.append((f"logs {follow}{job_id}", "all that it prints" if follow else "its log"))
        first = (known.ranks or {}).get("first_failure") or {}
        if first.get("rank") is not None:
            found.append((f"logs --rank {first['rank']} {job_id}", "of the rank that failed first"))
        if told["metrics"]:
            found.append((f"metrics {job_id}", "its metrics, over time"))
        if told.get("usage"):
            found.append((f"usage {job_id}", "what it used, over time"))
    if told["attempt"] or (is_parent and told["started_at"]):
        found.append((f"outputs {job_id}", "what it has left; download gets it"))
    if known.has_ended:
        found.append((f"retry {job_id}", "run it again"))
    elif not told["cancel_requested_at"]:
        found.append((f"cancel {job_id}", "end it"))
    return found


def _of_interest(children: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The stage that one wants to look at: what failed, or runs, or is next, or the last one."""
    for status in ("failed", "retrying", "running", "scheduled", "pending"):
        for one in children:
            if one["status"] == status:
                return one
    return children[-1]


def _bar(console: Console, known: Known) -> None:
    text = facts.progress(known)
    if not text:
        return
    if not console.is_terminal:
        print(text)
        return
    if not is_known(known.told):
        _say(console, Text(text))
        return
    width = min(_BAR, console.width - cell_len(text) - 2)
    if width >= _LEAST_BAR:
        grid = RichTable.grid(padding=(0, 2, 0, 0))
        style = STYLES.get(known.told["status"], "")
        done = known.told["progress"]
        grid.add_row(
            ProgressBar(100, done, width=width, complete_style=style, finished_style=style), text
        )
        console.print(grid)
    else:
        _say(console, Text(text))


def _title(console: Console, title: str) -> None:
    print()
    _say(console, Text(title, style="bold"))


def _table(console: Console, title: str, table: Table) -> None:
    _title(console, title)
    if console.is_terminal:
        print_table(table, bare=True)
    else:
        print(Table.__repr__(table))  # the rows alone: what else it has to say is told below


def _fields(console: Console, fields: Sequence[tuple[str, str]]) -> None:
    """Names and values; what a value has too much stands below it, and not below its name."""
    wide = max((len(name) for name, _ in fields), default=0) + 2
    for name, value in fields:
        _say(console, Text(value), Text(name.ljust(wide), style="dim"))


def _commands(console: Console, commands: Sequence[tuple[str, str]]) -> None:
    told = [(f"jupyter training {words}", what) for words, what in commands]
    wide = max((cell_len(words) for words, _ in told), default=0) + 2
    if told:
        print()
    for words, what in told:
        _say(console, Text(what, style="dim"), Text(words + " " * (wide - cell_len(words))))


def _say(console: Console, text: Text, before: Text | None = None) -> None:
    """Print a text, on a terminal in lines that break between words, with no number from its unit.

    A word that is longer than a line is left to the terminal, so that it can be copied.
    """
    before = before or Text()
    room = console.width - cell_len(before.plain)
    if not console.is_terminal:
        print(f"{before.plain}{text.plain}")
    elif max(map(cell_len, text.plain.split()), default=0) > room:
        console.print(Text.assemble(before, text), soft_wrap=True)
    else:
        text.plain = _UNIT.sub(_GLUE, text.plain)
        for line in text.wrap(console, room):
            line.plain = line.plain.replace(_GLUE, " ")
            console.print(Text.assemble(before, line))
            before = Text(" " * cell_len(before.plain))
