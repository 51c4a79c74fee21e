"""Opening a database, and what a transaction promises."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import IntegrityError

from jupyter_training.store.database import VERSION_TABLE, Database, DatabaseTooNew, UnknownDatabase
from jupyter_training.store.submissions import customer_id
from jupyter_training.store.tables import metadata
from tests.patience import PATIENCE_S
from tests.store.conftest import T0, Store


def differences(connection: Connection) -> list[object]:
    """What of the schema is not as the code says."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    found: list[object] = compare_metadata(context, metadata)
    return found


def test_the_migrations_give_the_schema_of_the_code(database: Database) -> None:
    with database.read() as connection:
        assert differences(connection) == []


def test_several_servers_can_start_at_once(database_url: str) -> None:
    url = database_url
    # As servers do: one may wait for another one longer than it has patience.
    code = f"""
from jupyter_training.store.database import AWAY, Database
database = Database({url!r})
while True:
    try:
        database.migrate()
        break
    except AWAY:
        pass
"""
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait(PATIENCE_S) for process in processes] == [0, 0, 0]
    database = Database(url)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: database.migrate(), range(4)))
    database.close()


def test_a_database_of_a_later_version_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = 'from-the-future'"))
    with pytest.raises(DatabaseTooNew, match=r"from-the-future, which is newer .* Upgrade"):
        database.migrate()


def test_what_fails_leaves_nothing_behind(database: Database, store: Store) -> None:
    def half(connection: Connection) -> None:
        customer_id(connection, "half", T0)
        raise RuntimeError("here it dies")

    with pytest.raises(RuntimeError, match="here it dies"):
        store.write(half)
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM customers")).scalar_one() == 0


def test_an_older_database_is_upgraded_with_what_is_in_it(database_url: str) -> None:
    database = Database(database_url)
    database.migrate(to="0001")
    with database.write() as connection:
        number = customer_id(connection, "ada", T0)
    database.migrate()
    with database.read() as connection:
        assert differences(connection) == []
        assert customer_id(connection, "ada", T0) == number
    database.close()


def test_the_revision_leaves_the_table_that_optuna_takes_for_its_own(database_url: str) -> None:
    database = Database(database_url)
    database.migrate(to="0010")
    with database.write() as connection:  # as earlier versions had it
        connection.execute(text(f"ALTER TABLE {VERSION_TABLE} RENAME TO alembic_version"))
    database.migrate()
    with database.write() as connection:
        assert not inspect(connection).has_table("alembic_version")
        assert differences(connection) == []
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('v3.2.0.a')"))
    database.migrate()
    with database.read() as connection:
        assert connection.execute(text("SELECT * FROM alembic_version")).scalar_one() == "v3.2.0.a"
    database.close()


@pytest.mark.parametrize("url", ["mysql://ada:secret@host/x", "ada:secret", "sqlite"])
def test_what_is_no_database_is_refused_without_telling_its_password(url: str) -> None:
    with pytest.raises(UnknownDatabase, match="database_url should be sqlite") as refused:
        Database(url)
    assert "secret" not in str(refused.value)


def test_the_driver_of_postgresql_need_not_be_named() -> None:
    assert Database("postgresql://ada@host/x").url.drivername == "postgresql+psycopg"


def test_sqlite_is_set_up_to_keep_what_it_is_given(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'training.db'}")
    database.migrate()
    with database.read() as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO training_events (job_id, at, actor, kind) "
                "VALUES (99, '2026-01-26', 'x', 'x')"
            )
        )
    database.close()
