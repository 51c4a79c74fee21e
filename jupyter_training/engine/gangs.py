"""Runs a gang: the nodes of a distributed job, each as an attempt of its own to their executor.

To whoever follows attempts a gang is one more executor. All nodes are started; when one of them
ends badly the others are asked to end, and when none is left there is one end of the whole, which
is that of the rank that failed first. The nodes themselves stop when one of their ranks fails, also
while there is no server (see `jupyter_training.ranks`); from here, what they cannot see is added: a
node that could not be started, that was lost, or that the kernel killed.

Whoever comes after a server that died finds every node by its token, as any other attempt: those
that were not started yet are given up, and then the others end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from jupyter_training.engine import logs
from jupyter_training.engine.gang_launches import MEETING
from jupyter_training.executors.base import (
    Cluster,
    Ended,
    Executor,
    Found,
    GangLaunch,
    Launch,
    Preparing,
    node_directory,
    node_token,
)
from jupyter_training.executors.gauges import Gauge
from jupyter_training.executors.log_files import log_name
from jupyter_training.executors.processes import Processes
from jupyter_training.executors.records import LOG
from jupyter_training.executors.tasks import cancelled
from jupyter_training.jobs import refusals
from jupyter_training.jobs.lifecycle import Cause, Exit, signal_name, whole_number
from jupyter_training.jobs.usage import Consumption, Spent
from jupyter_training.points import Point, reach
from jupyter_training.ranks import FAILED

N = TypeVar("N", int, float)

_LAST_LINES = 10
_MOST_BYTES = 1 << 14
_OF_THE_NODE = (Cause.OUT_OF_MEMORY, Cause.TIMED_OUT)
"""What a supervisor knows better than the rank that it ended."""

_OF_THE_CLUSTER = (Cause.CANCELLED_BY_USER, Cause.PREEMPTED, Cause.TIMED_OUT)
"""Why a cluster ends all nodes. It may tell the ranks before what watches them, so that one seems
to have died by itself."""


class Gang:
    """The nodes of one attempt, as its executor's attempts; it is an `Executor` for just this one.

    Parameters
    ----------
    executor
        What runs them.
    nodes
        How many there are.
    ranks
        How many processes they have together.
    """

    def __init__(self, executor: Executor, nodes: int, ranks: int) -> None:
        self._executor, self._count, self._ranks = executor, nodes, ranks
        self._nodes: list[Found] = []
        self._stopping = False
        self._first: int | None = None

    async def open(self) -> None:
        """The executor is open."""

    async def why_not(self, image: str | None) -> str | None:
        """As of the executor."""
        return await self._executor.why_not(image)

    def hear(self, token: str, tell: Callable[[str], None]) -> None:
        """Have somebody told by each node; see `Preparing`."""
        if isinstance(self._executor, Preparing):
            for index in range(self._count):
                self._executor.hear(node_token(token, index), tell)

    async def start(self, launch: Launch) -> Found:
        """Start all nodes; see `Executor`."""
        if not isinstance(launch, GangLaunch):
            raise TypeError("a gang needs the launches of its nodes: a GangLaunch")
        starts = [self._executor.start(one) for one in launch.nodes]
        return await self._all(launch.token, launch.directory, starts)

    async def find(self, token: str, directory: Path) -> Found:
        """Find all nodes; see `Executor`."""
        finds = [
            self._executor.find(node_token(token, index), node_directory(directory, index))
            for index in range(self._count)
        ]
        return await self._all(token, directory, finds)

    async def _all(self, token: str, directory: Path, firsts: Sequence[Awaitable[Found]]) -> Found:
        """Wait until each node runs, or has ended."""
        self._nodes = [
            Found(node_token(token, index), node_directory(directory, index))
            for index in range(self._count)
        ]
        each = [self._one(index, first) for index, first in enumerate(firsts)]
        for failed in await asyncio.gather(*each, return_exceptions=True):
            if failed is not None:
                raise failed
        moments = [one.started_at for one in self._nodes if one.started_at is not None]
        started_at = max(moments) if len(moments) == self._count else None
        handle = {"nodes": [one.handle for one in self._nodes]}
        return Found(token, directory, handle, started_at)

    async def _one(self, index: int, first: Awaitable[Found]) -> None:
        found = await first
        self._nodes[index] = found
        reach(Point.NODE_STARTED)
        if found.ended is not None:
            await self._note(index, found.ended)
        elif self._stopping:
            await self._executor.stop(found)

    async def wait(self, found: Found) -> Ended:
        """Wait until no process of any node is left; see `Executor`."""
        ends: dict[int, Ended] = {}
        waiting = {
            asyncio.create_task(self._executor.wait(one)): index
            for index, one in enumerate(self._nodes)
        }
        try:
            while waiting:
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    index = waiting.pop(task)
                    ends[index] = task.result()
                    self._nodes[index] = replace(self._nodes[index], ended=ends[index])
                    await self._note(index, ends[index])
        finally:
            await cancelled(waiting)
        in_order = [ends[index] for index in range(self._count)]
        return await asyncio.to_thread(
            verdict, found.directory, in_order, self._first or 0, self._ranks
        )

    async def gauge(self, found: Found) -> Gauge | None:
        """What tells how much all nodes use; see `Executor`."""
        gauges = await asyncio.gather(*(self._executor.gauge(one) for one in self._nodes))
        return _Gauges([one for one in gauges if one is not None])

    async def stop(self, found: Found) -> None:
        """Ask all nodes to end, also those that are being started; see `Executor`."""
        self._stopping = True
        several = [one for one in self._nodes if one.ended is None]
        await asyncio.gather(*(self._executor.stop(one) for one in several))

    async def close(self) -> None:
        """The executor stays open."""

    async def _note(self, index: int, ended: Ended) -> None:
        """A node has ended; if that was not well, so do the others."""
        reach(Point.NODE_ENDED)
        if _is_well(ended) or self._stopping:
            return
        self._first = index
        await self.stop(self._nodes[index])


class ClusterGang(Gang):
    """The nodes of one attempt on a cluster, which starts them together as one attempt.

    Until all of them run there is one attempt, which the cluster has; from then on each node has
    its end, as on this machine.
    """

    def __init__(self, cluster: Cluster, nodes: int, ranks: int) -> None:
        super().__init__(cluster, nodes, ranks)
        self._cluster = cluster
        self._whole: Found | None = None

    async def start(self, launch: Launch) -> Found:
        """Hand all nodes over; see `Cluster`."""
        self._whole = await self._cluster.start(launch)
        return self._whole

    async def find(self, token: str, directory: Path) -> Found:
        """Find them at the cluster; see `Executor`."""
        self._whole = await self._cluster.find(token, directory)
        self._take_count(self._whole)
        return self._whole

    async def begin(self, found: Found, tell: Callable[[str], None]) -> Found:
        """Wait until all nodes run, or have ended; see `Cluster`."""
        self._whole = whole = await self._cluster.begin(found, tell)
        self._take_count(whole)
        return whole

    def _take_count(self, whole: Found) -> None:
        """The cluster may have started fewer nodes than were asked for."""
        count = whole.handle.get("nodes", self._count)
        self._count, self._ranks = count, self._ranks // self._count * count

    async def wait(self, found: Found) -> Ended:
        """Wait until no process of any node is left; see `Executor`."""
        if found.ended is not None:
            return found.ended
        token, directory = found.token, found.directory
        finds = [
            self._cluster.find(node_token(token, index), node_directory(directory, index))
            for index in range(self._count)
        ]
        await self._all(token, directory, finds)
        return await super().wait(found)

    async def gauge(self, found: Found) -> Gauge | None:
        """What tells how much all nodes use; see `Executor`."""
        return await self._cluster.gauge(found)

    async def stop(self, found: Found) -> None:
        """Ask all nodes to end, or the cluster not to start them; see `Executor`."""
        self._stopping = True
        await self._cluster.stop(self._whole or found)


class _Gauges:
    """What several nodes use together."""

    def __init__(self, several: Sequence[Gauge]) -> None:
        self._several = several

    def read(self, processes: Processes) -> Consumption | None:
        """See `Gauge`. One that has ended uses nothing any more."""
        used = [one.read(processes) for one in self._several]
        known = [one for one in used if one is not None]
        if not known:
            return None
        return Consumption(
            _sum(one.cpu_seconds for one in known), _sum(one.memory_bytes for one in known)
        )


def _sum(several: Iterable[N | None]) -> N | None:
    """The sum of what is known; None if nothing is."""
    known = [one for one in several if one is not None]
    return sum(known[1:], known[0]) if known else None


def _spent(ends: Sequence[Ended]) -> Spent | None:
    """What nodes have used together: at most as if all had held the most at the same time."""
    told = [one.spent for one in ends if one.spent is not None]
    if not told:
        return None
    return Spent(_sum(one.cpu_seconds for one in told), _sum(one.peak_memory_bytes for one in told))


def _is_well(ended: Ended) -> bool:
    return ended.exit.exit_code == 0 and ended.exit.cause is None


def _is_lost(ended: Ended) -> bool:
    """Whether nobody has seen it end; one that was told to end was seen."""
    exit_ = ended.exit
    return exit_.cause is Cause.NODE_LOST and exit_.exit_code is None and exit_.signal is None


@dataclass(frozen=True)
class Failure:
    """What the nodes have written of the rank that failed first.

    Attributes
    ----------
    rank
        None if it was not a rank but what starts them.
    """

    rank: int | None
    node: int
    exit: Exit


def verdict(directory: Path, ends: Sequence[Ended], first: int, ranks: int) -> Ended:
    """The end of the whole, and a notice of it in the log. It blocks.

    Parameters
    ----------
    directory
        Of the attempt.
    ends
        Of all nodes.
    first
        Which of the nodes was the first that ended badly, as far as that was seen.
    """
    at = max(one.at for one in ends)
    if all(_is_well(one) for one in ends):
        return Ended(Exit(exit_code=0), at, _spent(ends))
    failure = first_failure(directory / MEETING / FAILED, len(ends), ranks)
    lost = next((index for index, one in enumerate(ends) if _is_lost(one)), None)
    if lost is not None:
        # The ranks that spoke with it saw that first, and failed of it.
        failure, first = None, lost
    if failure is None:
        bad = [index for index, one in enumerate(ends) if not _is_well(one)]
        node = first if first in bad else min(bad, key=lambda index: ends[index].at)
        who, exit_ = f"node {node} of {len(ends)}", ends[node].exit
        log = node_directory(directory, node) / LOG
    else:
        node = failure.node
        who, exit_ = f"node {node} of {len(ends)}", failure.exit
        log = directory / LOG
        if failure.rank is not None:
            who, log = f"rank {failure.rank} of {ranks}", directory / log_name(failure.rank)
        if ends[node].exit.cause in _OF_THE_NODE:
            exit_ = ends[node].exit
    if exit_.cause is Cause.NODE_LOST or (exit_.cause is None and exit_.signal == signal.SIGTERM):
        # That the others were told to stop says nothing: by now we have told them, too.
        of_all = (one.exit for one in ends if one.exit.cause in _OF_THE_CLUSTER)
        is_lost = ends[node].exit.cause is Cause.NODE_LOST
        exit_ = next(of_all, ends[node].exit if is_lost else exit_)
    if exit_.cause in (Cause.CANCELLED_BY_USER, Cause.PREEMPTED):
        who = ""  # it was all of them
    lines = [line for line in logs.tail(log, _LAST_LINES).lines if line.strip()]
    found = refusals.refusal(exit_.exit_code, lines) if exit_.cause is None else None
    if exit_.cause in (None, Cause.OUT_OF_MEMORY) and lines:
        _tell(directory / LOG, who, exit_, lines)
        if found is None:
            exit_ = replace(exit_, said=lines[-1].strip()[:500])
    if found is not None:
        exit_ = replace(exit_, cause=found[0], detail=found[1])
    return Ended(replace(exit_, who=who), at, _spent(ends))


def first_failure(path: Path, nodes: int, ranks: int) -> Failure | None:
    """What is written of the first failure; a job can write anything there."""
    try:
        told = json.loads(_read(path))
        rank, node = told["rank"], int(told["node"])
        if not 0 <= node < nodes or (rank is not None and not 0 <= int(rank) < ranks):
            return None
        code, number = told.get("exit_code"), told.get("signal")
        if told.get("cause") == Cause.LAUNCH_FAILED.value:
            exit_ = Exit(cause=Cause.LAUNCH_FAILED, detail=str(told["detail"])[:1000])
        elif code is not None:
            exit_ = Exit(exit_code=whole_number(code) or 1)
        else:
            exit_ = Exit(signal=whole_number(number))
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        return None
    return Failure(None if rank is None else int(rank), node, exit_)


def _read(path: Path) -> bytes:
    # It may be a link that leads out of its container, or a pipe.
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ValueError("not a file")
        return os.read(file, _MOST_BYTES)
    finally:
        os.close(file)


def _tell(path: Path, who: str, exit_: Exit, lines: Sequence[str]) -> None:
    """End the log of all with who it was, unless it does already: a server may have died here."""
    how = signal_name(exit_.signal) if exit_.signal else f"exit code {exit_.exit_code}"
    told = f"[jupyter-training] {who} failed first ({how}). Its last lines:"
    notice = [told, *(f"  {line}" for line in lines)]
    if logs.tail(path, len(notice)).lines == notice:
        return
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        file.write("".join(f"{line}\n" for line in notice).encode("utf-8", "replace"))
