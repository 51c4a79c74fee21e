"""How far a training script is and what it measured, from what it prints.

Scripts need not be changed: what the common trainers print is known as a table of small `RULES`.
`LogReader` takes the bytes of a log, in whatever pieces they come, and tells the progress of the
whole and the points of named metrics; `remaining` tells how long the rest may take.

Progress that is wrong is worse than none. Dates, paths, accuracies, bars of downloads, of data that
are prepared and of validation are no progress, and a counter that turns out to be one of several is
none any more.
"""

from __future__ import annotations

from jupyter_training.jobs.progress.estimate import Observation, Remaining, observed, remaining
from jupyter_training.jobs.progress.reader import NAMES, LogProgress, LogReader, Point
from jupyter_training.jobs.progress.rule import LINE_BYTES, Line, Memory, Rule, Said
from jupyter_training.jobs.progress.rules import RULES

__all__ = [
    "LINE_BYTES",
    "NAMES",
    "RULES",
    "Line",
    "LogProgress",
    "LogReader",
    "Memory",
    "Observation",
    "Point",
    "Remaining",
    "Rule",
    "Said",
    "observed",
    "remaining",
]
