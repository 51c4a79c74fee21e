"""What it costs to read a log: in proportion to its length, whatever is in it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from jupyter_training.jobs.progress import LINE_BYTES, RULES, LogReader

MEGABYTE = 1 << 20
PIECES = (
    *(
        "9",
        "1/",
        "9/",
        "epoch ",
        "epoch 1",
        " ",
        "\t",
        "%|",
        "5%|#|",
        "5%|",
        "a",
        "a.",
        "[",
        "{",
        "'a'",
    ),
    *(
        "'a': ",
        '"epoch":1,',
        "loss ",
        "loss:",
        "loss=1 ",
        "train ",
        "train train loss ",
        "val",
        "-",
        "=",
    ),
    *(
        "━",
        "━ 1/",
        "step ",
        "step 1/2 ",
        "1it [",
        "it/s",
        "e",
        "1e",
        "0.1 ",
        "1.",
        "d ",
        "d g a ",
        "x's ",
        "((",
    ),
    *(
        "[1]\t",
        "10:\t",
        "2026-01-26 10:00:00 ",
        "info ",
        "info - a - ",
        "[rank 0]",
        "\x1b[",
        "\x1b[1m",
        "\b",
    ),
    *(
        "eta: 1:00:00 ",
        "time: 1",
        "fold 1/2 ",
        "iteration 1/ ",
        "| ",
        "fitting ",
        "0G ",
        "all 1 1 ",
        "ü",
        "\0",
    ),
)


def seconds(read: Callable[[bytes], object], log: bytes) -> float:
    begin = time.process_time()
    for at in range(0, len(log), 1 << 16):
        read(log[at : at + (1 << 16)])
    return time.process_time() - begin


@pytest.mark.parametrize("piece", PIECES)
def test_no_line_takes_long_to_read(piece: str) -> None:
    begun = (
        "epoch     train_loss  valid_loss\n",
        "Epoch 1: loss 0.5\n",
        "{",
        "[1]\tloss: ",
        "1/2 ",
    )
    for begin in ("", *begun):
        line = (begin + piece * LINE_BYTES).encode()[:LINE_BYTES] + b"\n"
        reader = LogReader()
        # A thousand lines are 4 MB; one that backtracks without bounds would take hours for a line.
        assert seconds(reader.feed, line * 10) < 2


def test_hostile_lines_cost_in_proportion_to_their_length() -> None:
    chance = random.Random(1)
    words = [piece.encode() for piece in PIECES] + [rule.example.encode() for rule in RULES]

    def log(size: int) -> bytes:
        made = bytearray()
        while len(made) < size:
            made += chance.choice(words) * chance.choice((1, 1, 1, 2, 50))
            made += b"\n" if chance.random() < 0.1 else b""
        return bytes(made[:size])

    small, large = log(MEGABYTE // 4), log(MEGABYTE)
    fast = min(seconds(LogReader().feed, small) for _ in range(2))
    # Of what others on the machine do to the time, the shortest of some has least.
    assert any(seconds(LogReader().feed, large) < 4 * fast * 3 for _ in range(5))


def test_a_flood_costs_little() -> None:
    def lines(read: bytes) -> int:
        # The least that anybody who looks at lines has to do.
        return sum(line.count(b"\t") for line in read.replace(b"\r", b"\n").split(b"\n"))

    flood = b"The quick brown fox jumps over the lazy dog, and it does not stop.\n" * 30_000
    plain = min(seconds(lines, flood) for _ in range(3))
    assert any(seconds(LogReader().feed, flood) < 40 * plain for _ in range(5))
