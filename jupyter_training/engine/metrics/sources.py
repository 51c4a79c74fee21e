"""What a job writes about its training: the lines of `report`, and its log, read on and on."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_training.engine.metrics.index import open_regular

PIECE_BYTES = 1 << 20
"""How much of a file is read at once; a line of `report` that is longer is none."""


@dataclass(frozen=True)
class Told:
    """One call of `report`.

    Attributes
    ----------
    at
        When (s since 1970); None if it does not say.
    progress
        From 0 to 1; None if it says nothing about it.
    """

    at: float | None
    step: float | None
    progress: float | None
    values: Mapping[str, float]


def told(line: str) -> Told | None:
    """What a line of the metrics file says; None if it is none. A job can write anything there."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        # What was left of a line on a full disk may be before a whole one.
        start = line.rfind('{"time"', 1)
        return None if start < 0 else told(line[start:])
    if not isinstance(said, dict):
        return None
    progress = _finite(said.get("progress"))
    metrics = said.get("metrics")
    values = {}
    if isinstance(metrics, dict):
        for name, value in metrics.items():
            number = _number(value)
            if name and number is not None:
                # Half of a surrogate pair is no character, and could not be written.
                values[name if name.isascii() else _characters(name)] = number
    return Told(
        _finite(said.get("time")),
        _finite(said.get("step")),
        None if progress is None else min(max(progress, 0.0), 1.0),
        values,
    )


def _number(value: Any) -> float | None:
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def _finite(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and math.isfinite(number) else None


def _characters(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")


class Tail:
    """A file that grows, read on from an offset.

    Attributes
    ----------
    offset
        Up to where it was read; in whole lines, where a line is not longer than what is read at
        once.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self.offset = offset

    def behind(self) -> int:
        """How many bytes have not been read."""
        try:
            return max(os.stat(self._path, follow_symlinks=False).st_size - self.offset, 0)
        except OSError:
            return 0  # not there yet, or not any more

    def lines(self, *, complete: bool) -> Iterator[str]:
        """Pieces of whole lines; `offset` is behind each piece when it is given.

        Parameters
        ----------
        complete
            Whether nothing more comes, so that a last line needs no end.
        """
        for piece in self.pieces():
            end = piece.rfind(b"\n") + 1
            if not end and len(piece) == PIECE_BYTES:
                self.offset += len(piece)  # no `report` writes such a line
                continue
            if not end:
                if not complete:
                    return
                end = len(piece)
            self.offset += end
            yield piece[:end].decode("utf-8", "replace")

    def pieces(self) -> Iterator[bytes]:
        """What comes at `offset`, which is the caller's to move."""
        if not self.behind():
            return
        try:
            file = open_regular(self._path)
        except OSError:
            return
        try:
            while piece := os.pread(file, PIECE_BYTES, self.offset):
                before = self.offset
                yield piece
                if self.offset == before:
                    return
        finally:
            os.close(file)
