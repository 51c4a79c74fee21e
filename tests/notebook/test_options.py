"""What the options of a job become."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_training.jobs.children import parse
from jupyter_training.notebook.magic_options import job_parser, script_parser, train_parser
from jupyter_training.notebook.options import (
    OPTIONS,
    Parser,
    UsageError,
    add_job_options,
    called,
    fields_of,
    job_fields,
    words,
)


def fields(line: str) -> dict[str, Any]:
    parser = Parser(prog="%%train")
    add_job_options(parser)
    return job_fields(parser.parse_args(words(line)))


def test_who_is_told_is_given_by_name_or_url() -> None:
    assert fields("--notify team --notify 'tgram://TOKEN/CHAT'") == {
        "notify": ["team", "tgram://TOKEN/CHAT"]
    }
    assert fields("") == {}


def test_what_only_slurm_understands_is_told_as_such() -> None:
    assert fields("--executor slurm --partition gpu --qos high") == {
        "executor": "slurm",
        "executor_options": {"partition": "gpu", "qos": "high"},
    }
    assert fields_of({"partition": "gpu", "executor_options": {"exclude": "n1"}}) == {
        "executor_options": {"exclude": "n1", "partition": "gpu"}
    }
    assert OPTIONS["executor_options.partition"] == "--partition"


def test_on_which_occasions_holds_for_all_of_them() -> None:
    on = ["failed", "retrying"]
    assert fields("--notify a --notify b --notify-on failed,retrying") == {
        "notify": [{"to": "a", "on": on}, {"to": "b", "on": on}]
    }
    with pytest.raises(UsageError, match="--notify-on needs --notify"):
        fields("--notify-on failed")


def test_a_search_is_described_by_its_space_and_what_else_is_said() -> None:
    told = fields(
        "--type hyperparameter --trials 50 --parallel 4 --search lr=loguniform:1e-5:1e-1 "
        "--search batch=choice:16,32,64 --metric val_loss --goal minimize --pruner asha --seed 3 "
        "--budget-hours 2 --gpu-hours 8"
    )
    assert told == {
        "job_type": "hyperparameter",
        "search": {
            "trials": 50,
            "parallel": 4,
            "metric": "val_loss",
            "goal": "minimize",
            "pruner": "asha",
            "seed": 3,
            "budget_hours": 2.0,
            "gpu_hours": 8.0,
            "space": {
                "lr": {"type": "loguniform", "low": 1e-5, "high": 0.1},
                "batch": {"type": "choice", "values": [16, 32, 64]},
            },
        },
    }
    assert parse({"name": "s", "command": "true", **told}).search is not None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--search lr", "'lr' is not NAME=KIND:"),
        ("--search lr=normal:0:1", "lr: 'normal' is none of uniform"),
        ("--search lr=uniform:0", "lr: 'uniform:0' should be uniform:LOW:HIGH"),
        ("--search lr=int:1:2 --search lr=int:1:3", "--search names lr twice"),
        ("--trials 5", "--trials needs --search"),
        ("--min-steps 5", "--min-steps needs --search"),
        ("--type hyperparameter", "--type hyperparameter needs --search"),
    ],
)
def test_what_is_wrong_with_a_search_is_told_before_it_is_sent(line: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        fields(line)


def test_a_help_begins_with_how_it_is_used() -> None:
    for parser, usage in (
        (script_parser(), "%train [options] [script] [arguments ...]"),
        (train_parser(), "%%train [options]"),
        (job_parser("%train_cancel", "Cancel it."), "%train_cancel [-h] JOB"),
    ):
        assert parser.format_help().startswith(f"usage: {usage}\n")


@pytest.mark.parametrize("text", ["x", "1e9", "", "9" * 30, "٣"])
def test_what_is_no_whole_number_is_told(text: str) -> None:
    with pytest.raises(UsageError, match=r"--gpus/-g: '.*' is not a whole number"):
        fields(f"--gpus '{text}'")


def test_what_the_server_refuses_is_called_as_people_wrote_it() -> None:
    told = {"search.space.lr": "--search lr", "search.space": "--search", "name": "--name"}
    told |= {"search.min_steps": "--min-steps", "search.other": "search.other"}
    assert {field: called(field) for field in told} == told
