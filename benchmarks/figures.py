"""A figure that is told, next to that of a baseline from the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the result.

    Attributes
    ----------
    ours, bare
        What was measured of jupyter-training, and of the baseline.
    compared, unit
        The one by the other, or what it is more.
    aim, met
        What is aimed at, in words, and whether it was reached; None where nothing is.
    """

    name: str
    ours: float
    bare: float
    compared: float
    unit: str
    aim: str
    met: bool | None


def table(figures: Sequence[Figure]) -> str:
    """All of them, for a terminal."""
    lines = [f"{'':24}{'jupyter-training':>18}{'baseline':>14}   compared"]
    for one in figures:
        aim = f"   aim: {one.aim}, {'met' if one.met else 'not met'}" if one.aim else ""
        compared = f"{one.compared:8.2f} {one.unit}"
        lines.append(f"{one.name:24}{one.ours:18.1f}{one.bare:14.1f}   {compared}{aim}")
    return "\n".join(lines)
