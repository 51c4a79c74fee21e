"""The server that this process asks: one, and if it is gone another one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from jupyter_training.notebook.client import Client, ServerGone, TrainingError
from jupyter_training.notebook.discovery import Connection

_T = TypeVar("_T")

PATIENCE_S = 60.0
"""How long who waits for a job anyway bears that nobody can tell of it (s)."""

_PAUSE_S = 1.0

connection = Connection()
"""The server of this process."""


def ask(question: Callable[[Client], _T]) -> _T:
    """Ask the server; if it is gone, another one, which knows the same jobs."""
    client = connection.client()
    try:
        return question(client)
    except ServerGone:
        connection.lose(client)
        return question(connection.client())


def keep_asking(question: Callable[[Client], _T], until: float | None = None) -> _T:
    """Ask the server, for who waits anyway: while it cannot answer, as its database is away, again.

    Parameters
    ----------
    until
        When that ends in any case, in the monotonic clock (s).
    """
    deadline = time.monotonic() + PATIENCE_S
    if until is not None:
        deadline = min(deadline, until)
    while True:
        try:
            return ask(question)
        except TrainingError as error:
            if not error.may_pass or time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE_S)
