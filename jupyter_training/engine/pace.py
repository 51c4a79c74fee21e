"""How much of a log a person is shown as it comes: all of a burst, and the newest of a flood."""

from __future__ import annotations

RATE = 2 << 20
"""What is shown of a log that does not stop (bytes/s): much more than anybody can read."""

BURST = 4 << 20
"""What is shown at once after it was quiet (bytes)."""

LEAST = 1 << 16
"""What is shown of the end of a flood in any case (bytes)."""


class Pace:
    """An allowance that is spent, and comes back with time.

    Parameters
    ----------
    rate, burst
        How fast it comes back (bytes/s), and how much there is at most (bytes).
    """

    def __init__(self, rate: int = RATE, burst: int = BURST) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = float(burst), 0.0

    def skip(self, waiting: int, now: float) -> int:
        """How many of the bytes that wait are to be left out, and spend the allowance on the rest.

        Parameters
        ----------
        waiting
            How many wait (bytes).
        now
            The time (s).
        """
        self._left = min(self._burst, self._left + self._rate * (now - self._at))
        self._at = now
        if waiting <= self._left:
            self._left -= waiting
            return 0
        shown = min(waiting, max(int(self._left / 2), LEAST))
        self._left -= shown
        return waiting - shown
