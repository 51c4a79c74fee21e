"""What the processes of an attempt use, read from the kernel: control groups, or the processes.

Where an attempt has a control group of its own, as every container and many local jobs do, that
tells. Where it has none, its processes are looked at one by one, with one list of all processes of
the machine for all attempts.

A group is taken for an attempt's only if its name says so. Process ids mean nothing on another
machine, or outside of the container that this server may be in, and are used again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from jupyter_training.executors.guard import proc, read_text, shares
from jupyter_training.executors.memory import HELD, PREFIX, bound, figures
from jupyter_training.executors.processes import Processes
from jupyter_training.jobs.usage import Consumption

_TRIES = 5
"""How often a group is looked for: between the fork and the start of a job it has none yet."""

_CHANGED = 0.05
"""Processes that have so much more or less than before are measured again, which takes longer."""


class Gauge(Protocol):
    """Tells what an attempt uses. It blocks, for as long as it takes to read some small files."""

    def read(self, processes: Processes) -> Consumption | None:
        """What it uses now; None if that cannot be known, or nothing of it is left.

        Parameters
        ----------
        processes
            Those of this machine.
        """


class Groups:
    """The control groups of an attempt.

    Parameters
    ----------
    mark
        What is in the name of its groups and of no others.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._tries = 0
        self._found: dict[str, str] = {}

    def look(self, pid: int) -> None:
        """Find the groups that a process of the attempt is in, if that is still to be done."""
        if self._found or self._tries >= _TRIES:
            return
        self._tries += 1
        told = proc(pid, "cgroup")
        self._found = directories(told, read_text("/proc/self/mountinfo"), self._mark)

    def memory_bytes(self) -> int | None:
        """What is held in the group for memory; None if there is none."""
        return memory_in(self._found)

    def cpu_s(self) -> float | None:
        """The CPU time of the group (s); None if there is none that counts it."""
        return cpu_in(self._found)


class LocalGauge:
    """Tells what a local attempt uses.

    Parameters
    ----------
    handle
        What a supervisor says of itself.
    """

    def __init__(self, token: str, handle: Mapping[str, Any]) -> None:
        self._supervisor, self._since = int(handle["pid"]), float(handle["start_time"])
        self._groups = Groups(PREFIX + token)
        # What the processes held together when that was last measured: at most, and in truth.
        self._measured = (0, 0)

    def read(self, processes: Processes) -> Consumption | None:
        """See `Gauge`."""
        if processes.start_time(self._supervisor) != self._since:
            return None
        below = processes.below(self._supervisor)
        if not below:
            return None
        cpu_s = processes.cpu_of_ended_s(self._supervisor) + sum(map(processes.cpu_s, below))
        self._groups.look(below[0])
        held = self._groups.memory_bytes()
        return Consumption(cpu_s, self._held(below) if held is None else held)

    def _held(self, pids: list[int]) -> int:
        statuses = {pid: figures(proc(pid, "status")) for pid in pids}
        most = sum(map(bound, statuses.values()))
        if len(statuses) < 2:
            return most
        before, truth = self._measured
        if not before or abs(most - before) > _CHANGED * before:
            # They may share pages, and to see that takes long: only when something has changed.
            before, truth = most, shares(statuses)[0]
            self._measured = before, truth
        return min(most, truth + most - before) if most > before else truth


class ContainerGauge:
    """Tells what a container of this machine uses.

    Parameters
    ----------
    container
        Its id.
    pid
        Its first process, as this machine's engine numbers it.
    """

    def __init__(self, container: str, pid: int) -> None:
        self._pid, self._groups = pid, Groups(container)

    def read(self, processes: Processes) -> Consumption | None:
        """See `Gauge`."""
        self._groups.look(self._pid)
        used = Consumption(self._groups.cpu_s(), self._groups.memory_bytes())
        return used if used != Consumption() else None


def memory_in(groups: Mapping[str, str]) -> int | None:
    """What is held in a control group (bytes): nothing that the kernel could drop.

    Parameters
    ----------
    groups
        As from `directories`.
    """
    for controller, version in (("memory", 1), ("", 2)):
        if controller in groups:
            held = figures(read_text(os.path.join(groups[controller], "memory.stat")))
            return sum(held.get(name, 0) for name in HELD[version]) if held else None
    return None


def cpu_in(groups: Mapping[str, str]) -> float | None:
    """The CPU time of all that was ever in a control group (s).

    Parameters
    ----------
    groups
        As from `directories`.
    """
    if "cpuacct" in groups:
        told = read_text(os.path.join(groups["cpuacct"], "cpuacct.usage")).strip()
        return int(told) / 1e9 if told.isdigit() else None
    if "" in groups:
        used = figures(read_text(os.path.join(groups[""], "cpu.stat"))).get("usage_usec")
        return None if used is None else used / 1e6
    return None


def directories(cgroup: str, mountinfo: str, mark: str) -> dict[str, str]:
    """Where the control groups of a process are, going by names only.

    Parameters
    ----------
    cgroup, mountinfo
        What `/proc/<pid>/cgroup` says, and `/proc/self/mountinfo`.
    mark
        What has to be in the name of a group.

    Returns
    -------
    dict
        Directories by the name of the controller in version 1; that of version 2 has an empty name.
    """
    wanted: dict[str, str] = {}
    for line in cgroup.splitlines():
        _, controllers, path = line.split(":", 2)
        if mark in path.rpartition("/")[2] and ".." not in path.split("/"):
            wanted |= dict.fromkeys(controllers.split(","), path)
    found: dict[str, str] = {}
    for line in mountinfo.splitlines() if wanted else ():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        root, point = before.split()[3:5]
        names = [""] if kind == "cgroup2" else options.split(",") if kind == "cgroup" else []
        for name in names:
            if name not in wanted or name in found:
                continue
            below = os.path.relpath(wanted[name], root)
            if not below.startswith(".."):  # else a part of the tree in which it is not
                found[name] = os.path.normpath(os.path.join(point, below))
    return found
