"""What a server asks of its database, also when it was itself that stood still."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import Connection, text

from jupyter_training.engine.engine import Engine
from jupyter_training.engine.workspace import Workspace
from jupyter_training.scheduling.resources import Node
from jupyter_training.store.database import Database
from tests.patience import until
from tests.postgres import Postgres


def test_what_was_ended_because_this_server_stood_still_is_done_again(
    postgres: Postgres, tmp_path: Path
) -> None:
    database, tries = Database(postgres.new_database()), list[int]()
    database.migrate()

    def is_gone(pid: int) -> bool:
        with database.read() as other:
            query = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
            return bool(other.execute(query, {"pid": pid}).scalar_one() == 0)

    def change(connection: Connection) -> int:
        pid: int = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        tries.append(pid)
        connection.execute(text("CREATE TABLE told (it INTEGER)"))
        if len(tries) == 1:
            # Long enough for the answer to this to be read before.
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 1000"))
            until(lambda: is_gone(pid))
        return int(connection.execute(text("SELECT count(*) FROM told")).scalar_one())

    async def go() -> None:
        machine = Node("a", 1, 1)
        engine = Engine(database, Workspace(tmp_path, tmp_path), {}, lambda _: machine)
        assert await engine.write(change) == 0
        await engine.stop()

    try:
        asyncio.run(go())
    finally:
        database.close()
    assert len(tries) == 2
