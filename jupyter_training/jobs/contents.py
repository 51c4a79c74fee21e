"""What a content is called, and its size for a person."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def digest(content: bytes) -> str:
    """What a content is stored under."""
    return hashlib.sha256(content).hexdigest()


def human_size(count: float) -> str:
    """A number of bytes for a person."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"


def largest(files: Iterable[tuple[str, int]], count: int = 5) -> str:
    """The largest files, for a person.

    Parameters
    ----------
    files
        Their paths, and their sizes in bytes.
    """
    top = sorted(files, key=lambda one: (-one[1], one[0]))[:count]
    return ", ".join(f"{path} ({human_size(size)})" for path, size in top)
