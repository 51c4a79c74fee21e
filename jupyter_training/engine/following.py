"""Follows a job's log for one person or program, attempt after attempt, to the end of the job.

Everybody begins on their own: at an offset, or with the last lines. What is older than the feed of
the log they read in pieces, each when the one before was taken. Then they take the frames that are
made for all. Who does not want anything left out reads what the feed has skipped, or what they were
too slow for, on their own again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from jupyter_training.engine import logs
from jupyter_training.engine.log_frames import AttemptBegins, Bytes, Ended, Frame, Lines, Skipped
from jupyter_training.engine.log_hub import Deleted, Joint, Log, LogFeed, LogHub, rendered
from jupyter_training.engine.overwriting import Screen, is_plain
from jupyter_training.jobs.lifecycle import ENDED
from jupyter_training.store.records import Job

_NEAR = 1 << 20
"""One that is no further behind than this (bytes) reads on rather than skips what is between."""


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to follow.

    Attributes
    ----------
    attempt
        From which attempt on; None for the latest.
    offset
        From which byte of that one on.
    tail
        Or with how many of its last lines to begin.
    rank
        Of which rank of a distributed job; None for what all of them print.
    raw
        Whether bytes are wanted, and not lines.
    complete
        Whether nothing may be left out, however fast it comes. Of bytes nothing is.
    timestamps
        Whether to tell when each line began.
    """

    attempt: int | None = None
    offset: int = 0
    tail: int | None = None
    rank: int | None = None
    raw: bool = False
    complete: bool = False
    timestamps: bool = False


class Follower:
    """One who follows; see `frames`.

    Parameters
    ----------
    path
        Where the log of an attempt is.
    """

    def __init__(self, hub: LogHub, job: Job, wanted: Wanted, path: Callable[[int], Path]) -> None:
        self._hub, self._job, self._wanted, self._path = hub, job, wanted, path

    async def frames(self) -> AsyncIterator[Frame]:
        """What there is to tell, as it comes. The last one is `Ended`.

        Raises
        ------
        Deleted
            If the job was deleted.
        Closed
            If this server ends.
        """
        wanted, job = self._wanted, self._job
        number = wanted.attempt or max(job.attempt, 1)
        offset, tail = wanted.offset, wanted.tail
        while True:
            job = await self._until(number)
            if job.attempt < number:
                yield Ended(job, 0)
                return
            log = Log(job.id, number, self._path(number))
            at = offset
            async with self._hub.feed(log) as feed:
                await feed.opened()
                feed.news()
                if tail is not None:
                    at = await asyncio.to_thread(logs.start_of_tail, log.path, tail)
                yield AttemptBegins(number, at, feed.at)
                async for frame in self._attempt(feed, log.path, at):
                    yield frame
                    at = frame.next_offset
            job = await self._until(number + 1)
            if job.attempt <= number:
                yield Ended(job, at)
                return
            number, offset, tail = number + 1, 0, None

    async def _until(self, attempt: int) -> Job:
        """The job as soon as it has had so many attempts, or has ended."""
        while True:
            change = self._hub.changes.next(self._job.id)
            try:
                job = await self._hub.find(self._job.id)
                if job is None:
                    raise Deleted
                if job.attempt >= attempt or job.status in ENDED:
                    return job
                await asyncio.wait([change])
            finally:
                change.cancel()

    def _attempt(
        self, feed: LogFeed, path: Path, at: int
    ) -> AsyncIterator[Lines | Bytes | Skipped]:
        return _bytes(feed, at) if self._wanted.raw else self._lines(feed, path, at)

    async def _lines(self, feed: LogFeed, path: Path, at: int) -> AsyncIterator[Lines | Skipped]:
        """All of an attempt, alone or with the others, whichever is possible."""
        past = feed.at  # what was there before is told whole
        screen = self._screen(at)
        while True:
            news, over = feed.news(), feed.over
            joint = None if over else feed.joint(screen.at)
            if joint is not None:
                if joint.between:
                    yield await _rendered(screen, joint.between, path)
                at = joint.resume
                async for frame in self._with_others(feed, joint):
                    yield frame
                    at = frame.next_offset
                screen, past = self._screen(at), max(past, at)
            elif screen.at >= feed.at:
                if over:
                    last = await _rendered(screen, None, path)
                    if last.lines:
                        yield last
                    return
                await asyncio.wait([news])
            elif self._is_overtaken(feed, screen.at, past):
                behind = screen.resume
                _, newest = feed.newest()
                yield Skipped(behind, newest, kept=True)
                screen = self._screen(newest)
            else:
                piece = await feed.read(screen.at)
                if piece.offset > screen.at:
                    last = await _rendered(screen, None, path)
                    if last.lines:
                        yield last
                    yield Skipped(screen.at, piece.offset, kept=False)
                    screen = self._screen(piece.offset)
                if piece.content:
                    yield await _rendered(screen, piece.content, path)
                elif piece.offset < feed.at:
                    await asyncio.wait([news])  # somebody has cut the file

    def _screen(self, offset: int) -> Screen:
        return Screen(offset, starts=self._wanted.timestamps)

    def _is_overtaken(self, feed: LogFeed, at: int, past: int) -> bool:
        """Whether one has caught up with what was there, but more has come than they take."""
        _, newest = feed.newest()
        return not self._wanted.complete and at >= past and newest - at >= _NEAR

    async def _with_others(self, feed: LogFeed, joint: Joint) -> AsyncIterator[Lines | Skipped]:
        """What all get, for as long as one keeps up and may have it as it is."""
        seq, at = joint.seq, joint.resume
        yield _standing(at, joint.partial)
        while True:
            news = feed.news()
            frames = feed.since(seq)
            if frames is None:  # too slow
                if self._wanted.complete:
                    return
                behind = at
                seq, at = feed.newest()
                yield Skipped(behind, at, kept=True)
                continue
            for frame in frames:
                if self._wanted.complete and isinstance(frame, Skipped) and frame.kept:
                    return
                yield frame
                seq, at = seq + 1, frame.next_offset
            if not frames:
                if feed.over:
                    return
                await asyncio.wait([news])


async def _bytes(feed: LogFeed, at: int) -> AsyncIterator[Bytes | Skipped]:
    """The bytes of an attempt, and nothing is left out that is there."""
    while True:
        news, over = feed.news(), feed.over
        if at >= feed.at:
            if over:
                return
            await asyncio.wait([news])
            continue
        piece = await feed.read(at)
        if piece.offset > at:
            yield Skipped(at, piece.offset, kept=False)
        if piece.content:
            yield Bytes(piece.offset, piece.content)
        elif piece.offset == at:
            await asyncio.wait([news])  # somebody has cut the file
        at = piece.end


def _standing(at: int, partial: Lines | None) -> Lines:
    """What stands below the lines at the moment."""
    if partial is None:
        return Lines(at, at, [])
    return Lines(at, at, [], partial=partial.partial, partial_times=partial.partial_times)


async def _rendered(screen: Screen, content: bytes | None, path: Path) -> Lines:
    if not screen.starts and (content is None or is_plain(content)):
        return rendered(screen, content, path)  # it is not worth a thread
    return await asyncio.to_thread(rendered, screen, content, path)
