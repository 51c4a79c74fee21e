"""A job's log as it is printed, attempt after attempt, to the end of the job."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from jupyter_training.notebook.asking import keep_asking
from jupyter_training.notebook.job import Job
from jupyter_training.notebook.log_stream import LogStream, left_out

_LOOK_S = 1
"""How long to wait for a line before looking at the job again (s)."""

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


def messages(
    job: Job,
    *,
    tail: int | None = None,
    attempt: int | None = None,
    rank: int | None = None,
    complete: bool = True,
    on_look: Callable[[dict[str, Any]], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """What the server tells of a job's log as it comes, until it has ended and all was told.

    Parameters
    ----------
    tail
        Begin with so many of the last lines; None to begin with the first line.
    attempt
        Begin with this attempt. By default with the latest, or if `tail` is None with the first.
    rank
        Of which rank of a distributed job; None for what all of them print.
    complete
        Whether nothing may be left out, however fast it comes.
    on_look
        Called with the job as it is, about once a second and at each change.
    """
    tag: str | None = None

    def look() -> None:
        nonlocal tag
        told, tag = keep_asking(lambda client: client.changed_job(job.id, tag, 0))
        if told is not None:
            job.told = told
        if on_look is not None:
            on_look(job.told)

    query: dict[str, str | int] = {"complete": str(complete).lower()}
    if tail is not None:
        query["tail"] = tail
    if attempt is not None or tail is None:
        query["attempt"] = attempt or 1
    if rank is not None:
        query["rank"] = rank
    look()
    with LogStream(job.id, **query) as stream:
        while (message := stream.next(None if on_look is None else _LOOK_S)) is not None:
            if message["type"] != "idle":
                yield message
            if on_look is not None and message["type"] != "end":
                look()
    look()


def lines(
    job: Job,
    *,
    tail: int | None = None,
    attempt: int | None = None,
    rank: int | None = None,
    complete: bool = True,
    on_look: Callable[[dict[str, Any]], None] | None = None,
) -> Iterator[str]:
    """The lines of a job's log as they come; see `messages`."""
    wanted = {"tail": tail, "attempt": attempt, "rank": rank}
    for message in messages(job, **wanted, complete=complete, on_look=on_look):
        if message["type"] == "lines":
            yield from message["lines"]
        elif message["type"] == "skipped":
            yield left_out(message)


class Terminal:
    """Prints a log, and below it, on a terminal, what may still change, such as progress bars."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._live = output.isatty()
        self._below = 0

    def show(self, message: dict[str, Any]) -> None:
        """Print what a message tells."""
        told = {"lines": [], "partial": [], "replaces": 0, **message}
        printed = [left_out(message)] if message["type"] == "skipped" else told["lines"]
        text = "".join(f"{line}\n" for line in printed)
        if self._live:
            columns, rows = shutil.get_terminal_size()
            # Lines that were written over, as far as they are still on the screen.
            up = min(self._below + told["replaces"], rows - 1)
            partial = [_cut(line, columns) for line in told["partial"][-(rows - 1) :]]
            back = f"\x1b[{up}A" if up else ""
            text = f"\r{back}\x1b[J{text}{chr(10).join(partial)}"
            self._below = max(0, len(partial) - 1)
        self._output.write(text)
        self._output.flush()


def _cut(line: str, columns: int) -> str:
    """A line that is no wider than the terminal, so that it can be written over."""
    if len(line) < columns:
        return line
    plain = _COLOUR.sub("", line)
    return line if len(plain) < columns else plain[: columns - 1]
