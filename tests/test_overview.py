"""What ``jupyter training show`` says of a job, in terminals of several widths and in a pipe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from rich.text import Text

from jupyter_training.notebook.facts import Known, facts
from jupyter_training.notebook.history import MOST_EVENTS, HistoryTable
from jupyter_training.notebook.trials import Found
from jupyter_training.overview import print_overview

ID = "job-5f2c81d09e3a"
CARDS = {f"GPU-fa4e0000-0000-0000-0000-00000000000{one}": (one, 87.4) for one in (2, 3)}
GIVEN = f"runs with 4 CPU cores, 16 GB, GPU {', '.join(CARDS)} on gpubox"
EXIT = "the script ended with exit code 3; its log says why"


@pytest.fixture(autouse=True)
def _in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(clock: str, day: str = "2026-11-26") -> str:
    return f"{day}T{clock}.000Z"


def event(clock: str, status: str, reason: str = "", **more: Any) -> dict[str, Any]:
    told = {"at": at(clock), "to_status": status, "kind": "status", "attempt": 0, "cause": None}
    return {**told, "reason": reason, **more}


def told(status: str, **more: Any) -> dict[str, Any]:
    started = None if status == "pending" else at("18:52:00")
    return {
        "job_id": ID,
        "name": "resnet50 [red]",
        "description": None,
        "job_type": "single",
        "cpu_cores": 4,
        "memory_gb": 16,
        "gpu_count": 2,
        "gpu_type": "A100",
        "nodes": 1,
        "parts": [],
        "priority": 0,
        "time_limit_s": None,
        "image": None,
        "command": "python train.py --note 'it'\"'\"'s new'",
        "working_dir": "/home/me/work",
        "env_vars": {"WANDB_API_KEY": "secret"},
        "dataset_ids": [],
        "snapshot": "abc",
        "output_dir": "/srv/training/jobs/job-5f2c81d09e3a/output",
        "executor": "local",
        "parent_id": None,
        "depends_on": [],
        "upstreams": [],
        "children": None,
        "parameters": {},
        "search": None,
        "status": status,
        "cause": None,
        "reason": None,
        "progress": 0,
        "metrics": {},
        "queue_position": None,
        "attempt": 0 if status == "pending" else 1,
        "max_retries": 3,
        "exit_code": None,
        "node": None if status == "pending" else "gpubox",
        "gpus": [] if status == "pending" else list(CARDS),
        "submitted_at": at("18:44:00"),
        "started_at": started,
        "completed_at": None,
        "next_attempt_at": None,
        "cancel_requested_at": None,
        "notify": [],
        **more,
    }


NOW = datetime.fromisoformat("2026-11-26T14:04:00-05:00")
SUBMITTED = event("18:44:00", "pending", "submitted by me")

RUNNING = Known(
    told(
        "running",
        reason=f"its GPUs have done nothing since 18:58 UTC; {GIVEN}",
        idle_since=at("18:58:00"),
        description="The baseline, as it is in the paper, but for a first part of 120 min",
        progress=45,
        remaining_text="about 5 to 8 min left",
        remaining_s=390.0,
        metrics={"loss": 0.41194, "accuracy": 0.9},
        usage="used at most 6.2 of 16 GB of memory, 1.9 of 4 CPU cores on average, its 2 GPUs 87 % "
        "busy, at most 40.0 GB of a GPU's memory",
        dataset_ids=[2, 7],
    ),
    NOW,
    [
        SUBMITTED,
        event("18:52:00", "scheduled", GIVEN.replace("runs with", "is given"), attempt=1),
        event("18:52:00", "running", GIVEN, attempt=1),
        event(
            "19:01:00",
            "",
            "its 2 GPUs have done nothing since 2026-11-26 18:58 UTC",
            attempt=1,
            kind="idle",
        ),
    ],
    lines=["Epoch 9/20", "\x1b[31mepoch 10\x1b[0m \x1b[2J"],
    cards=CARDS,
    datasets={2: "imagenet-2012"},
)
WAITING = Known(
    told(
        "pending",
        reason="waits for 2 GPUs (0 free), held by vit-large",
        starts_text="in about 25 min, when vit-large has ended",
        starts_in_s=1500.0,
        queue_position=2,
        submitted_at=at("19:00:00", "2026-11-24"),
    ),
    NOW,
    [SUBMITTED],
)
FAILED = Known(
    told(
        "failed",
        cause="user_error",
        reason=EXIT,
        completed_at=at("18:55:05"),
        progress=45,
        attempt=4,
        exit_code=3,
    ),
    NOW,
    [
        one
        for number in range(1, 5)
        for one in (
            event("18:52:00", "scheduled", "is given …", attempt=number),
            event("18:52:00", "running", "runs with …", attempt=number),
            event(
                "18:55:05",
                "failed" if number == 4 else "retrying",
                EXIT,
                attempt=number,
                cause="user_error",
            ),
        )
    ],
    lines=["Traceback (most recent call last):", f"ValueError: {'the shapes do not fit ' * 6}"],
)
RETRYING = Known(
    told(
        "retrying",
        cause="user_error",
        reason=f"{EXIT}; tried again at 19:04:30 UTC",
        next_attempt_at=at("19:04:30"),
        attempt=2,
        exit_code=3,
    ),
    NOW,
    [SUBMITTED],
    lines=["no luck"],
)
GANG = Known(
    told(
        "failed",
        cause="user_error",
        reason=f"rank 3 of 4 failed first: {EXIT}",
        job_type="distributed",
        nodes=3,
        min_nodes=2,
        parts=[{"node": "gpubox"}, {"node": "gpubox-2.cluster.example.org"}],
        completed_at=at("18:55:05"),
    ),
    NOW,
    [SUBMITTED],
    ranks={
        "nodes": [
            {"node": "gpubox", "gpus": list(CARDS)},
            {"node": "gpubox-2.cluster.example.org", "gpus": ["GPU-0123456789abcdef"]},
        ],
        "ranks": [
            {
                "rank": rank,
                "node": rank // 2,
                "state": "failed" if rank == 3 else "stopped",
                "log_bytes": 2500 * rank,
                "printed_at": at("18:55:04") if rank else None,
            }
            for rank in range(4)
        ],
        "first_failure": {
            "rank": 3,
            "node": 1,
            "exit_code": 3,
            "signal": None,
            "detail": None,
            "lines": ["the loss is NaN"],
        },
    },
    lines=["[rank 0] not of interest"],
    cards=CARDS,
)


def stage(name: str, status: str, *after: str, **more: Any) -> dict[str, Any]:
    times = {"started_at": None, "completed_at": None}
    return {
        "job_id": f"job-{name}",
        "child_key": name,
        "status": status,
        "progress": 0,
        "depends_on": [f"job-{one}" for one in after],
        "cause": None,
        "reason": None,
        **times,
        **more,
    }


PIPELINE = Known(
    told(
        "running",
        name="my digits",
        job_type="pipeline",
        command="",
        node=None,
        gpus=[],
        attempt=0,
        children={"completed": 1, "failed": 1, "running": 1, "pending": 1},
        reason="1 completed, 1 failed, 1 pending, 1 running",
        progress=25,
    ),
    NOW,
    [SUBMITTED],
    children=[
        stage(
            "prepare",
            "completed",
            cause="success",
            reason="finished",
            progress=100,
            started_at=at("18:52:00"),
            completed_at=at("18:53:00"),
        ),
        stage("fit", "running", "prepare", reason="runs with …", started_at=at("18:53:00")),
        stage("evaluate", "failed", "prepare", cause="out_of_memory", reason="killed \x1b[31m"),
        stage("publish", "pending", "fit", "evaluate", reason="waits for fit to complete"),
    ],
)
TRIAL = {
    "number": 7,
    "params": {"lr": 0.001, "batch": 32},
    "state": "complete",
    "value": 0.123456,
    "step": 1,
    "job_id": "job-7",
    "output_dir": "/o",
    "checkpoint_dir": "/c",
}
SEARCH = Known(
    told(
        "completed",
        cause="success",
        reason="best loss 0.123456 in trial 7 of 25",
        job_type="hyperparameter",
        children={"completed": 25},
        search={"done": 25},
        node=None,
        gpus=[],
        attempt=0,
        progress=100,
        completed_at=at("19:03:00"),
        metrics={"loss": 0.123456},
    ),
    NOW,
    [SUBMITTED],
    found=Found(
        {
            "search": {
                **{"metric": "loss", "goal": "minimize", "space": {}},
                **{"sampler": "tpe", "pruner": "asha", "seed": 7},
            },
            "over": True,
            "trials_allowed": 25,
            "states": {"waiting": 0, "running": 0, "complete": 20, "pruned": 5, "failed": 0},
            "best": TRIAL,
            "trials": [TRIAL],
            "importance": {"lr": 0.9, "batch": 0.1},
        }
    ),
)
CASES = [
    (
        RUNNING,
        [
            f"resnet50 [red]  {ID}  running",
            "its GPUs have done nothing since 13:58",
            "45 %, about 5 to 8 min left, until 14:10",
            "metrics       loss 0.4119 · accuracy 0.9",
            "started       12 min ago (13:52), waited 8 min",
            "asked for     4 cores · 16 GB · 2 GPUs (A100)",
            "runs on       gpubox · GPUs 2, 3 (87 %, 87 % busy) · local",
            "used at most  6.2 of 16 GB of memory, 1.9 of 4 CPU cores on average",
            'command       python train.py --note "it\'s new"',
            "variables     WANDB_API_KEY",
            "data sets     imagenet-2012, number 7",
            "directory     /home/me/work (as it was when it was submitted)",
            "13:44:00           queued   submitted by me",
            "13:52:00  1        running  runs with 4 CPU cores, 16 GB, GPU 2, 3 on gpubox",
            "14:01:00  1        GPUs idle  its 2 GPUs have done nothing since 13:58",
            "  epoch 10",
            f"jupyter training logs -f {ID}",
            f"jupyter training cancel {ID}   end it",
        ],
    ),
    (
        WAITING,
        [
            f"resnet50 [red]  {ID}  queued",
            "waits for 2 GPUs (0 free), held by vit-large",
            "starts in about 25 min, when vit-large has ended (about 14:29)",
            "submitted   2 d ago (24 Nov 14:00)",
            "in queue    place 2",
            "executor    local",
            f"jupyter training cancel {ID}",
        ],
    ),
    (
        FAILED,
        [
            f"resnet50 [red]  {ID}  failed",
            f"script error: {EXIT}",
            "45 %",
            "ended       9 min ago (13:55), ran 3 min",
            "attempt     4 of at most 4, exit code 3",
            f"13:55:05  3        retrying  script error: {EXIT}",
            f"13:55:05  4        failed    script error: {EXIT}",
            "last lines of its log",
            "  Traceback (most recent call last):",
            f"jupyter training retry {ID}",
        ],
    ),
    (
        RETRYING,
        [
            f"script error: {EXIT}; tried again at 14:04:30",
            "next try    in 30 s (14:04)",
            "attempt     2 of at most 4, exit code 3",
            "  no luck",
        ],
    ),
    (
        GANG,
        [
            f"script error: rank 3 of 4 failed first: {EXIT}",
            "asked for   3 nodes of 4 cores · 16 GB · 2 GPUs (A100), or at least 2 nodes",
            "ran on      gpubox, gpubox-2.cluster.example.org · GPUs 2, 3 · local",
            "0     stopped  0 on gpubox",
            "3     failed   1 on gpubox-2.cluster.example.org  GPU-01234567  7.3 KB   13:55:04",
            "rank 3 failed first (exit code 3); its last lines",
            "  the loss is NaN",
            f"jupyter training logs --rank 3 {ID}",
        ],
    ),
    (
        PIPELINE,
        [
            f"my digits  {ID}  running",
            "1 of 4 stages completed, 1 failed",
            "prepare   completed  100 %     1 min",
            "fit       running    0 %       11 min  prepare",
            "evaluate  failed     0 %               prepare        out of memory: killed \\x1b[31m",
            "publish   queued     0 %               fit, evaluate  waits for fit to complete",
            "jupyter training show job-evaluate  its stage evaluate",
        ],
    ),
    (
        SEARCH,
        [
            f"resnet50 [red]  {ID}  completed",
            "trials        25 of 25 done (20 complete, 5 pruned)",
            "best          trial 7: loss 0.1235 with lr 0.001, batch 32",
            "what matters  lr 90%, batch 10%",
            "method        tpe, asha, seed 7",
            f"jupyter training trials {ID}",
        ],
    ),
]
NAMES = ["running", "waiting", "failed", "retrying", "distributed", "pipeline", "search"]


@pytest.mark.parametrize(("known", "wanted"), CASES, ids=NAMES)
def test_in_a_pipe_it_is_plain_text_in_the_order_of_interest(
    known: Known, wanted: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    print_overview(known)
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "secret" not in shown
    rest = " ".join(shown.split())
    for one in wanted:
        before, found, rest = rest.partition(" ".join(one.split()))
        assert found, (one, before)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(("known", "wanted"), CASES, ids=NAMES)
def test_on_a_terminal_every_word_is_whole_and_every_line_fits(
    known: Known,
    wanted: list[str],
    width: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_overview(known)
    plain = capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.delenv("NO_COLOR", raising=False)
    print_overview(known)
    coloured = capsys.readouterr().out
    shown = Text.from_ansi(coloured).plain
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= width
    assert set(plain.split()) - {"reason"} <= set(shown.split())
    assert not any(line.split()[:1] == ["min"] for line in shown.splitlines())
    assert ("━" in shown) == (known in (RUNNING, FAILED, PIPELINE))
    monkeypatch.setenv("NO_COLOR", "1")
    print_overview(known)
    colourless = capsys.readouterr().out
    assert Text.from_ansi(colourless).plain.split() == [
        # What is not done yet is told by the colour alone of a bar that has one.
        one.partition("╺")[0]
        for one in shown.split()
    ]
    assert any(code in coloured for code in ("\x1b[1;31m", "\x1b[1;3", "\x1b[1;2m"))
    assert not any(f"\x1b[{bold}3{one}m" in colourless for bold in ("", "1;") for one in range(8))


def test_a_long_history_is_told_by_its_end() -> None:
    events = [event("18:00:00", "retrying", str(one), attempt=one) for one in range(30)]
    table = HistoryTable(Known(told("retrying"), NOW, events))
    assert table.earlier == 30 - MOST_EVENTS
    assert table.rows[-1] == ("13:00:00", "29", "retrying", "29")


def test_what_nobody_can_act_on_has_no_commands(capsys: pytest.CaptureFixture[str]) -> None:
    later = NOW + timedelta(days=400)
    print_overview(Known(told("pending", cancel_requested_at=at("19:00:00")), later))
    shown = capsys.readouterr().out
    assert "jupyter training" not in shown
    assert "(26 Nov 2026 13:44)" in shown
    assert "Nothing has happened to it yet." in shown


def test_what_it_goes_after_is_called_as_people_call_it() -> None:
    upstreams = [{"job_id": "job-1", "name": "prepare"}, {"job_id": "job-2", "name": "fit"}]
    stage = Known(told("pending", parent_id=3, upstreams=upstreams), NOW, [SUBMITTED])
    assert ("after", "prepare, fit") in facts(stage)
    plain = Known(told("pending", upstreams=upstreams), NOW, [SUBMITTED])
    assert ("after", "prepare (job-1), fit (job-2)") in facts(plain)


def test_what_waits_at_a_cluster_is_on_no_machine_of_it_yet() -> None:
    waits = told("scheduled", executor="slurm", node="slurm", gpus=[])
    assert ("runs on", "slurm") in facts(Known(waits, NOW, [SUBMITTED]))
