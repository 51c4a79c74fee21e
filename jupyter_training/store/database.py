"""Open the database, bring its schema up to date, and give transactions.

All functions here block; the engine calls them from its own threads. On SQLite a transaction that
writes takes the write lock when it begins (``BEGIN IMMEDIATE``), so that two of them wait for each
other instead of failing halfway; every commit is on disk before it returns (``synchronous=FULL``).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_S = 30
"""How long one server waits for another's write transaction on SQLite (s)."""


class DatabaseTooNew(RuntimeError):
    """The database was written by a later version of this package."""


class Database:
    """The one database of an installation.

    Parameters
    ----------
    url
        An SQLAlchemy URL.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine(parsed)
        # Within a process a lock is fair and costs nothing; SQLite's own waiting is a poll.
        self._writer = threading.Lock() if self.is_sqlite else nullcontext()
        if self.is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, or rolled back if something is raised."""
        with self._writer, self._engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                yield connection

    def migrate(self) -> None:
        """Create the schema, or upgrade it to what this code expects.

        Raises
        ------
        DatabaseTooNew
            If a later version of the package has upgraded it already.
        """
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        scripts = ScriptDirectory.from_config(config)
        with self.write() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            if current == scripts.get_current_head():
                return
            if current is not None:
                try:
                    scripts.get_revision(current)
                except CommandError:
                    raise DatabaseTooNew(
                        f"The training database is of revision {current}, which is newer than this "
                        "version of jupyter-training. Upgrade the package, or choose another "
                        "database with c.TrainingApp.database_url."
                    ) from None
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    assert isinstance(connection, sqlite3.Connection)
    # Transactions are begun by `_begin_sqlite`; the driver's own rules would begin them too late.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
