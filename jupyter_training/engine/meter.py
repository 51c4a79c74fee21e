"""Looks, again and again, at what every running attempt uses, and keeps that.

Each look takes all attempts that are due: one list of the processes of the machine, one reading of
its GPUs. Samples go into a file of the attempt (see `usage_files`). What a person needs at a
glance, peaks and idle GPUs, is reported as the monitor reports, and written by a turn. A server
that takes over reads the file and goes on; between the two there is a gap.

However many attempts and processes there are, a look is followed by a rest that is so much longer
that all looks together take about a quarter of a percent of one core at most.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from jupyter_training.engine import silence, usage_files
from jupyter_training.engine.live_gpus import LiveGpu
from jupyter_training.executors.base import Ended, Executor, Found
from jupyter_training.executors.gauges import Gauge
from jupyter_training.executors.processes import Processes
from jupyter_training.jobs.hanging import Stillness
from jupyter_training.jobs.idleness import Idleness
from jupyter_training.jobs.usage import (
    GB,
    Consumption,
    GpuSample,
    Sample,
    Totals,
    is_gap,
    pause_s,
)
from jupyter_training.store.records import Attempt

_log = logging.getLogger(__name__)

_FIRST_S = 0.25
"""How old an attempt is when it is first looked at (s): shorter ones tell at their end."""

_TOGETHER_S = 0.25
"""Those that would be due so soon are looked at with those that are (s)."""

_REST = 400
"""How much longer than a look the rest after it is at least."""

_TELL_S, _TELL_AGAIN_S = 10.0, 600.0
"""How soon a new peak is told, and how old what was told may become (s)."""

_STALE_S = 10.0
"""Figures of GPUs that are older than this are of a driver that hangs (s)."""

LiveGpusNow = Callable[[], Awaitable[Mapping[str, LiveGpu]]]


@dataclass(frozen=True)
class Metered:
    """An attempt has used so much by now."""

    token: str
    job_id: int
    totals: Totals


@dataclass(frozen=True)
class Idled:
    """The GPUs of an attempt do nothing, or work again.

    Attributes
    ----------
    since
        Since when they do nothing; None if they work.
    at
        When that was seen.
    """

    token: str
    job_id: int
    since: datetime | None
    at: datetime


@dataclass(frozen=True)
class Hung:
    """An attempt does nothing, or does something again.

    Attributes
    ----------
    since
        Since when it does nothing; None if it does something.
    first_silent
        Which of its ranks was it first, in words; empty if it has no several.
    at
        When that was seen.
    """

    token: str
    job_id: int
    since: datetime | None
    first_silent: str
    at: datetime


@dataclass
class _Attempt:
    """An attempt that is looked at."""

    token: str
    job_id: int
    gpus: tuple[str, ...]
    directory: Path
    started_at: float
    gauge: asyncio.Task[Gauge | None]
    due: float
    told_at: float
    told_idle: bool | None
    """None if what an earlier server told is not known."""
    is_read: bool = False
    """Whether what an earlier server has seen was read."""
    totals: Totals = field(default_factory=Totals)
    told: Totals = field(default_factory=Totals)
    idleness: Idleness = field(default_factory=Idleness)
    stillness: Stillness = field(default_factory=Stillness)
    told_hangs: bool | None = None
    first_silent: str = ""

    def take(self, sample: Sample, idle_s: float) -> None:
        """Add a sample."""
        before = self.totals.until
        gap = before is not None and is_gap(before - self.started_at, sample.at - before)
        self.totals = self.totals.with_sample(sample)
        if idle_s > 0:
            self.idleness = self.idleness.after(
                sample.at, sample.busiest_gpu_percent, idle_s, gap=gap
            )

    def look_whether_it_hangs(self, sample: Sample, hang_s: float) -> None:
        """Take a sample as a sign that it does something, or none."""
        self.stillness = self.stillness.after(
            sample.at,
            cpu_seconds=sample.used.cpu_seconds,
            busiest_percent=sample.busiest_gpu_percent,
            printed=silence.printed(self.directory),
            hang_s=hang_s,
        )
        if self.stillness.hangs and not self.told_hangs:
            self.first_silent = silence.first_silent(self.directory)


class Meter:
    """Looks at attempts for as long as they run.

    Parameters
    ----------
    on_report
        Called with each report.
    live_gpus
        Tells, without a long wait, what the GPUs of this machine do, by UUID; None if nobody does.
    idle_s
        After how long without work the GPUs of an attempt are called idle (s); 0 for never.
    hang_s
        After how long without output, CPU time and work of its GPUs an attempt is said to hang (s);
        0 for never.
    """

    def __init__(
        self,
        on_report: Callable[[Metered | Idled | Hung], None],
        live_gpus: LiveGpusNow | None = None,
        idle_s: float = 0.0,
        hang_s: float = 0.0,
    ) -> None:
        self._on_report, self._live_gpus = on_report, live_gpus
        self._idle_s, self._hang_s = idle_s, hang_s
        self._followed: dict[str, _Attempt] = {}
        self._woken = asyncio.Event()
        # Held while a thread works on what is known of attempts.
        self._busy = asyncio.Lock()

    def follow(self, attempt: Attempt, executor: Executor, found: Found) -> None:
        """Look at an attempt that runs, until its end or until it is forgotten."""
        if found.started_at is None:
            return
        now = time.monotonic()
        gauge = asyncio.create_task(executor.gauge(found))
        gauge.add_done_callback(_note_failure)
        self._followed[attempt.token] = _Attempt(
            attempt.token,
            attempt.job_id,
            attempt.gpus,
            found.directory,
            found.started_at.timestamp(),
            gauge,
            due=now + _FIRST_S,
            told_at=now,
            told_idle=False if attempt.handle is None else None,
            told_hangs=False if attempt.handle is None else None,
        )
        self._woken.set()

    def forget(self, token: str) -> None:
        """Look at an attempt no more."""
        one = self._followed.pop(token, None)
        if one is not None:
            one.gauge.cancel()

    async def end(self, attempt: Attempt, found: Found, ended: Ended) -> Totals | None:
        """What an attempt has used in all, whoever has looked at it; None if it never ran."""
        one = self._followed.get(attempt.token)
        self.forget(attempt.token)
        if found.started_at is None:
            return None
        async with self._busy:
            seen = one.totals if one is not None and one.is_read else None
            return await asyncio.to_thread(_sum_up, seen, found.directory, len(attempt.gpus), ended)

    async def run(self) -> None:
        """Look at those that are due, for ever."""
        loop = asyncio.get_running_loop()
        rested_at = 0.0
        while True:
            self._woken.clear()
            now = time.monotonic()
            next_at = min((one.due for one in self._followed.values()), default=None)
            if next_at is None or max(next_at, rested_at) > now:
                alarm = (
                    loop.call_later(max(next_at, rested_at) - now, self._woken.set)
                    if next_at is not None
                    else None
                )
                try:
                    await self._woken.wait()
                finally:
                    if alarm is not None:
                        alarm.cancel()
                continue
            due = [one for one in self._followed.values() if one.due <= now + _TOGETHER_S]
            cost_s = await self._look(due)
            rested_at = time.monotonic() + cost_s * _REST

    async def _look(self, due: Sequence[_Attempt]) -> float:
        """Take a sample of each of these; how much CPU time that took (s)."""
        gpus: Mapping[str, LiveGpu] = {}
        if self._live_gpus is not None and any(one.gpus for one in due):
            gpus = await self._live_gpus()
        async with self._busy:
            cost_s = await asyncio.to_thread(self._take_samples, due, gpus)
        now = time.monotonic()
        for one in due:
            one.due = now + pause_s(time.time() - one.started_at)
            if one.token in self._followed:
                self._tell(one, now)
        return cost_s

    def _tell(self, one: _Attempt, now: float) -> None:
        past_s = now - one.told_at
        risen = past_s >= _TELL_S and one.totals.has_risen_since(one.told)
        if risen or (past_s >= _TELL_AGAIN_S and one.totals != one.told):
            one.told, one.told_at = one.totals, now
            self._on_report(Metered(one.token, one.job_id, one.totals))
        idle = one.idleness
        if self._idle_s > 0 and idle.seen_at is not None and one.told_idle != idle.is_idle:
            one.told_idle = idle.is_idle
            since = None if idle.since is None else _utc(idle.since)
            self._on_report(Idled(one.token, one.job_id, since, _utc(idle.seen_at)))
        still = one.stillness
        if still.at is not None and still.hangs is not None and still.hangs != one.told_hangs:
            one.told_hangs = still.hangs
            since = _utc(still.since) if still.hangs and still.since is not None else None
            self._on_report(Hung(one.token, one.job_id, since, one.first_silent, _utc(still.at)))

    # In a thread

    def _take_samples(self, due: Sequence[_Attempt], gpus: Mapping[str, LiveGpu]) -> float:
        began, processes = time.thread_time(), Processes()
        for one in due:
            try:
                self._take_sample(one, processes, gpus)
            except Exception:
                # Whatever is wrong with one of them, the others are looked at.
                _log.exception("What job %d uses cannot be known", one.job_id)
        return time.thread_time() - began

    def _take_sample(
        self, one: _Attempt, processes: Processes, gpus: Mapping[str, LiveGpu]
    ) -> None:
        if not one.is_read:
            for sample in usage_files.samples(one.directory):
                one.take(sample, self._idle_s)
            one.is_read = True
        taken = _sample(one, processes, gpus)
        if taken is None:
            return
        _write(one.directory, taken)
        one.take(taken, self._idle_s)
        if self._hang_s > 0:
            one.look_whether_it_hangs(taken, self._hang_s)


def _sample(one: _Attempt, processes: Processes, gpus: Mapping[str, LiveGpu]) -> Sample | None:
    """What an attempt uses now; None if that cannot be known."""
    used = None
    if one.gauge.done() and not one.gauge.cancelled() and one.gauge.exception() is None:
        gauge = one.gauge.result()
        try:
            used = None if gauge is None else gauge.read(processes)
        except (OSError, ValueError) as error:
            _log.debug("What job %d uses cannot be read: %s", one.job_id, error)
    cards = tuple(_of_card(gpus.get(uuid)) for uuid in one.gpus)
    if used is None and all(card == GpuSample() for card in cards):
        return None
    return Sample(time.time(), used or Consumption(), cards)


def _of_card(live: LiveGpu | None) -> GpuSample:
    if live is None or (datetime.now(timezone.utc) - live.at).total_seconds() > _STALE_S:
        return GpuSample()
    used_gb = live.reading.memory_used_gb
    return GpuSample(
        live.reading.utilization_percent, None if used_gb is None else int(used_gb * GB)
    )


def _write(directory: Path, sample: Sample) -> None:
    try:
        usage_files.append(directory, sample)
    except OSError as error:  # the job was deleted, or the disk is full: what it uses goes on
        _log.debug("A sample of %s cannot be written: %s", directory, error)


def _sum_up(seen: Totals | None, directory: Path, gpus: int, ended: Ended) -> Totals:
    at, totals = ended.at.timestamp(), seen
    if totals is None:
        totals = Totals()
        for sample in usage_files.samples(directory):
            totals, gpus = totals.with_sample(sample), len(sample.gpus)
    spent = ended.spent
    if spent is not None and spent.cpu_seconds is not None and at > (totals.until or 0.0):
        last = Sample(at, Consumption(spent.cpu_seconds), (GpuSample(),) * gpus)
        _write(directory, last)
    return totals.at_the_end(at, spent)


def _note_failure(gauge: asyncio.Task[Gauge | None]) -> None:
    if not gauge.cancelled() and (error := gauge.exception()) is not None:
        _log.debug("What a job uses cannot be told: %s", error)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
