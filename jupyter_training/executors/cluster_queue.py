"""What a cluster says of all jobs, asked once for all of them, and what nodes tell meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic

from jupyter_training.executors.base import ClusterAway, attempt_token
from jupyter_training.executors.cluster_dialect import J
from jupyter_training.executors.tasks import cancelled

_log = logging.getLogger(__name__)

_LOOK_S = 0.25
_SOON_S = 0.3
_AWAY_S = 2.0


@dataclass(frozen=True)
class Snapshot(Generic[J]):
    """The jobs as they were at one moment.

    Attributes
    ----------
    at
        When the cluster was asked, in the clock of the event loop (s).
    jobs
        By the token of their attempts; more than one if an attempt was submitted twice.
    """

    at: float = float("-inf")
    jobs: Mapping[str, Sequence[J]] = field(default_factory=dict)

    def job_of(self, token: str, number: str | None) -> J | None:
        """The job of an attempt: the one with this number, else one that is not over."""
        several = self.jobs.get(attempt_token(token), ())
        for one in several:
            if one.id == number:
                return one
        if number is not None:
            return None
        return min(several, key=lambda one: one.is_over, default=None)


class Queue(Generic[J]):
    """Asks a cluster for as long as somebody wants to know.

    Parameters
    ----------
    ask
        Asks for all jobs.
    told
        The directory in which a file appears when something has happened to an attempt.
    poll_s
        How often the cluster is asked (s).

    Attributes
    ----------
    latest
        What it said last.
    trouble
        Why it says nothing; empty if it does.
    """

    def __init__(
        self, ask: Callable[[], Awaitable[Sequence[J]]], told: Path, poll_s: float
    ) -> None:
        self._ask, self._told, self._poll_s = ask, told, poll_s
        self.latest: Snapshot[J] = Snapshot()
        self.trouble = ""
        self._watchers: dict[str, list[asyncio.Event]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._next_at = 0.0
        self._changed, self._wanted = asyncio.Event(), asyncio.Event()

    @contextlib.contextmanager
    def watching(self, token: str) -> Iterator[asyncio.Event]:
        """An event that is set when there may be news of an attempt."""
        woken = asyncio.Event()
        whole = attempt_token(token)
        self._watchers.setdefault(whole, []).append(woken)
        if not self._tasks:
            self._tasks = [asyncio.create_task(one()) for one in (self._listen, self._poll)]
        self._wanted.set()
        self.soon()
        try:
            yield woken
        finally:
            several = self._watchers[whole]
            several.remove(woken)
            if not several:
                del self._watchers[whole]
            if not self._watchers:
                self._wanted.clear()

    def is_watched(self, token: str) -> bool:
        """Whether somebody waits for news of an attempt."""
        return token in self._watchers

    def wake(self, token: str) -> None:
        """Have whoever waits for an attempt look again, whatever the cluster says."""
        self._wake([attempt_token(token)])

    def soon(self) -> None:
        """Ask soon, as there may be news."""
        at = asyncio.get_running_loop().time() + min(_SOON_S, self._poll_s)
        if at < self._next_at:
            self._next_at = at
            self._changed.set()

    async def close(self) -> None:
        """Ask no more."""
        await cancelled(self._tasks)
        self._tasks = []

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            while (left_s := self._next_at - loop.time()) > 0:
                self._changed.clear()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), left_s)
            began, before = loop.time(), self.latest
            self._next_at = began + self._poll_s
            try:
                found = await self._ask()
            except ClusterAway as away:
                if not self.trouble:
                    _log.warning("%s; jobs on it are not given up", away)
                self._in_trouble(str(away))
                continue
            except Exception as error:  # or nobody would hear of the end of any job
                if not self.trouble:
                    _log.exception("A cluster is not understood; jobs on it are not given up")
                self._in_trouble(f"the cluster is not understood: {error!r}")
                continue
            was_away, self.trouble = bool(self.trouble), ""
            jobs = _by_token(found)
            self.latest = Snapshot(began, jobs)
            # That it answers again is news for all of them.
            news = (one for one in self._watchers if _is_news(before.jobs, jobs, one))
            self._wake(list(self._watchers) if was_away else news)

    def _in_trouble(self, why: str) -> None:
        self.trouble = why
        self._next_at = asyncio.get_running_loop().time() + _AWAY_S
        self._wake(list(self._watchers))

    async def _listen(self) -> None:
        while True:
            await self._wanted.wait()
            told = await asyncio.to_thread(self._take)
            self._wake([attempt_token(token) for token in told])
            await asyncio.sleep(_LOOK_S)

    def _wake(self, tokens: Iterable[str]) -> None:
        for token in tokens:
            for woken in self._watchers.get(token, ()):
                woken.set()

    def _take(self) -> list[str]:
        with contextlib.suppress(OSError):
            names = os.listdir(self._told)
            for name in names:
                with contextlib.suppress(OSError):
                    os.unlink(self._told / name)
            return names
        return []


def _by_token(several: Iterable[J]) -> dict[str, list[J]]:
    found: dict[str, list[J]] = {}
    for job in several:
        found.setdefault(job.token, []).append(job)
    return found


def _is_news(
    before: Mapping[str, Sequence[J]], after: Mapping[str, Sequence[J]], token: str
) -> bool:
    """Whether whoever waits for this attempt has to look at its records."""
    was, now = ([(one.id, str(one)) for one in it.get(token, ())] for it in (before, after))
    return was != now or all(one.is_over for one in after.get(token, ()))
