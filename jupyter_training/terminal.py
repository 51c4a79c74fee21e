"""What ``jupyter training`` shows: tables, JSON, and a job on its way to its end."""

from __future__ import annotations

import json
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text

from jupyter_training.notebook.display import how_far, measured
from jupyter_training.notebook.follow import lines
from jupyter_training.notebook.job import ENDED, Job, ask
from jupyter_training.notebook.tables import Table

STYLES = {
    "pending": "dim",
    "scheduled": "cyan",
    "running": "blue",
    "retrying": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
}


def print_json(value: Any) -> None:
    """Print a value for a program."""
    print(json.dumps(value, indent=2))


def print_table(table: Table) -> None:
    """Draw a table for a person; what goes to a file or a program is plain text."""
    console = Console(highlight=False)
    if not console.is_terminal or not table.rows:
        print(table)
        return
    drawn = RichTable(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in table.columns:
        drawn.add_column(column, overflow="fold")
    for row in table.rows:
        # What somebody has called a job is text, whatever it looks like.
        drawn.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    console.print(drawn)


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
        shown = {"status": status, "style": STYLES[status], "far": "  0 %", "metrics": ""}
        task = bar.add_task("", total=100, **shown)
        watcher = _Watcher(bar, task)
        for line in lines(job, on_look=watcher.look):
            # What a job prints is text, whatever it looks like; its own colours stay.
            bar.console.print(Text.from_ansi(line), soft_wrap=True)
    console.print(_verdict(job.told), soft_wrap=True)


class _Watcher:
    """Moves the bar, and says what the log does not: why it waits, that it is tried again."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task = bar, task
        self._said: str | None = None
        self._stages: dict[str, str] = {}

    def look(self, told: dict[str, Any]) -> None:
        status = told["status"]
        if told.get("children") is not None:
            self._look_at_stages(told["job_id"])
        self._bar.update(
            self._task,
            completed=told["progress"],
            status=status,
            style=STYLES[status],
            far=how_far(told),
            metrics=measured(told, 2),
        )
        if status in ("pending", "retrying") and told["reason"] != self._said:
            self._said = told["reason"]
            self._bar.console.print(
                Text(f"{status}: {told['reason']}", style=STYLES[status]), soft_wrap=True
            )

    def _look_at_stages(self, job_id: str) -> None:
        """Say which stages of a pipeline have started and ended since the last look."""
        for child in ask(lambda client: client.children(job_id)):
            name, status = child["child_key"], child["status"]
            if self._stages.get(name, "pending") != status:
                said = Text(status, style=STYLES[status]).append(f": {name}", style="default")
                if status in ENDED and child["reason"] and child["cause"] != "success":
                    said.append(f", {child['reason']}")
                self._bar.console.print(said, soft_wrap=True)
            self._stages[name] = status


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
