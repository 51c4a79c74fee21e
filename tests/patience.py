"""How long tests wait for what has to happen.

Nothing here measures speed: what is awaited happens in a moment on a quiet machine, and may take
minutes on one that runs several suites at once. So patience is long, and only a test that would
fail anyway takes that long.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 300.0
"""How long something that is awaited may take, at most (s)."""


def until(condition: Callable[[], object], pause_s: float = 0.02) -> None:
    """Return when it is so. It is for what has no event here, as it happens in another process.

    Parameters
    ----------
    pause_s
        How long to rest between two looks (s).
    """
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "not so in time"
        time.sleep(pause_s)
