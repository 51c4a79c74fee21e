"""The engine of one server: what everything else of the server uses of the running system."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection

from jupyter_training.engine.bus import Bus, FifoBus, PostgresBus
from jupyter_training.engine.changes import Changes
from jupyter_training.engine.families import COORDINATORS
from jupyter_training.engine.growth import Growth
from jupyter_training.engine.live_gpus import LiveGpu
from jupyter_training.engine.scheduler import Scheduler
from jupyter_training.engine.searches import Searches
from jupyter_training.engine.studies import Studies
from jupyter_training.engine.this_server import this_server
from jupyter_training.engine.timing import Timing
from jupyter_training.engine.workspace import Workspace
from jupyter_training.executors.base import Executor
from jupyter_training.jobs.spec import JobType
from jupyter_training.points import Point, reach
from jupyter_training.scheduling.resources import Node
from jupyter_training.store.database import AWAY, Database, stood_still, trouble

_log = logging.getLogger(__name__)

_PATIENCE_S = 20.0
"""How long a person waits for a database that says nothing (s)."""

_T = TypeVar("_T")


class DatabaseAway(RuntimeError):
    """The database cannot be used at the moment; the text says so to a person."""


class Engine:
    """The running system of one server: its scheduler, its database, and who is told of changes.

    Parameters
    ----------
    executors
        By the name that a job's `executor` has.
    machine
        Tells what this machine has; called in a thread, with the GPUs that are held by the tokens
        of their attempts.
    live_gpus
        Tells, without a long wait, what this machine's GPUs do, by UUID; given all known machines.
        None if nobody does.
    """

    def __init__(
        self,
        database: Database,
        workspace: Workspace,
        executors: Mapping[str, Executor],
        machine: Callable[[Mapping[str, tuple[str, ...]]], Node],
        timing: Timing | None = None,
        live_gpus: Callable[[Sequence[Node]], Awaitable[Mapping[str, LiveGpu]]] | None = None,
    ) -> None:
        self.workspace = workspace
        self.executors = executors
        self.changes = Changes()
        self.growth = Growth()
        self.server = this_server()
        self.studies = Studies(database, workspace.attempt)
        self._database = database
        self._bus: Bus = (
            FifoBus(workspace.data_dir / "wake", self.server.name, self._woken)
            if database.is_sqlite
            else PostgresBus(database.url, self.server.name, self._woken)
        )
        self._scheduler = Scheduler(
            self.server,
            database,
            workspace,
            executors,
            self._bus,
            self.changes,
            self.growth,
            machine,
            live_gpus,
            {**COORDINATORS, JobType.HYPERPARAMETER: Searches(self.studies)},
            timing or Timing(),
        )
        # The scheduler has threads of its own: requests that wait for a database do not hold it up.
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="jupyter-training-asks")
        self._watchers: list[Callable[[], None]] = []

    def watch(self, on_change: Callable[[], None]) -> None:
        """Have this called whenever a job has changed, or may have: here or on another server."""
        self._watchers.append(on_change)

    def unwatch(self, on_change: Callable[[], None]) -> None:
        """Have it called no more."""
        self._watchers.remove(on_change)

    async def start(self) -> None:
        """Begin to serve; scheduling begins with it as soon as the lease can be had."""
        loop = asyncio.get_running_loop()

        def committed() -> None:
            loop.call_soon_threadsafe(self._tell_watchers)

        self._database.on_change = committed
        self._bus.open()
        for executor in self.executors.values():
            await executor.open()
        self._scheduler.start()

    async def ready(self, patience_s: float) -> None:
        """Return when some server has told what machines there are, or patience is over (s).

        Before that nobody knows what a job may be given that does not say what it needs.
        """
        await self._scheduler.ready(patience_s)

    async def stop(self) -> None:
        """Stop. The jobs go on."""
        self._database.on_change = lambda: None
        await self._scheduler.stop()
        for executor in self.executors.values():
            await executor.close()
        await self._bus.close()
        await self.growth.close()
        # A thread that still waits for the database is not waited for.
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.studies.close()

    @property
    def clusters(self) -> frozenset[str]:
        """The names of the executors that have schedulers of their own."""
        return self._scheduler.clusters

    @property
    def active(self) -> int:
        """How many jobs this server follows."""
        return self._scheduler.active

    async def read(self, query: Callable[[Connection], _T]) -> _T:
        """Run a query in a thread.

        Raises
        ------
        DatabaseAway
            If the database cannot be used, or says nothing for too long.
        """
        return await self._for_a_person(self._read, query)

    async def write(self, change: Callable[[Connection], _T]) -> _T:
        """Run a change in a thread, and return when it is on disk.

        Raises
        ------
        DatabaseAway
            As with `read`. Whether the change was made is then not known.
        """
        return await self._for_a_person(self._write, change)

    async def _for_a_person(self, run: Callable[..., _T], work: object) -> _T:
        while True:
            asked = asyncio.get_running_loop().run_in_executor(self._threads, run, work)
            try:
                return await asyncio.wait_for(asked, _PATIENCE_S)
            except asyncio.TimeoutError:
                told = "The training database does not answer; try again soon."
            except AWAY as error:
                if stood_still(error):  # it was not the database
                    continue
                _log.error("The training database cannot be used: %s", error)
                told = trouble(error)
            break
        raise DatabaseAway(f"{told} Jobs that run go on.")

    def poke(self, job: int, *, cancel: bool = False, family: bool = False) -> None:
        """A person has submitted, cancelled or otherwise changed a job: look at it now.

        Parameters
        ----------
        cancel
            Whether somebody may want it to be stopped.
        family
            Whether others were changed with it.
        """
        due = self._scheduler.agenda.due
        due.queue = True
        due.cancels |= cancel
        due.families |= family
        due.changed.add(job)
        self.changes.tell([job])
        self._bus.wake_others()
        self._scheduler.agenda.wake()

    def _read(self, query: Callable[[Connection], _T]) -> _T:
        with self._database.read() as connection:
            return query(connection)

    def _write(self, change: Callable[[Connection], _T]) -> _T:
        with self._database.write() as connection:
            done = change(connection)
            self._bus.announce(connection)
            reach(Point.WRITE_BEGUN)
        reach(Point.WRITE_COMMITTED)
        return done

    def _tell_watchers(self) -> None:
        for on_change in list(self._watchers):
            on_change()

    def _woken(self) -> None:
        """Another server has written something."""
        self._tell_watchers()
        due = self._scheduler.agenda.due
        due.queue = due.cancels = due.families = True
        if not self._scheduler.is_leader:
            self.changes.tell_all()
        self._scheduler.agenda.wake()
