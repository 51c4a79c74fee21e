"""What keeps a local job within its memory, so that the rest of the machine stays up.

There are two ways, and `guard` takes the first that works here:

- A *memory cgroup* of the job's own. The kernel counts every page, stops the job at the limit and
  tells afterwards whether it did. Version 1 and 2 have the same files under other names.
- A *watch* over its processes, for a machine or a container that does not let us make groups. It
  looks now and then, the more often the closer the job is to its limit.

What counts is memory that cannot be had back from the job: anonymous, shared and swapped out, each
page once. Files that it has read or mapped do not count; the kernel drops those when it needs to.

In either case the job asks the kernel to be the first to go when the whole machine runs out.

Standard library only, and no import that is not needed: every supervisor carries this.
"""

from __future__ import annotations

import errno
import os
import time

from jupyter_training.executors.memory import (
    FILES,
    GB,
    HELD,
    LONGEST_S,
    OOM_SCORE,
    PREFIX,
    Home,
    bound,
    describe,
    figures,
    gigabytes,
    homes,
    pause_s,
    share,
)
from jupyter_training.executors.processes import ON_LINUX, descendants, start_time

TYPE_CHECKING = False  # that of typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any


class Guard:
    """Keeps a job within its memory; this one only where the system offers nothing for it.

    Attributes
    ----------
    due
        When it wants to look again, on the monotonic clock (s); None if never.
    """

    due: float | None = None

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._peak = 0

    def join(self) -> bool:
        """Put the calling process under guard; False if it can't be."""
        path = "/proc/self/oom_score_adj"  # which anybody may raise
        try:
            _write(path, str(min(1000, int(read_text(path)) + OOM_SCORE)))
        except (OSError, ValueError):
            pass
        return True

    def look(self) -> bool:
        """See how much it has; True if it has to be killed now."""
        return False

    def account(self) -> tuple[bool, str, float | None]:
        """When no process is left: how it went.

        Returns
        -------
        killed
            Whether a process was killed for its memory.
        told
            What is said of that.
        peak_memory_gb
            The most that it had at once (GB); None if that is not known.
        """
        return False, "", None

    def close(self) -> None:
        """Leave nothing behind."""


class Watch(Guard):
    """Looks at the processes below another one, which is the supervisor."""

    def __init__(self, limit: int, supervisor: int) -> None:
        super().__init__(limit)
        self._supervisor = supervisor
        self.due = time.monotonic() + pause_s(0, limit, 0)
        self._killed_at: int | None = None
        self._before = 0  # what the last look saw
        self._measured = 0  # what the bound was when it was last looked into

    def look(self) -> bool:
        """See how much the job has: at first what it can have at most, which is soon known."""
        began = time.monotonic()
        statuses = {pid: figures(proc(pid, "status")) for pid in descendants(self._supervisor)}
        used = sum(map(bound, statuses.values()))
        doubtful = False
        measured = len(statuses) == 1
        if not measured and (used > self._limit or used > self._measured * 9 // 8):
            # They may share pages. To read the truth takes long, so it is done when it matters.
            self._measured, measured = used, True
            used, doubtful = shares(statuses)
        # What may be gone at the next look is no peak, and nothing to be killed for.
        certain = used
        if doubtful and self._before < used:
            certain, self._measured = self._before, 0
        self._before = used
        if measured:
            self._peak = max(self._peak, certain)
        kill = certain > self._limit
        if kill and self._killed_at is None:
            self._killed_at = used
        now = time.monotonic()
        self.due = now + pause_s(used, self._limit, now - began)
        return kill

    def account(self) -> tuple[bool, str, float | None]:
        """What it saw; a job that was over before the first look has no peak."""
        killed, at = self._killed_at is not None, self._killed_at or 0
        return killed, describe(at, self._limit), gigabytes(self._peak) if self._peak else None


class Group(Guard):
    """A memory cgroup.

    Raises
    ------
    OSError
        There is none to be had.
    """

    def __init__(self, limit: int, home: Home, name: str) -> None:
        super().__init__(limit)
        self._version, directory = home
        self._directory = os.path.join(directory, PREFIX + name)
        self.due = time.monotonic() + LONGEST_S
        self._make()
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        os.mkdir(self._directory)

    def _set_up(self) -> None:
        self._write(FILES[self._version]["limit"], str(self._limit))
        events = self._read("events")
        if "oom_kill" not in events:
            raise OSError(errno.ENOTSUP, "this kernel does not tell whom it killed for memory")
        if events.get("oom_kill_disable"):  # as a container may be told to; it is inherited
            self._write("memory.oom_control", "0")
        # Without these the job would go on into swap, and take the machine's time instead.
        if self._version == 2:
            self._write_if_there("memory.swap.max", "0")
        elif not self._write_if_there("memory.memsw.limit_in_bytes", str(self._limit)):
            self._write_if_there("memory.swappiness", "0")

    def join(self) -> bool:
        """Put the calling process, and what it will start, into the group."""
        super().join()
        return self._write_if_there(FILES[self._version]["join"], "0")

    def look(self) -> bool:
        """Note what it has; the limit is the kernel's business."""
        held = figures(read_text(os.path.join(self._directory, "memory.stat")))
        self._peak = max(self._peak, sum(held.get(name, 0) for name in HELD[self._version]))
        self.due = time.monotonic() + LONGEST_S
        return False

    def account(self) -> tuple[bool, str, float | None]:
        """What the kernel counted."""
        most, left = self._number("peak"), self._number("now")
        killed = self._read("events").get("oom_kill", 0) > 0
        if killed:
            # Before it kills, the kernel drops all that it can: what was left was the job's own.
            self._peak = max(self._peak, self._limit if most is None else most)
        elif most is not None and left is not None:
            # What is left now are files, and without them it is about what the job had at most.
            # If it read them after it had let go of its memory it is less; a look has seen more.
            self._peak = max(self._peak, most - left)
        return (
            killed,
            describe(self._peak, self._limit),
            gigabytes(self._peak) if self._peak else None,
        )

    def close(self) -> None:
        """Remove the group. The kernel may need a moment to see that nobody is in it."""
        for _ in range(50):
            try:
                os.rmdir(self._directory)
                return
            except OSError as error:
                if error.errno != errno.EBUSY:
                    return
            time.sleep(0.01)

    def _write(self, name: str, value: str) -> None:
        _write(os.path.join(self._directory, name), value)

    def _write_if_there(self, name: str, value: str) -> bool:
        try:
            self._write(name, value)
        except OSError:
            return False
        return True

    def _read(self, what: str) -> dict[str, int]:
        return figures(read_text(os.path.join(self._directory, FILES[self._version][what])))

    def _number(self, what: str) -> int | None:
        told = read_text(os.path.join(self._directory, FILES[self._version][what])).strip()
        return int(told) if told.isdigit() else None


def guard(launch: dict[str, Any]) -> Guard:
    """Make ready what keeps a job within its memory.

    Parameters
    ----------
    launch
        ``token``, ``memory_bytes`` and ``memory_home``: where groups are made, None for no groups.
    """
    limit, home = launch["memory_bytes"], launch["memory_home"]
    if home is not None:
        try:
            return Group(limit, home, f"{launch['token']}.{os.getpid()}")
        except OSError:
            pass
    return watch(limit)


def watch(limit: int) -> Guard:
    """The way that needs nobody's permission."""
    return Watch(limit, os.getpid()) if ON_LINUX else Guard(limit)


def find_home() -> Home | None:
    """Where groups can be made here: tried out, because no file says it. None if nowhere.

    What supervisors that were killed have left there is removed.
    """
    for home in homes(read_text("/proc/self/cgroup"), read_text("/proc/self/mountinfo")):
        if is_usable(home):
            tidy(home)
            return home
    return None


def is_usable(home: Home) -> bool:
    """Whether a group can be made there."""
    version, directory = home
    try:
        if version == 2 and not _hands_memory_down(directory):
            return False
        Group(GB, home, f"trial.{os.getpid()}").close()
    except OSError:  # read-only, not ours, no such controller, or processes in it
        return False
    return True


def _hands_memory_down(directory: str) -> bool:
    """Let the children of a group of version 2 have limits; False if that is not for us to do."""
    is_ours = str(os.getpid()) in read_text(os.path.join(directory, "cgroup.procs")).split()
    if not is_ours and not _is_delegated(directory):
        return False
    control = os.path.join(directory, "cgroup.subtree_control")
    if "memory" not in read_text(control).split():
        _write(control, "+memory")
    return True


def _is_delegated(directory: str) -> bool:
    """Whether the service manager has handed a group over, with all that is below."""
    if not ON_LINUX:
        return False
    try:
        return os.getxattr(directory, "user.delegate") == b"1"
    except OSError:
        return False


def tidy(home: Home) -> None:
    """Remove the groups whose supervisor is gone; those with processes in them stay."""
    for name in os.listdir(home[1]):
        supervisor = name.rpartition(".")[2]
        if name.startswith(PREFIX) and supervisor.isdigit() and start_time(int(supervisor)) is None:
            try:
                os.rmdir(os.path.join(home[1], name))
            except OSError:
                pass


def shares(statuses: dict[int, dict[str, int]]) -> tuple[int, bool]:
    """What processes have together (bytes), each page counted once.

    Between vfork and exec a child *is* its parent, and its pages do not even count as shared. Such
    a child has the very figures of its parent, unless a thread of it changes them meanwhile.

    Returns
    -------
    used
        The sum.
    doubtful
        Whether something may be in it twice: addresses are other ones in every program, so two
        processes that have the same are a child and its parent, before an exec.
    """
    total = 0
    addresses: list[str] = []
    seen: set[tuple[object, ...]] = set()
    for pid, status in statuses.items():
        text = proc(pid, "smaps_rollup")
        rollup = figures(text)
        where = text.partition(" ")[0]
        # Not what it has of files: that changes with everybody else who has them.
        key = (where, *(rollup.get(name, 0) for name in ("Rss", "Anonymous", "Pss_Anon")))
        # A copy that a fork made may have the same figures too, but of a page that two have each
        # has at most half.
        if key in seen and rollup["Pss_Anon"] * 2 > rollup["Anonymous"]:
            continue
        total += share(status, rollup)
        addresses.append(where)
        if "Pss_Anon" in rollup:
            seen.add(key)
    return total, len(set(addresses)) < len(addresses)


def proc(pid: int, name: str) -> str:
    """What a file of a process holds; nothing if it can't be read."""
    return read_text(f"/proc/{pid}/{name}")


def read_text(path: str) -> str:
    """What a file holds; nothing if it can't be read."""
    whole = b""
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            while chunk := os.read(file, 1 << 16):
                whole += chunk
        finally:
            os.close(file)
    except OSError:
        return ""
    return whole.decode("utf-8", "replace")


def _write(path: str, value: str) -> None:
    # Not created if it is not there: in a directory that is no cgroup it would be just a file.
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, value.encode())
    finally:
        os.close(file)
