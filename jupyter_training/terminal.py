"""What ``jupyter training`` shows: tables, JSON, and a job on its way to its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text

from jupyter_training.notebook import states
from jupyter_training.notebook.asking import ask
from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.display import how_far, is_known, measured
from jupyter_training.notebook.follow import lines
from jupyter_training.notebook.job import ENDED, Job
from jupyter_training.notebook.tables import Table
from jupyter_training.notebook.trials import said as said_of_trial
from jupyter_training.notebook.waiting import as_completed

STYLES = {
    "pending": "dim",
    "scheduled": "cyan",
    "running": "blue",
    "retrying": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
}

_STYLES = {
    **{states.of(status).word: style for status, style in STYLES.items()},
    **{trial: STYLES[status] for trial, status in states.TRIALS.items()},
    **{"starting": STYLES["scheduled"], "stopped": STYLES["cancelled"]},
}
"""By the words for the states of jobs, of trials and of ranks."""

_OF_STATES = frozenset({"status", "state", "what"})
"""The columns that have such words."""

_SHORTEST = 8
"""A cell keeps so many characters of its beginning."""


def print_json(value: Any) -> None:
    """Print a value for a program."""
    print(json.dumps(value, indent=2))


def print_table(table: Table, *, bare: bool = False) -> None:
    """Draw a table for a person; what goes to a file or a program is plain text.

    Parameters
    ----------
    bare
        Whether it is one of several things that are shown, and has no lines of its own.
    """
    console = Console(highlight=False)
    if not console.is_terminal or not table.rows:
        print(table)
    elif _width(table) <= console.width or not (table.below or table.shortened):
        console.print(_wide(table, bare=bare))
    else:
        _print_narrow(console, table, bare=bare)


def print_error(text: str) -> None:
    """Say what went wrong; on a terminal no word is torn apart."""
    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        console.print(Text(text))
    else:
        print(text, file=console.file)


def _width(table: Table) -> int:
    """How many characters a table takes if nothing in it is wrapped."""
    return sum(
        2 + max(map(cell_len, cells)) for cells in zip(table.columns, *table.lines, strict=True)
    )


def _wide(table: Table, *, bare: bool) -> RichTable:
    drawn = (
        RichTable(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
        if bare
        else RichTable(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1), pad_edge=False)
    )
    for column in table.columns:
        drawn.add_column(column, overflow="fold")
    for row in table.lines:
        drawn.add_row(*map(_cell, table.columns, row))
    return drawn


def _cell(column: str, cell: str) -> Text:
    # What somebody has called a job is text, whatever it looks like.
    if column not in _OF_STATES or not cell:
        return Text(cell)
    word = states.of(cell).word
    return Text(word, style=_STYLES.get(word, ""))


def _print_narrow(console: Console, table: Table, *, bare: bool) -> None:
    """Draw a table of few columns, with what the others say below each row."""
    rows = table.lines
    kept = [place for place, one in enumerate(table.columns) if one not in table.below]
    widths = [max(cell_len(row[place]) for row in (table.columns, *rows)) for place in kept]
    excess = sum(widths) + 2 * (len(kept) - 1) - console.width
    for at, place in enumerate(kept):
        if excess > 0 and table.columns[place] in table.shortened:
            cut = max(0, min(excess, widths[at] - _SHORTEST))
            widths[at] -= cut
            excess -= cut

    def line(cells: Iterable[Text]) -> Text:
        shown = list(cells)
        for cell, width in zip(shown, widths, strict=True):
            cell.truncate(width, overflow="ellipsis", pad=True)
        return Text("  ").join(shown)

    heading = "dim" if bare else "bold"
    console.print(line(Text(table.columns[place], style=heading) for place in kept))
    if not bare:
        console.rule(style="dim", characters="─")
    for row in rows:
        console.print(line(_cell(table.columns[place], row[place]) for place in kept))
        more = [row[table.columns.index(one)] for one in table.below]
        if said := " · ".join(filter(None, more)):
            console.print(Padding(Text(said, style="dim"), (0, 0, 0, 2)))


def watch(job: Job, *, to_stderr: bool) -> None:
    """Show a job's progress and log until it has ended, and how it has."""
    console = Console(highlight=False, stderr=to_stderr)
    console.print(f"Submitted {job.name} as {job.id}", markup=False)
    bar = Progress(
        TextColumn("[{task.fields[style]}]{task.fields[status]}[/]"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[far]}"),
        TextColumn("{task.fields[metrics]}", markup=False),
        TimeElapsedColumn(),
        console=console,
    )
    status = job.told["status"]
    with bar:
        task = bar.add_task(
            "",
            total=100,
            status=states.of(status).word,
            style=STYLES[status],
            far="  0 %",
            metrics="",
        )
        watcher = _Watcher(bar, task, job.told["attempt"])
        for line in lines(job, on_look=watcher.look):
            # What a job prints is text, whatever it looks like; its own colours stay.
            bar.console.print(Text.from_ansi(line), soft_wrap=True)
    console.print(_verdict(job.told), soft_wrap=True)


class _Watcher:
    """Moves the bar, and says what the log does not: why it waits, that it is tried again."""

    def __init__(self, bar: Progress, task: TaskID, attempt: int) -> None:
        self._bar, self._task = bar, task
        self._waits: str | None = None
        self._attempt = attempt
        self._stages: dict[str, str] = {}

    def look(self, told: dict[str, Any]) -> None:
        status = told["status"]
        if told.get("children") is not None:
            self._look_at_stages(told["job_id"])
        self._bar.update(
            self._task,
            completed=told["progress"],
            total=100 if is_known(told) else None,
            status=states.of(status).word,
            style=STYLES[status],
            far=how_far(told),
            metrics=measured(told, 2),
        )
        self._look_at_attempts(told)
        if status in ("pending", "retrying") and told["reason"] != self._waits:
            self._waits = told["reason"]
            self._say(status, told["reason"])

    def _look_at_attempts(self, told: dict[str, Any]) -> None:
        """Say why earlier attempts have failed, also if the next began before it could be seen."""
        missed = range(max(1, self._attempt), told["attempt"])
        if missed:
            for event in ask(lambda client: client.events(told["job_id"])):
                if event["to_status"] == "retrying" and event["attempt"] in missed:
                    self._say("retrying", event["reason"])
        self._attempt = told["attempt"] + (told["status"] == "retrying")

    def _say(self, status: str, reason: str) -> None:
        said = f"{states.of(status).word}: {reason}"
        self._bar.console.print(Text(said, style=STYLES[status]), soft_wrap=True)

    def _look_at_stages(self, job_id: str) -> None:
        """Say which stages of a pipeline have started and ended since the last look."""
        for child in ask(lambda client: client.children(job_id)):
            name, status = child["child_key"], child["status"]
            if self._stages.get(name, "pending") != status:
                told = said_of_trial(child) if child["parameters"] else name
                word = states.of(status).word
                said = Text(word, style=STYLES[status]).append(f": {told}", style="default")
                if status == "completed" and child["parameters"] and child["metrics"]:
                    said.append(f", {measured(child, 2)}")
                if status in ENDED and child["reason"] and child["cause"] != "success":
                    said.append(f", {child['reason']}")
                self._bar.console.print(said, soft_wrap=True)
            self._stages[name] = status


def wait_for(several: Sequence[Job], timeout: float | None = None, *, quietly: bool) -> None:
    """Wait until jobs have ended, and print how each has, as soon as it has.

    Parameters
    ----------
    timeout
        Seconds after which to give up; None to wait for as long as it takes.
    quietly
        Print nothing.

    Raises
    ------
    TrainingError
        If some had not ended by then.
    """
    console = Console(highlight=False)
    try:
        for job in as_completed(several, timeout):
            if not quietly:
                console.print(_verdict(job.told), soft_wrap=True)
    except KeyboardInterrupt:
        print("\nWhat has not ended goes on without this terminal.", file=sys.stderr)
        raise
    except TimeoutError as error:
        raise TrainingError(f"{error}; what has not ended goes on") from None


def exit_code(told: dict[str, Any]) -> int:
    """The exit code of a job that has ended, as a shell would tell it."""
    if told["status"] == "completed":
        return 0
    if told["signal"] is not None:
        return 128 + int(told["signal"])
    return int(told["exit_code"] or 1)


def _verdict(told: dict[str, Any]) -> Text:
    verdict = Text(told["status"], style=f"bold {STYLES[told['status']]}")
    facts = f": {told['name']} ({told['job_id']})"
    if told["exit_code"] is not None:
        facts += f", exit code {told['exit_code']}"
    if told["status"] != "completed" and told["reason"]:
        facts += f"\n{told['reason']}"
    if told.get("usage"):
        facts += f"\n{told['usage']}"
    return verdict.append(f"{facts}\nresults: {told['output_dir']}", style="default")
