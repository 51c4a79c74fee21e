"""Look at the database without changing anything: not a file, not a table, not a setting of it."""

from __future__ import annotations

import os
import re
import sqlite3
from dataclasses import replace
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from jupyter_training.doctor.facts import DatabaseFacts, DatabaseTrouble
from jupyter_training.doctor.probes import place
from jupyter_training.store import database as store
from jupyter_training.store.filesystem import network_file_system

_MIGRATIONS = Path(store.__file__).parent / "migrations"

_BUSY_S = 3.0


def look(url: str) -> DatabaseFacts:
    """Open the database that a server would open, and see of which revision it is."""
    try:
        parsed = make_url(url)
        is_sqlite = parsed.get_backend_name() == "sqlite"
    except ArgumentError:
        parsed, is_sqlite = None, False
    if parsed is not None and is_sqlite:
        if not parsed.database or parsed.database == ":memory:":
            words = "an SQLite database in memory is gone with each server"
            return DatabaseFacts("SQLite", "", trouble=DatabaseTrouble.UNKNOWN, words=words)
        return _look_at_file(Path(parsed.database).absolute())
    try:
        return _look_at_server(store.Database(url))
    except store.UnknownDatabase as error:
        return DatabaseFacts("", "", trouble=DatabaseTrouble.UNKNOWN, words=str(error))


def _look_at_file(path: Path) -> DatabaseFacts:
    def facts(trouble: DatabaseTrouble | None = None, words: str = "") -> DatabaseFacts:
        network = network_file_system(path)
        return DatabaseFacts(
            *("SQLite", str(path), sqlite3.sqlite_version),
            head=_head(),
            network=network,
            trouble=trouble,
            words=words,
        )

    if not os.path.exists(path):
        seen = place(path.parent)
        if seen.trouble is None:
            return facts()
        words = f"it cannot be made in {seen.looked_at}: {seen.trouble}"
        return facts(DatabaseTrouble.READ_ONLY, words)
    for one in (path, path.parent):  # the log is written next to it
        if not os.access(one, os.W_OK):
            return facts(DatabaseTrouble.READ_ONLY, f"{one} may not be written")
    # SQLite leaves files behind that it needs for reading, unless it is told that nobody else has
    # this database open. Where nobody has, there is no such file.
    is_open = path.with_name(f"{path.name}-wal").exists()
    query = "mode=ro" if is_open else "mode=ro&immutable=1"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{path.as_uri()}?{query}", uri=True, timeout=_BUSY_S)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return _with_revision(facts(), connection)
    except DBAPIError as error:
        words = _words(error)
        if "locked" in words:
            return facts(DatabaseTrouble.LOCKED, words)
        is_damage = not isinstance(error, OperationalError)
        return facts(DatabaseTrouble.DAMAGED if is_damage else DatabaseTrouble.AWAY, words)
    finally:
        engine.dispose()


def _look_at_server(database: store.Database) -> DatabaseFacts:
    url = database.url
    host = url.host or url.query.get("host") or "the local socket"
    where = f"{url.database or url.username} at {host}{f':{url.port}' if url.port else ''}"
    try:
        with database.read() as connection:
            version = connection.dialect.server_version_info or ()
            facts = _with_revision(
                DatabaseFacts("PostgreSQL", where, ".".join(map(str, version)), head=_head()),
                connection,
            )
            return _with_permission(facts, connection)
    except store.AWAY as error:
        words = _words(error)
        return DatabaseFacts("PostgreSQL", where, trouble=trouble_of(words), words=words)
    finally:
        database.close()


def _with_permission(facts: DatabaseFacts, connection: Connection) -> DatabaseFacts:
    """Whether what has to be written can be."""
    setting = func.current_setting("default_transaction_read_only")
    standby = connection.scalar(select(func.pg_is_in_recovery()))
    if standby or connection.scalar(select(setting)) == "on":
        words = "it is a standby server" if standby else "it allows reading only"
        return replace(facts, trouble=DatabaseTrouble.READ_ONLY, words=words)
    may_create = func.has_schema_privilege(func.current_schema(), "CREATE")
    if facts.behind and not connection.scalar(select(may_create)):
        words = "this user may not make tables in it"
        return replace(facts, trouble=DatabaseTrouble.FORBIDDEN, words=words)
    return facts


def trouble_of(words: str) -> DatabaseTrouble:
    """What it means that PostgreSQL lets nobody in, from what it says about it."""
    if re.search(r'database ".*" does not exist', words):
        return DatabaseTrouble.MISSING
    if re.search(r'authentication failed|no password|role ".*" |pg_hba\.conf|permission d', words):
        return DatabaseTrouble.FORBIDDEN
    return DatabaseTrouble.AWAY


def _head() -> str:
    return ScriptDirectory(str(_MIGRATIONS)).get_current_head() or ""


def _with_revision(facts: DatabaseFacts, connection: Connection) -> DatabaseFacts:
    revision = store.revision(connection)
    scripts = ScriptDirectory(str(_MIGRATIONS))
    # From the newest to the oldest.
    known = [script.revision for script in scripts.walk_revisions()]
    behind = len(known) if revision is None else None
    if revision in known:
        behind = known.index(revision)
    return replace(facts, revision=revision, behind=behind)


def _words(error: BaseException) -> str:
    """What the driver said, in a line; a password is never in it."""
    told = str(getattr(error, "orig", None) or error).strip()
    return " ".join(told.partition("\n")[0].split())
