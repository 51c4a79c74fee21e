"""What happened to a job, as a small table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from jupyter_training.notebook.facts import Known, one_line, readable
from jupyter_training.notebook.formats import moment, time
from jupyter_training.notebook.states import cause_word, event_word, of
from jupyter_training.notebook.tables import Table

MOST_EVENTS = 12
"""So much of a history is shown."""


class HistoryTable(Table):
    """What happened to a job, of which the latest is of most interest.

    Parameters
    ----------
    most
        How many of the last events are in it.
    """

    columns = ("when", "attempt", "what", "why")
    empty = "Nothing has happened to it yet."

    def __init__(self, known: Known, most: int = MOST_EVENTS) -> None:
        events, now = _told_once(known.events), known.now
        self.earlier = max(0, len(events) - most)
        self.rows = [
            (
                moment(time(event["at"]), now, to_the_second=True),
                str(event["attempt"] or ""),
                of(event["to_status"]).word if event["to_status"] else event_word(event["kind"]),
                one_line(readable(known, _cause(event))),
            )
            for event in events[self.earlier :]
        ]


def _told_once(events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A history without what an attempt was given, where the next event is that it runs with it."""
    return [
        one
        for one, then in zip_longest(events, events[1:])
        if then is None or (one["to_status"], then["to_status"]) != ("scheduled", "running")
    ]


def _cause(event: Mapping[str, Any]) -> str:
    cause = event["cause"] if event["cause"] != "success" else None
    words = [cause_word(cause) if cause else None, event["reason"]]
    return ": ".join(filter(None, words))
