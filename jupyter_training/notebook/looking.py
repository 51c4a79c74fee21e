"""Whether somebody looks at an output."""

from __future__ import annotations

import threading
import time

GONE_S = 60.0
"""Who has not said for so long that they look, looks no more (s)."""


class Looking:
    """What a browser has said. Until it has said something, somebody may look and cannot say so.

    Parameters
    ----------
    gone_s
        After how long somebody who says nothing looks no more (s).
    """

    def __init__(self, gone_s: float = GONE_S) -> None:
        self._gone_s = gone_s
        self._said_at: float | None = None
        self._said = threading.Condition()

    def say(self) -> None:
        """Somebody looks."""
        with self._said:
            self._said_at = time.monotonic()
            self._said.notify_all()

    @property
    def is_seen(self) -> bool:
        """Whether a browser has ever said so."""
        return self._said_at is not None

    @property
    def is_now(self) -> bool:
        """Whether somebody looks, or may."""
        return self._said_at is None or time.monotonic() - self._said_at < self._gone_s

    def wait(self) -> None:
        """Return as soon as somebody looks."""
        with self._said:
            self._said.wait_for(lambda: self.is_now)
