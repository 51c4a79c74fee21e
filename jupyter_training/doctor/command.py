"""``jupyter training doctor``: the checks for a person, or as JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from jupyter_training._version import __version__
from jupyter_training.doctor.checks import Check, Verdict, conclusion, jobs_can_run
from jupyter_training.doctor.examination import examine

_STYLES = {Verdict.OK: "green", Verdict.ABSENT: "dim", Verdict.PROBLEM: "bold red"}
_WIDTH = max(len(verdict.value) for verdict in Verdict)


def run(arguments: Sequence[str], *, as_json: bool) -> int:
    """Examine this machine, and print what was found.

    Returns
    -------
    int
        The exit code: 0 if jobs can run, else 1.
    """
    with Console(stderr=True).status("Looking at this machine…"):
        checks = examine(arguments)
    show(checks, as_json=as_json)
    return 0 if jobs_can_run(checks) else 1


def show(checks: Sequence[Check], *, as_json: bool) -> None:
    """Print the checks."""
    if as_json:
        print(json.dumps(as_values(checks), indent=2))
        return
    # No colours where there is no terminal, or where NO_COLOR is set: rich sees to that.
    console = Console(highlight=False)
    for line in lines(checks):
        # A terminal wraps it, so that a command can be copied as it is.
        console.print(line, soft_wrap=True)


def as_values(checks: Sequence[Check]) -> dict[str, object]:
    """The checks as a value for JSON."""
    return {
        "version": __version__,
        "jobs_can_run": jobs_can_run(checks),
        "conclusion": conclusion(checks),
        "checks": [asdict(check) for check in checks],
    }


def lines(checks: Sequence[Check]) -> list[Text]:
    """The checks as lines for a terminal; the verdict is a word, and a colour besides."""
    found = []
    width = max((len(check.name) for check in checks), default=0)
    for check in checks:
        line = Text(check.verdict.value.ljust(_WIDTH), style=_STYLES[check.verdict])
        line.append(f"  {check.name.ljust(width)}  {check.found}", style="default")
        found.append(line)
        if check.repair:
            margin = " " * (_WIDTH + width + 4)
            found.append(Text(f"{margin}→ {check.repair}"))
    can_run = jobs_can_run(checks)
    found += [Text(), Text(conclusion(checks), style="bold" if can_run else "bold red")]
    return found
