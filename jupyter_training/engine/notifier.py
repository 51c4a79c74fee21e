"""Tells people of their jobs outside of Jupyter: each receiver on its own, at least once.

What is to be told is in the outbox, written in the transaction of what it is about. Every server
looks there when something has changed, and *claims* what it is about to tell. A receiver that fails
is tried again, after waits that grow, for a day; meanwhile the others have been told and are not
told again. A server that dies after a receiver was told and before that is written tells it twice:
there is no way to do both at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta, timezone

from sqlalchemy import Connection

from jupyter_training.engine import delivery, logs
from jupyter_training.engine.engine import DatabaseAway, Engine
from jupyter_training.engine.metrics.index import latest
from jupyter_training.engine.this_server import is_gone
from jupyter_training.executors.records import LOG
from jupyter_training.executors.tasks import cancelled
from jupyter_training.jobs.messages import LOG_LINES, Facts, Message, message
from jupyter_training.jobs.notifications import next_wait_s
from jupyter_training.points import Point, reach
from jupyter_training.store import changes, outbox, transitions
from jupyter_training.store.outbox import Notification

_log = logging.getLogger(__name__)

CLAIM_S = 120.0
"""How long a claim keeps others away (s): more than a delivery may take."""

_LATEST_S = 60.0
"""How long after its claim a delivery may begin (s): a server may have been paused in between."""

_AT_ONCE = 8
_TO_ONE = 2
"""How many deliveries at the same time: in all, and to one receiver, which may not answer."""

_SWEEP_S = 10.0
_AGAIN_S = 1.0

_REST_S = 0.1
"""The shortest time between two looks (s): of most of what changes nobody is told."""


class Notifier:
    """Tells receivers what the outbox has for them.

    Parameters
    ----------
    send
        Sends a message to a URL, and returns why that failed.
    """

    def __init__(
        self,
        engine: Engine,
        send: Callable[[str, Message], Awaitable[str | None]] = delivery.send,
    ) -> None:
        self._engine, self._workspace, self._send = engine, engine.workspace, send
        self._something = asyncio.Event()
        self._telling: dict[asyncio.Task[None], tuple[str, int]] = {}

    async def run(self) -> None:
        """Tell, for as long as this server lives."""
        self._engine.watch(self._something.set)
        loop = asyncio.get_running_loop()
        swept_at = -_SWEEP_S
        try:
            while True:
                self._something.clear()
                wait_s = _AGAIN_S
                try:
                    if loop.time() - swept_at >= _SWEEP_S:
                        swept_at = loop.time()
                        await self._take_over()
                    wait_s = await self._tell_due()
                except DatabaseAway:
                    pass
                except Exception:
                    _log.exception("Notifications of training jobs are tried again")
                await asyncio.sleep(_REST_S)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._something.wait(), wait_s)
        finally:
            await cancelled(self._telling)

    async def _take_over(self) -> None:
        """Find what servers have left that are gone."""
        if await self._engine.read(outbox.next_at) is not None:
            server = self._engine.server
            await self._engine.write(lambda c: outbox.take_over(c, server, _now(), is_gone))

    async def _tell_due(self) -> float:
        """Begin to tell what is due.

        Returns
        -------
        float
            When to look again (s).
        """
        due_at = await self._engine.read(outbox.next_at)
        if due_at is None:
            return _SWEEP_S
        wait_s = (due_at - _now()).total_seconds()
        free = _AT_ONCE - len(self._telling)
        if wait_s > 0 or free <= 0:
            return min(max(wait_s, _AGAIN_S if free <= 0 else 0.0), _SWEEP_S)
        urls = [url for url, _ in self._telling.values()]
        busy = {url for url in urls if urls.count(url) >= _TO_ONE}
        ttl = timedelta(seconds=CLAIM_S)
        claimed = await self._engine.write(
            lambda c: outbox.claim(c, self._engine.server, _now(), ttl, limit=free, busy=busy)
        )
        reach(Point.TELLING_CLAIMED)
        claimed_at = asyncio.get_running_loop().time()
        for one in claimed:
            # What happened to a job first is told first: a retry before the end that it came to.
            what = (one.receiver.url, one.job)
            before = [task for task, other in self._telling.items() if other == what]
            task = asyncio.create_task(self._tell(one, claimed_at, before))
            self._telling[task] = what
            task.add_done_callback(self._ended)
        return 0.0 if claimed else _AGAIN_S

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._telling.pop(task, None)
        self._something.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("A notification is tried again later: %s", type(error).__name__)

    async def _tell(
        self, one: Notification, claimed_at: float, before: Collection[asyncio.Task[None]]
    ) -> None:
        if before:
            await asyncio.wait(before)
        facts = await asyncio.to_thread(self._facts, one)
        if asyncio.get_running_loop().time() - claimed_at > _LATEST_S:
            return  # by the time it would be told, somebody else may have
        failed = await self._send(one.receiver.url, message(facts))
        reach(Point.TOLD)
        while True:
            try:
                await self._engine.write(lambda c: self._write(c, one, failed))
                break
            except DatabaseAway:  # to forget it would be to tell it again
                await asyncio.sleep(_AGAIN_S)
        reach(Point.TELLING_WRITTEN)

    def _write(self, connection: Connection, one: Notification, failed: str | None) -> None:
        now, who = _now(), one.receiver.called
        if failed is None:
            kind, reason = changes.NOTIFIED, f"{who} was told that it {_verb(one)}"
        else:
            _log.warning("%s was not told of %s: %s", who, one.job_id, failed)
            since_s = (now - one.at).total_seconds()
            wait_s = next_wait_s(one.tries + 1, since_s, random.random())
            if wait_s is not None:
                outbox.put_off(connection, one, now + timedelta(seconds=wait_s))
                return
            kind = changes.NOT_NOTIFIED
            reason = f"{who} was not told that it {_verb(one)}, and is not tried any more: {failed}"
        if outbox.told(connection, one):
            transitions.record(
                connection,
                one.job,
                kind,
                now=now,
                actor=self._engine.server.name,
                of_attempt=one.attempt or None,
                reason=reason,
            )

    def _facts(self, one: Notification) -> Facts:
        """What there is to tell; what cannot be read is left out."""
        lines: list[str] = []
        metrics: Mapping[str, float] = {}
        logged, output = None, None
        if one.attempt:
            logged = self._workspace.attempt(one.job_id, one.attempt)
            with contextlib.suppress(OSError, ValueError):
                metrics = latest(logged)
        elif one.culprit is not None:
            logged = self._workspace.attempt(one.culprit.job_id, one.culprit.attempt)
        if logged is not None:
            with contextlib.suppress(OSError, ValueError):
                lines = logs.tail(logged / LOG, LOG_LINES).lines
        if one.results_of is not None:
            output = self._workspace.output_dir(
                one.results_of, one.working_dir, one.output_path, one.image
            )
        return Facts(
            one.occasion,
            one.name,
            one.job_id,
            one.attempt,
            one.attempts,
            one.reason,
            one.at,
            began_at=one.began_at,
            node=one.node,
            gpus=one.gpus,
            progress=one.progress,
            output_dir=None if output is None else str(output),
            metrics=metrics,
            log=lines,
            log_of=None if one.culprit is None else one.culprit.name,
        )


def _verb(one: Notification) -> str:
    return {"retrying": "is tried again", "cancelled": "was cancelled", "idle": "is idle"}.get(
        one.occasion.value, one.occasion.value
    )


def _now() -> datetime:
    return datetime.now(timezone.utc)
