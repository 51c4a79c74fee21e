"""What somebody who follows a log is told, one thing after another."""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyter_training.store.records import Job


@dataclass(frozen=True)
class AttemptBegins:
    """From here on it is the log of this attempt.

    Attributes
    ----------
    offset
        Where it is read from (bytes).
    size
        How long the log is already (bytes).
    """

    attempt: int
    offset: int
    size: int


@dataclass(frozen=True)
class Lines:
    """Lines that have come.

    Attributes
    ----------
    offset, next_offset
        The bytes that they are, and where to read on after them.
    replaces
        How many of the lines that were told before are to be taken back: they were written over.
    partial
        What stands below the lines, and may still change; it takes the place of what was partial
        before. It is told again from `next_offset` on.
    times
        When each line began (s since 1970; None if unknown).
    partial_times
        The same of those that are partial.
    encoded
        For whoever sends it to several: what it was made into, so that this is done once.
    """

    offset: int
    next_offset: int
    lines: list[str]
    replaces: int = 0
    partial: list[str] = field(default_factory=list)
    times: list[float | None] = field(default_factory=list)
    partial_times: list[float | None] = field(default_factory=list)
    encoded: dict[bool, bytes] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Bytes:
    """Bytes as they were printed, from `offset` on."""

    offset: int
    content: bytes

    @property
    def next_offset(self) -> int:
        """Where to read on after them."""
        return self.offset + len(self.content)


@dataclass(frozen=True)
class Skipped:
    """What is between two offsets is left out.

    Attributes
    ----------
    kept
        Whether it is still there, and can be read on its own: more was printed than is shown as it
        comes. If not, the log had reached its limit.
    """

    offset: int
    next_offset: int
    kept: bool


@dataclass(frozen=True)
class Ended:
    """The job has ended, and all that it printed was told."""

    job: Job
    next_offset: int


Frame = AttemptBegins | Lines | Bytes | Skipped | Ended
