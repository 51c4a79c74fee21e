"""Shows how far an upload is: a bar in a terminal, another one in a notebook, else a sentence."""

from __future__ import annotations

import html
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_training.jobs.contents import human_size
from jupyter_training.notebook import states
from jupyter_training.notebook.formats import duration
from jupyter_training.notebook.kernel import kernel

MUCH_BYTES = 32 * 1024**2
"""From this size on it is shown."""

_REST_S = 0.2
"""The shortest time between two moves of a bar (s)."""

Advance = Callable[[int], None]
"""Called with how many more bytes are on their way; from any thread."""


@contextmanager
def showing(what: str, size: int, say: Callable[[str], None]) -> Iterator[Advance]:
    """Show how far something is while it is uploaded.

    Parameters
    ----------
    what
        Such as ``1.2 GB of new files, 25 of them``.
    size
        In bytes; of a small one nothing is shown.
    say
        Told of it where a bar cannot move.
    """
    if size <= MUCH_BYTES:
        yield lambda _: None
    elif kernel() is not None:
        bar = _NotebookBar(what, size)
        try:
            yield bar.advance
        except BaseException:
            bar.end("not uploaded")
            raise
        bar.end("uploaded")
    elif sys.stderr.isatty():
        yield from _in_terminal(what, size)
    else:
        say(f"Uploading {what}.")
        yield lambda _: None


def _in_terminal(what: str, size: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn(compact=True))
    console = Console(stderr=True, highlight=False)
    with Progress(TextColumn("Uploading"), *columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=size)
        yield lambda count: progress.advance(task, count)
    console.print(f"Uploaded {what}.")


class _NotebookBar:
    """An output of the running cell, which is found by its id and told anew."""

    def __init__(self, what: str, size: int) -> None:
        from IPython.display import display

        self._what, self._size = what, size
        self._done, self._ended = 0, ""
        self._began = self._shown_at = time.monotonic()
        self._moving = threading.Lock()
        self._handle: Any = display(self, display_id=uuid.uuid4().hex)  # type: ignore[no-untyped-call]

    def advance(self, count: int) -> None:
        """So many more bytes are on their way."""
        with self._moving:
            self._done += count
            if time.monotonic() >= self._shown_at + _REST_S:
                self._shown_at = time.monotonic()
                self._handle.update(self)

    def end(self, word: str) -> None:
        """Say how it has ended, instead of the bar."""
        with self._moving:
            took = duration(time.monotonic() - self._began)
            self._ended = f"{self._what}: {word} after {took}"
            self._handle.update(self)

    def _text(self) -> str:
        return self._ended or f"Uploading {self._what}: {human_size(self._done)}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self._text(), "text/html": self._html()}

    def _html(self) -> str:
        text = html.escape(self._text())
        if self._ended:
            return f"<div>{text}</div>"
        percent = min(100 * self._done // self._size, 100)
        track = "var(--jp-layout-color3,var(--vscode-scrollbarSlider-background,#d4d4d4))"
        return (
            f'<div role="progressbar" aria-label="{text}" aria-valuemin="0" aria-valuemax="100" '
            f'aria-valuenow="{percent}" style="max-width:80em;line-height:1.7">{text}'
            f'<div style="height:6px;border-radius:3px;background:{track}">'
            f'<div style="width:{percent}%;height:6px;border-radius:3px;'
            f'{states.of("running").style};background:currentColor"></div></div></div>'
        )
