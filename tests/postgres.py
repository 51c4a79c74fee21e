"""A real PostgreSQL of our own: on a socket in a temporary directory, ended with the tests."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.patience import PATIENCE_S

_numbers = itertools.count(1)
_WAIT = ("--wait", f"--timeout={PATIENCE_S:.0f}")


def _programs() -> Path:
    """Where its programs are; Debian keeps those of the server out of the search path."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    several = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert several, "PostgreSQL is missing; tests/run installs it"
    return several[-1].parent


class Postgres:
    """A server that can be stopped, killed and started again.

    Parameters
    ----------
    place
        An empty directory directly in the system's temporary one: a socket's path must be short.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self._programs = _programs()
        self._as_user: list[str] = []
        self.user = pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:  # it refuses to run as root
            nobody = pwd.getpwnam("nobody")
            os.chown(place, nobody.pw_uid, nobody.pw_gid)
            as_nobody = f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"
            self._as_user = ["setpriv", *as_nobody]
        options = ("--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        self._run("initdb", f"--pgdata={place / 'data'}", f"--username={self.user}", *options)
        self.start()

    def start(self) -> None:
        """Start it, and return when it answers."""
        self._run(
            *("pg_ctl", f"--pgdata={self.place / 'data'}", f"--log={self.place / 'log'}", *_WAIT),
            *("-o", f"-k {self.place} -c listen_addresses='' -c fsync=off -c max_connections=200"),
            "start",
        )

    def stop(self, how: str = "immediate") -> None:
        """Stop it: ``immediate`` is as if it had crashed."""
        self._run("pg_ctl", f"--pgdata={self.place / 'data'}", *_WAIT, f"--mode={how}", "stop")

    def pause(self, number: int = signal.SIGSTOP) -> None:
        """Send a signal to all of its processes: it is there, and says nothing."""
        main = int((self.place / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(main, number)  # first of all, so that it has no more of them
        for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):  # its end was seen just now
                os.kill(int(pid), number)

    def resume(self) -> None:
        """Let it go on."""
        self.pause(signal.SIGCONT)

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://{self.user}@/{database}?host={self.place}"

    def new_database(self) -> str:
        """Make an empty database.

        Returns
        -------
        str
            Its URL.
        """
        name = f"training_{os.getpid()}_{next(_numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def connect(self, database: str) -> psycopg.Connection:
        """A connection of the tests' own."""
        return psycopg.connect(
            host=str(self.place), dbname=database, user=self.user, autocommit=True
        )

    def _run(self, program: str, *arguments: str) -> None:
        with (self.place / "out").open("ab") as output:
            done = subprocess.run(
                [*self._as_user, str(self._programs / program), *arguments],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        assert done.returncode == 0, (self.place / "out").read_text()


def running_postgres() -> Iterator[Postgres]:
    """A server for as long as it is wanted."""
    place = Path(tempfile.mkdtemp(prefix="training-pg-"))
    try:
        server = Postgres(place)
        yield server
        if (place / "data" / "postmaster.pid").exists():
            server.stop()
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server that many tests use, each with a database of its own."""
    yield from running_postgres()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server for one test, to be stopped and started again."""
    yield from running_postgres()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'database' / 'training.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()
