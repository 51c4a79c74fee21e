"""The one question for all jobs of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import inf
from pathlib import Path

from jupyter_training.executors.base import ClusterAway
from jupyter_training.executors.cluster_queue import Queue
from jupyter_training.executors.slurm_jobs import SlurmJob
from tests.patience import PATIENCE_S


def test_a_cluster_that_cannot_be_understood_is_asked_again(tmp_path: Path) -> None:
    answers: list[Exception | Sequence[SlurmJob]] = [ValueError("no such column"), []]

    async def ask() -> Sequence[SlurmJob]:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def go() -> None:
        queue: Queue[SlurmJob] = Queue(ask, tmp_path, PATIENCE_S)
        try:
            with queue.watching("t") as woken:
                await asyncio.wait_for(woken.wait(), PATIENCE_S)
                assert "no such column" in queue.trouble
                woken.clear()
                queue.soon()
                await asyncio.wait_for(woken.wait(), PATIENCE_S)
                assert queue.trouble == ""
        finally:
            await queue.close()

    asyncio.run(go())


def test_that_a_cluster_answers_again_is_news_also_of_a_job_that_still_waits(
    tmp_path: Path,
) -> None:
    held = SlurmJob("7", "PENDING", "JobHeldUser", "", inf, "/d", "t")
    answers: list[Exception | Sequence[SlurmJob]] = [[held], ClusterAway("no answer"), [held]]

    async def ask() -> Sequence[SlurmJob]:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def go() -> None:
        # It asks only when it is told to: else it may have another answer before this one is seen.
        queue: Queue[SlurmJob] = Queue(ask, tmp_path, PATIENCE_S)
        told = []
        try:
            with queue.watching("t") as woken:
                for _ in range(3):
                    await asyncio.wait_for(woken.wait(), PATIENCE_S)
                    woken.clear()
                    told.append(queue.trouble)
                    queue.soon()
        finally:
            await queue.close()
        assert told == ["", "no answer", ""]

    asyncio.run(go())


def test_it_ends_also_if_that_is_asked_in_the_moment_in_which_the_cluster_answers(
    tmp_path: Path,
) -> None:
    async def ask(answer: asyncio.Event) -> Sequence[SlurmJob]:
        await asyncio.wait_for(answer.wait(), PATIENCE_S)
        return []

    async def go(ticks: int) -> None:
        answer = asyncio.Event()
        queue: Queue[SlurmJob] = Queue(lambda: ask(answer), tmp_path, 0.01)
        with queue.watching("t"):
            for _ in range(10):  # it is being asked by then
                await asyncio.sleep(0)
        answer.set()
        for _ in range(ticks):
            await asyncio.sleep(0)
        await asyncio.wait_for(queue.close(), PATIENCE_S)

    for ticks in range(6):
        asyncio.run(go(ticks))
