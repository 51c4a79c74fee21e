"""What the next turn of the scheduler has to look at, and when it is to be taken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

_COMPANY_S = 0.05
"""How long what can wait is given company, so that one turn writes it together (s): so the start
and the end of a job that is over by then are one transaction."""


@dataclass
class Due:
    """What the next turn has to look at, beside what the monitor reports.

    Attributes
    ----------
    queue
        Whether a job may be able to start: one was submitted, has ended, or may be tried again.
    cancels
        Whether somebody may want a job to be stopped.
    sweep
        Whether to look for attempts that nobody follows.
    changed
        The numbers of jobs that somebody has changed, for what follows for others.
    families
        Whether any other job may have changed that others depend on, or a whole family.
    told
        By the numbers of jobs, what was done for them outside has returned.
    measured
        The numbers of the jobs with new metrics whose parents may want to know.
    """

    queue: bool = False
    cancels: bool = False
    sweep: bool = False
    changed: set[int] = field(default_factory=set)
    families: bool = False
    told: dict[int, Any] = field(default_factory=dict)
    measured: set[int] = field(default_factory=set)

    @classmethod
    def all(cls) -> Due:
        """What is due for a server that knows nothing yet."""
        return cls(queue=True, cancels=True, sweep=True, families=True)

    def after_trouble(self) -> None:
        """Whether the last transaction was committed is not known: look at everything.

        What it claimed, if it was, is an open attempt that nobody follows.
        """
        self.queue = self.cancels = self.sweep = self.families = True


class Agenda:
    """Collects what is due, and wakes who takes the turns. It lives on the event loop.

    Attributes
    ----------
    due
        What the next turn looks at; whoever adds to it calls `wake`.
    """

    def __init__(self) -> None:
        self.due = Due()
        self._something = asyncio.Event()
        self._queue_alarm: asyncio.TimerHandle | None = None
        self._alarms: dict[int, asyncio.TimerHandle] = {}

    async def next(self) -> Due:
        """Wait until a turn is to be taken, and return what it has to look at."""
        await self._something.wait()
        self._something.clear()
        due, self.due = self.due, Due()
        return due

    def wake(self) -> None:
        """Have a turn taken now."""
        self._something.set()

    def wake_soon(self) -> None:
        """Have a turn taken in a moment, with what comes meanwhile."""
        asyncio.get_running_loop().call_later(_COMPANY_S, self.wake)

    def look_at_queue(self) -> None:
        """Have a turn look at the queue now."""
        self.due.queue = True
        self.wake()

    def look_at_queue_in(self, wait_s: float) -> None:
        """Have one look at the queue then (s), in place of what was said before."""
        if self._queue_alarm is not None:
            self._queue_alarm.cancel()
        loop = asyncio.get_running_loop()
        self._queue_alarm = loop.call_later(max(wait_s, 0), self.look_at_queue)

    def look_at_parent(self, job: int, moment: datetime) -> None:
        """Have one look at a parent at this time, in place of what was said before."""

        def look() -> None:
            del self._alarms[job]
            self.due.changed.add(job)
            self.wake()

        if job in self._alarms:
            self._alarms.pop(job).cancel()
        wait_s = max((moment - datetime.now(timezone.utc)).total_seconds(), 0) + 0.001
        self._alarms[job] = asyncio.get_running_loop().call_later(wait_s, look)

    def begin(self) -> None:
        """Have everything looked at, as a server does that knows nothing yet."""
        self.due = Due.all()
        self.wake()

    def end(self) -> None:
        """Have nothing looked at later: somebody else takes the turns."""
        if self._queue_alarm is not None:
            self._queue_alarm.cancel()
        for alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()
