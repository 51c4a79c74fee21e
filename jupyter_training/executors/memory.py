"""How much memory a local job holds, and what follows from that: values from what the kernel says.

What counts is memory that cannot be had back from the job: anonymous, shared and swapped out, each
page once. Files that it has read or mapped do not count; the kernel drops those when it needs to.

`guard` does what follows. Standard library only: every supervisor carries this.
"""

from __future__ import annotations

import os

GB = 1 << 30

PREFIX = "jupyter-training-"
"""How the name of every group begins; the token and the pid of its supervisor follow."""

_FASTEST = 8 * GB
"""How fast a job may take memory (bytes/s): about what one core can write, and not much more."""

_SHORTEST_S, LONGEST_S = 0.02, 1.0
_SHARE = 4
"""A look may cost this much less than the pause after it: a watch takes a fifth of one core."""

OOM_SCORE = 500
"""For the kernel's choice it is as if half of the machine's memory were the job's."""

FILES = {
    1: {
        "limit": "memory.limit_in_bytes",
        "peak": "memory.max_usage_in_bytes",
        "now": "memory.usage_in_bytes",
        "events": "memory.oom_control",
        # One thread that moves itself; with cgroup.procs every other one on the machine that is
        # about to fork or exit would have to be waited for.
        "join": "tasks",
    },
    2: {
        "limit": "memory.max",
        "peak": "memory.peak",
        "now": "memory.current",
        "events": "memory.events",
        "join": "cgroup.procs",
    },
}
HELD = {1: ("total_rss", "total_shmem", "total_swap"), 2: ("anon", "shmem")}
"""In `memory.stat`: what cannot be had back. Version 2 gets no swap from us."""

Home = tuple[int, str]
"""Where groups are made: the version of cgroups and a directory."""


def figures(text: str) -> dict[str, int]:
    """The ``name number`` lines of a file of the kernel; a colon after the name is left out."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[1].isdigit():
            found[words[0].rstrip(":")] = int(words[1])
    return found


def homes(cgroup: str, mountinfo: str) -> list[Home]:
    """Where this process could make groups for memory, going by names only.

    Parameters
    ----------
    cgroup, mountinfo
        What `/proc/self/cgroup` and `/proc/self/mountinfo` say.

    Returns
    -------
    list of (version, directory)
        The better place first. Version 2 is there only if version 1 does not have the memory.
    """
    own: dict[int, str] = {}
    for line in cgroup.splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            own[1] = path
        elif not controllers:
            own[2] = path
    if not own:
        return []
    version = min(own)
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        root, point = before.split()[3:5]
        if kind != ("cgroup" if version == 1 else "cgroup2"):
            continue
        if version == 1 and "memory" not in options.split(","):
            continue
        below = os.path.relpath(own[version], root)
        if ".." in f"{own[version]}/{root}/{below}".split("/"):
            continue  # a container that sees only a part of the tree, in which we are not
        directory = os.path.normpath(os.path.join(point, below))
        if version == 1 or below == ".":
            return [(version, directory)]
        # In version 2 a group that has processes has no limits for its children, and ours has us
        # in it; a service manager that hands over a group may have put us one below it.
        return [(version, directory), (version, os.path.dirname(directory))]
    return []


def pause_s(used: int, limit: int, cost_s: float) -> float:
    """How long a watch can look away.

    Parameters
    ----------
    used, limit
        Of the job (bytes).
    cost_s
        What the last look took (s).
    """
    reached_s = (limit - used) / _FASTEST
    return min(LONGEST_S, max(_SHORTEST_S, cost_s * _SHARE, reached_s))


def bound(status: dict[str, int]) -> int:
    """The most that a process can add to the use of a job (bytes), from `/proc/<pid>/status`.

    Not from `statm`, which is shorter but has shared memory and files in one number.
    """
    return 1024 * sum(status.get(name, 0) for name in ("RssAnon", "RssShmem", "VmSwap"))


def share(status: dict[str, int], rollup: dict[str, int]) -> int:
    """What a process adds to the use of a job (bytes), a page of n processes counted as 1/n.

    Parameters
    ----------
    status, rollup
        The figures of `/proc/<pid>/status` and of `smaps_rollup`, which old kernels don't have.
    """
    most = bound(status)
    if "Pss_Anon" in rollup:
        parts = [rollup.get(name, 0) for name in ("Pss_Anon", "Pss_Shmem", "SwapPss")]
        return min(most, 1024 * sum(parts))
    if "Pss" in rollup:  # with its files, which the other number is without
        return min(most, 1024 * (rollup["Pss"] + rollup.get("SwapPss", 0)))
    return most


def verdict(succeeded: bool, killed: bool, told: str, why: dict[str, str]) -> dict[str, str]:
    """Why a job ended.

    Parameters
    ----------
    succeeded
        Whether its main process ended by itself and with 0.
    killed
        Whether a process of it was killed for its memory. A job that ends well all the same has
        replaced it; one that does not is taken to have ended of it.
    told
        What is said of that.
    why
        Why it was being ended anyway; empty if it was not. Then that is the cause.
    """
    if why or succeeded or not killed:
        return why
    return {"cause": "out_of_memory", "detail": told}


def describe(peak: int, limit: int) -> str:
    """How a job that was killed for its memory stood to its limit; both in bytes."""
    told = f"killed at {peak / GB:.1f} of {round(limit / GB, 2):g} GB"
    if peak < 0.9 * limit:
        # The kernel counts its victims alike, whoever it was that had no memory left.
        told += ", when the machine had no memory left"
    return told


def gigabytes(amount: int) -> float:
    """Bytes as GB of 1024**3."""
    return round(amount / GB, 6)
