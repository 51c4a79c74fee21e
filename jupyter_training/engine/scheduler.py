"""The scheduler: waits for the lease, and takes turns while this server holds it.

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
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from jupyter_training.engine.agenda import Agenda, Due
from jupyter_training.engine.bus import Bus
from jupyter_training.engine.changes import Changes
from jupyter_training.engine.families import Coordinator
from jupyter_training.engine.growth import Growth
from jupyter_training.engine.live_gpus import LiveGpu
from jupyter_training.engine.meter import Metered
from jupyter_training.engine.monitor import SAMPLE_S, Finished, Monitor, Progressed, Report
from jupyter_training.engine.outside import Outside
from jupyter_training.engine.this_server import is_gone
from jupyter_training.engine.timing import Timing
from jupyter_training.engine.turns import Turn, TurnWriter
from jupyter_training.engine.workspace import Workspace
from jupyter_training.executors.base import Cluster, ClusterAway, Executor
from jupyter_training.executors.tasks import cancelled
from jupyter_training.jobs.spec import JobType
from jupyter_training.points import Point, reach
from jupyter_training.scheduling.resources import ClusterNode, Node
from jupyter_training.store import attempts, leases, ledger, machines
from jupyter_training.store.database import AWAY, Database
from jupyter_training.store.leases import Fenced, Lease
from jupyter_training.store.records import Server

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

_STIRRED_S = 3.0
"""How soon after a job has begun or ended on a cluster its machines are read again (s)."""


class Scheduler:
    """Schedules, and follows what runs, while this server holds the lease.

    Parameters
    ----------
    server
        This server.
    bus, changes
        Who is told on other servers, and on this one, of what turns have written.
    growth
        Hears of files that grow.
    machine, live_gpus
        As of `Engine`.
    coordinators
        Who decides what becomes of parents, by their type.

    Attributes
    ----------
    agenda
        What the next turn looks at.
    is_leader
        Whether this server holds the lease, as far as it knows.
    """

    def __init__(
        self,
        server: Server,
        database: Database,
        workspace: Workspace,
        executors: Mapping[str, Executor],
        bus: Bus,
        changes: Changes,
        growth: Growth,
        machine: Callable[[Mapping[str, tuple[str, ...]]], Node],
        live_gpus: Callable[[Sequence[Node]], Awaitable[Mapping[str, LiveGpu]]] | None,
        coordinators: Mapping[JobType, Coordinator],
        timing: Timing,
    ) -> None:
        self.agenda, self.is_leader = Agenda(), False
        self._server, self._database, self._timing = server, database, timing
        self._executors, self._machine = executors, machine
        self._bus, self._changes = bus, changes
        self._node = Node("", 0, 0)
        self._monitor = Monitor(
            workspace,
            executors,
            self._reported,
            self._measured,
            None if live_gpus is None else lambda: live_gpus([self._node]),
            timing.idle_gpu_s,
            timing.hang_s,
            growth,
        )
        self._writer = TurnWriter(
            database, bus, workspace, self._monitor, timing.retries, server.name, coordinators
        )
        self._outside = Outside(self._done_outside)
        self._missed: set[int] = set()
        self._ready = asyncio.Event()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="jupyter-training-turns")
        self._running: asyncio.Task[None] | None = None

    @property
    def clusters(self) -> frozenset[str]:
        """The names of the executors that have schedulers of their own."""
        return self._monitor.clusters

    @property
    def active(self) -> int:
        """How many jobs this server follows."""
        return self._monitor.count

    def start(self) -> None:
        """Begin to schedule as soon as the lease can be had."""
        self._running = asyncio.create_task(self._serve())

    async def ready(self, patience_s: float) -> None:
        """Return when some server has told what machines there are, or patience is over (s)."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ready.wait(), patience_s)

    async def stop(self) -> None:
        """Give the lease back, and schedule no more. The jobs go on."""
        if self._running is not None:
            await cancelled([self._running])
        # A thread that still waits for the database is not waited for.
        self._threads.shutdown(wait=False, cancel_futures=True)

    # What is heard

    def _reported(self, report: Report) -> None:
        """An end leaves room for others; anything else can wait a moment for company in a turn."""
        if isinstance(report, Finished):
            self.agenda.wake()
        else:
            self.agenda.wake_soon()

    def _measured(self, jobs: Collection[int], trials: Collection[int]) -> None:
        """Jobs have new points of metrics, which are in their files already."""
        self._changes.tell(jobs, others=False)
        self._bus.wake_others()
        if trials:
            self.agenda.due.measured.update(trials)
            self.agenda.wake()

    def _done_outside(self, job: int, told: object) -> None:
        due = self.agenda.due
        due.told[job] = told
        if job in self._missed:
            self._missed.discard(job)
            due.measured.add(job)
        self.agenda.wake()

    # The lease

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
            lease = leases.acquire(connection, leases.SCHEDULER, self._server, now, ttl, is_gone)
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

    async def _lead(self, lease: Lease) -> None:
        """Schedule and monitor until the lease is lost."""
        node = await self._in_thread(self._look_at_machine, lease, None)
        self._node = node
        self._ready.set()
        _log.info("This server schedules training jobs (epoch %d) on %s", lease.epoch, node)
        self.is_leader = True
        self.agenda.begin()
        helpers = [
            asyncio.create_task(self._keep(lease)),
            asyncio.create_task(self._sweep()),
            asyncio.create_task(self._sample()),
            asyncio.create_task(self._monitor.meter.run()),
            asyncio.create_task(self._take_turns(lease)),
            asyncio.create_task(self._watch_machine(lease)),
            *(
                asyncio.create_task(self._watch_cluster(lease, name, executor))
                for name, executor in self._executors.items()
                if isinstance(executor, Cluster)
            ),
        ]
        try:
            await asyncio.wait(helpers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.is_leader = False
            results = await cancelled(helpers)
            await self._outside.close()
            self.agenda.end()
            await self._monitor.close()
            with contextlib.suppress(SQLAlchemyError):
                await self._in_thread(self._give_back, lease)
                self._bus.wake_others()
        for result in results:
            if isinstance(result, Exception):
                raise result

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

    # Turns

    async def _sweep(self) -> None:
        """Look, from time to time, for what an event missed."""
        while True:
            await asyncio.sleep(self._timing.monitor_interval_s)
            due = self.agenda.due
            due.cancels = due.sweep = due.families = True
            self.agenda.wake()

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_S)
            await self._monitor.sample()

    async def _take_turns(self, lease: Lease) -> None:
        self.agenda.look_at_queue_in(self._timing.schedule_interval_s)
        while True:
            turn = await self._turn(lease, await self.agenda.next())
            if turn.looked_at_queue:
                wait_s = self._timing.schedule_interval_s
                if turn.next_retry_at is not None:
                    wait_s = min(wait_s, (turn.next_retry_at - _now()).total_seconds())
                self.agenda.look_at_queue_in(wait_s)

    async def _turn(self, lease: Lease, due: Due) -> Turn:
        reports, node = self._monitor.take_reports(), self._node
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
            self.agenda.look_at_parent(number, moment)
        if len(turn.claimed) >= ledger.QUEUE_DEPTH:  # there may be more for a cluster
            self.agenda.look_at_queue()
        changed = {report.job_id for report in reports} | turn.moved
        changed.update(attempt.job_id for attempt, _ in turn.claimed)
        if changed:
            progress_only = all(isinstance(one, Progressed | Metered) for one in reports)
            others = bool(turn.claimed or turn.moved) or not progress_only
            self._changes.tell(changed, others=others)
            self._bus.wake_others()
        return turn

    # The machines

    def _look_at_machine(self, lease: Lease, before: Node | None) -> Node:
        """Read what this machine has, and write it down if that is not what it was."""
        with self._database.read() as connection:
            given = attempts.given_gpus(connection)
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
                self._changes.tell_all()
                self.agenda.look_at_queue()

    async def _watch_cluster(self, lease: Lease, name: str, cluster: Cluster) -> None:
        """Read what the machines of a cluster are and do, for whoever wants to know."""
        before: Sequence[ClusterNode] | None = None
        stirred, interval_s = self._monitor.stirred[name], self._timing.monitor_interval_s
        while True:
            stirred.clear()
            try:
                nodes = await cluster.inventory()
            except ClusterAway as away:
                _log.warning("The machines of %s are not known: %s", name, away)
            except Exception:  # what is wrong with a cluster holds up nothing on this machine
                _log.exception("The machines of %s cannot be understood", name)
            else:
                if nodes != before:
                    write = partial(self._put_cluster, lease, name, nodes)
                    await self._patiently(write)
                    before = nodes
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stirred.wait(), interval_s)
                # Many begin and end together, and a cluster takes a moment to clear up behind them.
                await asyncio.sleep(min(_STIRRED_S, interval_s))

    def _put_cluster(self, lease: Lease, name: str, nodes: Sequence[ClusterNode]) -> None:
        with self._database.write() as connection:
            leases.hold(connection, lease)
            machines.put_cluster_nodes(connection, name, nodes, _now())

    async def _in_thread(self, work: Callable[..., _T], *args: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)

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


def _now() -> datetime:
    return datetime.now(timezone.utc)
