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
    return Processes().below(root)


class Processes:
    """All processes of this machine as of one moment, which is when they are first asked for.

    One reading for all who want to know: it costs some ten microseconds for each process there is.
    """

    def __init__(self) -> None:
        self._stats: dict[int, list[bytes]] | None = None
        self._children: dict[int, list[int]] = {}

    def below(self, root: int) -> list[int]:
        """The processes below `root`."""
        self._read()
        found, queue = [], [root]
        while queue:
            below = self._children.get(queue.pop(), [])
            found += below
            queue += below
        return found

    def start_time(self, pid: int) -> float | None:
        """When a process started, in clock ticks since boot; None if there is none."""
        fields = self._read().get(pid)
        return None if fields is None or fields[0] in b"ZX" else float(fields[19])

    def cpu_s(self, pid: int) -> float:
        """CPU time of a process, and of those below it that it has waited for (s)."""
        return self._ticks(pid, 11, 15)

    def cpu_of_ended_s(self, pid: int) -> float:
        """CPU time of those below a process that it has waited for (s)."""
        return self._ticks(pid, 13, 15)

    def _ticks(self, pid: int, first: int, last: int) -> float:
        fields = self._read().get(pid)
        ticks = 0 if fields is None else sum(map(int, fields[first:last]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def _read(self) -> dict[int, list[bytes]]:
        if self._stats is None:
            self._stats = {}
            for name in os.listdir("/proc") if ON_LINUX else ():
                if name.isdigit() and (fields := _stat(int(name))) is not None:
                    self._stats[int(name)] = fields
                    self._children.setdefault(int(fields[1]), []).append(int(name))
        return self._stats
