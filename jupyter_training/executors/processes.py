"""Processes of this machine: which one it is, since when, and what is below it.

Standard library only, and no import that is not needed: every supervisor carries this.
"""

from __future__ import annotations

import os
import sys
import time

ON_LINUX = sys.platform == "linux"


def boot_id() -> str:
    """What tells this boot of the machine from every other; empty where the system has none."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def start_time(pid: int) -> float | None:
    """When a process started, so that a reused pid is not mistaken for it.

    Returns
    -------
    float or None
        Clock ticks since boot on Linux, seconds since the epoch elsewhere; None if there is no such
        process, or only what is left of one that nobody has waited for.
    """
    if ON_LINUX:
        fields = _stat(pid)
        return None if fields is None or fields[0] in b"ZX" else float(fields[19])
    import subprocess

    told = subprocess.run(
        ["ps", "-o", "lstart=,state=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    if len(told) != 6 or told[5].startswith("Z"):
        return None
    return time.mktime(time.strptime(" ".join(told[:5]), "%a %b %d %H:%M:%S %Y"))


def _stat(pid: int) -> list[bytes] | None:
    """What `/proc/<pid>/stat` has after the name: state, parent and so on."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name may hold anything, also spaces and parentheses.
            return file.read().rpartition(b") ")[2].split()
    except OSError:
        return None


def descendants(root: int) -> list[int]:
    """The processes below `root`, as of now."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if ON_LINUX else ():
        if name.isdigit() and (fields := _stat(int(name))) is not None:
            children.setdefault(int(fields[1]), []).append(int(name))
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found
