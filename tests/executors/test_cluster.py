"""How jobs are followed on a cluster, at moments that no real cluster can be asked for."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.executors import cluster, cluster_records
from jupyter_training.executors.base import Found, Launch, node_directory, node_token
from jupyter_training.executors.cluster import ClusterExecutor
from jupyter_training.executors.cluster_node import LAUNCH, REVOKED
from jupyter_training.executors.cluster_records import SUBMITTED, Records
from jupyter_training.executors.cluster_settings import Pace
from jupyter_training.executors.records import EXIT, STARTED
from jupyter_training.executors.slurm_jobs import SlurmJob, lost
from jupyter_training.jobs.children import parse
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.scheduling.resources import ClusterNode, Gpu, Node, Placement
from tests.patience import PATIENCE_S


class Desk:
    """A cluster that says of its jobs what a test wants, and remembers which were cancelled."""

    name = "the desk"
    own: tuple[str, ...] = ()
    program: tuple[str, ...] = ()

    def __init__(self, *jobs: SlurmJob) -> None:
        self.models: frozenset[str] = frozenset()
        self.known = list(jobs)
        self.cancelled: asyncio.Queue[str] = asyncio.Queue()

    def problems(self, spec: JobSpec) -> list[FieldError]:
        return []

    def gpu_type(self, asked: str) -> str | None:
        return None

    async def nodes(self) -> Sequence[ClusterNode]:
        return [
            ClusterNode(Node("n1", 4, 4, (Gpu("n1/gpu:0", "a100"),)), "idle", 4, 4, frozenset())
        ]

    def request(self, launch: Launch) -> str:
        return launch.token

    def more(self, launch: Launch) -> dict[str, Any]:
        return {}

    async def submit(self, request: str) -> str:
        return request

    async def jobs(self) -> Sequence[SlurmJob]:
        return list(self.known)

    async def recall(self, job: str, directory: Path) -> SlurmJob | None:
        return None

    async def cancel(self, job: str) -> None:
        await self.cancelled.put(job)

    async def ask_to_end(self, job: str) -> None:
        """It does not listen."""

    async def placed(self, token: str, place: Placement) -> Placement | None:
        return place

    def reason(self, job: SlurmJob) -> str:
        return str(job)

    def end_of(
        self, told: Exit, job: SlurmJob | None, *, asked: bool, revoked: bool, left_s: float
    ) -> Exit:
        return told

    def lost(self, job: SlurmJob | None, *, revoked: bool, asked: bool) -> Exit:
        return lost(job, revoked=revoked, asked=asked)

    async def not_begun(self, job: SlurmJob, directory: Path) -> Exit:
        return Exit(exit_code=1)

    async def close(self) -> None:
        """Nothing is held."""


def write(directory: Path, name: str, **content: Any) -> None:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(json.dumps(content))


def begin(directory: Path, token: str) -> None:
    write(directory, STARTED, token=token, pid=1, started_at=time.time(), node="n1")


def executor(desk: Desk, place: Path, **changes: Any) -> ClusterExecutor[SlurmJob, str]:
    pace = Pace(poll_s=0.02, alive_s=60, settle_s=0)
    return ClusterExecutor(desk, place / "told", pace=pace, **{"grace_s": 0.1, **changes})  # type: ignore[arg-type]


def test_a_distributed_job_that_does_not_end_in_time_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_MARGIN_S", 0.3)
    monkeypatch.setattr(cluster, "_LOOK_S", 0.05)
    home, node = tmp_path / "t", node_directory(tmp_path / "t", 0)
    write(home, LAUNCH, token="t", nodes=[{}])
    write(home, SUBMITTED, token="t", job="7")
    begin(home, "t")
    begin(node, node_token("t", 0))

    async def go() -> None:
        desk = Desk(SlurmJob("7", "RUNNING", "", "n1", math.inf, str(home), "t"))
        it = executor(desk, tmp_path)
        await it.open()
        waiting = asyncio.create_task(it.wait(Found(node_token("t", 0), node)))
        await it.stop(Found("t", home, {"job": "7"}))
        assert await asyncio.wait_for(desk.cancelled.get(), PATIENCE_S) == "7"
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await it.close()

    asyncio.run(go())


def test_a_server_that_does_not_schedule_knows_the_types_of_gpus_too(tmp_path: Path) -> None:
    async def go() -> None:
        it = executor(Desk(), tmp_path)
        spec = parse({"name": "j", "command": "true", "gpu_type": "H100", "gpu_count": 1})
        await it.open()
        while not it.problems(spec):  # noqa: ASYNC110 - nobody tells that it has learned them
            await asyncio.sleep(0)
        (error,) = it.problems(spec)
        assert error.field == "gpu_type"
        assert "there are: a100" in error.message
        await it.close()

    asyncio.run(asyncio.wait_for(go(), PATIENCE_S))


def test_a_distributed_job_that_begins_while_the_cluster_says_that_it_waits_is_left_to_run(
    tmp_path: Path,
) -> None:
    home = tmp_path / "t"
    write(home, LAUNCH, token="t", nodes=[{}])
    write(home, SUBMITTED, token="t", job="7")
    pending = SlurmJob("7", "PENDING", "Priority", "", math.inf, str(home), "t")

    class Late(Desk):
        """Its first answer is not true any more when it arrives; after the second all nodes run."""

        asked = 0

        async def jobs(self) -> Sequence[SlurmJob]:
            self.asked += 1
            if self.asked == 1:
                begin(home, "t")
                return [pending]
            begin(node_directory(home, 0), node_token("t", 0))
            return [replace(pending, state="RUNNING", nodes="n1")]

    async def go() -> None:
        desk = Late()
        it = executor(desk, tmp_path)
        await it.open()
        found = await asyncio.wait_for(
            it.begin(Found("t", home, {"job": "7"}), lambda _: None), PATIENCE_S
        )
        assert found.started_at is not None
        assert found.ended is None
        assert desk.cancelled.empty()
        assert not (home / REVOKED).exists()
        await it.close()

    asyncio.run(go())


def test_what_has_ended_and_is_put_back_into_the_queue_is_taken_out_of_it(tmp_path: Path) -> None:
    home = tmp_path / "t"
    write(home, SUBMITTED, token="t", job="7")
    begin(home, "t")
    why = {"cause": "node_lost", "detail": "it was told to stop"}
    write(home, EXIT, exit_code=None, signal=15, ended_at=time.time(), **why)

    async def go() -> None:
        desk = Desk(SlurmJob("7", "PENDING", "BeginTime", "", math.inf, str(home), "t"))
        it = executor(desk, tmp_path)
        await it.open()
        ended = await asyncio.wait_for(it.wait(Found("t", home)), PATIENCE_S)
        assert ended.exit.cause is Cause.NODE_LOST
        assert await asyncio.wait_for(desk.cancelled.get(), PATIENCE_S) == "7"
        await it.close()

    asyncio.run(go())


def test_what_begins_in_the_moment_in_which_it_is_to_be_given_up_is_followed_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, told = tmp_path / "t", tmp_path / "told"
    write(home, LAUNCH, token="t")
    write(home, SUBMITTED, token="t", job="7")
    desk = Desk()  # which has forgotten it, for a moment
    give_up, read, looks = cluster_records.give_up, cluster_records.read, itertools.count(1)

    def too_late(token: str, directory: Path) -> bool:
        begin(directory, token)
        desk.known.append(SlurmJob("7", "RUNNING", "", "n1", math.inf, str(home), "t"))
        return give_up(token, directory)

    def look(token: str, directory: Path) -> Records:
        found = read(token, directory)
        # Once it is found to run, and once more; then it ends.
        if found.started is not None and next(looks) == 2:
            end = {"exit_code": 3, "signal": None, "cause": None, "detail": ""}
            write(home, EXIT, **end, ended_at=time.time())
            (told / token).touch()
        return found

    monkeypatch.setattr(cluster_records, "give_up", too_late)
    monkeypatch.setattr(cluster_records, "read", look)

    async def go() -> None:
        it = executor(desk, tmp_path)
        await it.open()
        ended = await asyncio.wait_for(it.wait(Found("t", home, {"job": "7"})), PATIENCE_S)
        assert ended.exit == Exit(exit_code=3)
        await it.close()

    asyncio.run(go())
