"""The sentences that people read in the sidebar, as the parts that say them word them."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from math import inf
from typing import Any

from jupyter_training.jobs import families
from jupyter_training.jobs.children import parse
from jupyter_training.jobs.families import Child
from jupyter_training.jobs.lifecycle import Cause, Exit, Status, diagnose
from jupyter_training.jobs.spec import InvalidJob
from jupyter_training.scheduling.demand import Running, Waiting
from jupyter_training.scheduling.policy import plan
from jupyter_training.scheduling.resources import Gpu, Node, Placement, Resources
from tests.test_translations import SOURCES

A100 = "NVIDIA A100-SXM4-80GB"


def of_the_queue() -> Iterator[str]:
    cards = tuple(Gpu(f"gpu{place}", A100) for place in range(4))
    machine = Node("a", 32, 256, cards)
    held = [
        Running(1, "resnet50", Placement("a", 8, 64, ("gpu0", "gpu1")), inf),
        Running(2, "lr-sweep/12", Placement("a", 16, 128, ("gpu2",)), inf),
    ]
    # As if they shared a card.
    naps = (Running(one, f"nap{one}", Placement("a", 1, 1, ("gpu2",)), inf) for one in (3, 4, 5))
    three = [*held, *naps]
    for wants, running in (
        (Resources(8, 64, 4), held),
        (Resources(12, 8, 2), held),
        (Resources(9, 65, 0), held),
        (Resources(1, 1, 2), three),
        (Resources(64, 512, 8), held),
        (Resources(33, 1, 0), held),
        (Resources(1, 1, 1, "V100"), held),
        (Resources(1, 1, 2, "A10"), held),
        (Resources(1, 1, 5, "A100"), held),
    ):
        yield plan([Waiting(9, "waits", wants)], [machine], running, 0).waits[0].reason
    gang = Waiting(9, "gang", Resources(8, 16, 2), nodes=2)
    yield plan([gang], [machine], held, 0).waits[0].reason
    yield (
        plan([Waiting(9, "gang", Resources(8, 16, 2), nodes=3)], [machine], held, 0).waits[0].reason
    )
    yield plan([Waiting(9, "waits", Resources())], [], [], 0).waits[0].reason
    first, second = Waiting(8, "llama", Resources(1, 1, 4)), Waiting(9, "waits", Resources(1, 1, 1))
    yield plan([first, second], [machine], held, 0).waits[1].reason


def of_ends() -> Iterator[str]:
    exits: tuple[Exit, ...] = (
        Exit(exit_code=0),
        Exit(exit_code=3),
        Exit(signal=signal.SIGKILL),
        Exit(signal=signal.SIGTERM),
        Exit(exit_code=1, who="rank 3 of 8", said="the loss is NaN"),
        Exit(cause=Cause.OUT_OF_MEMORY, detail="killed at 31.9 of 32 GB"),
        Exit(cause=Cause.TIMED_OUT, detail="it ran for its time limit of 3600 s"),
        Exit(cause=Cause.LAUNCH_FAILED, detail="sh: 1: trainer: not found"),
        Exit(cause=Cause.INVALID_ARGUMENTS, detail="error: unrecognized arguments: --lr"),
        Exit(cause=Cause.NODE_LOST, detail="the machine was restarted"),
        Exit(cause=Cause.IMAGE_UNAVAILABLE, detail="no such image"),
        Exit(cause=Cause.PREEMPTED, detail="urgent"),
        Exit(cause=Cause.UPSTREAM_FAILED, detail="fit and baseline"),
        Exit(cause=Cause.PRUNED, detail="worse than others"),
    )
    for one in exits:
        yield diagnose(one)[1]
    yield diagnose(Exit(), cancelled_by="ada")[1]
    failed = Child("fit", Status.FAILED, *diagnose(Exit(exit_code=1)))
    for children in ([failed], [failed] * 3):
        yield families.standing(children).reason or ""


def of_requests() -> Iterator[str]:
    search: dict[str, Any] = {"metric": "loss", "trials": 2}
    space: dict[str, Any] = {"lr": {"type": "uniform", "low": 1, "high": 0}}
    wrong: tuple[dict[str, Any], ...] = (
        {"name": " ", "command": ""},
        {"name": "a\nb", "command": "echo 'x"},
        {"command": "echo \\", "cpu_cores": 0, "priority": 5000, "time_limit_s": 0},
        {"name": "x" * 257, "dataset_ids": ["a"] * 101},
        {"env_vars": {"1x": "2"}},
        {"env_vars": {"JUPYTER_TRAINING_X": "2"}},
        {"job_type": "pipeline", "command": None, "stages": []},
        {"job_type": "pipeline", "command": None, "stages": [{"name": "a b", "command": "x"}]},
        {"job_type": "hyperparameter", "search": {**search, "space": space}},
        {"job_type": "hyperparameter", "search": {**search, "space": {}}},
        {"search": {**search, "space": {"lr": "loguniform:1e-5:1e-1"}}, "job_type": "single"},
    )
    for fields in wrong:
        try:
            parse({"name": "job", "command": "true", **fields})
        except InvalidJob as invalid:
            yield from (error.message for error in invalid.errors)


def test_the_sidebar_knows_what_the_scheduler_the_ends_and_the_checks_of_requests_say() -> None:
    known = json.loads((SOURCES / "__tests__" / "sentences.json").read_text(encoding="utf-8"))
    said = {*of_the_queue(), *of_ends(), *of_requests()}
    assert said - known.keys() == set()
