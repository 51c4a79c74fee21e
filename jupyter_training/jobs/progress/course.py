"""How far a training is, by its counters, and at which step.

Counters are within each other: a bar in an epoch, an epoch in a fold. What an outer one counts is
the whole; an inner one is the whole only while nothing speaks against that: no epoch was named, and
the counter has not begun again. Progress that is wrong is worse than none, so once it is clear that
there are parts, and not how many, there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from jupyter_training.jobs.progress.rule import Said


@dataclass
class Counter:
    """A counter that was seen.

    Attributes
    ----------
    below
        See `Said.below`.
    rounds
        How often it began again.
    trained
        Whether there were metrics while it counted, so that it is of a training.
    of_epochs
        Whether it counts the epochs that other lines name, and do not say how many there are.
    named_late
        Whether it had no name at first, as a bar that is told its description while it moves. What
        it is told changes, so that it is known by what it counts to.
    """

    name: str
    n: int
    of: int
    below: bool = False
    rounds: int = 0
    trained: bool = False
    of_epochs: bool = False
    named_late: bool = False

    def is_like(self, said: Said) -> bool:
        """Whether a line is from the same counter."""
        if self.of != said.of or self.below != said.below:
            return False
        return self.name == said.counter or self.named_late or self.is_named_by(said)

    def is_named_by(self, said: Said) -> bool:
        """Whether it has no name yet, and goes on under the one that a line has for it."""
        goes_on = said.n is not None and said.n >= self.n
        return not self.name and bool(said.counter) and goes_on

    def begins_again(self, n: int) -> bool:
        """Whether it did not just come a little late, as from another process."""
        return n < self.n and (self.n > 1 or self.of == 1) and (n <= 1 or n * 2 < self.n)

    def counts_epoch(self, epoch: int) -> bool:
        """Whether it is where an epoch is that is named beside it, and was so on its way."""
        in_step = not self.rounds and abs(self.n - epoch) <= 1
        self.of_epochs = in_step and (self.of_epochs or self.n < self.of)
        return self.of_epochs


@dataclass
class Course:
    """How far a training is. All of it can be written as JSON.

    Attributes
    ----------
    share
        From 0 to 1; None if nothing was recognized, and if what it was read from has turned out to
        be a part of who knows how much. It does not go back, unless it was read from something that
        came before the training.
    epoch
        The last one that was named, as it was printed.
    step
        The last one, over all epochs.
    below
        The name of the bar that was drawn below another one.
    in_epoch, bar_of_epochs
        What a bar said last that has the name of an epoch beside it, and whether it counts epochs.
    beside, through
        How many epochs were over when a counter beside them was heard last, and what it said; and
        whether it counts through all of them.
    counts, counts_on
        The epoch and the count of the last line that counts and does not say to what, and whether
        that goes on from one epoch to the next.
    from_zero, named_from_zero
        Whether the first epoch is called 0, where it is said how many there are, and where not: a
        bar over epochs and the name of one within it need not count alike.
    """

    share: float | None = None
    epoch: float | None = None
    step: int | None = None
    epochs: int | None = None
    below: str = ""
    in_epoch: list[int] | None = None
    bar_of_epochs: bool = False
    beside: list[float] | None = None
    through: bool = False
    counts: list[float] | None = None
    counts_on: bool = False
    from_zero: bool = False
    named_from_zero: bool = False
    at: float = -1
    over: float = 0.0
    folds: int | None = None
    folds_over: int = 0
    parts_unknown: bool = False
    main: Counter | None = None
    epoch_length: int | None = None
    longest: int = 0
    nested_length: int | None = None
    complete: bool = False
    counted: bool = False
    fractions: bool = False
    whole: float | None = None

    def hear(self, said: Said, *, result: bool, metrics: bool) -> int | None:
        """Take in what a line says.

        Parameters
        ----------
        result
            Whether there is a result on the line, so that an epoch is over.
        metrics
            Whether there is any metric on the line.

        Returns
        -------
        int or None
            The step of its metrics; None if nothing tells.
        """
        if said.scope:
            return self._place_of_scope(said)
        said = self._known(said)
        if said.fold is not None and said.folds is not None:
            self._hear_fold(said.fold, said.folds)
        counted = None
        if said.share is not None:
            self._hear_whole(said.share)
        elif said.step is not None and said.steps is not None:
            self._hear_whole(said.step / said.steps)
        elif self.whole is not None:
            pass  # within that
        elif said.epoch is not None and said.epochs is not None:
            self._hear_epoch(said, result)
        elif said.epoch is not None:
            self._hear_epoch_of_unknown(said, result)
        elif said.n is not None and said.of is not None:
            counted = self._hear_count(said, metrics)
        nested = counted is not None and self.main is not None and not self.main.is_like(said)
        if metrics and self.main is not None and not nested:
            self.main.trained = True
        return self._place(said, counted)

    def is_aside(self, said: Said) -> bool:
        """Whether a counter is of something beside the training, such as an evaluation.

        It is, if it counts to another number after what counted within the epoch came to its end.
        """
        if said.of is None or said.epoch is not None or said.scope or said.counter == "%":
            return False
        if self.epochs is not None:
            return self.complete and self.epoch_length not in (None, said.of)
        main = self.main
        if main is None or main.is_like(said):
            return False
        if main.n < main.of:
            return self.nested_length not in (None, said.of)
        return main.trained or self.nested_length is not None

    def _known(self, said: Said) -> Said:
        """What a line of a bar says, from what the ones before it have shown of that bar."""
        if said.below:
            self.below = said.counter
        elif said.counter and said.counter == self.below:
            # At its end a bar is drawn once more, where the one above it was.
            said = replace(said, below=True)
        if said.epoch is None or said.epochs is not None or said.n is None or said.of is None:
            return said
        before, self.in_epoch = self.in_epoch, [said.epoch, said.n, said.of]
        if before is not None and not self.bar_of_epochs:
            epoch, n, of = before
            goes_on = said.of == of > n and said.n >= n > 0 and abs(said.n - said.epoch) <= 1
            if said.epoch == epoch + 1 and goes_on:
                self.bar_of_epochs, self.epoch_length, self.longest = True, None, 0
        if self.bar_of_epochs:
            # It does not count within the epoch that is named beside it, but the epochs.
            return replace(said, epoch=said.n, epochs=said.of, n=None, of=None, over=True)
        return said

    def _hear_whole(self, share: float) -> None:
        if self.whole is not None and share <= 0.1 and share * 2 < self.whole:
            self.whole = share
            self._give_up()  # another one, and who knows how many there are
            return
        if self.whole is None:
            # Whatever was counted before was only a part.
            self.parts_unknown, self.share = False, None
        self.whole = share
        self._move(share)

    def _hear_fold(self, fold: int, folds: int) -> None:
        if fold - 1 != self.folds_over or folds != self.folds:
            self.folds, self.folds_over = folds, max(fold - 1, 0)
            self.at, self.over, self.epochs, self.main = -1, 0.0, None, None
            if self.parts_unknown:
                self.parts_unknown, self.share = False, None
            self._move(0.0)

    def _hear_epoch(self, said: Said, result: bool) -> None:
        assert said.epoch is not None
        assert said.epochs is not None
        epoch, is_bar = said.epoch, said.over is True and said.values is None
        # "Epoch 0/10" is the first one; a bar at 0/10 has not come to its first one yet.
        self.from_zero |= epoch == 0 and not is_bar
        ended = self.at >= 0 and self.at >= (self.epochs or 0) - self.from_zero
        if epoch <= 1 and epoch < self.at and (ended or self.at - epoch >= 3):
            self.at = epoch
            self._give_up()  # another training, and who knows how many there are
            return
        if self.main is not None and self.epochs is None:
            # Whatever was counted before was only a part.
            self.share, self.main = None, None
        if self.epochs is None and self.parts_unknown and self.at < 0:
            self.parts_unknown, self.share = False, None
        self.epochs, self.at = said.epochs, epoch
        begun = max(epoch if is_bar or self.from_zero else epoch - 1, 0.0)
        if said.n is not None and said.of is not None:
            self.over, within = begun, said.n / said.of
        elif is_bar:
            self.over, within = begun, 0.0
        else:
            self.over, within = begun + (result if said.over is None else said.over), 0.0
        self._move((self.over + within) / self._total())

    def _total(self) -> int:
        # Whether "0/9" counts to 9 or to 10 is not known, so the later end is taken.
        return (self.epochs or 1) + self.from_zero

    def _hear_epoch_of_unknown(self, said: Said, result: bool) -> None:
        assert said.epoch is not None
        main = self.main
        self.named_from_zero |= said.epoch == 0
        if self.epochs is None:
            # A heading in front of a bar that has just begun says nothing about what that counts.
            is_heading = main is not None and not main.n and not result and said.n is None
            if main is None or is_heading or not main.counts_epoch(said.epoch):
                self._give_up()
            elif said.n is not None and said.of is not None:
                self._move((main.n + said.n / said.of) / main.of)
        elif said.n is not None and said.of is not None:
            done = self._over_before(said.epoch)
            if done < self._total():
                self._move((done + said.n / said.of) / self._total())

    def _hear_count(self, said: Said, metrics: bool) -> int | None:
        """A counter alone: within the epoch that was named, or of the whole."""
        assert said.n is not None
        assert said.of is not None
        n, of, main = said.n, said.of, self.main
        if self.epochs is not None:
            self._hear_beside_epochs(n, of)
            return None
        if main is None:
            self.main = main = Counter(said.counter, n, of, said.below)
        elif main.is_like(said):
            main.named_late = main.named_late or main.is_named_by(said)
            if main.begins_again(n):
                main.rounds += 1
                self._give_up()  # it is one of several
                main.n = n
            main.n = max(main.n, n)
        elif main.n < main.of:
            # Within the other one, which waits for it.
            if main.trained and not metrics and self.nested_length is None:
                return self.step  # an evaluation: the metrics are of the other one
            self._move((main.n + n / of) / main.of)
            if not metrics:
                return self.step
            self.nested_length = self.nested_length or of
            return main.n * of + n
        else:
            # The other one was before the training.
            self.share = None if self.share is None else 0.0
            self.main = main = Counter(said.counter, n, of, said.below)
        self._move(main.n / main.of)
        return main.rounds * of + n

    def _hear_beside_epochs(self, n: int, of: int) -> None:
        """A counter that begins again with each epoch, or counts through all of them."""
        over, before, length = self.beside or (self.over, n, of)
        self.beside = [self.over, n, of]
        if self.over > over and of == length:
            # It went on, and is where the epochs are.
            self.through = n > before and abs(n / of * self._total() - self.over) <= 1
        self._move(n / of if self.through else (self.over + n / of) / self._total())

    def _give_up(self) -> None:
        self.parts_unknown, self.share = True, None

    def _move(self, share: float) -> None:
        if self.parts_unknown:
            return
        if self.folds is not None:
            share = (self.folds_over + share) / self.folds
        self.share = max(min(share, 1.0), self.share or 0.0)

    def _place(self, said: Said, counted: int | None) -> int | None:
        """At which step a line is."""
        epoch = said.epochs_over if said.epoch is None else said.epoch
        same = epoch == self.epoch
        self.complete &= said.epoch is None or same
        if epoch is not None:
            self.epoch = epoch
        if said.step is not None:
            self.step, self.counted = said.step, True
        elif said.counter == "%":
            pass
        elif counted is not None:
            self.step, self.counted = counted, True
        elif said.n is not None:
            self._place_within(said.n, said.of)
        elif said.epoch is not None:
            self.step = self._place_of_epoch(said.epoch)
        elif said.epochs_over is not None and not self.counted and not same:
            # With a counter beside it, it is where the counter is.
            self.fractions |= not said.epochs_over.is_integer()
            self.step = (self.step or 0) + 1 if self.fractions else int(said.epochs_over)
        return self.step

    def _place_within(self, n: int, of: int | None) -> None:
        if of is None:
            now = -1.0 if self.epoch is None else self.epoch
            epoch, before = self.counts or (now, n)
            if epoch != now:
                self.counts_on = n > before
            self.counts = [now, n]
        if self.counts_on if of is None else self.through:
            self.step, self.counted = n, True
            return
        self.longest = max(self.longest, n)
        length = of or self.longest
        self.epoch_length, self.counted = length, True
        self.complete = n == of
        self.step = int(self._over_before(self.epoch or 0)) * length + n

    def _over_before(self, epoch: float) -> float:
        """How many epochs are over when one begins."""
        return max(epoch - (0 if self.from_zero or self.named_from_zero else 1), 0)

    def _place_of_epoch(self, epoch: int) -> int:
        if self.epoch_length is None:
            return epoch
        return self.epoch_length * (epoch + (self.from_zero or self.named_from_zero))

    def _place_of_scope(self, said: Said) -> int | None:
        if said.step is not None:
            return said.step
        if said.epoch is not None and not self.counted:
            return said.epoch
        return self.step
