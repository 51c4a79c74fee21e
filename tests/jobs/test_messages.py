"""What a person reads of a job outside of Jupyter."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from jupyter_training.jobs.messages import Facts, Mood, duration, message, plain
from jupyter_training.jobs.notifications import Occasion

T0 = datetime(2026, 1, 26, 10, tzinfo=timezone.utc)

FACTS = Facts(
    Occasion.COMPLETED,
    "digits",
    "job-1",
    attempt=1,
    attempts=4,
    reason="finished",
    at=T0 + timedelta(hours=2, minutes=5, seconds=9),
    began_at=T0,
    node="titan",
    gpus=("GPU-1", "GPU-2"),
    progress=100,
    output_dir="/data/jobs/job-1/output",
    metrics={"loss": 0.031249, "epoch": 30.0},
    log=["Epoch 30/30"],
)


def test_of_a_job_that_completed_it_says_how_long_how_well_and_where() -> None:
    told = message(FACTS)
    assert told.title == "digits completed after 2 h 5 min"
    assert told.mood == Mood.SUCCESS
    assert told.body.splitlines() == [
        "Attempt 1 of at most 4 on titan with 2 GPUs.",
        "Last metrics: loss 0.03125, epoch 30.",
        "Results: /data/jobs/job-1/output",
        "More: jupyter training show job-1",
    ]


def test_of_a_job_that_failed_it_says_why_and_how_its_log_ends() -> None:
    told = message(
        replace(
            FACTS,
            occasion=Occasion.FAILED,
            attempt=4,
            reason="the script ended with exit code 1; its log says why",
            at=T0 + timedelta(seconds=12),
            gpus=(),
            progress=40,
            metrics={},
            log=["Traceback (most recent call last):", "ValueError: no such file", "", ""],
        )
    )
    assert told.title == "digits failed after 12 s"
    assert told.mood == Mood.FAILURE
    assert told.body.splitlines() == [
        "The script ended with exit code 1; its log says why.",
        "Attempt 4 of at most 4 on titan.",
        "It had come to 40 %.",
        "",
        "The end of its log:",
        "  Traceback (most recent call last):",
        "  ValueError: no such file",
        "",
        "More: jupyter training show job-1",
    ]


def test_of_a_job_that_is_made_of_others_it_says_what_came_of_them_and_who_is_to_blame() -> None:
    found = replace(FACTS, attempt=0, node=None, gpus=(), metrics={}, log=[], log_of="digits/fit")
    search = replace(found, reason="best loss 0.03 in trial 7 of 30 (12 pruned)")
    assert message(search).title == "digits completed after 2 h 5 min"
    assert message(search).body.splitlines() == [
        "Best loss 0.03 in trial 7 of 30 (12 pruned).",
        "Results: /data/jobs/job-1/output",
        "More: jupyter training show job-1",
    ]
    pipeline = replace(
        found,
        occasion=Occasion.FAILED,
        reason="fit failed: the script ended with exit code 3; its log says why",
        log=["ValueError: no such file"],
    )
    assert message(pipeline).body.splitlines() == [
        "Fit failed: the script ended with exit code 3; its log says why.",
        "",
        "The end of the log of digits/fit:",
        "  ValueError: no such file",
        "",
        "More: jupyter training show job-1",
    ]


@pytest.mark.parametrize(
    ("occasion", "title"),
    [
        (Occasion.RETRYING, "digits failed after 2 h 5 min and is tried again"),
        (Occasion.CANCELLED, "digits was cancelled after 2 h 5 min"),
        (Occasion.IDLE, "digits leaves its GPUs idle"),
    ],
)
def test_every_occasion_has_a_title(occasion: Occasion, title: str) -> None:
    told = message(replace(FACTS, occasion=occasion, reason="because"))
    assert (told.title, told.mood) == (title, Mood.WARNING)
    assert told.body.startswith("Because.\n")


def test_of_a_job_that_never_began_it_says_no_time() -> None:
    facts = replace(FACTS, occasion=Occasion.CANCELLED, attempt=0, began_at=None, metrics={})
    assert message(facts).title == "digits was cancelled"
    assert "Attempt" not in message(facts).body


def test_what_only_a_terminal_understands_is_left_out() -> None:
    log = [
        "\x1b[31mred\x1b[0m \x07bell\x1b]0;title\x07",
        "\x1b]8;;http://x\x1b\\link",
        "tab\tnul\0",
    ]
    facts = replace(FACTS, occasion=Occasion.FAILED, name="evil\x1b[2J\nname", log=log)
    told = message(facts)
    assert told.title.startswith("evil name failed")
    assert [line for line in told.body.splitlines() if line.startswith("  ")] == [
        "  red  bell",
        "  link",
        "  tab nul",
    ]
    assert all(one.isprintable() or one == "\n" for one in told.body)


def test_it_is_never_long() -> None:
    facts = replace(
        FACTS,
        occasion=Occasion.FAILED,
        name="n" * 256,
        log=["x" * 5000] * 1000,
        metrics={f"metric {n}" + "m" * 500: n / 7 for n in range(1000)},
    )
    told = message(facts)
    assert len(told.title) < 120
    assert len(told.body) < 3500
    assert "and 992 more" in told.body


def test_numbers_that_are_none_are_told_as_they_are() -> None:
    facts = replace(FACTS, metrics={"loss": float("nan"), "worst": float("inf"), "lr": 1e-5})
    assert "Last metrics: loss nan, worst inf, lr 1e-05." in message(facts).body


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((0, "0 s"), (0.4, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h")),
        *((7509, "2 h 5 min"), (86403, "1 d"), (93600, "1 d 2 h"), (-5, "0 s")),
    ],
)
def test_a_time_is_told_in_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_letters_of_all_languages_stay() -> None:
    assert plain("训练 épocha ✓") == "训练 épocha ✓"
