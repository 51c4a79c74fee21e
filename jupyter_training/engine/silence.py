"""How much an attempt has printed, and which of its ranks fell silent first."""

from __future__ import annotations

import os
import re
from datetime import datetime, timezone
from pathlib import Path

_LOG = re.compile(r"output(?:-(\d+))?\.log")


def printed(directory: Path) -> int:
    """The size of all logs of an attempt (bytes)."""
    return sum(size for _, size, _ in _logs(directory))


def first_silent(directory: Path) -> str:
    """Which ranks of a distributed job have printed nothing for longest; empty if it is none.

    Those that have printed nothing at all say nothing about it.
    """
    ranks = [(at, rank) for rank, size, at in _logs(directory) if rank is not None and size]
    if not ranks:
        return ""
    # Those that were silent within the same second waited for the same.
    oldest = int(min(ranks)[0])
    first = sorted(rank for at, rank in ranks if int(at) == oldest)
    if len(first) == len(ranks):
        return "all its ranks fell silent at once" if len(ranks) > 1 else ""
    which = f"rank{'s' * (len(first) > 1)} {', '.join(map(str, first[:8]))}"
    more = f" and {len(first) - 8} more" if len(first) > 8 else ""
    moment = datetime.fromtimestamp(oldest, timezone.utc)
    return f"the first to fall silent: {which}{more}, at {moment:%H:%M:%S} UTC"


def _logs(directory: Path) -> list[tuple[int | None, int, float]]:
    """Of each log the rank, the size (bytes) and when it was last written (s since the epoch)."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                name = _LOG.fullmatch(entry.name)
                if name is not None:
                    seen = entry.stat(follow_symlinks=False)
                    rank = None if name[1] is None else int(name[1])
                    found.append((rank, seen.st_size, seen.st_mtime))
    except OSError:
        pass  # the job was deleted
    return found
