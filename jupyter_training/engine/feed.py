"""Tells whoever looks on what has changed: on every server, whoever has changed it.

It is woken by each commit of this server and of the others, and reads what is new in the table of
changes. A server that starts begins with what changes from then on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial

from sqlalchemy import Connection

from jupyter_training.engine.engine import DatabaseAway, Engine
from jupyter_training.store import changes
from jupyter_training.store.records import Change

_log = logging.getLogger(__name__)

_SWEEP_S = 10.0
"""How often it looks though nobody has woken it: whoever commits may die before it wakes others."""

_AGAIN_S = 1.0
"""How soon it looks again when the database is away (s)."""

_PRUNE_S = 3600.0
_AT_ONCE = 500


@dataclass(frozen=True)
class Page:
    """What is new.

    Attributes
    ----------
    changes
        In their order.
    sequence
        Where to go on.
    more
        Whether there is more by now.
    complete
        Whether nothing has been forgotten before the first of them.
    """

    changes: list[Change]
    sequence: int
    more: bool
    complete: bool


def page(connection: Connection, since: int | None, owner: str | None, limit: int) -> Page:
    """What came after a number; of None, only where the end is."""
    if since is None:
        return Page([], changes.end(connection), more=False, complete=True)
    found = changes.since(connection, since, owner=owner, limit=limit + 1)
    more = len(found) > limit
    if more:
        reached = found[limit - 1].sequence
    elif found and owner is None:
        reached = found[-1].sequence
    else:
        # Also past the changes of others, which are not looked at again.
        reached = changes.end(connection)
        if since >= reached:
            return Page([], reached, more=False, complete=since == reached)
    follows = bool(found) and found[0].sequence == since + 1
    complete = follows or changes.is_complete_since(connection, since)
    return Page(found[:limit], reached, more, complete)


async def next_page(
    engine: Engine, owner: str, since: int | None, limit: int, wait_s: float
) -> Page:
    """What came after a number, as soon as there is something, and in any case in time."""
    clock = asyncio.get_running_loop().time
    deadline, something = clock() + wait_s, asyncio.Event()
    engine.watch(something.set)
    try:
        while True:
            something.clear()
            look = partial(page, since=since, owner=owner, limit=limit)
            found = await engine.read(look)
            left = deadline - clock()
            if found.changes or not found.complete or since is None or left <= 0:
                return found
            since = found.sequence  # past the changes of others
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(something.wait(), min(left, _SWEEP_S))
    finally:
        engine.unwatch(something.set)


class Feed:
    """Reads what has changed, and tells it.

    Parameters
    ----------
    tell
        Called on the event loop with each change, and with the number of the one that was told
        before it, so that somebody who has missed one finds out.
    owner
        Whose jobs; None for everybody's.
    """

    def __init__(
        self, engine: Engine, tell: Callable[[Change, int], None], *, owner: str | None
    ) -> None:
        self._engine, self._tell, self._owner = engine, tell, owner
        self._told = self._reached = 0
        self._something = asyncio.Event()

    async def open(self) -> None:
        """Find out where the end is; what comes after it is told."""
        self._engine.watch(self._something.set)
        while True:
            try:
                self._told = self._reached = await self._engine.read(changes.end)
                return
            except DatabaseAway:
                await asyncio.sleep(_AGAIN_S)

    async def run(self) -> None:
        """Tell what changes, for as long as this server lives."""
        loop = asyncio.get_running_loop()
        prune_at = loop.time()
        while True:
            self._something.clear()
            try:
                await self._tell_new()
                if loop.time() >= prune_at:
                    prune_at = loop.time() + _PRUNE_S
                    await self._engine.write(partial(changes.prune, now=_now()))
            except DatabaseAway:
                await asyncio.sleep(_AGAIN_S)
                continue
            except Exception:
                _log.exception("Changes of training jobs could not be told, trying again")
                await asyncio.sleep(_AGAIN_S)
                continue
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._something.wait(), _SWEEP_S)

    async def _tell_new(self) -> None:
        more = True
        while more:
            found = await self._engine.read(lambda c: page(c, self._reached, self._owner, _AT_ONCE))
            for change in found.changes:
                self._tell(change, self._told)
                self._told = self._reached = change.sequence
            self._reached, more = found.sequence, found.more


def _now() -> datetime:
    return datetime.now(timezone.utc)
