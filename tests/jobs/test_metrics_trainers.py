"""Metrics and progress, from real lines of real trainers."""

# ruff: noqa: E501 - lines of logs are as long as they are

from __future__ import annotations

import math

import pytest

from tests.jobs.test_metrics import metrics, read


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
