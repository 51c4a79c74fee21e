"""PostgreSQL's own way to tell the other servers that something has changed: LISTEN and NOTIFY.

A notification is part of the transaction that it tells of: it is sent if that is committed, and by
the database itself, so that a server which is killed right after its commit has told of it too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from sqlalchemy import URL, Connection, text

_CHANNEL = "jupyter_training"
_NOTIFY = text("SELECT pg_notify(:channel, :sender)")

CONNECTION_LOST = psycopg.Error
"""What is raised when the database goes away while it is listened to."""


def announce(connection: Connection, sender: str) -> None:
    """Tell every server that listens, as soon as this transaction is committed."""
    connection.execute(_NOTIFY, {"channel": _CHANNEL, "sender": sender})


@asynccontextmanager
async def listening(url: URL) -> AsyncIterator[AsyncIterator[str]]:
    """Listen to a database.

    Returns
    -------
    context manager
        Of the senders of what is announced from then on.

    Raises
    ------
    CONNECTION_LOST
        If the database cannot be reached, or no longer.
    """
    connection = await psycopg.AsyncConnection.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False),
        autocommit=True,
        connect_timeout=5,
        application_name="jupyter-training listens",
    )
    try:
        await connection.execute(f"LISTEN {_CHANNEL}".encode())
        yield (notice.payload async for notice in connection.notifies())
    finally:
        await connection.close()
