"""Where the ranks of a distributed job are, and which of them failed first: what a person asks."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path

from jupyter_training.engine import logs
from jupyter_training.engine.engine import Engine
from jupyter_training.engine.finding import attempt_of, job_of
from jupyter_training.engine.gang_launches import MEETING
from jupyter_training.engine.gangs import Failure, first_failure
from jupyter_training.executors.log_files import log_name
from jupyter_training.executors.records import LOG
from jupyter_training.jobs.gangs import Launcher, ranks_per_node
from jupyter_training.jobs.lifecycle import Cause
from jupyter_training.ranks import FAILED
from jupyter_training.scheduling.resources import Placement
from jupyter_training.store import gangs
from jupyter_training.store.gangs import GangAttempt
from jupyter_training.store.records import Job

_LAST_LINES = 10
"""How much is told of what the rank that failed first has printed."""


class RankState(str, Enum):
    """Where a rank is."""

    STARTING = "starting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    """It failed first, and the others were ended because of it."""
    STOPPED = "stopped"
    """It was ended, as another one, or the node, did not go on."""
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Rank:
    """A process of a distributed job.

    Attributes
    ----------
    node
        On which of the nodes it is, from 0.
    local_rank
        Which one it is there.
    log_bytes
        How much it has printed.
    printed_at
        When it last printed something; None if it has not.
    """

    rank: int
    node: int
    local_rank: int
    state: RankState
    log_bytes: int
    printed_at: datetime | None


@dataclass(frozen=True)
class Ranks:
    """The nodes and the ranks of an attempt.

    Attributes
    ----------
    attempt
        Its number; 0 if there has been none yet.
    failure
        What failed first, as far as the nodes have written that down.
    lines
        What that has printed last.
    """

    job: Job
    attempt: int
    nodes: tuple[Placement, ...] = ()
    ranks: tuple[Rank, ...] = ()
    failure: Failure | None = None
    lines: tuple[str, ...] = ()


class RankQueries:
    """The questions about ranks."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._workspace = engine, engine.workspace

    async def of(self, user: str, reference: str, attempt: int | None) -> Ranks:
        """The ranks of an attempt, by default the latest; none of a job that is not distributed.

        Raises
        ------
        NoSuchJob
            If there is no such job or attempt.
        """
        job = await job_of(self._engine, user, reference)
        number = attempt_of(job, attempt)
        found = await self._engine.read(lambda c: gangs.gang_attempt(c, job.id, number))
        if found is None:
            return Ranks(job, number)
        directory = self._workspace.attempt(job.job_id, number)
        return await asyncio.to_thread(_look, job, number, found, directory)


def _look(job: Job, number: int, attempt: GangAttempt, directory: Path) -> Ranks:
    launcher = Launcher(job.launcher or Launcher.BUILTIN)
    gpus = len(attempt.nodes[0].gpus)
    local = ranks_per_node(launcher, gpus, job.procs_per_node)
    count = local * len(attempt.nodes)
    failure = None
    if attempt.cause not in (Cause.SUCCESS, Cause.CANCELLED_BY_USER):
        # Ranks that somebody cancels end badly, too, and one of them first.
        failure = first_failure(directory / MEETING / FAILED, len(attempt.nodes), count)
    ranks = tuple(
        Rank(
            rank,
            rank // local,
            rank % local,
            state_of(rank, attempt, failure),
            *_printed(directory / log_name(rank)),
        )
        for rank in range(count)
    )
    lines: tuple[str, ...] = ()
    if failure is not None:
        log = LOG if failure.rank is None else log_name(failure.rank)
        lines = tuple(logs.tail(directory / log, _LAST_LINES).lines)
    return Ranks(job, number, attempt.nodes, ranks, failure, lines)


def state_of(rank: int, attempt: GangAttempt, failure: Failure | None) -> RankState:
    """Where a rank of an attempt is."""
    if failure is not None and failure.rank == rank:
        return RankState.FAILED
    if attempt.ended_at is None:
        return RankState.RUNNING if attempt.started_at is not None else RankState.STARTING
    if attempt.cause is Cause.SUCCESS:
        return RankState.COMPLETED
    if attempt.cause is Cause.CANCELLED_BY_USER:
        return RankState.CANCELLED
    return RankState.STOPPED


def _printed(log: Path) -> tuple[int, datetime | None]:
    """How much, and when the last of it."""
    with contextlib.suppress(OSError):
        status = log.lstat()
        if status.st_size:
            return status.st_size, datetime.fromtimestamp(status.st_mtime, timezone.utc)
    return 0, None
