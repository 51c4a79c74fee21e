"""What a line can say, and a rule by which it is understood."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LINE_BYTES = 4096
"""How much of a line is looked at."""


@dataclass(frozen=True)
class Said:
    """What a line says about a training.

    Attributes
    ----------
    epoch, epochs
        The epoch that it is about, as it was printed, and how many there are.
    epochs_over
        How many epochs are over, maybe with a fraction, on a line that is printed beside a counter:
        as the trainers of Hugging Face do, and tables.
    over
        Whether that epoch is over; None to tell from whether there is a result on the line.
    n, of
        A count within the epoch, or of the whole where no epoch was named.
    counter
        Which counter it is: the text before a bar.
    below
        Whether the bar is drawn below another one, within which it counts.
    step, steps
        A count over all epochs, and what it counts to.
    share
        How much of the whole is over, from 0 to 1.
    fold, folds
        Which of several trainings of the same kind it is, from 1.
    values
        The metrics; None to look for them on the line.
    scope
        ``val`` or the like for a line about a validation or test: no counter of it counts.
    """

    epoch: int | None = None
    epochs: int | None = None
    epochs_over: float | None = None
    over: bool | None = None
    n: int | None = None
    of: int | None = None
    counter: str = ""
    below: bool = False
    step: int | None = None
    steps: int | None = None
    share: float | None = None
    fold: int | None = None
    folds: int | None = None
    values: Mapping[str, float] | None = None
    scope: str = ""

    @property
    def counts(self) -> bool:
        """Whether it says where the training is."""
        return not self.scope and any(
            it is not None for it in (self.epoch, self.epochs_over, self.n, self.step, self.share)
        )


NOTHING = Said(values={})
"""What a line says that is not about training, although it may look so."""


@dataclass(frozen=True)
class Line:
    """A line without colours and without what a logger puts in front.

    Attributes
    ----------
    below
        Whether the cursor goes back up after it, as after a bar that is drawn below another one.
    """

    text: str
    low: str
    below: bool = False


@dataclass
class Memory:
    """What earlier lines said that later ones need.

    Attributes
    ----------
    columns, val_columns
        The header of a table, and of one about validation.
    section, cells
        Of a table with a name and a value in each row: the part of it that is told, and what was
        told before the step that it is of.
    fits, fits_over
        How many fits a search was said to make, and how many of them are over.
    heard
        Whether a line was about a training.
    transferring
        Whether the last line was about a download, so that a percent would be of that.
    repeating
        Whether a line was announced that says once more what the best one said.
    """

    columns: list[str] = field(default_factory=list)
    section: str = ""
    cells: dict[str, str] = field(default_factory=dict)
    val_columns: list[str] = field(default_factory=list)
    fits: int = 0
    fits_over: int = 0
    heard: bool = False
    transferring: bool = False
    repeating: bool = False


ANYTHING = ("",)
"""What a rule needs that is about rows of a table: of any line, but only after a header."""

Read = Callable[[re.Match[str], Line, Memory], Said | None]


@dataclass(frozen=True)
class Rule:
    """One way in which trainers print.

    Attributes
    ----------
    name
        Whose way it is.
    needs
        One of these is on every line that it may be about, in lower case. It costs much less to
        look for them than for the pattern.
    pattern
        Of the line in lower case.
    read
        What a line with the pattern says; None if it is not one of these after all.
    example
        A line of a real script.
    """

    name: str
    needs: tuple[str, ...]
    pattern: re.Pattern[str]
    read: Read
    example: str

    def __call__(self, line: Line, memory: Memory) -> Said | None:
        """What a line says by this rule, or None."""
        low = line.low
        for need in self.needs:
            if need in low:
                break
        else:
            return None
        found = self.pattern.search(low)
        return None if found is None else self.read(found, line, memory)


def counters(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    """What the groups of a pattern say that are named as the attributes of `Said` are."""
    groups = found.groupdict()
    numbers = {name: int(groups[name]) for name in _INTEGERS if groups.get(name)}
    said = Said(**numbers)  # type: ignore[arg-type]  # all of these are integers
    return said if possible(said) else None


_INTEGERS = ("epoch", "epochs", "n", "of", "step", "steps", "fold", "folds")


def possible(said: Said) -> bool:
    """Whether the counts of a line can be."""
    return (
        _within(said.epoch, said.epochs)
        and _within(said.n, said.of)
        and _within(said.step, said.steps)
        and _within(said.fold, said.folds)
    )


def _within(count: float | None, of: int | None) -> bool:
    return of is None or (of > 0 and (count is None or count <= of))


def rule(
    name: str, needs: tuple[str, ...], pattern: str, example: str, read: Read = counters
) -> Rule:
    """Make a rule.

    No pattern may backtrack further than its line is long: one that is looked for anywhere begins
    with letters, and each repetition excludes what follows it or has a bound.
    """
    return Rule(name, needs, re.compile(pattern), read, example)
