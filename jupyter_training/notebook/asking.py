"""The server that this process asks: one, and if it is gone another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from jupyter_training.notebook.client import Client, ServerGone
from jupyter_training.notebook.discovery import Connection

_T = TypeVar("_T")

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
