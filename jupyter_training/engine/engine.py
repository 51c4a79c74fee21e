"""The engine: one of the servers that share a database holds the lease and takes the turns.

A *turn* is one transaction. It writes what the monitor reported, plans, and claims what the plan
starts; only after the commit are processes started. Turns are taken when something happens (a
submit, an exit, a cancel, the end of a back-off), and every `schedule_interval_s` in any case.
Whatever is in memory here can be rebuilt from the database and the attempts' directories, which is
what taking over the lease does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from jupyter_training.engine.bus import Bus, FifoBus, PostgresBus
from jupyter_training.engine.changes import Changes
from jupyter_training.engine.families import COORDINATORS
from jupyter_training.engine.growth import Growth
from jupyter_training.engine.live_gpus import LiveGpu
from jupyter_training.engine.meter import Metered
from jupyter_training.engine.monitor import (
    SAMPLE_S,
    Finished,
    Monitor,
    Progressed,
    Report,
)
from jupyter_training.engine.outside import Outside
from jupyter_training.engine.searches import Searches
from jupyter_training.engine.studies import Studies
from jupyter_training.engine.tasks import cancelled
from jupyter_training.engine.turns import Due, Turn, TurnWriter
from jupyter_training.engine.workspace import Workspace
from jupyter_training.executors.base import Cluster, ClusterAway, Executor
from jupyter_training.executors.processes import start_time
from jupyter_training.jobs.lifecycle import RetryPolicy
from jupyter_training.jobs.spec import JobType
from jupyter_training.points import Point, reach
from jupyter_training.scheduling.resources import ClusterNode, Node
from jupyter_training.store import attempts, leases, ledger, machines
from jupyter_training.store.database import AWAY, Database, trouble
from jupyter_training.store.leases import Fenced, Lease
from jupyter_training.store.records import Server

_log = logging.getLogger(__name__)

_COMPANY_S = 0.05
"""How long the report of a start or of progress waits for others to be written with it (s): so the
start and the end of a job that is over by then are one transaction."""

_PATIENCE_S = 20.0
"""How long a person waits for a database that says nothing (s)."""

_T = TypeVar("_T")


class DatabaseAway(RuntimeError):
    """The database cannot be used at the moment; the text says so to a person."""


@dataclass(frozen=True)
class Timing:
    """How often and how long, in seconds.

    Attributes
    ----------
    schedule_interval_s, monitor_interval_s
        The sweeps that find what an event missed.
    lease_s, renew_s
        How long a server that says nothing keeps the lease, and how often it says something.
    trouble_s
        The wait after the database could not be written.
    idle_gpu_s
        After how long without work the GPUs of a job are called idle; 0 for never.
    hang_s
        After how long without any sign of life a job is said to hang; 0 for never.
    """

    schedule_interval_s: float = 10.0
    monitor_interval_s: float = 30.0
    lease_s: float = 10.0
    renew_s: float = 3.0
    trouble_s: float = 1.0
    idle_gpu_s: float = 1800.0
    hang_s: float = 1800.0
    retries: RetryPolicy = field(default_factory=RetryPolicy)


class Engine:
    """Scheduler and monitor of one server.

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
        self.is_leader = False
        self._database, self._machine = database, machine
        self._timing = timing or Timing()
        pid = os.getpid()
        self.server = Server(
            f"{socket.gethostname()}-{pid}-{secrets.token_hex(4)}",
            socket.gethostname(),
            pid,
            start_time(pid) or 0.0,
        )
        self._bus: Bus = (
            FifoBus(workspace.data_dir / "wake", self.server.name, self._woken)
            if database.is_sqlite
            else PostgresBus(database.url, self.server.name, self._woken)
        )
        self._monitor = Monitor(
            workspace,
            executors,
            self._reported,
            self._measured,
            None if live_gpus is None else lambda: live_gpus([self._node]),
            self._timing.idle_gpu_s,
            self._timing.hang_s,
        )
        self.studies = Studies(database, workspace.attempt)
        self._writer = TurnWriter(
            database,
            self._bus,
            workspace,
            self._monitor,
            self._timing.retries,
            self.server.name,
            {**COORDINATORS, JobType.HYPERPARAMETER: Searches(self.studies)},
        )
        self._node = Node("", 0, 0)
        self._ready = asyncio.Event()
        self._something = asyncio.Event()
        self._due = Due()
        self._outside = Outside(self._done_outside)
        self._missed: set[int] = set()
        self._alarms: dict[int, asyncio.TimerHandle] = {}
        # Two pools: requests that wait for a database must not hold up the scheduler.
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="jupyter-training-asks")
        self._own_threads = ThreadPoolExecutor(2, thread_name_prefix="jupyter-training-turns")
        self._running: asyncio.Task[None] | None = None
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
        self._running = asyncio.create_task(self._serve())

    async def ready(self, patience_s: float) -> None:
        """Return when some server has told what machines there are, or patience is over (s).

        Before that nobody knows what a job may be given that does not say what it needs.
        """
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ready.wait(), patience_s)

    async def stop(self) -> None:
        """Stop. The jobs go on."""
        self._database.on_change = lambda: None
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        for executor in self.executors.values():
            await executor.close()
        await self._bus.close()
        await self.growth.close()
        for threads in (self._threads, self._own_threads):
            # One that still waits for a database is not waited for.
            threads.shutdown(wait=False, cancel_futures=True)
        self.studies.close()

    @property
    def clusters(self) -> frozenset[str]:
        """The names of the executors that have schedulers of their own."""
        return self._monitor.clusters

    @property
    def active(self) -> int:
        """How many jobs this server follows."""
        return self._monitor.count

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
        asked = asyncio.get_running_loop().run_in_executor(self._threads, run, work)
        try:
            return await asyncio.wait_for(asked, _PATIENCE_S)
        except asyncio.TimeoutError:
            told = "The training database does not answer; try again soon."
        except AWAY as error:
            _log.error("The training database cannot be used: %s", error)
            told = trouble(error)
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
        self._due.queue = True
        self._due.cancels |= cancel
        self._due.families |= family
        self._due.changed.add(job)
        self.changes.tell([job])
        self._bus.wake_others()
        self._wake()

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

    async def _in_thread(self, work: Callable[..., _T], *args: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._own_threads, work, *args)

    def _wake(self) -> None:
        self._something.set()

    def _reported(self, report: Report) -> None:
        """An end leaves room for others; anything else can wait a moment for company in a turn."""
        if isinstance(report, Finished):
            self._wake()
        else:
            asyncio.get_running_loop().call_later(_COMPANY_S, self._wake)

    def _done_outside(self, job: int, told: object) -> None:
        self._due.told[job] = told
        if job in self._missed:
            self._missed.discard(job)
            self._due.measured.add(job)
        self._wake()

    def _tell_watchers(self) -> None:
        for on_change in list(self._watchers):
            on_change()

    def _measured(self, jobs: Collection[int], trials: Collection[int]) -> None:
        """Jobs have new points of metrics, which are in their files already."""
        self.changes.tell(jobs, others=False)
        self._bus.wake_others()
        if trials:
            self._due.measured.update(trials)
            self._wake()

    def _woken(self) -> None:
        """Another server has written something."""
        self._tell_watchers()
        self._due.queue = self._due.cancels = self._due.families = True
        if not self.is_leader:
            self.changes.tell_all()
        self._wake()

    async def _serve(self) -> None:
        """Wait for the lease, lead, and wait again."""
        while True:
            lease = None
            try:
                lease = await self._in_thread(self._acquire)
                if lease is None:
                    self._ready.set()  # whoever has it has told
                else:
                    await self._lead(lease)
            except Fenced as fenced:
                _log.warning("%s; waiting for it", fenced)
                await self._tell_fenced(lease)
            except SQLAlchemyError as error:
                _log.error("The training database cannot be used, trying again: %s", error)
            except Exception:
                _log.exception("The training engine starts again")
            await asyncio.sleep(self._timing.renew_s)

    def _acquire(self) -> Lease | None:
        ttl = timedelta(seconds=self._timing.lease_s)
        with self._database.write() as connection:
            now = leases.clock(connection)
            lease = leases.acquire(
                connection, leases.SCHEDULER, self.server, now, ttl, self.is_gone
            )
            reach(Point.LEASE_BEGUN)
        if lease is not None:
            reach(Point.LEASE_TAKEN)
        return lease

    async def _tell_fenced(self, lease: Lease | None) -> None:
        def tell() -> None:
            assert lease is not None  # or nothing could have fenced it
            with self._database.write() as connection:
                leases.fenced(connection, lease, _now())

        with contextlib.suppress(SQLAlchemyError):
            await self._in_thread(tell)

    def is_gone(self, holder: Server) -> bool:
        """Whether a server was one of this machine, and its process is no more."""
        return holder.host == self.server.host and start_time(holder.pid) != holder.pid_started

    async def _lead(self, lease: Lease) -> None:
        """Schedule and monitor until the lease is lost."""
        node = await self._in_thread(self._look_at_machine, lease, None)
        self._node = node
        self._ready.set()
        _log.info("This server schedules training jobs (epoch %d) on %s", lease.epoch, node)
        self.is_leader = True
        self._due = Due.all()
        helpers = [
            asyncio.create_task(self._keep(lease)),
            asyncio.create_task(self._sweep()),
            asyncio.create_task(self._sample()),
            asyncio.create_task(self._monitor.meter.run()),
            asyncio.create_task(self._take_turns(lease)),
            asyncio.create_task(self._watch_machine(lease)),
            *(
                asyncio.create_task(self._watch_cluster(lease, name, executor))
                for name, executor in self.executors.items()
                if isinstance(executor, Cluster)
            ),
        ]
        try:
            await asyncio.wait(helpers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.is_leader = False
            results = await cancelled(helpers)
            await self._outside.close()
            for alarm in self._alarms.values():
                alarm.cancel()
            self._alarms.clear()
            await self._monitor.close()
            with contextlib.suppress(SQLAlchemyError):
                await self._in_thread(self._give_back, lease)
                self._bus.wake_others()
        for result in results:
            if isinstance(result, Exception):
                raise result

    def _look_at_machine(self, lease: Lease, before: Node | None) -> Node:
        """Read what this machine has, and write it down if that is not what it was."""
        given = self._read(attempts.given_gpus)
        node = self._machine(given)
        if node != before:
            with self._database.write() as connection:
                leases.hold(connection, lease)
                machines.put_node(connection, node, _now())
        return node

    async def _watch_machine(self, lease: Lease) -> None:
        """Read it again now and then: GPUs fall ill, and others begin and cease to use them."""
        while True:
            waits = any(gpu.unavailable for gpu in self._node.gpus)
            timing = self._timing
            await asyncio.sleep(timing.schedule_interval_s if waits else timing.monitor_interval_s)
            before = self._node
            self._node = await self._patiently(lambda: self._look_at_machine(lease, self._node))
            if self._node != before:
                self.changes.tell_all()
                self._look_at_queue()

    async def _watch_cluster(self, lease: Lease, name: str, cluster: Cluster) -> None:
        """Read what the machines of a cluster are and do, for whoever wants to know."""
        before: Sequence[ClusterNode] | None = None
        while True:
            try:
                nodes = await cluster.inventory()
            except ClusterAway as away:
                _log.warning("The machines of %s are not known: %s", name, away)
            else:
                if nodes != before:
                    write = partial(self._put_cluster, lease, name, nodes)
                    await self._patiently(write)
                    before = nodes
            await asyncio.sleep(self._timing.monitor_interval_s)

    def _put_cluster(self, lease: Lease, name: str, nodes: Sequence[ClusterNode]) -> None:
        with self._database.write() as connection:
            leases.hold(connection, lease)
            machines.put_cluster_nodes(connection, name, nodes, _now())

    def _give_back(self, lease: Lease) -> None:
        with self._database.write() as connection:
            leases.release(connection, lease, leases.clock(connection))
            self._bus.announce(connection)

    async def _keep(self, lease: Lease) -> None:
        ttl = timedelta(seconds=self._timing.lease_s)
        while True:
            await asyncio.sleep(self._timing.renew_s)
            await self._patiently(lambda: self._renew(lease, ttl))

    def _renew(self, lease: Lease, ttl: timedelta) -> None:
        with self._database.write() as connection:
            leases.renew(connection, lease, leases.clock(connection), ttl)
        reach(Point.LEASE_RENEWED)

    async def _patiently(
        self, work: Callable[[], _T], on_trouble: Callable[[], None] = lambda: None
    ) -> _T:
        """Do something in a thread, again and again while the database is away."""
        while True:
            try:
                return await self._in_thread(work)
            except AWAY as error:
                _log.error("The training database cannot be written, trying again: %s", error)
                on_trouble()
                await asyncio.sleep(self._timing.trouble_s)

    async def _sweep(self) -> None:
        """Look, from time to time, for what an event missed."""
        while True:
            await asyncio.sleep(self._timing.monitor_interval_s)
            self._due.cancels = self._due.sweep = self._due.families = True
            self._wake()

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_S)
            await self._monitor.sample()

    async def _take_turns(self, lease: Lease) -> None:
        loop = asyncio.get_running_loop()
        alarm = loop.call_later(self._timing.schedule_interval_s, self._look_at_queue)
        self._wake()
        try:
            while True:
                await self._something.wait()
                self._something.clear()
                turn = await self._turn(lease)
                if turn.looked_at_queue:
                    alarm.cancel()
                    wait_s = self._timing.schedule_interval_s
                    if turn.next_retry_at is not None:
                        wait_s = min(wait_s, (turn.next_retry_at - _now()).total_seconds())
                    alarm = loop.call_later(max(wait_s, 0), self._look_at_queue)
        finally:
            alarm.cancel()

    def _look_at_queue(self) -> None:
        self._due.queue = True
        self._wake()

    def _look_again(self, job: int, moment: datetime) -> None:
        """Look at a parent at this time, in place of what was said before."""

        def look() -> None:
            self._due.changed.add(job)
            self._wake()

        if job in self._alarms:
            self._alarms.pop(job).cancel()
        wait_s = max((moment - _now()).total_seconds(), 0) + 0.001
        self._alarms[job] = asyncio.get_running_loop().call_later(wait_s, look)

    async def _turn(self, lease: Lease) -> Turn:
        reports, node = self._monitor.take_reports(), self._node
        due, self._due = self._due, Due()
        # What has ended leaves room, or is to be tried again.
        due.queue |= any(isinstance(report, Finished) for report in reports)
        try:
            turn = await self._patiently(
                lambda: self._writer.write(lease, node, reports, due), due.after_trouble
            )
        except BaseException:
            self._monitor.put_back(reports)
            raise
        for attempt in turn.found:
            self._monitor.find(attempt)
        for attempt, launch in turn.claimed:
            self._monitor.start(attempt, launch)
        for token in turn.to_stop:
            self._monitor.stop(token)
        for number, work in turn.outside.items():
            if not self._outside.begin(number, work):
                self._missed.add(number)  # it is looked at again when that is done
        for number, moment in turn.again_at.items():
            self._look_again(number, moment)
        if len(turn.claimed) >= ledger.QUEUE_DEPTH:  # there may be more for a cluster
            self._look_at_queue()
        changed = {report.job_id for report in reports} | turn.moved
        changed.update(attempt.job_id for attempt, _ in turn.claimed)
        if changed:
            progress_only = all(isinstance(one, Progressed | Metered) for one in reports)
            others = bool(turn.claimed or turn.moved) or not progress_only
            self.changes.tell(changed, others=others)
            self._bus.wake_others()
        return turn


def _now() -> datetime:
    return datetime.now(timezone.utc)
