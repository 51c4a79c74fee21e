"""Many who follow one log, and floods: in one process, on real files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.engine import log_hub
from jupyter_training.engine.changes import Changes
from jupyter_training.engine.following import Follower, Wanted
from jupyter_training.engine.growth import Growth
from jupyter_training.engine.log_frames import AttemptBegins, Bytes, Ended, Frame, Lines, Skipped
from jupyter_training.engine.log_hub import Closed, Deleted, LogHub
from jupyter_training.engine.pace import Pace
from jupyter_training.jobs.lifecycle import Status
from jupyter_training.store.records import Job
from tests.patience import PATIENCE_S

MB = 1 << 20

_NOTHING: dict[str, Any] = {one.name: None for one in fields(Job)}
JOB = Job(**{**_NOTHING, "id": 1, "job_id": "job-1", "status": Status.RUNNING, "attempt": 1})
"""A job of which nothing is known but what is looked at here."""


@dataclass
class World:
    """A job that runs, its log, and the hub that reads it."""

    directory: Path
    hub: LogHub
    changes: Changes
    job: Job | None = JOB

    @property
    def log(self) -> Path:
        return self.path(1)

    def path(self, attempt: int) -> Path:
        return self.directory / f"output-{attempt}.log"

    def follower(self, **wanted: object) -> Follower:
        return Follower(self.hub, JOB, Wanted(**wanted), self.path)  # type: ignore[arg-type]

    def change(self, job: Job | None) -> None:
        self.job = job
        self.changes.tell([1])

    def end(self) -> None:
        self.change(replace(JOB, status=Status.COMPLETED))

    def print(self, content: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(content)


@asynccontextmanager
async def world(directory: Path, *, by_events: bool | None = None) -> AsyncIterator[World]:
    changes, growth = Changes(), Growth(by_events=by_events)

    async def find(number: int) -> Job | None:
        return made.job

    made = World(directory, LogHub(find, changes, growth), changes)
    try:
        yield made
    finally:
        await made.hub.close()
        await growth.close()


class Viewer:
    """Shows what it is told, as the front ends do."""

    def __init__(self, follower: Follower) -> None:
        self.lines: list[str] = []
        self.partial: list[str] = []
        self.content = b""
        self.skipped: list[Skipped] = []
        self.at = 0
        self.ended: Ended | None = None
        self.wake = asyncio.Event()
        self.task = asyncio.create_task(self._run(follower))

    async def _run(self, follower: Follower) -> None:
        async for frame in follower.frames():
            self.take(frame)
            self.wake.set()

    def take(self, frame: Frame) -> None:
        if isinstance(frame, AttemptBegins):
            self.at = frame.offset
            return
        if isinstance(frame, Ended):
            self.ended = frame
            assert self.at == frame.next_offset
            return
        assert frame.offset == self.at, "a gap that nobody told of"
        self.at = frame.next_offset
        if isinstance(frame, Lines):
            del self.lines[max(0, len(self.lines) - frame.replaces) :]
            self.lines += frame.lines
            self.partial = frame.partial
        elif isinstance(frame, Bytes):
            self.content += frame.content
        else:
            self.skipped.append(frame)
            self.partial = []

    async def shows(self, line: str) -> None:
        await self.until(lambda: bool(self.lines) and line == self.lines[-1])

    async def until(self, enough: Callable[[], bool]) -> None:
        while not enough() and not self.task.done():
            self.wake.clear()
            await asyncio.wait_for(self.wake.wait(), PATIENCE_S)
        assert enough(), self.task.exception()


def run(directory: Path, go: Callable[[World], Awaitable[None]], **kwargs: bool) -> None:
    async def inside() -> None:
        async with world(directory, **kwargs) as it:
            await go(it)

    asyncio.run(inside())


def test_a_hundred_who_follow_a_log_read_it_once(tmp_path: Path) -> None:
    async def go(it: World) -> None:
        it.print(b"old\n" * 1000)
        viewers = [Viewer(it.follower(offset=0)) for _ in range(100)]
        for number in range(50):
            it.print(b"line %d\n" % number * 100)
            await viewers[number].shows(f"line {number}")
        it.end()
        await asyncio.gather(*(viewer.task for viewer in viewers))
        content = it.log.read_bytes()
        assert all(viewer.lines == content.decode().splitlines() for viewer in viewers)
        # Once what comes; what was there was found a second time by who looked for the end of it.
        assert it.hub.bytes_read < 2 * len(content)

    run(tmp_path, go)


def test_all_of_a_crowd_that_begins_in_the_past_read_it_together(tmp_path: Path) -> None:
    async def go(it: World) -> None:
        it.print(b"".join(b"line %d\n" % number for number in range(200_000)))
        viewers = [Viewer(it.follower(offset=0)) for _ in range(20)]
        await asyncio.gather(*(viewer.shows("line 199999") for viewer in viewers))
        it.end()
        await asyncio.gather(*(viewer.task for viewer in viewers))
        assert not any(viewer.skipped for viewer in viewers)
        assert it.hub.bytes_read < 3 * it.log.stat().st_size

    run(tmp_path, go)


def test_in_a_flood_one_sees_the_newest_and_is_told_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slowly it comes, it comes too fast.
    monkeypatch.setattr(log_hub, "Pace", partial(Pace, rate=1))

    async def go(it: World) -> None:
        it.print(b"start\n")
        one, slow = Viewer(it.follower()), it.follower()
        whole, raw = Viewer(it.follower(complete=True)), Viewer(it.follower(raw=True))
        await one.until(lambda: one.lines == ["start"])
        frames = slow.frames()
        behind = Viewer.__new__(Viewer)
        behind.__dict__.update(lines=[], partial=[], content=b"", skipped=[], at=0, ended=None)
        for _ in range(2):  # and then it takes nothing for a while
            behind.take(await anext(frames))
        block = b"".join(b"%014d\n" % number for number in range(70_000))
        for _ in range(40):
            await asyncio.to_thread(it.print, block)
        it.print(b"end\n")
        await one.until(lambda: one.lines[-1] == "end")
        it.end()
        async for frame in frames:
            behind.take(frame)
        await asyncio.gather(one.task, whole.task, raw.task)
        content = it.log.read_bytes()
        assert raw.content == content
        assert whole.lines == content.decode().splitlines()
        for viewer in (one, behind):
            assert viewer.skipped
            assert all(skipped.kept for skipped in viewer.skipped)
            assert viewer.lines[0] == "start"
            assert viewer.lines[-1] == "end"
            left_out = sum(gap.next_offset - gap.offset for gap in viewer.skipped)
            told = sum(len(line) + 1 for line in viewer.lines)
            assert told + left_out == len(content)
            assert left_out > len(content) // 4

    run(tmp_path, go)


def test_who_joins_within_a_line_sees_it_from_where_they_began(tmp_path: Path) -> None:
    async def go(it: World) -> None:
        it.print(b"one\ntwo")
        first, second = Viewer(it.follower()), Viewer(it.follower(offset=5))
        await first.until(lambda: first.partial == ["two"])
        await second.until(lambda: second.partial == ["wo"])
        it.print(b" and more\nthree\n")
        await second.until(lambda: len(second.lines) == 2)
        it.end()
        await asyncio.gather(first.task, second.task)
        assert first.lines == ["one", "two and more", "three"]
        assert second.lines == ["wo and more", "three"]

    run(tmp_path, go)


@pytest.mark.parametrize("by_events", [True, False])
def test_a_log_that_appears_later_is_followed(tmp_path: Path, by_events: bool) -> None:
    async def go(it: World) -> None:
        viewer = Viewer(it.follower())
        await asyncio.sleep(0)
        it.directory.mkdir()
        it.print(b"one\n")
        await viewer.until(lambda: viewer.lines == ["one"])
        it.print(b"two\n")
        await viewer.until(lambda: viewer.lines == ["one", "two"])
        viewer.task.cancel()

    run(tmp_path / "attempt", go, by_events=by_events)


def test_an_attempt_follows_the_one_before(tmp_path: Path) -> None:
    async def go(it: World) -> None:
        it.print(b"first\n")
        viewer = Viewer(it.follower())
        await viewer.until(lambda: viewer.lines == ["first"])
        it.change(replace(JOB, status=Status.RETRYING))
        it.path(2).write_bytes(b"second\n")
        it.change(replace(JOB, status=Status.RUNNING, attempt=2))
        await viewer.until(lambda: viewer.lines == ["first", "second"])
        it.change(replace(JOB, status=Status.FAILED, attempt=2))
        await viewer.task
        assert viewer.ended is not None
        assert viewer.ended.job.status is Status.FAILED

    run(tmp_path, go)


def test_who_follows_is_told_that_the_job_was_deleted_or_the_server_ends(tmp_path: Path) -> None:
    async def go(it: World) -> None:
        first = Viewer(it.follower())
        it.print(b"one\n")
        await first.until(lambda: first.lines == ["one"])
        it.change(None)
        with pytest.raises(Deleted):
            await first.task
        it.job = JOB
        second = Viewer(it.follower())
        await second.until(lambda: second.lines == ["one"])
        await it.hub.close()
        with pytest.raises(Closed):
            await second.task

    run(tmp_path, go)


def test_a_flood_of_writes_wakes_nobody_more_than_some_times_a_second(tmp_path: Path) -> None:
    async def go() -> None:
        growth, path, woken = Growth(), tmp_path / "output.log", 0
        async with growth.of(path) as grown:
            began = time.monotonic()
            with path.open("ab", buffering=0) as file:
                while woken < 12:
                    for _ in range(50):
                        file.write(b"x")
                    await asyncio.sleep(0)
                    if grown.is_set():
                        grown.clear()
                        woken += 1
            took_s = time.monotonic() - began
        await growth.close()
        assert took_s > 0.45  # twenty times a second, and twice at once in the beginning

    asyncio.run(go())


def test_a_burst_is_shown_and_of_a_flood_the_newest() -> None:
    pace = Pace(rate=100, burst=1000)
    assert pace.skip(800, now=1000.0) == 0
    assert pace.skip(100, now=1000.0) == 0
    assert pace.skip(10 * MB, now=1000.0) == 10 * MB - 65_536  # so much in any case
    again = Pace(rate=100, burst=1000)
    assert again.skip(1000, now=0.0) == 0
    assert again.skip(400, now=5.0) == 0
    assert again.skip(1000, now=100.0) == 0
