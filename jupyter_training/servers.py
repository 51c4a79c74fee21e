"""Which servers of this user offer the training API, as files that only this user can read.

A server writes one when it is ready and removes it when it ends; of one that was killed the file
stays, and is recognized by its process being gone.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

from jupyter_training.executors.processes import start_time


@dataclass(frozen=True)
class LiveServer:
    """A server that can be asked.

    Attributes
    ----------
    url
        Its base URL.
    token
        A training token.
    pid, pid_started
        Its process; the start tells it from a later one of the same pid.
    embedded
        Whether it was started only for its jobs and ends when nobody needs it.
    """

    url: str
    token: str
    pid: int
    pid_started: float
    embedded: bool


def directory() -> Path:
    """Where the files are."""
    return Path(jupyter_runtime_dir()) / "training-servers"


def register(url: str, token: str, *, embedded: bool) -> Path:
    """Write the file of this process."""
    place = directory()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    pid = os.getpid()
    entry = LiveServer(url, token, pid, start_time(pid) or 0.0, embedded)
    path = place / f"{pid}.json"
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w") as stream:
        json.dump(asdict(entry), stream)
    draft.replace(path)
    return path


def live() -> list[LiveServer]:
    """The servers whose processes live, the latest first."""
    found = []
    for path in directory().glob("*.json"):
        entry = _read(path)
        if entry is not None and start_time(entry.pid) == entry.pid_started:
            found.append(entry)
    return sorted(found, key=lambda entry: entry.pid_started, reverse=True)


def wait_for_end(server: LiveServer, timeout_s: float = 10.0) -> None:
    """Wait until the process of a server is gone, or for as long as that may take (s)."""
    deadline = time.monotonic() + timeout_s
    while start_time(server.pid) == server.pid_started and time.monotonic() < deadline:
        time.sleep(0.01)  # not our child, so there is nothing to wait for everywhere


def _read(path: Path) -> LiveServer | None:
    try:
        content = json.loads(path.read_text())
        return LiveServer(**{field.name: content[field.name] for field in fields(LiveServer)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
