"""When a job hangs: it prints nothing, uses no CPU time, and its GPUs do nothing, for long.

Most often the processes of a distributed job wait for one that never comes. It is only said, and
nobody is ended for it: a job may as well wait for something that takes long.

What spins while it waits, as NCCL does on a GPU, cannot be told from work by such figures.

Everything here is a value or a pure function.
"""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_training.jobs.idleness import BUSY_PERCENT

CPU_SHARE = 0.02
"""Up to this share of one core is what processes need to wait: threads that look at a clock."""


@dataclass(frozen=True)
class Stillness:
    """Whether an attempt hangs.

    Attributes
    ----------
    since
        When it was first seen to do nothing (s since the epoch); None if it does something.
    hangs
        Whether it does so for long; None if it was not looked at for long enough to tell.
    at, cpu_seconds, printed
        The last look: when (s since the epoch), its CPU time (s), the size of its logs (bytes).
    """

    since: float | None = None
    hangs: bool | None = None
    at: float | None = None
    cpu_seconds: float | None = None
    printed: int = 0

    def after(
        self,
        at: float,
        *,
        cpu_seconds: float | None,
        busiest_percent: float | None,
        printed: int,
        hang_s: float,
    ) -> Stillness:
        """What one more look makes of it.

        Parameters
        ----------
        at
            When (s since the epoch).
        cpu_seconds
            The CPU time of all its processes so far (s); without it nothing can be told.
        busiest_percent
            The utilisation of the busiest of its GPUs; None if it has none that tell.
        printed
            The size of its logs (bytes).
        hang_s
            How long it has to do nothing (s).
        """
        if cpu_seconds is None:
            return self
        if self.at is None or self.cpu_seconds is None or at <= self.at:
            return Stillness(None, self.hangs, at, cpu_seconds, printed)
        moved = (
            printed != self.printed
            or abs(cpu_seconds - self.cpu_seconds) > CPU_SHARE * (at - self.at)
            or (busiest_percent is not None and busiest_percent >= BUSY_PERCENT)
        )
        if moved:
            return Stillness(None, False, at, cpu_seconds, printed)
        since = self.at if self.since is None else self.since
        hangs = True if at - since >= hang_s else self.hangs
        return Stillness(since, hangs, at, cpu_seconds, printed)
