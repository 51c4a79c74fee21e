"""What the doctor says: checks with a verdict. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """How it is about a part of this machine."""

    OK = "ok"
    ABSENT = "absent"
    """An optional part that is not here, which nobody has asked for."""
    PROBLEM = "problem"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name
        What was looked at.
    found
        What was found, in a sentence.
    repair
        What to do about it: a command or a setting. Empty if nothing is to be done.
    blocks_jobs
        Whether no job can be run, or none as configured, before this is repaired.
    """

    name: str
    verdict: Verdict
    found: str
    repair: str = ""
    blocks_jobs: bool = False


def ok(name: str, found: str, repair: str = "") -> Check:
    """A part that works; a repair is what could make it better."""
    return Check(name, Verdict.OK, found, repair)


def absent(name: str, found: str, repair: str = "") -> Check:
    """An optional part that is not here."""
    return Check(name, Verdict.ABSENT, found, repair)


def problem(name: str, found: str, repair: str, *, blocks_jobs: bool = False) -> Check:
    """A part that is asked for, or is here, and does not work."""
    return Check(name, Verdict.PROBLEM, found, repair, blocks_jobs)


def jobs_can_run(checks: Iterable[Check]) -> bool:
    """Whether nothing was found that keeps jobs from running."""
    return not any(check.blocks_jobs for check in checks)


def conclusion(checks: Iterable[Check]) -> str:
    """All of it in a sentence."""
    troubled = [check for check in checks if check.verdict is Verdict.PROBLEM]
    blocking = [check.name for check in troubled if check.blocks_jobs]
    if blocking:
        return f"Jobs cannot run here until this is repaired: {', '.join(blocking)}."
    if troubled:
        names = ", ".join(check.name for check in troubled)
        return f"Jobs can run here, but not all is well: {names}."
    return "Jobs can run here."
