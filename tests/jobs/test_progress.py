"""How far a script has come, from real lines of real scripts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_training.jobs.progress import LINE_BYTES, RULES, LogProgress, LogReader


def percent(*lines: str) -> int | None:
    progress = LogProgress()
    for line in lines:
        progress.feed(line.encode() + b"\n")
    return progress.percent


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Epoch 3/10", 20),
        ("Epoch 3/30 - loss: 0.1234 - accuracy: 0.9721", 10),
        ("Epoch 30/30 - loss: 0.1234", 99),
        ("epoch 3 of 10", 20),
        ("[Epoch 3/10]", 20),
        ("Epoch [3/10], Loss: 0.1", 30),
        ("Epoch [3/10], Step [40/200], Loss: 0.1", 22),
        ("Epoch: 003/100 train_loss=0.3 val_acc=0.4", 3),
        ("INFO:root:Epoch 5/10 lr: 0.001", 40),
        ("2026-01-26 10:00:00,123 - Epoch 5/10", 40),
        ("step 40/200", 20),
        ("Step: 40/200, loss 0.3", 20),
        ("Step 40/200: loss nan", 20),
        ("Step 40/200: done", 20),
        ("Iteration 40 / 200", 20),
        ("45%", 45),
        ("Progress: 45.5 %", 45),
        ("45% done", 45),
        (" 45%|####5     | 45/100 [00:10<00:12,  4.50it/s]", 45),
        ("Training:  45%|████▌     | 45/100 [00:10<00:12]", 45),
        ("Epochs:  30%|###       | 3/10 [00:10<00:20,  2.9s/it]", 30),
        ("40/200 [=====>........................] - ETA: 3s - loss: 0.3", 20),
        ("40/200 ━━━━━━━━━━━━━━━━━━━━ 3s 5ms/step - loss: 0.3", 20),
        ("      3/100      2.1G     0.8312     0.5", 2),
        ("\x1b[32mEpoch 3/10\x1b[0m", 20),
    ],
)
def test_recognized(line: str, expected: int) -> None:
    assert percent(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "2026/01/26 10:00:00 begun",
        "reading /data/3/10/images",
        "accuracy: 45%",
        "GPU memory 45%",
        "12/16 workers are up",
        "Test set: Average loss: 0.05, Accuracy: 9500/10000 (95%)",
        "Train Epoch: 1 [12800/60000 (21%)]\tLoss: 0.5",
        "Epoch 3:  45%|####5     | 45/100 [00:10<00:12, 4.50it/s, loss=0.1]",
        "Downloading data:  45%|####5     | 45/100 [00:10<00:12]",
        "Map:  45%|####5     | 450/1000 [00:10<00:12, 45 examples/s]",
        "Loading checkpoint shards:  50%|#####     | 1/2 [00:01<00:01]",
        "{'loss': 0.5, 'learning_rate': 5e-05, 'epoch': 0.3}",
        "[10]\ttrain-rmse:0.1",
        "python 3.11/3.12",
        "Epoch 11/10",
        "Epoch 3/0",
        "step 99999999999/999999999999",
        "101%",
        "Step 1 of 3: preparing the data",
        "Step 2/5 - Installing dependencies",
        "[Step 2/4] Train the model",
        "",
    ],
)
def test_not_recognized(line: str) -> None:
    assert percent(line) is None


def test_a_bar_counts_within_its_epoch() -> None:
    bar = " 50%|#####     | 50/100 [00:10<00:10]"
    assert percent("Epoch 3/10", bar) == 25
    # After the line with the result it is a bar of the next one.
    assert percent("Epoch 3/10 - loss: 0.1", bar) == 35
    assert percent("Epoch 3/10", "100/200 [====>...] - loss: 0.1") == 25


def test_a_bar_that_began_again_was_never_the_whole() -> None:
    whole = "100%|##########| 60/60 [00:10<00:00]"
    begun = "  5%|5         | 3/60 [00:00<00:09]"
    assert percent(whole) == 99
    # How many there are is not known: that is not to say that nothing is done, nor that all is.
    assert percent(whole, begun) is None
    assert percent(whole, begun, whole) is None


def test_epochs_count_more_than_what_was_seen_before_them() -> None:
    assert percent("100%|##########| 60/60 [00:10<00:00]", "Epoch 1/10") == 0
    assert percent("Train Epoch: 1 [0/60 (0%)]", "Epoch 2/10 - loss: 1") == 20


def test_it_does_not_go_back() -> None:
    assert percent("Epoch 5/10", "Epoch 2/10") == 40


def test_carriage_returns_end_lines() -> None:
    progress = LogProgress()
    progress.feed(b"\r 10%|#  | 1/10 [0<0]\r 20%|## | 2/10 [0<0]\r 30%|###| 3/10 [0<0]")
    assert progress.percent == 20
    progress.feed(b"\r")
    assert progress.percent == 30


_pieces = st.lists(
    st.sampled_from(
        [rule.example for rule in RULES]
        + ["Epoch 1/3", "Epoch 2/3 - loss: 1", "1/2 [=>.]", "\r", "\n", "\n", "\x1b[1m", "ü", "x"]
    )
)


@given(_pieces, st.lists(st.integers(0, 400)))
def test_it_makes_no_difference_how_a_log_is_cut(pieces: list[str], cuts: list[int]) -> None:
    log = "".join(pieces).encode()
    whole, cut = LogProgress(), LogProgress()
    whole.feed(log)
    places = sorted({min(place, len(log)) for place in cuts} | {0, len(log)})
    for begin, end in pairwise(places):
        cut.feed(log[begin:end])
    assert cut.percent == whole.percent


@given(st.binary())
def test_whatever_is_printed_does_no_harm(log: bytes) -> None:
    progress = LogProgress()
    progress.feed(log + b"\n")
    assert progress.percent is None or 0 <= progress.percent <= 99


def test_a_line_without_end_needs_no_memory() -> None:
    progress = LogReader()
    for _ in range(100):
        progress.feed(b"9/" * 50_000)
    assert len(progress.state()["line"]) == LINE_BYTES
    progress.feed(b"\nEpoch 3/10\n")
    assert progress.percent == 20


@pytest.mark.parametrize("text", ["9", "1/", "epoch ", " ", "%|", "a", "[", "epoch 1", "5%|#|"])
def test_no_line_takes_long_to_read(text: str) -> None:
    # A pattern that backtracks without bounds would not come back from this within the time limit.
    progress = LogProgress()
    line = (text * LINE_BYTES)[:LINE_BYTES].encode() + b"\n"
    for _ in range(20):
        progress.feed(line)
    assert progress.percent is None
