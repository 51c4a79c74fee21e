"""The points at which a server may die, by name: what is promised has to hold at each of them.

The tests kill a real server with SIGKILL at every one of these, again and again, and look at what
became of its jobs. ``JUPYTER_TRAINING_KILL_AT`` names a point and how often it is to be passed
before that: ``turn-committed:2`` kills at the second time. Without it, a point costs a look at a
variable.
"""

from __future__ import annotations

import os
import signal
from enum import Enum

VARIABLE = "JUPYTER_TRAINING_KILL_AT"


class Point(str, Enum):
    """Before and after each write of the server, and each thing that it does to a process."""

    WRITE_BEGUN = "write-begun"
    """A person's request is in a transaction that is not committed."""
    WRITE_COMMITTED = "write-committed"
    LEASE_BEGUN = "lease-begun"
    LEASE_TAKEN = "lease-taken"
    LEASE_RENEWED = "lease-renewed"
    TURN_BEGUN = "turn-begun"
    TURN_WRITTEN = "turn-written"
    """Reports, decisions and claims are in a transaction that is not committed."""
    TURN_COMMITTED = "turn-committed"
    CONTENT_RECEIVED = "content-received"
    """All of a content is on the disk, but not under its name."""
    CONTENT_STORED = "content-stored"
    CONTENT_DELETED = "content-deleted"
    """One of those that no job refers to any more, and perhaps not the last one."""
    CHECKED_OUT = "checked-out"
    """Some of the files of a snapshot are where the job is to run."""
    PREPARED = "prepared"
    """The directories of what was claimed are there."""
    REUSE_COPIED = "reuse-copied"
    """The results of an earlier run are where those of a job belong that need not be run."""
    STUDY_TOLD = "study-told"
    """The study of a search knows how a trial has ended, and that is not written."""
    STUDY_ASKED = "study-asked"
    """The study of a search has suggested a trial, and there is no job for it."""
    START_BEGUN = "start-begun"
    START_ASKED = "start-asked"
    """The launcher has been asked for a supervisor, and has not answered."""
    STARTED = "started"
    SUBMIT_BEGUN = "submit-begun"
    """A job is about to be submitted to a cluster."""
    SUBMITTED = "submitted"
    """A cluster has a job, and nobody has written down which one it is."""
    SUBMISSION_WRITTEN = "submission-written"
    HANDED_OVER = "handed-over"
    """A cluster has the attempt, and the database does not know it."""
    NODE_STARTED = "node-started"
    """One node of a gang runs, and perhaps not all the others."""
    START_REPORTED = "start-reported"
    FIND_BEGUN = "find-begun"
    FOUND = "found"
    STOP_BEGUN = "stop-begun"
    STOPPED = "stopped"
    """The job has been asked to end."""
    METRICS_WRITTEN = "metrics-written"
    """Points are in their files, and the index does not count them yet."""
    METRICS_COMMITTED = "metrics-committed"
    USAGE_BEGUN = "usage-begun"
    USAGE_WRITTEN = "usage-written"
    """What a job uses was added to its file."""
    NODE_ENDED = "node-ended"
    """One node of a gang has ended, and nobody has asked the others to."""
    END_SEEN = "end-seen"
    END_REPORTED = "end-reported"
    TELLING_CLAIMED = "telling-claimed"
    """Somebody is to be told of a job by this server, and has not been."""
    TOLD = "told"
    """Somebody was told, and that is not written."""
    TELLING_WRITTEN = "telling-written"


OF_CLUSTERS = frozenset(
    {Point.SUBMIT_BEGUN, Point.SUBMITTED, Point.SUBMISSION_WRITTEN, Point.HANDED_OVER}
)
"""Those that only jobs for a cluster pass."""

_armed: tuple[str, int] | None = None
_passed = 0


def arm(wanted: str | None) -> None:
    """Die at the point that this names; None for never.

    Raises
    ------
    ValueError
        If there is no such point.
    """
    global _armed, _passed
    name, _, count = (wanted or "").partition(":")
    _passed = 0
    _armed = (Point(name).value, int(count or 1)) if name else None


def reach(point: Point) -> None:
    """Here it may die."""
    global _passed
    if _armed is None or _armed[0] != point.value:
        return
    _passed += 1
    if _passed >= _armed[1]:
        os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get(VARIABLE))
