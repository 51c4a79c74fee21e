"""How far a training script has come, from what it prints.

Scripts count: epochs, steps, percents, bars that are drawn over and over. Two kinds of counter are
told apart. An *outer* one counts the whole (``Epoch 3/10``). An *inner* one counts something within
it (a step, a bar), and is the whole only while nothing speaks against that: no epoch was named and
the counter has not begun again. Progress that is wrong is worse than none, so what is not
recognized with certainty is left out: dates, paths, accuracies, bars of downloads.

Only whole lines are read, where a carriage return ends a line too; so it makes no difference in
which pieces a log arrives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

LINE_BYTES = 4096
"""How much of a line is looked at."""


class Counts(Enum):
    """What a counter says something about."""

    OUTER = "the whole, by the part that it is in"
    OVER = "the whole, by the parts that are over"
    INNER = "a part, or the whole if there are no parts"
    PART_OF_UNKNOWN = "a part of who knows how many"
    OTHER = "something else than training"


@dataclass(frozen=True)
class Rule:
    """One way to count.

    Attributes
    ----------
    pattern
        With groups ``n`` and ``of``, or ``percent``, or none if it only says what the line is not.
    example
        A line of a real script.
    """

    counts: Counts
    pattern: re.Pattern[str]
    example: str


def _rule(counts: Counts, pattern: str, example: str) -> Rule:
    return Rule(counts, re.compile(pattern, re.IGNORECASE), example)


# No pattern here can backtrack further than a line: each repetition excludes what follows it.
_N_OF = r"\[?[ ]{0,8}(?P<n>\d{1,9})[ ]{0,3}(?:/|of)[ ]{0,8}(?P<of>\d{1,9})(?![\d/.])"
_BAR = r"\d{1,3}%\|[^|\[]{0,400}\|[ ]{0,8}(?P<n>\d{1,9})/(?P<of>\d{1,9})(?![\d/.])"

RULES: tuple[Rule, ...] = (
    _rule(
        Counts.OTHER,
        r"^(?!\W{0,4}(?:\d|epoch|train|fit|step|iter|batch|progress|total))"
        r"[^|%]{0,80}[a-z][^|%]{0,80}?\d{1,3}%\|",
        "Downloading data:  45%|####5     | 45.0M/100M [00:10<00:12]",
    ),
    _rule(Counts.OTHER, r"\b\d{1,4}/\d{1,2}/\d{1,4}\b", "2026/01/26 10:00:00 begun"),
    _rule(Counts.OUTER, rf"\bepochs?\b[ :#=]{{0,4}}{_N_OF}", "Epoch 3/30 - loss: 0.12"),
    _rule(Counts.OVER, rf"\bepochs\b[ :]{{0,4}}{_BAR}", "Epochs:  30%|###   | 3/10 [00:10<00:20]"),
    _rule(
        Counts.OUTER,
        r"^\s{2,12}(?P<n>\d{1,9})/(?P<of>\d{1,9})\s{1,12}[\d.]{1,8}G\s",
        "      3/100      2.1G     0.8312",
    ),
    _rule(Counts.PART_OF_UNKNOWN, r"\bepoch\b[ :#=]{0,4}\[?\d", "Train Epoch: 1 [1280/60000 (2%)]"),
    _rule(Counts.INNER, rf"\b(?:step|iteration|iter|batch)s?\b[ :#=]{{0,4}}{_N_OF}", "step 40/200"),
    _rule(Counts.INNER, _BAR, " 45%|####5     | 45/100 [00:10<00:12, 4.50it/s]"),
    _rule(
        Counts.INNER,
        r"^\s{0,8}(?P<n>\d{1,9})/(?P<of>\d{1,9})\s{1,4}[\[━╸]",
        "40/200 [=====>........] - ETA: 3s",
    ),
    _rule(
        Counts.INNER,
        r"^\W{0,4}(?:(?:overall |total |training )?progress[ :=]{0,3})?"
        r"(?P<percent>\d{1,3})(?:\.\d{1,6})?[ ]?%(?: (?:done|completed?))?[ .]{0,3}$",
        "45%",
    ),
)
"""In the order in which they are tried. A line may have an outer and an inner counter."""

_FINISHED = re.compile(
    r"(?:loss|acc|err|auc|f1|mse|mae|ppl|perplexity|score|reward|precision|recall|iou|dice|map)"
    r"\w{0,20}[\"']?[ ]{0,2}[:=]",
    re.IGNORECASE,
)
"""A result on an epoch's line: the epoch is over, and not about to begin."""

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_WORTH_A_LOOK = re.compile(rb"\d\s?(?:/|of|%)|epoch", re.IGNORECASE)


class LogProgress:
    """Feed it what a script prints; it knows how far the script has come."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._epochs: int | None = None
        self._done = 0.0
        self._part: float | None = None
        self._parts_unknown = False
        self._furthest: int | None = None

    @property
    def percent(self) -> int | None:
        """From 0 to 99; None if nothing was recognized.

        It does not go back, unless what it was read from turns out to be only a part.
        """
        return self._furthest

    def feed(self, chunk: bytes) -> None:
        """Read on."""
        *lines, rest = chunk.replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            self._append(line)
            if _WORTH_A_LOOK.search(self._line):
                self._read(_ESCAPE.sub("", self._line.decode("utf-8", "replace")))
            self._line.clear()
        self._append(rest)

    def _append(self, piece: bytes) -> None:
        self._line += piece[: LINE_BYTES - len(self._line)]

    def _read(self, line: str) -> None:
        outer: tuple[int, int] | None = None
        for rule in RULES:
            found = rule.pattern.search(line)
            if found is None:
                continue
            if rule.counts is Counts.OTHER:
                return
            if rule.counts is Counts.PART_OF_UNKNOWN:
                if outer is None and self._epochs is None:
                    self._give_up()
                continue
            count = _count(found)
            if count is None:
                continue
            if rule.counts is Counts.OVER:
                self._at(count, over=count[0])
                return
            if rule.counts is Counts.OUTER:
                outer = outer or count
            elif outer is not None:
                self._at(outer, over=outer[0] - 1 + count[0] / count[1])
                return
            else:
                self._within(count)
                return
        if outer is not None:
            self._at(outer, over=outer[0] - (not _FINISHED.search(line)))

    def _at(self, epoch: tuple[int, int], over: float) -> None:
        """An epoch was named, and so many of them are over."""
        self._epochs = epoch[1]
        if self._part is not None or self._parts_unknown:
            # Whatever was counted before was only a part.
            self._part, self._parts_unknown, self._furthest = None, False, None
        # The first one is number 1; with a script that counts from 0, this is one behind.
        self._done = max(over, 0.0)
        self._move(self._done / self._epochs)

    def _within(self, count: tuple[int, int]) -> None:
        """A counter alone: within the epoch that was named, or of the whole."""
        part = count[0] / count[1]
        if self._epochs is not None:
            self._move((self._done + part) / self._epochs)
        elif self._parts_unknown:
            return
        elif self._part is not None and part < self._part:
            self._give_up()  # it began again, so it is one of several
        else:
            self._part = part
            self._move(part)

    def _give_up(self) -> None:
        self._parts_unknown = True
        if self._furthest is not None:
            self._furthest = 0

    def _move(self, share: float) -> None:
        # A hundred is for a job that has ended.
        percent = min(int(share * 100 + 1e-9), 99)
        self._furthest = max(percent, self._furthest or 0)


def _count(found: re.Match[str]) -> tuple[int, int] | None:
    """A count and what it counts to; None if that cannot be."""
    groups = found.groupdict()
    number, of = (groups["percent"], 100) if "percent" in groups else (groups["n"], groups["of"])
    count = int(number), int(of)
    return count if 0 <= count[0] <= count[1] and count[1] > 0 else None
