"""When the GPUs of a job do nothing: decided from their utilisation, with hysteresis.

A GPU that somebody holds and does not use is missing to others, and most often its owner does not
know: a script that fell back to the CPU, that waits for data, or that was meant to be interactive.

One reading in which they compute begins the wait anew, so a job that works now and then is never
called idle. One that is called idle is called busy again only after two such readings in a row, so
that one spike does not send its owner two messages.

Everything here is a value or a pure function.
"""

from __future__ import annotations

from dataclasses import dataclass

BUSY_PERCENT = 5.0
"""From this on a GPU computes; below are displays, and programs that only keep it open."""

_IN_A_ROW = 2


@dataclass(frozen=True)
class Idleness:
    """Whether the GPUs of an attempt do nothing.

    Attributes
    ----------
    quiet_since
        When the readings without work began (s since the epoch); None if they work.
    is_idle
        Whether they have been quiet for long.
    seen_at
        The time of the last reading; None before the first.
    busy_in_a_row
        How many readings with work there were last.
    """

    quiet_since: float | None = None
    is_idle: bool = False
    seen_at: float | None = None
    busy_in_a_row: int = 0

    @property
    def since(self) -> float | None:
        """Since when the attempt is idle (s since the epoch); None if it is not."""
        return self.quiet_since if self.is_idle else None

    def after(
        self, at: float, busiest_percent: float | None, idle_s: float, *, gap: bool = False
    ) -> Idleness:
        """What one more reading makes of it.

        Parameters
        ----------
        at
            When (s since the epoch). One that is not newer than the last changes nothing.
        busiest_percent
            The utilisation of the busiest of its GPUs; None if not known, which changes nothing.
        idle_s
            How long they have to do nothing (s).
        gap
            Whether nobody looked for a while before: what they did then is not known.
        """
        if busiest_percent is None or (self.seen_at is not None and at <= self.seen_at):
            return self
        if busiest_percent >= BUSY_PERCENT:
            row = self.busy_in_a_row + 1
            if self.is_idle and row < _IN_A_ROW:
                return Idleness(self.quiet_since, True, at, row)
            return Idleness(None, False, at, row)
        if self.quiet_since is None or (gap and not self.is_idle):
            return Idleness(at, False, at)
        return Idleness(self.quiet_since, self.is_idle or at - self.quiet_since >= idle_s, at)
