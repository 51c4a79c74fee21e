"""What Slurm is asked for, and what its words mean: values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from jupyter_training import ranks
from jupyter_training.executors import slurm_node
from jupyter_training.executors.base import GangLaunch, Launch
from jupyter_training.executors.cluster_records import Records, Step, step
from jupyter_training.executors.slurm_commands import environment
from jupyter_training.executors.slurm_jobs import SlurmJob, end_of, lost, not_begun, reason
from jupyter_training.executors.slurm_request import Site, gres, script, wanted
from jupyter_training.executors.slurm_texts import (
    AWAY,
    LIMIT,
    jobs_of,
    nodes_of,
    past_jobs_of,
    sbatch_arguments,
    words,
)
from jupyter_training.jobs.lifecycle import Cause, Exit, diagnose

DIRECTORY = Path("/shared/jobs/job-1/attempt-1")
SITE = Site("i1", "/env/bin/python", "/env/lib")


def launch(**changes: Any) -> Launch:
    values: dict[str, Any] = {
        "token": "t1",
        "directory": DIRECTORY,
        "argv": ("true",),
        "cwd": "/",
        "env": {},
        "python_path": None,
        "cpu_cores": 4,
        "memory_gb": 16,
        "gpus": (),
        "time_limit_s": None,
        "job_id": "job-1",
        "name": "fit",
    }
    return Launch(**{**values, **changes})


def job(state: str, reason: str = "None", nodes: str = "", left_s: float = math.inf) -> SlurmJob:
    return SlurmJob("7", state, reason, nodes, left_s, str(DIRECTORY), "t1")


# ---- what is asked for


def test_a_plain_job_asks_for_what_it_needs_and_is_found_by_its_comment() -> None:
    told = sbatch_arguments(wanted(launch(), SITE, 10))
    for part in (
        "--job-name=fit",
        "--comment=jupyter-training:i1:job-1:t1",
        "--nodes=1",
        "--cpus-per-task=4",
        "--mem=16G",
        "--no-requeue",
        "--signal=B:TERM@10",
    ):
        assert part in told
    for unwanted in ("--gres", "--time", "--nice", "--partition", "--account"):
        assert not any(one.startswith(unwanted) for one in told)


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"gpus": ("", "")}, "--gres=gpu:2"),
        ({"gpus": ("",), "gpu_type": "NVIDIA A100"}, "--gres=gpu:a100:1"),
        ({"time_limit_s": 3600.0}, "--time=62"),
        ({"time_limit_s": 1.0}, "--time=2"),
        ({"priority": -5}, "--nice=5"),
        ({"name": "-x 训练;$(id)\n"}, "--job-name=x 训练___id__"),
        ({"options": {"partition": "gpu"}}, "--partition=gpu"),
        ({"options": {"qos": "high"}}, "--partition=usual"),
        ({}, "--account=lab"),
        ({}, "--exclusive"),
    ],
)
def test_what_it_says_beyond_that_is_asked_for(changes: dict[str, Any], asked: str) -> None:
    site = Site("i1", "py", "lib", {"partition": "usual", "account": "lab"})
    job = wanted(launch(**changes), site, 10, ["a100", "v100"])
    assert asked in sbatch_arguments(job, ["--exclusive"])


def test_a_distributed_job_is_one_allocation_of_so_many_nodes() -> None:
    several = tuple(launch(token=f"t1.{index}", gpus=("", "")) for index in range(3))
    told = sbatch_arguments(
        wanted(GangLaunch(**vars(launch(cpu_cores=12)), nodes=several), SITE, 10)
    )
    for part in ("--nodes=3", "--ntasks=3", "--ntasks-per-node=1", "--cpus-per-task=4"):
        assert part in told
    elastic = GangLaunch(**vars(launch(cpu_cores=12)), nodes=several, min_nodes=2)
    told = sbatch_arguments(wanted(elastic, SITE, 10))
    for part in ("--nodes=2-3", "--mincpus=4", "--cpus-per-task=4"):
        assert part in told
    assert not any(one.startswith("--ntasks") for one in told)
    assert slurm_node.NODES == ranks.NODES
    assert "--gres=gpu:2" in told


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (None, "gpu:2"),
        ("A100", "gpu:a100:2"),
        ("rtx 4090", "gpu:rtx_4090:2"),
        ("H100", "gpu:h100:2"),
        ("big one", "gpu:a100l:2"),
        ("Big One", "gpu:a100l:2"),
    ],
)
def test_gpu_types_are_called_as_in_the_cluster(asked: str | None, wanted: str) -> None:
    assert gres(2, asked, {"Big one": "a100l"}, ["a100", "rtx_4090"]) == wanted


def test_the_script_tells_by_its_code_why_it_could_not_begin() -> None:
    text = script(Path("/shared/it's"), Path("/shared/it's/launch.json"), SITE)
    assert text.startswith("#!/bin/sh\n[ -r '/shared/it'\"'\"'s/launch.json' ] || exit 113\n")
    assert "command -v /env/bin/python >/dev/null || exit 114\n" in text


def test_commands_are_no_part_of_the_job_that_the_server_may_be() -> None:
    env = {"SLURM_JOB_ID": "1", "SLURM_CONF": "/c", "SBATCH_ACCOUNT": "a", "JPY_TOKEN": "secret"}
    assert environment({**env, "PATH": "/bin", "SLURM_EXPORT_ENV": "NONE"}) == {
        "SLURM_CONF": "/c",
        "SBATCH_ACCOUNT": "a",
        "PATH": "/bin",
        "SLURM_TIME_FORMAT": "standard",
    }


# ---- what it says


def test_only_jobs_of_this_installation_are_read() -> None:
    printed = (
        "7|PENDING|Resources||INVALID|/d|jupyter-training:i1:job-1:t1\n"
        "8|RUNNING|None|node[1-2]|1-02:03:04|/d|jupyter-training:i1:job-2:t2\n"
        "9|RUNNING|None|node1|UNLIMITED|/d|jupyter-training:other:job-3:t3\n"
        "10|RUNNING|a|b|node1|5:00|/d|jupyter-training:i1:job-4:t4\n"
        "11|RUNNING|None|node1|5:00|/d|(null)\n"
        "slurm_load_jobs error\n"
    )
    first, second, third = jobs_of(printed, "i1")
    assert (first.id, first.token, first.waits, str(first)) == (
        "7",
        "t1",
        True,
        "PENDING (Resources)",
    )
    assert (second.nodes, second.left_s, str(second)) == ("node[1-2]", 93784, "RUNNING")
    assert (third.reason, third.left_s) == ("a|b", 300)


NODES = (
    "NodeName=node1 Arch=x86_64 CPUAlloc=6 CPUEfctv=8 CPUTot=8 Gres=gpu:a100:2(S:0),gpu:v100:1 "
    "GresDrain=N/A GresUsed=gpu:a100:1(IDX:1),gpu:v100:0(IDX:N/A) RealMemory=65536 AllocMem=40000 "
    "State=MIXED+PLANNED ThreadsPerCore=1 OS=Linux 6.1 #1 State=x Partitions=all\n"
    "NodeName=node2 CPUAlloc=0 CPUTot=8 Gres=gpu:4 GresUsed=gpu:0 RealMemory=1024 AllocMem=0 "
    "State=DOWN* Reason=Not responding [root@2026]\n"
    "NodeName=node3 CPUAlloc=0 CPUTot=8 Gres=(null) RealMemory=2048 AllocMem=0 State=IDLE+DRAIN\n"
    "NodeName=node4 CPUAlloc=0 CPUTot=4 Gres=shard:8 RealMemory=4096 AllocMem=0 State=IDLE~\n"
)


def test_nodes_are_told_with_what_is_free_of_them() -> None:
    first, second, third, fourth = (one.node for one in nodes_of(NODES))
    assert [gpu.model for gpu in first.node.gpus] == ["a100", "a100", "v100"]
    assert (first.node.cpu_cores, first.node.memory_gb, first.state) == (8, 64, "mixed+planned")
    assert (first.cpu_cores_free, first.memory_gb_free) == (2, 24)
    assert first.gpus_held == {"node1/gpu:1"}
    assert [gpu.unavailable for gpu in second.node.gpus] == ["drained: its node is down*"] * 4
    assert (second.cpu_cores_free, third.cpu_cores_free) == (0, 0)
    assert (fourth.node.gpus, fourth.cpu_cores_free) == ((), 4)


@pytest.mark.parametrize(
    ("said", "is_away", "is_limit"),
    [
        (
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller",
            True,
            False,
        ),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv", True, False),
        ("sbatch: error: If munged is up, restart with --num-threads=10", True, False),
        ("sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job", False, True),
        ("sbatch: error: invalid partition specified: moon", False, False),
        ("sbatch: error: Invalid generic resource (gres) specification", False, False),
    ],
)
def test_away_and_too_many_are_told_from_a_refusal(
    said: str, is_away: bool, is_limit: bool
) -> None:
    assert (bool(AWAY.search(said)), bool(LIMIT.search(said))) == (is_away, is_limit)


def test_its_words_become_one_sentence() -> None:
    said = (
        "sbatch: error: invalid partition specified: moon\n"
        "sbatch: error: Batch job submission failed: Invalid partition name specified\n"
    )
    assert words(said) == "invalid partition specified: moon; Invalid partition name specified"


# ---- where an attempt stands


STARTED = {"token": "t1", "pid": 1, "started_at": 100.0}


@pytest.mark.parametrize(
    ("found", "state", "wanted"),
    [
        (Records(), "PENDING", Step.WAITS),
        (Records(), "RUNNING", Step.WAITS),
        (Records(), "FAILED", Step.NOT_BEGUN),
        (Records(), None, Step.NOT_BEGUN),
        (Records(is_given_up=True), "RUNNING", Step.GIVEN_UP),
        (Records(started=STARTED), "RUNNING", Step.RUNS),
        (Records(started=STARTED), "COMPLETING", Step.RUNS),
        (Records(started=STARTED), "PENDING", Step.LOST),
        (Records(started=STARTED), "NODE_FAIL", Step.LOST),
        (Records(started=STARTED), None, Step.LOST),
    ],
)
def test_where_an_attempt_stands(found: Records, state: str | None, wanted: Step) -> None:
    known = None if state is None else job(state)
    assert step(found, known, is_fresh=True) is wanted
    # What Slurm said earlier ends nothing.
    earlier = step(found, known, is_fresh=False)
    assert earlier is (Step.WAITS if found.started is None else Step.RUNS) or found.is_given_up


def test_no_sign_of_life_is_none_for_long() -> None:
    young = Records(started=STARTED)
    assert not young.is_silent(139, 10)
    assert young.is_silent(141, 10)
    assert not Records(started=STARTED, alive_at=130).is_silent(141, 10)


@pytest.mark.parametrize(
    ("state", "cause", "sentence"),
    [
        ("NODE_FAIL", Cause.NODE_LOST, "node2, Slurm's job 7 is NODE_FAIL"),
        ("PREEMPTED", Cause.PREEMPTED, "Slurm has preempted job 7"),
        ("TIMEOUT", Cause.TIMED_OUT, "it ran for the time that Slurm gave job 7"),
        ("OUT_OF_MEMORY", Cause.OUT_OF_MEMORY, "killed by Slurm at the memory of job 7"),
        ("CANCELLED", Cause.CANCELLED_BY_USER, "cancelled by somebody in Slurm (job 7)"),
        ("PENDING", Cause.NODE_LOST, "Slurm has put job 7 back into its queue"),
    ],
)
def test_what_slurm_says_of_a_job_is_why_it_ended(state: str, cause: Cause, sentence: str) -> None:
    found, told = diagnose(lost(job(state, nodes="node2")))
    assert found is cause
    assert sentence in told


TOLD_TO_STOP = Exit(signal=15, cause=Cause.NODE_LOST, detail="it was told to stop")


@pytest.mark.parametrize(
    ("told", "state", "more", "cause"),
    [
        (Exit(0), "COMPLETED", {}, None),
        (Exit(3), "NODE_FAIL", {}, None),
        (Exit(signal=9), "RUNNING", {}, None),
        (Exit(signal=9), "FAILED", {}, None),
        (Exit(signal=11), "NODE_FAIL", {}, None),
        (Exit(signal=15), "NODE_FAIL", {}, Cause.NODE_LOST),
        (Exit(signal=9), "OUT_OF_MEMORY", {}, Cause.OUT_OF_MEMORY),
        (Exit(signal=9), "CANCELLED", {}, Cause.CANCELLED_BY_USER),
        (Exit(signal=9), "CANCELLED", {"asked": True}, None),
        (Exit(signal=9), "NODE_FAIL", {"revoked": True}, Cause.NODE_LOST),
        (Exit(0), "NODE_FAIL", {"revoked": True}, None),
        (Exit(signal=9), "CANCELLED", {"revoked": True}, Cause.NODE_LOST),
        (TOLD_TO_STOP, "PREEMPTED", {}, Cause.PREEMPTED),
        (TOLD_TO_STOP, "TIMEOUT", {}, Cause.TIMED_OUT),
        (TOLD_TO_STOP, "COMPLETED", {"left_s": 50}, Cause.TIMED_OUT),
        (TOLD_TO_STOP, "COMPLETED", {}, Cause.NODE_LOST),
        (TOLD_TO_STOP, "PENDING", {"left_s": 50}, Cause.NODE_LOST),
        (TOLD_TO_STOP, "NODE_FAIL", {"left_s": 50}, Cause.NODE_LOST),
        (Exit(signal=9, cause=Cause.TIMED_OUT), "CANCELLED", {}, Cause.TIMED_OUT),
    ],
)
def test_an_end_is_what_both_say_of_it(
    told: Exit, state: str, more: dict[str, Any], cause: Cause | None
) -> None:
    said: dict[str, Any] = {"asked": False, "revoked": False, "left_s": math.inf, **more}
    found = end_of(told, job(state), grace_s=10, **said)
    assert found.cause is cause
    assert (found.exit_code, found.signal) == (told.exit_code, told.signal) or said["revoked"]
    if told is TOLD_TO_STOP and state in ("PENDING", "NODE_FAIL"):
        assert found.detail == lost(job(state)).detail


def test_accounting_tells_how_forgotten_jobs_ended() -> None:
    printed = (
        "7|TIMEOUT|node[1-2]|/shared/jobs/job-1/attempt-1\n"
        "8|CANCELLED by 1000|None assigned|/d\n"
        "9|RUNNING|node1|/d\n"
        "10|\n"
    )
    found = past_jobs_of(printed)
    assert [(it.id, it.state, it.nodes) for it in found.values()] == [
        ("7", "TIMEOUT", "node[1-2]"),
        ("8", "CANCELLED", ""),
    ]
    assert found["7"].directory == str(DIRECTORY)
    assert lost(found["7"]).cause is Cause.TIMED_OUT


@pytest.mark.parametrize(
    ("state", "code", "cause", "words"),
    [
        ("FAILED", 113, Cause.LAUNCH_FAILED, "node2 does not see /shared/jobs/job-1/attempt-1"),
        ("FAILED", 114, Cause.LAUNCH_FAILED, "node2 has no /env/bin/python"),
        ("FAILED", 126, Cause.LAUNCH_FAILED, "node2 could not begin it (exit code 126): no module"),
        ("FAILED", 115, Cause.NODE_LOST, "node2, Slurm's job 7 is FAILED"),
        ("FAILED", 0, Cause.NODE_LOST, "node2, Slurm's job 7 is FAILED"),
        ("CANCELLED", None, Cause.NODE_LOST, "node2 could not begin it, and Slurm has cancelled"),
        ("NODE_FAIL", None, Cause.NODE_LOST, "NODE_FAIL"),
    ],
)
def test_why_a_job_did_not_begin_is_told_with_what_to_do(
    state: str, code: int | None, cause: Cause, words: str
) -> None:
    told = not_begun(job(state, nodes="node2"), code, DIRECTORY, "/env/bin/python", "no module")
    assert told.cause is cause
    assert words in told.detail


def test_who_cancels_a_job_that_has_no_node_yet_is_somebody() -> None:
    told = not_begun(job("CANCELLED"), None, DIRECTORY, "/env/bin/python")
    assert told == Exit(cause=Cause.CANCELLED_BY_USER, detail="somebody in Slurm (job 7)")
    # So it is if its node has run the script, which had not begun the nodes of the job yet.
    ran = job("CANCELLED", nodes="node[1-2]")
    assert not_begun(ran, None, DIRECTORY, "/env/bin/python", was_run=True) == told


def test_a_job_that_no_node_could_ever_run_is_not_tried_again() -> None:
    told = not_begun(job("FAILED", "BadConstraints"), 0, DIRECTORY, "/env/bin/python")
    assert told.cause is Cause.LAUNCH_FAILED
    assert "have what it asks for (BadConstraints); ask for less" in told.detail


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("Resources", ""),
        ("Priority", ""),
        ("PartitionTimeLimit", ": its partition does not give so much time; ask for less with"),
        ("JobHeldUser", ": somebody holds it back; scontrol release 7 lets it go"),
        ("QOSMaxGRESPerUser", ": its quality of service has reached a limit"),
    ],
)
def test_a_job_that_waits_for_more_than_its_turn_says_what_can_be_done(
    word: str, advice: str
) -> None:
    told = reason(job("PENDING", word))
    assert told.startswith(f"PENDING ({word}){advice}")
    assert advice or told.endswith(")")


def test_what_a_job_does_that_neither_waits_nor_runs_is_told() -> None:
    assert reason(job("RUNNING")) == ""
    assert reason(job("COMPLETING")).startswith("COMPLETING: it did not begin")
