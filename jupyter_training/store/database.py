"""Open the database, bring its schema up to date, and give transactions.

All functions here block; the engine calls them from its own threads. It is SQLite or PostgreSQL,
and both behave the same. On SQLite a transaction that writes takes the write lock when it begins
(``BEGIN IMMEDIATE``), so that two of them wait for each other instead of failing halfway; every
commit is on disk before it returns (``synchronous=FULL``). On PostgreSQL whoever decides over a row
locks it first, and a server that is paused in the middle of a transaction loses that transaction
after a few seconds, or nobody could take over from it.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, create_engine, event, inspect, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import ConnectionPoolEntry

from jupyter_training.store import changes

BUSY_TIMEOUT_S = 10
"""How long one server waits for another's write transaction (s)."""

IDLE_IN_TRANSACTION_S = 5
"""How long a PostgreSQL transaction may stand still: its server has been paused, or is gone (s)."""

_MIGRATIONS_LOCK = 0x6A7472
"""Of PostgreSQL's advisory locks: held by the one server that brings the schema up to date."""

_LOCK_MIGRATIONS = text("SELECT pg_advisory_xact_lock(:number)")

VERSION_TABLE = "training_alembic_version"
"""Of which revision the schema is. Optuna, whose studies are in the same database, keeps the
revision of its own tables in the one that Alembic makes by default."""

AWAY = (OperationalError, InterfaceError, InternalError, NoConnection)
"""What is raised while a database cannot be used: it is down, starts, is locked, or is full.

The same statement may well succeed a little later.
"""


_STOOD_STILL = "25P03"
"""What PostgreSQL calls the end of a transaction that stood still for too long."""


class DatabaseTooNew(RuntimeError):
    """The database was written by a later version of this package."""


class UnknownDatabase(ValueError):
    """This is not the URL of a database that can be used."""


class Database:
    """The one database of an installation.

    Parameters
    ----------
    url
        An SQLAlchemy URL of SQLite or PostgreSQL.

    Attributes
    ----------
    on_change
        Called, in the thread that wrote, after a commit that has changed a job.

    Raises
    ------
    UnknownDatabase
        If it is none.
    """

    def __init__(self, url: str) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self.url = _checked(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if self.url.database:
                Path(self.url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._engine = create_engine(self.url)
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            # A connection that the server closed meanwhile, as a restart does, is found out before
            # it is used.
            self._engine = create_engine(
                self.url, pool_pre_ping=True, max_overflow=20, connect_args=_POSTGRESQL
            )
        changes.follow_savepoints(self._engine)
        self._reads = self._engine
        if not self.is_sqlite:
            self._reads = self._engine.execution_options(isolation_level="REPEATABLE READ")
        # Within a process a lock is fair and costs nothing; SQLite's own waiting is a poll.
        self._writer = threading.Lock() if self.is_sqlite else nullcontext()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @property
    def engine_kwargs(self) -> dict[str, Any]:
        """How others have to open it who have connections of their own.

        What they write to SQLite is on disk no later than the next commit of this class: all is
        written into one log, in the order of the commits. So it may be lost only together with
        everything that was written because of it.
        """
        if self.is_sqlite:
            return {
                "connect_args": {"timeout": BUSY_TIMEOUT_S},
                "pool_events": [(_prepare_sqlite_of_others, "connect")],
            }
        return {"pool_pre_ping": True, "connect_args": _POSTGRESQL}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For others who write with connections of their own: this process writes nothing else.

        Without it they would wait for each other by polling.
        """
        with self._writer:
            yield

    @contextmanager
    def making_tables(self) -> Iterator[None]:
        """For others who make tables of their own: one server does at a time."""
        if not self.is_sqlite:
            with self._engine.connect() as connection, connection.begin():
                connection.execute(_LOCK_MIGRATIONS, {"number": _MIGRATIONS_LOCK})
                yield
            return
        # Of the directory: to close a file that SQLite has open would undo its locks.
        directory = os.open(Path(self.url.database or ".").parent, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with self._reads.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, or rolled back if something is raised."""
        with self._writer, self._engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            changes.forget_noted(connection)
            with connection.begin():
                yield connection
                changed = changes.write_noted(connection)
        if changed:
            self.on_change()

    def migrate(self, to: str = "head") -> None:
        """Create the schema, or upgrade it to what this code expects.

        Parameters
        ----------
        to
            The revision to stop at.

        Raises
        ------
        DatabaseTooNew
            If a later version of the package has upgraded it already.
        """
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        scripts = ScriptDirectory.from_config(config)
        with self.write() as connection:
            if not self.is_sqlite:
                connection.execute(_LOCK_MIGRATIONS, {"number": _MIGRATIONS_LOCK})
            _rename_version_table(connection)
            current = revision(connection)
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
            command.upgrade(config, to)


def revision(connection: Connection) -> str | None:
    """Of which revision the schema is; None if there is none yet."""
    opts = {"version_table": VERSION_TABLE}
    found = MigrationContext.configure(connection, opts=opts).get_current_revision()
    if found is not None:
        return found
    # Earlier versions of this package had it in the table that Optuna takes for its own.
    before = MigrationContext.configure(connection).get_current_revision()
    return before if before in {one.revision for one in _scripts().walk_revisions()} else None


_POSTGRESQL = {
    "connect_timeout": 5,
    # Of a machine that is gone without a word, TCP alone would tell after hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "jupyter-training",
    "options": (
        f"-c timezone=UTC -c lock_timeout={BUSY_TIMEOUT_S}s "
        f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_S}s"
    ),
}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent / "migrations"))


def _rename_version_table(connection: Connection) -> None:
    if not inspect(connection).has_table(VERSION_TABLE) and revision(connection) is not None:
        connection.execute(text(f"ALTER TABLE alembic_version RENAME TO {VERSION_TABLE}"))


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    backend = parsed.get_backend_name() if parsed is not None else None
    if parsed is None or backend not in ("sqlite", "postgresql"):
        # The URL itself is not told: it may hold a password.
        raise UnknownDatabase(
            "c.TrainingApp.database_url should be sqlite:////path/to/file or "
            f"postgresql+psycopg://user@host/name; {backend or 'what it is'} is not supported."
        )
    return parsed if backend == "sqlite" else parsed.set(drivername="postgresql+psycopg")


def stood_still(error: BaseException) -> bool:
    """Whether PostgreSQL has ended a transaction in which this server stood still.

    Nothing of it was committed, and it can be repeated: the machine was busy, or slept.
    """
    told = getattr(error, "orig", None)
    return getattr(told, "sqlstate", None) == _STOOD_STILL or "idle-in-transaction" in str(told)


def trouble(error: BaseException) -> str:
    """What a person is told about an error of `AWAY`."""
    told = str(getattr(error, "orig", None) or error).lower()
    if "disk is full" in told or "no space left" in told:
        return (
            "The disk of the training database is full, so nothing new can be written; "
            "make room on it."
        )
    return "The training database cannot be used at the moment; try again soon."


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


def _prepare_sqlite_of_others(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    assert isinstance(connection, sqlite3.Connection)
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
