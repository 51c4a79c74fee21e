"""Who is told what of a job: the occasions, who wants to hear of them, and how often it is tried.

Everything here is a value or a pure function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from jupyter_training.jobs.lifecycle import Cause
from jupyter_training.jobs.requests import Line


class Occasion(str, Enum):
    """What somebody may want to be told of."""

    COMPLETED = "completed"
    FAILED = "failed"
    RETRYING = "retrying"
    CANCELLED = "cancelled"
    """By somebody else, or because of another job; what one has done oneself is no news."""
    IDLE = "idle"
    """Its GPUs have done nothing for long."""


DEFAULT = (Occasion.COMPLETED, Occasion.FAILED, Occasion.CANCELLED, Occasion.IDLE)
"""Unless somebody says otherwise. A retry is not among them: nobody has to do anything."""


class Notify(BaseModel):
    """Who is to be told, and of what.

    Attributes
    ----------
    to
        The URL of a receiver as Apprise writes it, or the name of one that the server has; or the
        id of a job, for those who are told of that one.
    on
        The occasions; if left out, those that the server is configured for, or those of that job.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: Annotated[Line, Field(max_length=2048)]
    on: Annotated[list[Occasion], Field(min_length=1, max_length=20)] | None = None


def scheme(url: str) -> str:
    """``slack`` of ``slack://…``; empty for what is no URL."""
    before, colon, _ = url.partition("://")
    return before.lower() if colon else ""


@dataclass(frozen=True)
class Receiver:
    """Somebody who is told of a job.

    Attributes
    ----------
    url
        For Apprise. It is a secret: whoever has it can write to the receiver.
    name
        What the server's configuration calls it; None if its URL was given with the job.
    on
        The occasions.
    """

    url: str = field(repr=False)
    name: str | None
    on: tuple[Occasion, ...]

    @property
    def called(self) -> str:
        """What may be shown of it."""
        return self.name or f"{scheme(self.url)}://…"

    def to_json(self) -> dict[str, Any]:
        """To be kept with the job."""
        return {"url": self.url, "name": self.name, "on": [one.value for one in self.on]}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Receiver:
        """What was kept."""
        return cls(kept["url"], kept["name"], tuple(Occasion(one) for one in kept["on"]))


def is_news(
    occasion: Occasion, *, owner: str, cause: Cause | None, cancelled_by: str | None
) -> bool:
    """Whether the owner of a job does not know of an occasion anyway.

    Parameters
    ----------
    cancelled_by
        Who has asked for the job to be cancelled.
    """
    if occasion is not Occasion.CANCELLED:
        return True
    if cause is Cause.PRUNED:  # a search does that to most of its trials
        return False
    return cause is not Cause.CANCELLED_BY_USER or cancelled_by != owner


FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 3600.0
GIVE_UP_S = 86400.0
"""How long after the occasion it is tried (s)."""


def next_wait_s(tries: int, since_s: float, spread: float) -> float | None:
    """How long to wait before a receiver that has failed is tried again.

    Parameters
    ----------
    tries
        How often it was tried, at least once.
    since_s
        How long ago the occasion was (s).
    spread
        A number from 0 to 1, drawn at random by the caller: receivers that failed together are not
        to be tried together.

    Returns
    -------
    float or None
        In seconds; None to give up.
    """
    if since_s >= GIVE_UP_S:
        return None
    wait: float = min(FIRST_WAIT_S * 2 ** min(max(tries, 1) - 1, 32), LONGEST_WAIT_S)
    return wait * (1 + 0.25 * spread)
