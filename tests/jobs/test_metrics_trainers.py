"""Metrics and progress, from real lines of real trainers."""

# ruff: noqa: E501 - lines of logs are as long as they are

from __future__ import annotations

import math

import pytest

from tests.jobs.test_metrics import metrics, read


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


def test_keras() -> None:
    bar = "━━━━━━━━━━━━━━━━━━━━"
    points, progress = read(
        "Epoch 1/2",
        f"\x1b[1m1/4\x1b[0m \x1b[32m{bar}\x1b[0m \x1b[1m1s\x1b[0m 625ms/step - accuracy: 0.5 - loss: 0.78"
        "\b\b\b\b",
        f"\x1b[1m4/4\x1b[0m \x1b[32m{bar}\x1b[0m \x1b[1m1s\x1b[0m 32ms/step - accuracy: 0.46 - loss: 0.89"
        " - val_accuracy: 0.51 - val_loss: 0.78",
        "Epoch 2/2",
        "2/4 [=====>........................] - ETA: 3s - loss: 0.3 - accuracy: 0.9",
    )
    assert points == [
        (1, 1, "accuracy", 0.5),
        (1, 1, "loss", 0.78),
        (4, 1, "accuracy", 0.46),
        (4, 1, "loss", 0.89),
        (4, 1, "val_accuracy", 0.51),
        (4, 1, "val_loss", 0.78),
        (6, 2, "loss", 0.3),
        (6, 2, "accuracy", 0.9),
    ]
    assert progress == 75


def test_keras_verbose_2_and_an_evaluation_after_it() -> None:
    points, progress = read(
        "Epoch 1/1",
        "4/4 - 0s - 2ms/step - accuracy: 0.4648 - loss: 0.8758 - val_loss: 0.7705",
        "10/10 ━━━━━━━━━━━━━━━━━━━━ 0s 496us/step - accuracy: 0.4750 - loss: 0.8428",
    )
    assert [it[2] for it in points] == [
        "accuracy",
        "loss",
        "val_loss",
        "eval_accuracy",
        "eval_loss",
    ]
    assert {it[0] for it in points} == {4}
    assert progress == 100


def test_keras_without_a_known_length() -> None:
    assert read("Epoch 1/10", "40/Unknown - 3s 5ms/step - loss: 0.3")[0] == [(40, 1, "loss", 0.3)]


def test_the_examples_of_pytorch() -> None:
    points, progress = read(
        "Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.30",
        "Train Epoch: 1 [1280/60000 (2%)]\tLoss: 0.30",
        "Test set: Average loss: 0.0543, Accuracy: 9500/10000 (95%)",
        "Train Epoch: 2 [1280/60000 (2%)]\tLoss: 0.20",
    )
    assert points == [
        (0, 1, "Loss", 2.3),
        (1280, 1, "Loss", 0.3),
        (1280, 1, "test_loss", 0.0543),
        (1280, 1, "test_Accuracy", 95),
        (61280, 2, "Loss", 0.2),
    ]
    assert progress is None
    tutorial = read("[1, 12000] loss: 1.5", "[2,  2000] loss: 1.2")
    assert tutorial == ([(12000, 1, "loss", 1.5), (14000, 2, "loss", 1.2)], None)


def test_imagenet() -> None:
    points, _ = read(
        "Epoch: [0][  400/80073]\tTime  0.315 ( 0.372)\tData  0.002 ( 0.073)\tLoss 6.9802e+00 "
        "(7.0827e+00)\tAcc@1   0.00 (  0.08)\tAcc@5   6.25 (  0.55)",
        "Test: [ 10/196]\tTime  0.1 ( 0.4)\tLoss 6.1e+00 (6.2e+00)\tAcc@1  9.0 ( 9.1)",
        " *   Acc@1 70.100 Acc@5 89.900",
        "Epoch: [1][  400/80073]\tTime  0.315 ( 0.372)\tLoss 5.9 (6.0)",
    )
    assert points == [
        (400, 0, "Loss", 6.9802),
        (400, 0, "Acc@1", 0),
        (400, 0, "Acc@5", 6.25),
        (400, 0, "val_Acc@1", 70.1),
        (400, 0, "val_Acc@5", 89.9),
        (80473, 1, "Loss", 5.9),
    ]


def test_torchvision() -> None:
    assert metrics(
        "Epoch: [0]  [ 103/5005]  eta: 4:43:31  lr: 0.1  img/s: 13.62830983555788  "
        "loss: 6.8536 (6.9458)  acc1: 0.0000 (0.2103)  time: 2.5401  data: 0.0336  max mem: 3524"
    ) == {"lr": 0.1, "loss": 6.8536, "acc1": 0.0}


def test_timm() -> None:
    points, progress = read(
        "Train: 0 [  50/10009 (  0%)]  Loss:  6.927876 (6.9180)  Time: 1.462s,   87.53/s  (1.896s,"
        "   67.51/s)  LR: 1.000e-06  Data: 8.405 (8.405)",
        "Test: [   0/78]  Time: 0.1 (0.2)  Loss: 6.9 (6.9)  Acc@1: 0.1 (0.1)  Acc@5: 0.5 (0.5)",
        "Test: [  78/78]  Time: 0.1 (0.2)  Loss: 6.2 (6.1)  Acc@1: 0.1 (0.2)  Acc@5: 0.5 (0.6)",
        "Train: 1 [  50/10009 (  0%)]  Loss:  5.9 (6.1)  Time: 1.462s,   87.53/s  LR: 2.000e-06",
    )
    assert points == [
        (50, 0, "Loss", 6.927876),
        (50, 0, "LR", 1e-6),
        (50, 0, "test_Loss", 6.2),
        (50, 0, "test_Acc@1", 0.1),
        (50, 0, "test_Acc@5", 0.5),
        (10059, 1, "Loss", 5.9),
        (10059, 1, "LR", 2e-6),
    ]
    assert progress is None


def test_lightning() -> None:
    assert read(
        "Sanity Checking DataLoader 0: 100%|##########| 2/2 [00:00<00:00, 9.9it/s]",
        "Epoch 1:  50%|█████     | 9/18 [00:17<00:17,  4.47s/it, v_num=3, train_loss=0.1]",
        "Validation DataLoader 0:  50%|#####     | 5/10 [00:00<00:00, 9.9it/s]",
    ) == ([(9, 1, "train_loss", 0.1)], None)
    assert read(
        "Epoch 0: 100%|██████████| 18/18 [00:17<00:17,  4.47s/it, v_num=3, train_loss=0.2]",
        "Validation DataLoader 0: 100%|##########| 10/10 [00:00<00:00, 9.9it/s]",
        "Epoch 0: 100%|██████████| 18/18 [00:17<00:17,  4.47s/it, v_num=3, train_loss=0.2, val_loss=1]",
        "Epoch 1:  50%|█████     | 9/18 [00:17<00:17,  4.47s/it, v_num=3, train_loss=0.1, val_loss=1]",
    )[0] == [
        (18, 0, "train_loss", 0.2),
        (18, 0, "val_loss", 1),
        (27, 1, "train_loss", 0.1),
        (27, 1, "val_loss", 1),
    ]
    bar = "━" * 20
    assert read(
        f"Epoch 0/1  {bar} 5/10 0:00:00 • 0:00:01 18.38it/s v_num: 0.000 train_loss: 0.2",
        f"Epoch 1/1  {bar} 5/10 0:00:00 • 0:00:01 18.38it/s v_num: 0.000 train_loss: 0.1",
        "                                               val_loss: 0.098  ",
        f"Validation {bar} 8/10  0:00:00 • 0:00:01 771.40it/s",
    ) == (
        [(5, 0, "train_loss", 0.2), (15, 1, "train_loss", 0.1), (15, 1, "val_loss", 0.098)],
        75,
    )


def test_hugging_face() -> None:
    points, progress = read(
        "Map: 100%|##########| 450/450 [00:10<00:00, 45 examples/s]",
        "  0%|          | 0/30 [00:00<?, ?it/s]",
        " 33%|###3      | 10/30 [00:00<00:00, 292.01it/s]",
        "{'loss': 0.76, 'grad_norm': 2.117, 'learning_rate': 3.5e-05, 'epoch': 1.0}",
        " 60%|######    | 6/10 [00:00<00:00, 1271.04it/s]\x1b[A",
        "\r{'eval_loss': 0.8, 'eval_runtime': 0.0098, 'eval_samples_per_second': 8194.1, 'epoch': 1.0}",
        "100%|##########| 10/10 [00:00<00:00, 1271.04it/s]\x1b[A",
        # Newer ones put the numbers in quotes.
        "{'loss': 'nan', 'grad_norm': '2.1', 'learning_rate': '2e-05', 'epoch': '1.5'}",
        " 50%|#####     | 15/30 [00:00<00:00, 292.01it/s]",
    )
    assert [it[:3] for it in points] == [
        (10, 1.0, "loss"),
        (10, 1.0, "grad_norm"),
        (10, 1.0, "learning_rate"),
        (10, 1.0, "eval_loss"),
        (10, 1.5, "loss"),
        (10, 1.5, "grad_norm"),
        (10, 1.5, "learning_rate"),
    ]
    assert progress == 50


def test_hugging_face_without_its_bar() -> None:
    points, progress = read(
        *(f"{{'loss': {2 - at}, 'learning_rate': 5e-05, 'epoch': {at}}}" for at in (0.5, 1.0, 1.5))
    )
    assert [it[0] for it in points if it[2] == "loss"] == [1, 2, 3]
    assert progress is None
    assert metrics(
        "{'train_runtime': 10.5, 'train_samples_per_second': 95.1, 'train_loss': 0.3, 'epoch': 3.0}"
    ) == {"train_loss": 0.3}


def test_a_table_beside_a_bar_is_where_the_bar_is() -> None:
    # As fastprogress prints into a file. It counts from 1, and the table from 0.
    points, progress = read(
        "epoch     train_loss  valid_loss  accuracy  time    ",
        "Epoch 1/2 : |████████████████████| 100.00% [3/3 00:00<00:00... 0.5]",
        "0         0.123456    0.2345      0.95      00:12     ",
        "Epoch 2/2 : |██████--------------| 33.33% [1/3 00:00<00:00... 0.5]",
        "1         0.113456    0.2245      0.96      00:12     ",
    )
    assert [it[0] for it in points if it[2] == "train_loss"] == [3, 4]
    assert progress == pytest.approx(400 / 6)


def test_tables() -> None:
    fastai = (
        "epoch     train_loss  valid_loss  accuracy  time    ",
        "0         0.123456    0.234500    0.950000  00:12   ",
        "1         0.113456    nan         0.960000  00:12   ",
    )
    points, progress = read(*fastai)
    assert [it[2] for it in points[:3]] == ["train_loss", "valid_loss", "accuracy"]
    assert progress is None
    assert [it for it in points if it[0] == 1][:1] == [(1, 1, "train_loss", 0.113456)]
    skorch = (
        "  epoch    train_loss    valid_acc    valid_loss     dur",
        "-------  ------------  -----------  ------------  ------",
        "      1        \x1b[36m0.7112\x1b[0m       \x1b[32m0.5100\x1b[0m        \x1b[35m0.6894\x1b[0m  0.1345",
    )
    assert read(*skorch)[0][2:] == [(1, 1, "valid_loss", 0.6894)]
    boosting = (
        "      Iter       Train Loss      OOB Improve   Remaining Time ",
        "         1           1.2436           0.1225            0.01s",
    )
    assert read(*boosting)[0] == [(1, None, "Train_Loss", 1.2436), (1, None, "OOB_Improve", 0.1225)]


def test_ultralytics() -> None:
    head = "      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size"
    points, progress = read(
        head,
        "      3/100      6.73G      1.235     0.5911       1.14         11        640:  50%|#####"
        "     | 8/16 [00:05<00:00,  2.83it/s]",
        "      3/100      6.73G      1.225     0.5811       1.13         11        640: 100%|#####"
        "#####| 16/16 [00:05<00:00,  2.83it/s]",
        "                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95): "
        "100%|██████████| 8/8 [00:03<00:00,  2.13it/s]",
        "                   all        722       1444      0.989       0.99      0.993      0.681",
    )
    assert points == [
        (40, 3, "box_loss", 1.235),
        (40, 3, "cls_loss", 0.5911),
        (40, 3, "dfl_loss", 1.14),
        (48, 3, "box_loss", 1.225),
        (48, 3, "cls_loss", 0.5811),
        (48, 3, "dfl_loss", 1.13),
        (48, 3, "P", 0.989),
        (48, 3, "R", 0.99),
        (48, 3, "mAP50", 0.993),
        (48, 3, "mAP50-95", 0.681),
    ]
    assert progress == pytest.approx(3)
    # Newer ones draw their bar themselves.
    row = "      3/100         0G      1.235     0.5911       1.14         11        640: 50% "
    assert read(head, f"{row}━━━━━━────── 8/16 2.8it/s 3.1s<2.9s")[1] == pytest.approx(2.5)


def test_ultralytics_classification() -> None:
    assert read(
        "      Epoch    GPU_mem       loss  Instances       Size",
        "        1/5      0.4G      2.31         16        224: 100% ━━━━━━━━━━━━ 10/10 2.5it/s 3.2s",
        "               classes   top1_acc   top5_acc: 100% ━━━━━━━━━━━━ 2/2 2.5it/s 0.8s",
        "                   all       0.25          1",
    ) == ([(10, 1, "loss", 2.31), (10, 1, "top1_acc", 0.25), (10, 1, "top5_acc", 1)], 20)


def test_stable_baselines3() -> None:
    points, progress = read(
        "-----------------------------------------",
        "| eval/                   |             |",
        "|    mean_reward          | 9.5         |",
        "| my_own/                 |             |",
        "|    difficulty           | 2           |",
        "| rollout/                |             |",
        "|    ep_len_mean          | 26.1        |",
        "|    ep_rew_mean          | nan         |",
        "| time/                   |             |",
        "|    fps                  | 3382        |",
        "|    iterations           | 2           |",
        "|    total_timesteps      | 512         |",
        "| train/                  |             |",
        "|    approx_kl            | 0.004095701 |",
        "|    clip_fraction        | 0.000781    |",
        "|    learning_rate        | 0.0003      |",
        "|    n_updates            | 10          |",
        "|    value_loss           | 77.4        |",
        "-----------------------------------------",
    )
    assert [it[2] for it in points if math.isnan(it[3])] == ["rollout/ep_rew_mean"]
    assert [it for it in points if not math.isnan(it[3])] == [
        (512, None, "eval/mean_reward", 9.5),
        (512, None, "my_own/difficulty", 2),
        (512, None, "rollout/ep_len_mean", 26.1),
        (512, None, "train/approx_kl", 0.004095701),
        (512, None, "train/learning_rate", 0.0003),
        (512, None, "train/value_loss", 77.4),
    ]
    assert progress is None


def test_spacy() -> None:
    points, _ = read(
        "E    #       LOSS TOK2VEC  LOSS NER  ENTS_F  SCORE ",
        "---  ------  ------------  --------  ------  ------",
        "  1     200        100.10   1500.10   45.10    0.45",
    )
    assert points == [
        (200, 1, "LOSS_TOK2VEC", 100.1),
        (200, 1, "LOSS_NER", 1500.1),
        (200, 1, "ENTS_F", 45.1),
        (200, 1, "SCORE", 0.45),
    ]


def test_jax() -> None:
    absl = "I0126 10:00:00.123456 140123456789 train.py:123] "
    assert read(
        f"{absl}train epoch: 3, loss: 0.12, accuracy: 95.5", f"{absl}[100] loss=0.1, lr=0.5"
    ) == (
        [
            (3, 3, "loss", 0.12),
            (3, 3, "accuracy", 95.5),
            (100, 3, "loss", 0.1),
            (100, 3, "lr", 0.5),
        ],
        None,
    )
    assert read("[7] worker=1.5, delay=0.5") == ([], None)
    maxtext = (
        "completed step: 10, seconds: 1.234, TFLOP/s/device: 150.1, total_weights: 65536, loss: 9.8"
    )
    assert read(maxtext)[0] == [(10, None, "loss", 9.8)]


def test_ignite_and_dcgan() -> None:
    for line, metric in (
        ("Epoch [2/10]: [45/100]  45%|####5     , loss=0.5 [00:10<00:12]", "loss"),
        ("[2/10][45/100] Loss_D: 0.5 D(x): 0.61 D(G(z)): 0.41 / 0.31", "Loss_D"),
    ):
        assert read(line) == ([(145, 2, metric, 0.5)], pytest.approx(14.5))


def test_dinov2_and_estimators() -> None:
    glog = "I20260126 10:00:00 1234 dinov2 helpers.py:102] "
    lines = f"{glog}Training  [ 50/100]  eta: 1 day, 2:00:00  total_loss: 10.1 (10.2)  time: 0.5"
    assert read(lines) == ([(50, None, "total_loss", 10.1)], 50)
    assert read("INFO:tensorflow:loss = 0.5, step = 100 (2.3 sec)")[0] == [(100, None, "loss", 0.5)]


def test_episodes_and_rounds() -> None:
    points, progress = read(
        "Episode 10/1000, Reward: -12.5", "Episode 500/1000\tAverage Score: 7.5"
    )
    assert points == [(10, None, "Reward", -12.5), (500, None, "Score", 7.5)]
    assert progress == 50
    assert read("Episode 600\tAverage Score: 12.34")[0] == [(600, None, "Score", 12.34)]
    assert read("Round 2/10", "step 5/10, loss 0.3")[1] == 25


def test_monai() -> None:
    points, progress = read("epoch 2/10", "8/32, train_loss: 0.6", "16/32, train_loss: 0.5")
    assert points == [(40, 2, "train_loss", 0.6), (48, 2, "train_loss", 0.5)]
    assert progress == 15


def test_boosting() -> None:
    assert read("[10]\tvalidation_0-rmse:0.1\tvalidation_1-rmse:0.2", "[11]\ttrain-auc:1") == (
        [
            (10, None, "validation_0-rmse", 0.1),
            (10, None, "validation_1-rmse", 0.2),
            (11, None, "train-auc", 1),
        ],
        None,
    )
    assert metrics("[10:11:12] INFO: ok", "[1]\ttrain-rmse:0.35000+0.00216") == {"train-rmse": 0.35}
    assert read("[10]\ttraining's l2: 0.1\tvalid_1's auc: 0.2")[0] == [
        (10, None, "training_l2", 0.1),
        (10, None, "valid_1_auc", 0.2),
    ]
    # What the best round had is said once more at the end.
    assert read(
        "[159]\tvalid_1's auc: 0.6",
        "Early stopping, best iteration is:",
        "[109]\tvalid_1's auc: 0.7",
        "[160]\tvalid_1's auc: 0.5",
    )[0] == [(159, None, "valid_1_auc", 0.6), (160, None, "valid_1_auc", 0.5)]
    assert read(
        "Learning rate set to 0.235162",
        "1:\tlearn: 0.5370206\ttest: 0.5\tbest: 0.5 (1)\ttotal: 59.7ms\tremaining: 59.7ms",
    ) == ([(1, None, "learn", 0.5370206), (1, None, "test", 0.5)], 50)
    assert read("99:\tlearn: 0.5\ttotal: 1m 30s\tremaining: 4m 30s")[1] == 25


def test_scikit_learn() -> None:
    assert read("Iteration 3, loss = 0.12345678", "Validation score: 0.600000")[0] == [
        (3, None, "loss", 0.12345678),
        (3, None, "Validation_score", 0.6),
    ]
    assert read(
        "-- Epoch 3", "Norm: 1.2, NNZs: 20, Bias: 0.1, T: 600, Avg. loss: 16.6, Objective: 17.3"
    )[0] == [(3, 3, "loss", 16.6), (3, 3, "Objective", 17.3)]
    assert read("Iteration 4, inertia 3812.154665042119.")[0] == [
        (4, None, "inertia", 3812.154665042119)
    ]
    assert read("[1/100] 1 tree, 31 leaves, max depth = 10, train loss: 0.63, in 0.010s") == (
        [(1, None, "train_loss", 0.63)],
        1,
    )
    assert read("building tree 20 of 80")[1] == 25
    assert read("[Parallel(n_jobs=1)]: Done  10 out of 100 | elapsed:    1.0s")[1] == 10


def test_a_search_of_scikit_learn() -> None:
    ended = "[CV {}/5] END ..................C=1, gamma=0.1;, score=0.9{} total time=   0.1s"
    points, progress = read(
        "Fitting 5 folds for each of 2 candidates, totalling 10 fits",
        "[CV 1/5] START C=1.................",
        *(ended.format(number, number) for number in (1, 2, 3)),
        "[CV 4/5] END .....alpha=0.1;, score=(train=0.880, test=0.730) total time=   0.0s",
    )
    assert [it[3] for it in points if it[2] == "score"] == [0.91, 0.92, 0.93]
    assert points[-2:] == [(4, None, "train_score", 0.88), (4, None, "test_score", 0.73)]
    assert progress == 40


def test_nanogpt() -> None:
    assert read(
        "tokens per iteration will be: 491,520",
        "step 250: train loss 2.0, val loss 2.1",
        "iter 250: loss 2.1234, time 3.00ms, mfu 1.00%",
    )[0] == [
        (250, None, "train_loss", 2.0),
        (250, None, "val_loss", 2.1),
        (250, None, "loss", 2.1234),
    ]


def test_megatron_and_deepspeed() -> None:
    assert read(
        " iteration      125/    1000 | consumed samples:       124928 | elapsed time per iteration "
        "(ms): 86545.2 | learning rate: 9.150E-06 | global batch size:  1024 | lm loss: 2.504220E+00 "
        "| loss scale: 1.0 | grad norm: 0.231 | number of skipped iterations:   0 |"
    ) == (
        [
            (125, None, "learning_rate", 9.15e-6),
            (125, None, "lm_loss", 2.50422),
            (125, None, "grad_norm", 0.231),
        ],
        12.5,
    )
    assert read(
        " validation loss at iteration 1000 | lm loss value: 5.314413E+00 | lm loss PPL: 2.032451E+02 | "
    )[0] == [(1000, None, "val_lm_loss", 5.314413), (1000, None, "val_lm_loss_PPL", 203.2451)]
    assert read(
        "[2022-03-11 02:06:58,985] [INFO] [logging.py:69:log_dist] [Rank 0] step=40, skipped=2, "
        "lr=[5e-05], mom=[[0.9, 0.999]]",
        "[2022-03-11 02:06:58,985] [INFO] [timer.py:189:stop] 0/40, SamplesPerSec=83.48, "
        "MemAllocated=0.26GB, MaxMemAllocated=9.02GB",
    ) == ([(40, None, "lr", 5e-5)], None)


def test_mmengine() -> None:
    points, progress = read(
        "04/21 21:03:53 - mmengine - INFO - Epoch(train) [1][50/100]  lr: 1.0e-02  eta: 0:02:30  "
        "time: 1.0  data_time: 0.000  memory: 392  loss: 11.4723  loss_cls: 1.2",
        "09/03 09:48:25 - mmengine - INFO - Epoch(val) [1][10/313]    eta: 0:00:03  time: 0.0122",
        "09/03 09:48:25 - mmengine - INFO - Epoch(val) [1][313/313]  acc/top1: 0.1429  time: 0.01",
    )
    assert points == [
        (50, 1, "lr", 0.01),
        (50, 1, "loss", 11.4723),
        (50, 1, "loss_cls", 1.2),
        (50, 1, "acc/top1", 0.1429),
    ]
    assert progress == 25  # 50 done, and by its own estimate 150 to go
    assert read(
        "2018-10-23 10:51:07,015 - INFO - Epoch [3][50/2500]     lr: 0.02000, time: 1.090, "
        "data_time: 0.015, acc: 99.0479, loss: 0.0394"
    )[0] == [(5050, 3, "lr", 0.02), (5050, 3, "acc", 99.0479), (5050, 3, "loss", 0.0394)]
    assert read(
        "04/21 21:03:53 - mmengine - INFO - Iter(train) [ 250/1000]  lr: 0.1  loss: 1.5",
        "06/16 08:23:02 - mmengine - INFO - Iter(val) [ 5/17]    eta: 0:00:05  time: 0.42",
        "06/16 08:23:02 - mmengine - INFO - Iter(val) [17/17]    aAcc: 86.39  mIoU: 51.1  time: 0.4",
    ) == (
        [
            (250, None, "lr", 0.1),
            (250, None, "loss", 1.5),
            (250, None, "aAcc", 86.39),
            (250, None, "mIoU", 51.1),
        ],
        25,
    )


def test_detectron2() -> None:
    points, progress = read(
        "[11/01 11:27:04 d2.utils.events]: eta: 1:00:00  iter: 3600  total_loss: 1.012  loss_cls: "
        "0.714  time: 0.5000  data_time: 0.0334  lr: 0.010000  max_mem: 3961M"
    )
    assert points == [
        (3600, None, "total_loss", 1.012),
        (3600, None, "loss_cls", 0.714),
        (3600, None, "lr", 0.01),
    ]
    assert progress == pytest.approx(100 / 3)


def test_fairseq() -> None:
    points, _ = read(
        "| epoch 001:    450 / 1891 loss=11.521, nll_loss=10.881, ppl=1886.05, wps=52922, ups=0.5, "
        "wpb=104928, bsz=5325, num_updates=445, lr=8.9e-05, gnorm=1.543, clip=0%, oom=0, wall=882",
        "| epoch 001 | valid on 'valid' subset | valid_loss 8.11425 | valid_ppl 118.06 | num_updates 600",
        "| epoch 010 | valid on 'valid' subset  1000 / 1311 loss=1.60",
        '2021-01-05 21:54:56 | INFO | train | {"epoch": 21, "train_loss": "816.933", '
        '"train_wps": "2990.8", "train_num_updates": "643", "train_lr": "2.49835e-05"}',
        '2021-01-05 21:54:58 | INFO | valid | {"epoch": 21, "valid_loss": "9.3", '
        '"valid_num_updates": "643", "valid_best_loss": "9.3"}',
    )
    assert points == [
        (445, 1, "loss", 11.521),
        (445, 1, "nll_loss", 10.881),
        (445, 1, "ppl", 1886.05),
        (445, 1, "lr", 8.9e-5),
        (445, 1, "gnorm", 1.543),
        (600, 1, "valid_loss", 8.11425),
        (600, 1, "valid_ppl", 118.06),
        (643, 21, "train_loss", 816.933),
        (643, 21, "train_lr", 2.49835e-5),
        (643, 21, "valid_loss", 9.3),
    ]
