"""Reads each log that somebody follows once, however many they are.

A `LogFeed` hears that its log has grown, reads on, makes frames of it, and keeps the last of them
for a while. Who follows it takes the frames at their own pace. One that was too slow finds that
those it needs are gone, and goes on with the newest; nobody else notices. What is older than the
feed is read from the file, in pieces that those share who want them at the same time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_training.engine import logs
from jupyter_training.engine.changes import Changes
from jupyter_training.engine.growth import Growth
from jupyter_training.engine.log_frames import Lines, Skipped
from jupyter_training.engine.log_times import times
from jupyter_training.engine.logs import Piece
from jupyter_training.engine.overwriting import Screen
from jupyter_training.engine.pace import Pace
from jupyter_training.executors.tasks import cancelled, first_of
from jupyter_training.jobs.lifecycle import ACTIVE
from jupyter_training.store.records import Job

PIECE = 1 << 20
"""How much of a log is read at once (bytes)."""

_NEWEST = 1 << 18
"""How much who was too slow still gets of what was the newest then (bytes)."""

_REST_S = 0.1
"""The shortest time between two looks at a log: so many frames a second are sent at most (s)."""

_FRAMES, _RECENT = 256, 4 << 20
"""How many frames, and how many bytes of the log, are kept for those who are slower."""

_SHARED = 4
"""How many pieces that were read from the file are kept."""


@dataclass(frozen=True)
class Log:
    """Which log it is: of which job and attempt, and where."""

    job: int
    attempt: int
    path: Path


@dataclass(frozen=True)
class Joint:
    """Where one who read alone goes on with the others.

    Attributes
    ----------
    between
        What they have to be told before: the bytes up to `resume`.
    resume, partial, seq
        The feed as it was at that moment.
    """

    between: bytes
    resume: int
    partial: Lines | None
    seq: int


class Deleted(Exception):
    """The job is not there any more."""


class Closed(Exception):
    """This server ends."""


class LogHub:
    """The feeds of the logs that are followed.

    Parameters
    ----------
    find
        A job by its number; None if it is not there any more.
    """

    def __init__(
        self,
        find: Callable[[int], Awaitable[Job | None]],
        changes: Changes,
        growth: Growth,
    ) -> None:
        self.growth, self.changes, self.find = growth, changes, find
        self.bytes_read = 0
        """How much was read from files for those who follow (bytes)."""
        self._feeds: dict[Log, LogFeed] = {}
        self._followers: dict[LogFeed, int] = {}

    @asynccontextmanager
    async def feed(self, log: Log) -> AsyncIterator[LogFeed]:
        """The feed of a log, while somebody follows it."""
        feed = self._feeds.get(log)
        if feed is None:
            feed = self._feeds[log] = LogFeed(self, log)
        self._followers[feed] = self._followers.get(feed, 0) + 1
        try:
            yield feed
        finally:
            self._followers[feed] -= 1
            if not self._followers[feed]:
                del self._followers[feed]
                if self._feeds.get(log) is feed:
                    del self._feeds[log]
                await feed.close()

    async def close(self) -> None:
        """End all feeds; whoever follows one is told."""
        for feed in list(self._feeds.values()):
            await feed.close()


class LogFeed:
    """What comes of one log.

    Attributes
    ----------
    at
        How far it was read (bytes).
    resume
        Where the line begins that comes next, or is not finished.
    partial
        That line, as far as it has come; what it has no newline for yet.
    over
        Whether nothing more comes: then all was read.
    seq
        The number of the next frame.
    """

    def __init__(self, hub: LogHub, log: Log) -> None:
        self._hub, self._log = hub, log
        self.at = self.resume = 0
        self.partial: Lines | None = None
        self.over = False
        self.seq = 0
        self._failure: Exception | None = None
        self._screen = Screen(starts=True)
        self._pace = Pace()
        self._frames: deque[Lines | Skipped] = deque()
        self._frames_bytes = 0
        self._recent: deque[Piece] = deque()
        self._recent_bytes = 0
        self._shared: OrderedDict[tuple[int, int], asyncio.Task[Piece]] = OrderedDict()
        self._next: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opened = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def opened(self) -> None:
        """Return when it has found the end of the log."""
        await self._opened.wait()

    def news(self) -> asyncio.Future[None]:
        """A future that is done when there is something new. Take it, look, and then wait.

        Raises
        ------
        Deleted
            If the job was deleted.
        Closed
            If the server ends.
        """
        if self._failure is not None:
            raise self._failure
        return self._next

    def since(self, seq: int) -> list[Lines | Skipped] | None:
        """The frames from a number on; None if they are not all there any more."""
        first = self.seq - len(self._frames)
        return None if seq < first else list(self._frames)[seq - first :]

    def newest(self) -> tuple[int, int]:
        """Where to go on for who was too slow: the number and the offset of a frame."""
        seq, offset, weight = self.seq, self.resume, 0
        for frame in reversed(self._frames):
            weight += _weight(frame)
            if isinstance(frame, Skipped) or (weight > _NEWEST and seq < self.seq):
                break
            seq, offset = seq - 1, frame.offset
        return seq, offset

    def joint(self, at: int) -> Joint | None:
        """Where to go on for who has read up to here; None if that is too far away yet."""
        if at > self.resume:
            return None
        between = []
        while at < self.resume:
            content = self.recent(at)
            if content is None:
                return None
            between.append(content[: self.resume - at])
            at += len(between[-1])
        return Joint(b"".join(between), self.resume, self.partial, self.seq)

    def recent(self, offset: int) -> bytes | None:
        """What is at an offset, a piece of it; None if it is not at hand."""
        for piece in reversed(self._recent):
            if piece.offset <= offset < piece.end:
                return piece.content[offset - piece.offset :]
        return None

    async def read(self, offset: int) -> Piece:
        """What is at an offset, from the file if it is not at hand."""
        content = self.recent(offset)
        if content is not None:
            return Piece(offset, content, self.at)
        # Everybody's pieces begin at the same places, but the last one is still growing.
        begin = offset // PIECE * PIECE
        piece = (begin, PIECE) if begin + PIECE <= self.at else (offset, self.at - offset)
        task = self._shared.get(piece)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._shared[piece] = asyncio.create_task(self._read(*piece))
            while len(self._shared) > _SHARED:
                self._shared.popitem(last=False)
        self._shared.move_to_end(piece)
        read = await asyncio.shield(task)
        if read.offset >= offset:
            return read
        if read.end > offset:
            return Piece(offset, read.content[offset - read.offset :], read.size)
        return await self._read(offset, PIECE)  # a hole begins within this piece

    async def close(self) -> None:
        """Read no more."""
        await cancelled([self._task])
        self._end(Closed())

    async def _read(self, offset: int, limit: int) -> Piece:
        try:
            piece = await asyncio.to_thread(logs.read, self._log.path, offset, limit)
        except FileNotFoundError:
            return Piece(offset, b"", 0)
        self._hub.bytes_read += len(piece.content)
        return piece

    async def _run(self) -> None:
        try:
            async with self._hub.growth.of(self._log.path) as grown:
                await self._follow(grown)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._end(error)

    async def _follow(self, grown: asyncio.Event) -> None:
        loop, changes = asyncio.get_running_loop(), self._hub.changes
        change: asyncio.Future[None] | None = None
        over = False
        try:
            while True:
                if change is None or change.done():
                    change = changes.next(self._log.job)
                    job = await self._hub.find(self._log.job)
                    if job is None:
                        raise Deleted
                    over = job.attempt != self._log.attempt or job.status not in ACTIVE
                grown.clear()
                if not self._opened.is_set():
                    await self._open()
                await self._read_on(loop)
                self.over = over
                self._tell()
                self._opened.set()
                if over:
                    return
                await asyncio.sleep(_REST_S)
                await first_of(grown, change)
        finally:
            if change is not None:
                change.cancel()

    async def _open(self) -> None:
        """Begin with the last line of what there is."""
        start = await asyncio.to_thread(logs.start_of_tail, self._log.path, 1)
        piece = await self._read(start, logs.PAGE_BYTES)
        whole = piece.content.rfind(b"\n") + 1
        self._begin(piece.offset + whole)

    def _begin(self, offset: int) -> None:
        self.at = self.resume = offset
        self._screen = Screen(offset, starts=True)
        self.partial = None

    async def _read_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read all that has come, or the newest of it if that is too much."""
        goal: int | None = None
        while goal is None or self.at < goal:
            piece = await self._read(self.at, PIECE)
            skipped = 0
            if goal is None:
                goal = piece.size
                skipped = self._pace.skip(max(0, goal - self.at), loop.time())
            if skipped:
                piece = await self._whole_lines_at(self.at + skipped)
                self._frame(Skipped(self.resume, piece.offset, kept=True))
                self._begin(piece.offset)
            elif piece.offset > self.at:
                await self._feed_end()
                self._frame(Skipped(self.resume, piece.offset, kept=False))
                self._begin(piece.offset)
            if not piece.content:
                return
            await self._feed(piece)

    async def _whole_lines_at(self, offset: int) -> Piece:
        piece = await self._read(offset, PIECE)
        cut = piece.content.find(b"\n") + 1
        if cut == len(piece.content):
            cut = 0
        return Piece(piece.offset + cut, piece.content[cut:], piece.size)

    async def _feed(self, piece: Piece) -> None:
        self._recent.append(piece)
        self._recent_bytes += len(piece.content)
        while self._recent_bytes - len(self._recent[0].content) > _RECENT:
            self._recent_bytes -= len(self._recent.popleft().content)
        frame = await asyncio.to_thread(rendered, self._screen, piece.content, self._log.path)
        self.at, self.resume, self.partial = piece.end, frame.next_offset, frame
        self._frame(frame)

    async def _feed_end(self) -> None:
        frame = await asyncio.to_thread(rendered, self._screen, None, self._log.path)
        if frame.lines:
            self._frame(frame)
            self.resume = frame.next_offset

    def _frame(self, frame: Lines | Skipped) -> None:
        self._frames.append(frame)
        self.seq += 1
        self._frames_bytes += _weight(frame)
        while len(self._frames) > _FRAMES or self._frames_bytes > _RECENT:
            self._frames_bytes -= _weight(self._frames.popleft())
        self._tell()

    def _tell(self) -> None:
        done, self._next = self._next, asyncio.get_running_loop().create_future()
        if not done.done():
            done.set_result(None)

    def _end(self, why: Exception) -> None:
        if self._failure is None:
            self._failure = why
            self._opened.set()
            self._tell()


def rendered(screen: Screen, content: bytes | None, path: Path) -> Lines:
    """What has come, as lines with their times; with no content, the end. It blocks on files."""
    offset = screen.resume
    update = screen.end() if content is None else screen.feed(content)
    partial = screen.partial
    starts = [*update.starts, *screen.partial_starts]
    found: list[float | None] = []
    if starts:
        # In order, unless a terminal has moved up in between.
        in_order = starts == sorted(starts)
        found = times(path, starts) if in_order else [None] * len(starts)
    split = len(update.lines)
    return Lines(
        offset,
        screen.resume,
        update.lines,
        update.replaces,
        partial,
        found[:split],
        found[split:],
    )


def _weight(frame: Lines | Skipped) -> int:
    return frame.next_offset - frame.offset if isinstance(frame, Lines) else 0
