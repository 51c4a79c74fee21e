"""The sentences that people read in the sidebar, as the parts that say them word them."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any

import pynvml

from jupyter_training.engine.gpus import CRITICAL_XIDS, UNKNOWN
from jupyter_training.engine.nvml import of_card, of_driver
from jupyter_training.engine.receivers import Receivers
from jupyter_training.executors import ray_gang, ray_jobs, slurm_jobs, slurm_request
from jupyter_training.executors.cluster_node import NO_PYTHON, NOT_SHARED
from jupyter_training.executors.image import PullProgress, progress_told
from jupyter_training.executors.ray_jobs import RayJob
from jupyter_training.executors.slurm_jobs import SlurmJob
from jupyter_training.jobs import families
from jupyter_training.jobs.children import parse
from jupyter_training.jobs.families import Child
from jupyter_training.jobs.lifecycle import Cause, Exit, Status, diagnose
from jupyter_training.jobs.searches import Search
from jupyter_training.jobs.spec import InvalidJob
from jupyter_training.jobs.trials import Trial, TrialState, in_words, without_value
from jupyter_training.jobs.usage import summary
from jupyter_training.notebook.watch import GONE
from jupyter_training.scheduling import choice
from jupyter_training.scheduling.choice import Images, Offer
from jupyter_training.scheduling.demand import Running, Waiting
from jupyter_training.scheduling.policy import plan
from jupyter_training.scheduling.resources import Gpu, Node, Placement, Resources
from jupyter_training.store.ledger import called
from jupyter_training.store.usage import hangs
from tests.jobs.test_trials import next_of, trial
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
    large = Waiting(9, "waits", Resources(64, 512, 8), clusters=("ray", "slurm"))
    yield plan([large], [machine], held, 0).waits[0].reason
    gang = Waiting(9, "gang", Resources(8, 16, 2), nodes=2)
    yield plan([gang], [machine], held, 0).waits[0].reason
    yield (
        plan([Waiting(9, "gang", Resources(8, 16, 2), nodes=3)], [machine], held, 0).waits[0].reason
    )
    yield plan([Waiting(9, "waits", Resources())], [], [], 0).waits[0].reason
    broken = (Gpu("GPU-0", A100, 80, "drained: reported Xid 79 (fallen off the bus)"), *cards[1:])
    for wants in (Resources(1, 1, 4), Resources(1, 1, 4, "A100")):
        node = Node("a", 32, 256, broken)
        yield plan([Waiting(9, "waits", wants)], [node], held[1:], 0).waits[0].reason
        several = Waiting(9, "gang", wants, nodes=3, min_nodes=2)
        nodes = [node, replace(node, name="b")]
        yield plan([several], nodes, held[1:], 0).waits[0].reason
    first, second = Waiting(8, "llama", Resources(1, 1, 4)), Waiting(9, "waits", Resources(1, 1, 1))
    yield plan([first, second], [machine], held, 0).waits[1].reason
    other = called("secret", "bob", "ada")
    first = replace(first, name=other)
    yield plan([first, second], [machine], held, 0).waits[1].reason
    held = [
        Running(1, other, Placement("a", 8, 64, ("gpu0",)), inf),
        Running(2, called("mine", "ada", "ada"), Placement("a", 8, 64, ("gpu1",)), inf),
    ]
    yield plan([Waiting(9, "waits", Resources(1, 1, 4))], [machine], held, 0).waits[0].reason


def of_ends() -> Iterator[str]:
    exits: tuple[Exit, ...] = (
        Exit(exit_code=0),
        Exit(exit_code=3),
        Exit(exit_code=1, raised="KeyError: 'lr'"),
        Exit(signal=signal.SIGKILL),
        Exit(signal=signal.SIGTERM),
        Exit(exit_code=1, who="rank 3 of 8", said="the loss is NaN"),
        Exit(cause=Cause.OUT_OF_MEMORY, detail="killed at 31.9 of 32 GB"),
        Exit(cause=Cause.TIMED_OUT, detail="it ran for its time limit of 3600 s"),
        Exit(cause=Cause.LAUNCH_FAILED, detail="sh: 1: trainer: not found"),
        Exit(cause=Cause.INVALID_ARGUMENTS, detail="error: unrecognized arguments: --lr"),
        Exit(cause=Cause.NOT_RUNNABLE, detail="ModuleNotFoundError: No module named 'torhc'"),
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


def end_of(several: list[Trial], **more: Any) -> str:
    """What is told of a search that has ended with these trials."""
    end = next_of(several, len(several), **more).end
    assert end is not None
    return end.reason or ""


def of_children() -> Iterator[str]:
    for status in (Status.FAILED, Status.CANCELLED):
        child = Child("fit", status, *diagnose(Exit(), cancelled_by="ada"))
        for children in ([child], [child] * 3):
            yield families.standing(children).reason or ""
    space = {"lr": {"type": "uniform", "low": 0, "high": 1}}
    search = Search.model_validate({"metric": "loss", "trials": 20, "space": space})
    for counts in ({}, {"complete": 2}, {"complete": 2, "running": 4, "pruned": 1}):
        for best in (None, (7, 0.231)):
            yield in_words(search, 20, counts, best)
    silent = replace(trial(3, "complete"), told=TrialState.FAILED)
    failed, cancelled = (
        replace(trial(number, what), reason=diagnose(Exit(exit_code=1), cancelled_by=who)[1])
        for number, what, who in ((2, "failed", None), (1, "cancelled", "ada"))
    )
    yield without_value("loss")
    for one in (silent, failed, cancelled):
        yield end_of([one])
    for measured in (["acc", "f1"], ["loss"]):
        yield end_of([silent], measured=measured)
    yield end_of([trial(0, "complete", 0.5), *[failed] * 5])


def of_gpus() -> Iterator[str]:
    nvml = pynvml.NVMLError
    for code in (
        pynvml.NVML_ERROR_GPU_IS_LOST,
        pynvml.NVML_ERROR_RESET_REQUIRED,
        pynvml.NVML_ERROR_INSUFFICIENT_POWER,
        pynvml.NVML_ERROR_IRQ_ISSUE,
        pynvml.NVML_ERROR_NO_PERMISSION,
    ):
        yield f"drained: {of_card(nvml(code))}"
    yield UNKNOWN
    for code in (
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
        pynvml.NVML_ERROR_NO_PERMISSION,
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
    ):
        yield f"drained: cannot be used: {of_driver(nvml(code))}"
    for xid, meaning in CRITICAL_XIDS.items():
        yield f"drained: reported Xid {xid} ({meaning})"


def of_runs() -> Iterator[str]:
    since = datetime(2026, 1, 26, 10, 2)
    yield hangs(since, None)
    yield hangs(since, "the first to fall silent: rank 3, at 10:02:03 UTC", date="%Y-%m-%d %H:%M")


def of_clusters() -> Iterator[str]:
    python, place = "/env/bin/python", Path("/data/jobs/job-1/attempt-1")
    slurm = SlurmJob("12", "FAILED", "NonZeroExitCode", "node7", inf, str(place), "token")
    states = ("PREEMPTED", "TIMEOUT", "DEADLINE", "OUT_OF_MEMORY", "CANCELLED", "PENDING")
    ended = Exit(exit_code=1, cause=Cause.NODE_LOST)
    ends = [
        slurm_jobs.lost(None),
        slurm_jobs.lost(slurm),
        slurm_jobs.lost(replace(slurm, nodes="")),
        *(slurm_jobs.lost(replace(slurm, state=state)) for state in states),
        slurm_jobs.not_begun(replace(slurm, state="CANCELLED"), None, place, python),
        slurm_jobs.not_begun(replace(slurm, nodes=""), 1, place, python),
        slurm_jobs.not_begun(slurm, 1, place, python, "sh: no such file"),
        slurm_jobs.not_begun(replace(slurm, reason="BadConstraints"), 0, place, python),
        *(slurm_jobs.not_begun(slurm, one, place, python) for one in (NOT_SHARED, NO_PYTHON)),
        slurm_jobs.end_of(ended, slurm, asked=False, revoked=False, left_s=0, grace_s=30),
    ]
    ray = RayJob("raysubmit_1", "FAILED", "", "JOB_ENTRYPOINT", None, "", "token", str(place))
    ends += [
        ray_jobs.lost(None),
        ray_jobs.lost(ray),
        ray_jobs.lost(replace(ray, state="STOPPED")),
        ray_jobs.not_begun(ray, place, python),
        ray_jobs.not_begun(replace(ray, exit_code=2, message="no room"), place, python),
    ]
    yield from (diagnose(one)[1] for one in ends)
    words = (
        "PartitionTimeLimit",
        "PartitionNodeLimit",
        "PartitionConfig",
        "PartitionDown",
        "PartitionInactive",
    )
    for word in (*words, "JobHeldUser", "JobHeldAdmin", "ReqNodeNotAvail", "AssocGrpCpuLimit"):
        yield slurm_jobs.reason(replace(slurm, state="PENDING", reason=word))
    yield slurm_jobs.reason(replace(slurm, state="COMPLETING", reason="None"))
    yield slurm_jobs.reason(replace(slurm, state="PENDING", reason="QOSMaxJobsPerUserLimit"))


def of_ray() -> Iterator[str]:
    has = {"CPU": 4, "memory": 4 << 30, "GPU": 1, "accelerator_type:A100": 1, "licence": 1}
    nodes: list[dict[str, Any]] = [{"state": "ALIVE", "resources_total": has}, {"state": "ALIVE"}]
    for asked in (
        {"entrypoint_num_cpus": 64},
        {"entrypoint_memory": 64 << 30},
        {"entrypoint_num_gpus": 8},
        {"entrypoint_resources": {"accelerator_type:H100": 0.001}},
        {"entrypoint_resources": {"licence": 2}},
        {"entrypoint_num_cpus": 4, "entrypoint_resources": {"disk": 1}},
        {"entrypoint_label_selector": {"zone": "eu", "market": "!spot"}},
    ):
        about = {"metadata": {"jupyter_training.asked": json.dumps(asked)}}
        there = [*nodes, {"state": "ALIVE", "resources_total": {"disk": 2}}]
        waiting = RayJob("a", "PENDING", "", "", None, "", "token", "/data", about)
        yield ray_jobs.reason(waiting, there)
    message = (
        "Job has not started yet. It may be waiting for resources (CPUs, GPUs, memory, custom "
        "resources) to become available. It may be waiting for the runtime environment to be set "
        "up."
    )
    yield ray_jobs.reason(RayJob("a", "PENDING", message, "", None, "", "token", "/data"))
    bundles = [has, {"CPU": 4}]
    for most, least in ((2, 2), (3, 2), (3, 3), (3, 1)):
        for cores in (4, 64):
            yield ray_gang.why(most, least, {"CPU": cores}, bundles)


def of_executors() -> Iterator[str]:
    offers = {
        "local": Offer(),
        "docker": Offer(images=Images.ALWAYS),
        "slurm": Offer(options=slurm_request.OPTIONS),
    }
    for asked, executor, there in (
        ({}, "moon", offers),
        ({"image": "a"}, "local", offers),
        ({"image": "a"}, "local", {"local": Offer()}),
        ({}, "docker", offers),
        ({"executor_options": {"qos": "high"}}, "local", offers),
        ({"executor_options": {"colour": "red"}}, "slurm", offers),
    ):
        spec = parse({"name": "job", "command": "true", **asked})
        yield from (one.message for one in choice.problems(spec, executor, there))
    image, pull = "pytorch/pytorch:2", PullProgress()
    for bytes_ in ({}, {"current": 120_000_000, "total": 4_000_000_000}):
        pull.feed({"id": "a", "status": "Downloading", "progressDetail": bytes_})
        yield progress_told(image, str(pull))


def of_usage() -> Iterator[str]:
    known: dict[str, Any] = {"memory_gb": 16, "cpu_cores": 4, "gpu_count": 2}
    used = {"peak_memory_bytes": int(6.2 * 2**30), "peak_gpu_memory_bytes": 31 * 2**30}
    yield summary(**known, **used, mean_cpu_cores=1.9, gpu_utilization_percent=87) or ""
    known = {"memory_gb": 1, "cpu_cores": 1, "gpu_count": 1, "peak_memory_bytes": 9 * 2**20}
    yield summary(**known, mean_cpu_cores=0.5, gpu_utilization_percent=3) or ""
    yield GONE


def of_receivers() -> Iterator[str]:
    async def nothing(job_id: str) -> None:
        pass

    for receivers in (Receivers(), Receivers({"team": "json://host"})):
        for to in ("boss", "job-12"):
            try:
                asyncio.run(receivers.of_job([to], nothing))
            except InvalidJob as invalid:
                yield from (error.message for error in invalid.errors)


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
        *({"job_type": "hyperparameter", "search": one} for one in wrong_searches()),
        *({"job_type": "pipeline", "command": None, "stages": one} for one in wrong_stages()),
        {"nodes": 2, "min_nodes": 3},
        {"nodes": 2, "launcher": "mpi"},
        {"gpu_count": "one", "image": 5, "gpus": 2},
        {"command": "a\0"},
        {"script": {"text": "fit()"}},
        *({"parameters": {name: 1}} for name in ("1x", "é", "script")),
        {"parameters": {"lr": 1, "LR": 2}},
        {"command": "fit {rate}", "job_type": "hyperparameter", "search": an_hour_of_search()},
        {"job_type": "hyperparameter", "search": {**an_hour_of_search(), "min_steps": 2}},
        {"job_type": "hyperparameter", "search": {**an_hour_of_search(), "seed": 2**32}},
    )
    for fields in wrong:
        try:
            parse({"name": "job", "command": "true", **fields})
        except InvalidJob as invalid:
            yield from (error.message for error in invalid.errors)


def an_hour_of_search() -> dict[str, Any]:
    space = {"lr": {"type": "uniform", "low": 0, "high": 1}}
    return {"metric": "loss", "budget_hours": 1, "space": space}


def wrong_searches() -> Iterator[dict[str, Any]]:
    search = {"metric": "loss", "trials": 2}
    numbers = {"type": "uniform", "low": 0, "high": 1}
    for dimension in (
        {**numbers, "type": "loguniform"},
        {**numbers, "step": 2},
        {**numbers, "type": "logint", "low": 1, "high": 9, "step": 2},
        {**numbers, "type": "int", "low": 0.5},
        {"type": "uniform", "low": 0},
        {"type": "choice", "values": []},
        {"type": "choice", "values": [1, 1]},
        {"type": "uniform", "values": [1]},
        {"type": "choice", "values": [1], "low": 0},
    ):
        yield {**search, "space": {"lr": dimension}}
    yield {**search, "sampler": "grid", "space": {"lr": numbers}}
    yield {**search, "sampler": "cmaes", "space": {"lr": {"type": "choice", "values": [1, 2]}}}
    yield {"metric": "loss", "space": {"lr": numbers}}


def wrong_stages() -> Iterator[list[dict[str, Any]]]:
    one = {"name": "fit", "command": "true"}
    yield [one, one]
    yield [{**one, "depends_on": ["prepared"]}, {**one, "name": "prepare"}]
    yield [{**one, "depends_on": ["none"]}]
    yield [{**one, "depends_on": ["fit"]}]
    yield [{**one, "depends_on": ["last"]}, {**one, "name": "last", "depends_on": ["fit"]}]


def test_the_sidebar_knows_what_the_scheduler_the_ends_and_the_checks_of_requests_say() -> None:
    known = json.loads((SOURCES / "__tests__" / "sentences.json").read_text(encoding="utf-8"))
    said = {*of_the_queue(), *of_ends(), *of_children(), *of_gpus(), *of_runs(), *of_requests()}
    said |= {*of_clusters(), *of_ray(), *of_executors(), *of_receivers(), *of_usage()}
    assert said - known.keys() == set()
