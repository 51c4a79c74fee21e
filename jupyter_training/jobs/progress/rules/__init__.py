"""What trainers print, as a table of small rules. The first one that understands a line is it."""

from __future__ import annotations

from jupyter_training.jobs.progress.rule import Rule
from jupyter_training.jobs.progress.rules import (
    bars,
    boosting,
    frameworks,
    general,
    records,
    tables,
)

RULES: tuple[Rule, ...] = (
    *records.RULES,
    *tables.RULES,
    *bars.RULES,
    *boosting.RULES,
    *frameworks.RULES,
    *general.RULES,
)
"""In the order in which they are tried: what is written in one place only comes first."""
