"""What the parts of a search are called, and how its space is written as a text.

It is apart from :mod:`searches`, whose checks take long to import, so that a terminal's commands
begin at once.
"""

from __future__ import annotations

import csv
import json
from enum import Enum
from typing import Any


class Goal(str, Enum):
    """What is best."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"

    def better(self, one: float, other: float) -> bool:
        """Whether one value is better than another."""
        return one < other if self is Goal.MINIMIZE else one > other


class Sampler(str, Enum):
    """Who suggests the parameters of the next trial."""

    TPE = "tpe"
    RANDOM = "random"
    GRID = "grid"
    CMAES = "cmaes"


class Pruner(str, Enum):
    """Who decides that a trial is stopped early."""

    NONE = "none"
    MEDIAN = "median"
    ASHA = "asha"
    HYPERBAND = "hyperband"


class Kind(str, Enum):
    """From what one parameter is chosen."""

    UNIFORM = "uniform"
    LOGUNIFORM = "loguniform"
    INT = "int"
    LOGINT = "logint"
    CHOICE = "choice"

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self in (Kind.INT, Kind.LOGINT)

    @property
    def is_logarithmic(self) -> bool:
        """Whether each order of magnitude is as likely as the others."""
        return self in (Kind.LOGUNIFORM, Kind.LOGINT)


def of_text(text: str) -> dict[str, Any]:
    """A dimension as people write it: ``loguniform:1e-5:1e-1``, ``int:1:9:2``, ``choice:16,32``.

    Raises
    ------
    ValueError
        If it is written otherwise.
    """
    kind, colon, rest = text.strip().partition(":")
    there = ", ".join(one.value for one in Kind)
    if kind not in list(Kind):
        raise ValueError(f"{kind!r} is none of {there}")
    if kind == Kind.CHOICE:
        return {"type": kind, "values": _values(rest)}
    parts = rest.split(":") if colon else []
    if not 2 <= len(parts) <= 3:
        raise ValueError(f"{text!r} should be {kind}:LOW:HIGH")
    numbers = [_number(part, text) for part in parts]
    return {"type": kind, **dict(zip(("low", "high", "step"), numbers, strict=False))}


def _values(text: str) -> list[Any]:
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a JSON array") from None
        return list(found)
    (words,) = csv.reader([text], skipinitialspace=True) if text else [[]]
    return [_value(word.strip()) for word in words]


def _value(word: str) -> Any:
    named: dict[str, Any] = {"true": True, "false": False, "none": None, "null": None}
    if word.lower() in named:
        return named[word.lower()]
    for read in (int, float):
        try:
            return read(word)
        except ValueError:
            continue
    return word


def _number(word: str, text: str) -> int | float:
    value = _value(word.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{word!r} in {text!r} is not a number")
    # 1e3 is a whole number for who writes it.
    is_whole = (
        isinstance(value, float) and value.is_integer() and text.startswith(("int", "logint"))
    )
    return int(value) if is_whole else value
