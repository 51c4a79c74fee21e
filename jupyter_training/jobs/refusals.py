"""What the last lines of a log say of an end, and whether another attempt could cure it.

A shell ends with 127 when it does not find a command and with 126 when it may not run it; programs
that do not understand their arguments end with 2 (POSIX.1-2017, Shell and Utilities, 2.8.2; the
convention of Python's `argparse`, `getopt` and most others). But a script can end with any of these
for reasons of its own, so the log has to say the same. A Python script that raises ends with 1, and
the log says what; with some exceptions it will end each time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jupyter_training.jobs.lifecycle import Cause

EXIT_CODES = frozenset({1, 2, 126, 127})
"""Only with one of these is it worth a look at the log."""

LINES = 20
"""How many of the last lines are looked at."""

LONGEST = 500
"""So much of a line is told (characters)."""

_SHELL = re.compile(r"(?:command )?not found$|no such file or directory$|permission denied$", re.I)
_NO_SCRIPT = re.compile(r"can't open file '.*': \[Errno 2\]")
_USAGE = re.compile(
    r"^usage: |^try '.* --help'|"
    r"\berror: (?:unrecognized arguments?|the following arguments are required|argument .+: |"
    r"ambiguous option|no such (?:option|command)|(?:invalid|unknown|unexpected) )|"
    r"\b(?:invalid|unrecognized|unknown|illegal) option\b",
    re.I,
)


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r'\s+File ".+", line \d+')
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:: .+)?")
_OF_THE_CODE = re.compile(
    r"(?:SyntaxError|IndentationError|TabError|NameError|ModuleNotFoundError)\b"
)
"""What a retry meets again. An `ImportError` is none: a library may be missing on one node only."""


def raised(lines: Sequence[str]) -> str:
    """The exception with which a Python script has ended; empty if that is not what its log says.

    Parameters
    ----------
    lines
        The last lines of the log.
    """
    last = [text for line in lines[-LINES:] if (text := _COLOUR.sub("", line).rstrip())]
    is_traceback = any(_FRAME.match(line) for line in last)
    is_exception = is_traceback and last[-1].isprintable() and _EXCEPTION.fullmatch(last[-1])
    return last[-1][:LONGEST] if is_exception else ""


def refusal(exit_code: int | None, lines: Sequence[str]) -> tuple[Cause, str] | None:
    """Whether an end is one that another attempt cannot cure.

    Parameters
    ----------
    lines
        The last lines of the log.

    Returns
    -------
    tuple of Cause and str, or None
        The cause and what to tell within its sentence; None if a retry may help.
    """
    last = [line.strip() for line in lines[-LINES:] if line.strip()]
    if exit_code in (126, 127) and last and _SHELL.search(last[-1]):
        return Cause.LAUNCH_FAILED, last[-1]
    if exit_code == 2 and last and _NO_SCRIPT.search(last[-1]):
        return Cause.LAUNCH_FAILED, last[-1]
    if exit_code == 2:
        told = [line for line in last if _USAGE.search(line)]
        if told:
            # How to use it is less of a help than what was wrong.
            wrong = [line for line in told if not line.lower().startswith(("usage", "try"))]
            return Cause.INVALID_ARGUMENTS, (wrong or told)[-1]
    if exit_code == 1 and _OF_THE_CODE.match(exception := raised(lines)):
        return Cause.NOT_RUNNABLE, exception
    return None
