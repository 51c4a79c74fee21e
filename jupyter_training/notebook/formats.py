"""Numbers and times as people read them; the sidebar writes them in the same way."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone

from jupyter_training.notebook.words import ENGLISH, Words

_DATED = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d) UTC\b")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def figure(value: float | str) -> str:
    """A number with as many digits as are of use: ``45``, ``0.4119``, ``2.5e-5``.

    Parameters
    ----------
    value
        NaN and infinity may be strings, as JSON has them.
    """
    value = float(value)
    if not math.isfinite(value):
        return str(value)
    large = abs(value)
    if value.is_integer() and large < 1e7:
        return str(int(value))
    if 1e-3 <= large < 1e6:
        return f"{float(f'{value:.4g}'):.10g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def duration(seconds: float, words: Words = ENGLISH) -> str:
    """How long something takes: ``42 s``, ``5 min``, ``1 h 12 min``, ``3 d 4 h``."""
    # Half up, as the sidebar does it.
    whole = max(0, math.floor(seconds + 0.5))
    if whole < 60:
        return words("%1 s", whole)
    minutes = math.floor(whole / 60 + 0.5)
    if minutes < 60:
        return words("%1 min", minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return words("%1 h %2 min", hours, minutes) if minutes else words("%1 h", hours)
    days, hours = divmod(hours, 24)
    return words("%1 d %2 h", days, hours) if hours else words("%1 d", days)


def time(text: str) -> datetime:
    """A time as the server tells it, in the time zone of whoever reads it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()


def moment(at: datetime, now: datetime, *, to_the_second: bool = False) -> str:
    """The time of the day, and the day if it is not today: ``14:03``, ``24 Nov 14:03``."""
    clock = f"{at:%H:%M:%S}" if to_the_second else f"{at:%H:%M}"
    if at.date() == now.date():
        return clock
    day = f"{at.day} {_MONTHS[at.month - 1]}"
    return f"{day} {clock}" if at.year == now.year else f"{day} {at.year} {clock}"


def ago(at: datetime, now: datetime) -> str:
    """How long ago something was, and when: ``12 min ago (14:03)``."""
    return f"{duration((now - at).total_seconds())} ago ({moment(at, now)})"


def ahead(at: datetime, now: datetime) -> str:
    """How soon something will be, and when: ``in 25 min (14:40)``."""
    return f"in {duration((at - now).total_seconds())} ({moment(at, now)})"


def in_local_time(sentence: str, now: datetime, *moments: datetime) -> str:
    """A sentence of the server, which tells times in UTC, for whoever reads it.

    Parameters
    ----------
    moments
        What it may tell of by the time of the day alone.
    """

    def local(found: re.Match[str]) -> str:
        at = datetime.strptime(f"{found[1]}+0000", "%Y-%m-%d %H:%M%z")
        return moment(at.astimezone(), now)

    told = _DATED.sub(local, sentence)
    for at in moments:
        for clock in ("%H:%M:%S", "%H:%M"):
            told = told.replace(f"{at.astimezone(timezone.utc):{clock}} UTC", f"{at:{clock}}")
    return told
