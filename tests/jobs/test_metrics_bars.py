"""Metrics and progress from bars that move, of one or several loops."""

from __future__ import annotations

import math

import pytest

from tests.jobs.test_metrics import read


def test_tqdm_with_a_postfix() -> None:
    bar = " 45%|####5     | 45/100 [00:10<00:12,  4.50it/s, loss=0.123, acc=95.2%, lr=1e-5]"
    points, progress = read(bar)
    assert points == [
        (45, None, "loss", 0.123),
        (45, None, "acc", 95.2),
        (45, None, "lr", 1e-5),
    ]
    assert progress == 45
    unicode = "Training:  45%|████▌     | 45/100 [01:10<01:25,  1.56s/it, loss=nan]"
    points, progress = read(unicode)
    assert points[0][2] == "loss"
    assert math.isnan(points[0][3])
    assert progress == 45


def test_tqdm_in_a_description() -> None:
    points, progress = read("loss 0.532:  45%|####5     | 45/100 [00:10<00:12,  4.50it/s]")
    assert (points, progress) == ([(45, None, "loss", 0.532)], 45)


def bar(n: int, of: int, name: str = "", *, below: bool = False) -> str:
    return (
        f"{name}{': ' * bool(name)}{n * 100 // of:3}%|#         | {n}/{of} [00:10<00:12,  4.50it/s]"
        + ("\x1b[A" * below)
    )


@pytest.mark.parametrize(
    "told",
    [
        ("loss 0.5", "loss 0.25", "loss nan"),
        ("Reward: -5.5", "Reward: 5.5", "Reward: 1e+05"),
        ("loss 0.5", "best 0.5, loss 0.6", "loss 0.4"),
        ("1|25|Loss: 1.5", "1|50|Loss: 1.4", "1|75|Loss: 1.3"),  # torchtune
        ("Training", "Training", "Training"),
    ],
)
def test_a_bar_that_is_told_its_description_while_it_moves_is_one_bar(
    told: tuple[str, ...],
) -> None:
    epoch = [bar(0, 100), *(bar(25 * (at + 1), 100, name) for at, name in enumerate(told))]
    assert read(*epoch)[1] == 75
    points, progress = read(*epoch, bar(100, 100, told[0]), *epoch)
    assert progress is None  # it has begun again, and who knows how often it does
    assert not points or points[-1][0] in (150, 175)


def test_a_bar_through_all_epochs() -> None:
    # As kohya's scripts draw it.
    lines = [
        line
        for epoch in (1, 2, 3)
        for line in (
            f"epoch {epoch}/10",
            *(
                bar(100 * (epoch - 1) + at, 1000, "steps").replace("]", ", loss=0.5]")
                for at in (1, 50)
            ),
        )
    ]
    points, progress = read(*lines)
    assert progress == 25
    assert [it[0] for it in points] == [1, 50, 101, 150, 201, 250]
    within = [line for epoch in (1, 2) for line in (f"epoch {epoch}/10", bar(50, 100, "steps"))]
    assert read(*within)[1] == 15


def test_bars_below_each_other_that_count_to_the_same_number() -> None:
    # As tqdm draws them: at its end the lower one is drawn once more in the place of the other.
    inner = [bar(0, 4, "batch", below=True), bar(4, 4, "batch", below=True), bar(4, 4, "batch")]
    assert read(bar(0, 4), *inner)[1] == 25
    assert read(bar(0, 4), *inner, bar(1, 4), *inner[:1], bar(2, 4, "batch", below=True))[1] == 37.5


def test_a_bar_over_epochs_that_names_them() -> None:
    points, progress = read(
        bar(0, 10),
        *(
            line
            for at in range(4)
            for line in (bar(at, 10, f"Epoch {at}"), bar(at + 1, 10, f"Epoch {at} loss 0.{at}"))
        ),
    )
    assert points[-2:] == [(3, 2, "loss", 0.2), (4, 3, "loss", 0.3)]
    assert progress == 40
    within = [bar(n, 10, f"Epoch {epoch}") for epoch in range(3) for n in (0, 1, 9, 10)]
    assert read(*within)[1] is None


def test_a_bar_that_begins_repeats_what_the_one_before_it_has_measured() -> None:
    # As Lightning does, whose bar is cleared and then named anew.
    bars = "Epoch {}: {}%|#    | {}/16 [00:00<?, ?it/s, train_loss={}]"
    points, _ = read(
        bars.format(0, 100, 16, 1.75), bars.format(0, 0, 0, 1.75), bars.format(1, 6, 1, 1.5)
    )
    assert points == [(16, 0, "train_loss", 1.75), (17, 1, "train_loss", 1.5)]


def test_tqdm_without_a_total() -> None:
    assert read("45it [00:10,  4.50it/s, loss=0.3]") == ([(45, None, "loss", 0.3)], None)


def test_nested_bars_of_tqdm() -> None:
    # As tqdm prints them into a file: the outer one is drawn once, before the inner one.
    points, progress = read(
        "  0%|          | 0/3 [00:00<?, ?it/s]",
        " 50%|█████     | 2/4 [00:00<00:00,  8.27it/s, loss=0.5]\x1b[A",
        "100%|██████████| 4/4 [00:00<00:00,  8.28it/s, loss=0.25]\x1b[A",
        " 33%|███▎      | 1/3 [00:00<00:00,  2.07it/s]",
        "  0%|          | 0/4 [00:00<?, ?it/s]\x1b[A",
        " 50%|█████     | 2/4 [00:00<00:00,  8.29it/s, loss=0.2]\x1b[A",
    )
    assert points == [(2, None, "loss", 0.5), (4, None, "loss", 0.25), (6, None, "loss", 0.2)]
    assert progress == pytest.approx(50)


def test_an_evaluation_between_nested_bars_is_told_apart() -> None:
    points, progress = read(
        "  0%|          | 0/3 [00:00<?, ?it/s]",
        "100%|██████████| 4/4 [00:00<00:00,  8.28it/s, loss=0.25]",
        " 50%|█████     | 1/2 [00:00<00:00,  8.28it/s, loss=0.9]",
        "100%|██████████| 2/2 [00:00<00:00,  8.28it/s, loss=0.4]",
        " 33%|███▎      | 1/3 [00:00<00:00,  2.07it/s]",
    )
    assert points == [(4, None, "loss", 0.25), (4, None, "eval_loss", 0.4)]
    assert progress == pytest.approx(100 / 3)


def test_what_is_printed_behind_a_bar_is_a_line_of_its_own() -> None:
    # A bar that goes on has no end of line, and what the script prints comes right behind it.
    points, progress = read(
        "Train:   0%|          | 0/60 [00:00<?, ?it/s][INFO:swift] use_logits_to_keep: True",
        "Train:   2%|▏         | 1/60 [00:55<54:36, 55.53s/it]{'loss': '0.6647', 'grad_norm': "
        "'0.8371', 'token_acc': '0.8539', 'epoch': '0.08421', 'global_step/max_steps': '1/60'}",
    )
    assert [it[2] for it in points] == ["loss", "grad_norm", "token_acc"]
    assert {it[0] for it in points} == {1}
    assert progress == pytest.approx(100 / 60)


@pytest.mark.parametrize("first", [0, 1])
def test_a_bar_that_is_where_the_named_epochs_are_counts_them(first: int) -> None:
    bar = "\r {}0%|#         | {}/10 [00:00<00:05,  1.6it/s]"
    lines = [
        bar.format(n, n) + f"epoch {n + first}: loss 0.{9 - n}" + "\n" + bar.format(n + 1, n + 1)
        for n in range(5)
    ]
    points, progress = read(*lines)
    assert points == [(n + first, n + first, "loss", float(f"0.{9 - n}")) for n in range(5)]
    assert progress == 50
    # One that is within an epoch is not.
    assert read("100%|####| 60/60 [00:10<00:00]", "Epoch 1: loss 0.5")[1] is None
    assert read("100%|####| 2/2 [00:10<00:00]", "Epoch 1: loss 0.5", "Epoch 2: loss 0.4")[1] is None
    assert (
        read("  0%|    | 0/60 [00:00<?, ?it/s]Epoch 1", " 50%|##  | 30/60 [00:10<00:10]")[1] is None
    )


def test_a_bar_over_epochs_with_a_named_one_within_it() -> None:
    points, progress = read(
        "  0%|          | 0/4 [00:00<?, ?it/s]",
        "Epoch 0: 100%|##### | 10/10 [00:01<00:01, 5it/s, loss=0.4]",
        " 25%|##   | 1/4 [00:02<00:06, 2.0s/it]",
        "Epoch 1:  50%|##### | 5/10 [00:01<00:01, 5it/s, loss=0.3]",
    )
    assert points == [(10, 0, "loss", 0.4), (15, 1, "loss", 0.3)]
    assert progress == pytest.approx(37.5)
