"""What is a metric, what it is called, at which step it is, and that nothing breaks the reader."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_training.jobs.progress import NAMES, RULES, LogReader, Memory, Point, Rule
from jupyter_training.jobs.progress.lines import line

Value = tuple[int, float | None, str, float]


def read(*lines: str) -> tuple[list[Value], object]:
    """The points of a log, and its progress."""
    reader = LogReader()
    points = reader.feed("".join(f"{line}\n" for line in lines).encode(), at=1.0)
    assert all(point.at == 1.0 for point in points)
    return [(it.step, it.epoch, it.name, it.value) for it in points], reader.progress


def metrics(*lines: str) -> dict[str, float]:
    """The values of the last line, which are all of one step."""
    before, _ = read(*lines[:-1])
    points, _ = read(*lines)
    return {name: value for _, _, name, value in points[len(before) :]}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_understands_its_example_before_any_other(rule: Rule) -> None:
    memory = Memory(
        columns=["Epoch", "train_loss", "valid_loss", "accuracy", "time"],
        val_columns=["P", "R", "mAP50", "mAP50-95"],
        section="rollout",
        heard=True,
    )
    understood = next(it for it in RULES if it(line(rule.example.encode()), memory) is not None)
    assert understood is rule


def test_what_people_print_themselves() -> None:
    assert read("Epoch 3/10, Loss: 0.12, Acc: 95.31%, Time: 3.2s, lr: 1e-3") == (
        [(3, 3, "Loss", 0.12), (3, 3, "Acc", 95.31), (3, 3, "lr", 0.001)],
        30,
    )
    assert read("Epoch [3/10], Step [40/200], Loss: 0.1") == (
        [(440, 3, "Loss", 0.1)],
        pytest.approx(22),
    )
    assert read("Epoch 7 | train loss 0.3 | val loss 0.4 | 12.1 s") == (
        [(7, 7, "train_loss", 0.3), (7, 7, "val_loss", 0.4)],
        None,
    )
    assert read("[Epoch 3/10] [Batch 5/50] [D loss: 0.4] [G loss: 0.7]") == (
        [(105, 3, "D_loss", 0.4), (105, 3, "G_loss", 0.7)],
        pytest.approx(21),
    )
    assert read("Epoch 3: recon loss: 1.5, KL loss: 0.2 | Generator Loss 0.7")[0] == [
        (3, 3, "recon_loss", 1.5),
        (3, 3, "KL_loss", 0.2),
        (3, 3, "Generator_Loss", 0.7),
    ]
    assert read("step 250, loss=0.5")[0] == [(250, None, "loss", 0.5)]
    assert read("2026-01-26 10:00:00,123 - train - INFO - epoch: 4 loss: -1.5e-3")[0] == [
        (4, 4, "loss", -0.0015)
    ]


def test_batches_begin_again_with_each_epoch() -> None:
    points, _ = read(
        "EPOCH 1:",
        "  batch 1000 loss: 0.5",
        "EPOCH 2:",
        "  batch 500 loss: 0.4",
        "  batch 1000 loss: 0.3",
    )
    assert [it[0] for it in points] == [1000, 1500, 2000]
    told = "Epoch {}, Step {}, Loss: 0.5"
    within = [told.format(epoch, at) for epoch in (1, 2) for at in (50, 100)]
    assert [it[0] for it in read(*within)[0]] == [50, 100, 150, 200]
    on = [told.format(epoch, 100 * epoch + at) for epoch in (0, 1, 2) for at in (10, 60)]
    assert [it[0] for it in read(*on)[0]] == [10, 60, 110, 160, 210, 260]
    of_so_many = [told.format(f"{epoch}/4", at) for epoch in (1, 2) for at in (50, 100)]
    points, progress = read(*of_so_many)
    assert [it[0] for it in points] == [50, 100, 150, 200]
    assert progress == 25  # the second one goes on
    words = (
        "| epoch   2 |   200/ 2983 batches | lr 20.00 | ms/batch 12.3 | loss  7.64 | ppl  2077.9"
    )
    assert read(words)[0] == [
        (3183, 2, "lr", 20),
        (3183, 2, "loss", 7.64),
        (3183, 2, "ppl", 2077.9),
    ]


@pytest.mark.parametrize(
    "before",
    [
        "INFO:root:",
        "INFO:__main__:",
        "2024-05-01 12:00:00.123 | INFO     | __main__:train:45 - ",
        "2024-05-01T12:00:00Z [INFO] ",
        "[2024-05-01 12:00:00,123][train][INFO] - ",
        "[rank0]: ",
        "[1,0]<stdout>:",
        "(RayTrainWorker pid=1234, ip=10.0.0.1) ",
        "12:00:00 ",
        "I0126 10:00:00.123456 140123456789 train.py:123] ",
        "[rank0]:[titan] 2024-05-01 12:00:00,123 - root - INFO - ",
        "[INFO|trainer.py:2405] 2024-05-01 12:00:00,123 >> ",
        "[INFO|2024-05-01 12:00:00] llamafactory.train.callbacks:143 >> ",
        "speechbrain.utils.train_logger - ",
        "\x1b[32m",
        "=> ",
    ],
)
def test_what_a_logger_puts_in_front(before: str) -> None:
    assert read(f"{before}step 40 loss 0.5")[0] == [(40, None, "loss", 0.5)]


def test_epochs_from_zero() -> None:
    # The tutorial of PyTorch on transfer learning.
    points, progress = read(
        "Epoch 0/24", "----------", "train Loss: 0.65 Acc: 0.68", "val Loss: 0.25 Acc: 0.90"
    )
    assert points == [
        (0, 0, "train_Loss", 0.65),
        (0, 0, "Acc", 0.68),
        (0, 0, "val_Loss", 0.25),
        (0, 0, "val_Acc", 0.9),
    ]
    assert progress == 0
    assert read("Epoch 0/24", "Epoch 24/24")[1] == 96


def test_json_lines() -> None:
    assert read('{"step": 10, "loss": 0.5, "train": {"f1": 0.9}, "time": 3.2}')[0] == [
        (10, None, "loss", 0.5),
        (10, None, "train/f1", 0.9),
    ]
    assert read('{"train_loss": NaN, "epoch": 49, "n_parameters": 11590840}')[0][0][:3] == (
        49,
        49,
        "train_loss",
    )
    assert read('{"current_steps": 10, "total_steps": 40, "loss": 0.5, "epoch": 0.25}') == (
        [(10, 0.25, "loss", 0.5)],
        25,
    )
    assert metrics('{"loss": -Infinity, "step": 3}') == {"loss": -math.inf}


@pytest.mark.parametrize(
    "settings",
    [
        "{'lr': 0.1, 'batch_size': 32, 'seed': 42, 'epochs': 10, 'dropout': 0.5}",
        '{"learning_rate": 0.1, "num_train_epochs": 3, "max_steps": 100, "loss_weight": 0.5}',
        "lr: 0.1, batch_size: 32",
        "Namespace(batch_size=64, epochs=14, lr=1.0, gamma=0.7, seed=1, log_interval=10)",
        "learning_rate = 0.001 dropout = 0.5",
        '{"step": 2, "code": 200, "pid": 1234}',
        "loss: mse, lr: 0.01",
    ],
)
def test_how_a_training_is_set_up_is_no_metric(settings: str) -> None:
    assert read(settings) == ([], None)


@pytest.mark.parametrize(
    ("result", "values"),
    [
        ("accuracy: 0.95", {"accuracy": 0.95}),
        ("Test accuracy: 95.31%", {"Test_accuracy": 95.31}),
        ("rmse = 1.5, r2 = 0.81", {"rmse": 1.5, "r2": 0.81}),
        ("{'accuracy': 0.95}", {"accuracy": 0.95}),
    ],
)
def test_a_silent_script_may_print_its_result(result: str, values: dict[str, float]) -> None:
    assert metrics(result) == values
    assert read(result)[1] is None


def test_the_same_value_of_the_same_step_is_one_point() -> None:
    bar = " 45%|####5     | 45/100 [00:10<00:12,  4.50it/s, loss={}]"
    values = [bar.format(value) for value in ("0.1", "0.1", "nan", "nan", "0.2")]
    assert len(read(*values)[0]) == 3


def test_no_more_names_than_that() -> None:
    points, _ = read(*(f"step {at} loss_{at}: 0.5" for at in range(NAMES + 50)))
    assert len({name for _, _, name, _ in points}) == NAMES


_pieces = st.lists(
    st.sampled_from(
        [rule.example for rule in RULES]
        + ["Epoch 1/3", "Epoch 2/3 - loss: 1", "1/2 [=>.]", "loss: nan", "Fold 1/2", "0.5  0.1"]
        + ["\r", "\n", "\n", "\n", "\x1b[1m", "ü", "x"]
    ),
    max_size=30,
)


def same(one: list[Point], other: list[Point]) -> bool:
    # NaN is not equal to itself.
    return repr(one) == repr(other)


@given(_pieces, st.lists(st.integers(0, 2000)))
def test_cuts_and_restarts_make_no_difference(pieces: list[str], cuts: list[int]) -> None:
    log = "".join(pieces).encode() + b"\n"
    whole, cut = LogReader(), LogReader()
    expected = whole.feed(log)
    places = sorted({min(place, len(log)) for place in cuts} | {0, len(log)})
    points = []
    for begin, end in pairwise(places):
        # As after a restart of the server.
        cut = LogReader.restored(json.loads(json.dumps(cut.state(), allow_nan=False)))
        assert cut.offset == begin
        points += cut.feed(log[begin:end])
    assert same(points, expected)
    assert cut.progress == whole.progress
    assert cut.state() == whole.state()


@given(st.binary() | _pieces.map(lambda pieces: "".join(pieces).encode()))
def test_whatever_is_printed_does_no_harm(log: bytes) -> None:
    reader = LogReader()
    for point in reader.feed(log + b"\n"):
        assert point.name
    assert reader.progress is None or 0 <= reader.progress <= 100


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
_keys = st.sampled_from(["epoch", "step", "loss", "total_steps", "lr", "a"]) | st.text(max_size=5)


@given(st.lists(st.dictionaries(_keys, _json, max_size=6), max_size=4))
def test_any_record_can_be_read_and_gone_on_from(records: list[dict[str, object]]) -> None:
    reader = LogReader()
    for record in records:
        reader.feed(json.dumps(record).encode() + b"\n" + repr(record).encode() + b"\n")
        state = json.loads(json.dumps(reader.state(), allow_nan=False))
        assert LogReader.restored(state).state() == reader.state()
    assert reader.progress is None or 0 <= reader.progress <= 100


@pytest.mark.parametrize("state", [{}, {"version": 0}, {"version": 1, "offset": "x"}])
def test_a_state_that_is_none(state: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"state|invalid"):
        LogReader.restored(state)
