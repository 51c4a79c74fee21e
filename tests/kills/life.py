"""One life of a server after another, for as long as the matrix sends lines.

A server is a process with the real engine, executor and database. It submits what was not
acknowledged by an earlier life and cancels what is to be cancelled, as requests over REST would. It
is forked from this process, which has imported everything and does nothing else, so that a life
begins within milliseconds; and it ends by SIGKILL, at the point that the line names or when the
matrix has had enough of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import optuna

from jupyter_training import points
from jupyter_training.engine.engine import Engine
from jupyter_training.engine.notifier import Notifier
from jupyter_training.engine.receivers import Receivers
from jupyter_training.engine.service import TrainingService
from jupyter_training.engine.snapshots import SnapshotStore
from jupyter_training.engine.timing import Timing
from jupyter_training.engine.views import Seen
from jupyter_training.engine.workspace import Workspace
from jupyter_training.executors.local import LocalExecutor
from jupyter_training.executors.tasks import cancelled
from jupyter_training.jobs.contents import digest
from jupyter_training.jobs.lifecycle import ENDED, RetryPolicy, Status
from jupyter_training.jobs.messages import Message
from jupyter_training.jobs.snapshots import File, Manifest
from jupyter_training.scheduling.resources import Gpu, Node
from jupyter_training.store import outbox
from jupyter_training.store.database import Database
from tests.kills.jobs import AT_A_TIME, OCCASIONS, RECEIVER, TestJob
from tests.kills.searches import suggested

_log = logging.getLogger(__name__)

USER = "ada"
MACHINE = Node("machine", 4, 8, (Gpu("GPU-0"), Gpu("GPU-1")))

TIMING = Timing(
    schedule_interval_s=0.5,
    monitor_interval_s=0.5,
    renew_s=0.05,
    trouble_s=0.05,
    retries=RetryPolicy(base_s=0.02, cap_s=0.1),
)


async def live(url: str, place: Path, count: int, told: int) -> None:
    """Serve until every job has ended, and say so."""
    database = Database(url)
    workspace = Workspace(place / "data", place)
    executors = {"local": LocalExecutor(grace_s=0.2)}
    engine = Engine(database, workspace, executors, lambda _: MACHINE, TIMING)
    await engine.start()
    receivers = Receivers({RECEIVER: "json://told"})
    service = TrainingService(engine, default_executor="local", stop_s=30, receivers=receivers)
    notifier = asyncio.create_task(Notifier(engine, partial(tell, place / RECEIVER)).run())
    await asyncio.gather(
        *(
            one_after_another(service, place, range(first, count, AT_A_TIME), told)
            for first in range(AT_A_TIME)
        )
    )
    while await engine.read(outbox.next_at) is not None:  # noqa: ASYNC110 - nobody tells of that
        await asyncio.sleep(0.05)
    os.write(told, b"done\n")
    await cancelled([notifier])
    await engine.stop()
    database.close()


async def tell(file: Path, _url: str, message: Message) -> None:
    """Be a receiver that always takes what it is told."""
    await asyncio.to_thread(append, file, f"{message.title}\n")


def append(file: Path, line: str) -> None:
    """Add a line, whole or not at all."""
    with file.open("ab", buffering=0) as stream:
        stream.write(line.encode())


async def one_after_another(
    service: TrainingService, place: Path, numbers: Iterable[int], told: int
) -> None:
    """Take several jobs to their ends, one after the other."""
    for number in numbers:
        job = TestJob(number)
        if job.over(place).exists():
            continue
        snapshot = await uploaded(service, place, job) if job.word else None
        spec = job.spec(place, snapshot)
        spec["notify"] = [{"to": RECEIVER, "on": list(OCCASIONS)}]
        seen, _ = await service.submit(USER, spec, idempotency_key=job.key)
        while seen.job.status not in ENDED:
            if job.is_to_be_cancelled and seen.job.status is Status.RUNNING:
                seen = await service.cancel(USER, seen.job.job_id)
            else:
                seen = await service.wait_for_change(
                    USER, seen.job.job_id, 0.2, partial(differs, seen)
                )
        job.over(place).touch()


async def uploaded(service: TrainingService, place: Path, job: TestJob) -> str:
    """Upload the snapshot of a job, and delete what no job has needed for long."""
    word = f"{job.word}\n".encode()
    file = File(path="word.txt", sha256=await put(service, word), size=len(word))
    name = await put(service, Manifest(root=str(place / "snapshot"), files=[file]).encoded())
    old = await put(service, f"old {job.number}".encode())
    os.utime(SnapshotStore(place / "data", USER).path(old), (1, 1))
    await service.contents.collect()
    return name


async def put(service: TrainingService, content: bytes) -> str:
    """Upload a content, as a request would."""
    name = digest(content)
    draft = await service.contents.receive(USER, name)
    draft.write(content)
    draft.finish()
    draft.close()
    return name


def differs(before: Seen, now: Seen) -> bool:
    """Whether a job has changed."""
    return before.job != now.job


def main() -> None:
    """Read lines of JSON: fork a life for each, and tell its pid and its end."""
    url, place = sys.argv[1], Path(sys.argv[2])
    suggested()  # has all of Optuna imported that a life would have to
    optuna.create_study(storage="sqlite://")
    for line in sys.stdin:
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(told)
            be(url, place, tell, json.loads(line))
        os.close(tell)
        print(child, flush=True)
        with os.fdopen(told, "rb") as file:
            done = b"done" in file.read()
        _, status = os.waitpid(child, 0)
        print(json.dumps({"done": done, "signal": os.waitstatus_to_exitcode(status)}), flush=True)


def be(url: str, place: Path, tell: int, wanted: dict[str, Any]) -> NoReturn:
    """Be a server."""
    os.setsid()
    logging.basicConfig(filename=place / "server.log", format="%(process)d %(message)s")
    try:
        points.arm(wanted["point"])
        asyncio.run(live(url, place, wanted["jobs"], tell))
    except BaseException:
        _log.exception("This life failed")
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
