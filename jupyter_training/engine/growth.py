"""Hears of files that grow.

The kernel tells of each write by inotify, through one instance for the whole server. Where it tells
nothing the size is looked at instead, about once a second: on other systems, on network file
systems, where somebody else's writes are not heard, beyond the limit on watches, and for a file
whose directory is not there yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_training.executors.tasks import cancelled
from jupyter_training.store.filesystem import network_file_system

if TYPE_CHECKING:
    from asyncinotify import Event, Inotify, Watch

LOOK_S = 1.0
"""How often a size is looked at where the kernel does not tell (s)."""

_REST_S = 0.05
"""How long nothing is heard after something was (s): a flood of writes is heard of as few."""

_AT_ONCE = 4096


@dataclass
class _Directory:
    """What is watched in one directory.

    Attributes
    ----------
    watch
        The kernel's; None while it is looked at.
    sizes
        What was seen last, by name.
    """

    watch: Watch | None = None
    listeners: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)


class Growth:
    """Tells whoever wants to know that a file may have grown or appeared.

    Parameters
    ----------
    by_events
        Whether to ask the kernel to tell; by default where it can.
    """

    def __init__(self, *, by_events: bool | None = None) -> None:
        self._by_events = sys.platform == "linux" if by_events is None else by_events
        self._directories: dict[Path, _Directory] = {}
        self._inotify: Inotify | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def of(self, *paths: Path) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever one of these files may have grown or appeared.

        Whoever waits for it clears it.
        """
        grown = asyncio.Event()
        async with AsyncExitStack() as stack:
            for path in paths:
                await stack.enter_async_context(self._heard(path, grown))
            yield grown

    @asynccontextmanager
    async def _heard(self, path: Path, grown: asyncio.Event) -> AsyncIterator[None]:
        directory = self._directories.get(path.parent)
        new = directory is None
        if directory is None:
            directory = self._directories[path.parent] = _Directory()
        directory.listeners.setdefault(path.name, set()).add(grown)
        try:
            if new:
                self._begin()
                await self._watch(path.parent, directory)
            yield
        finally:
            listeners = directory.listeners[path.name]
            listeners.discard(grown)
            if not listeners:
                del directory.listeners[path.name]
                directory.sizes.pop(path.name, None)
            if not directory.listeners and self._directories.get(path.parent) is directory:
                del self._directories[path.parent]
                self._unwatch(directory)

    async def close(self) -> None:
        """Hear nothing any more."""
        await cancelled(self._tasks)
        self._tasks.clear()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _begin(self) -> None:
        if self._tasks:
            return
        self._tasks.append(asyncio.create_task(self._look()))
        if not self._by_events:
            return
        from asyncinotify import Inotify

        try:
            self._inotify = Inotify(sync_timeout=0)
        except OSError:  # the user has as many instances as they may have
            return
        self._tasks.append(asyncio.create_task(self._listen(self._inotify)))

    async def _watch(self, path: Path, directory: _Directory) -> None:
        """Have the kernel tell of a directory, if it can."""
        inotify = self._inotify
        if inotify is None:
            return
        from asyncinotify import Mask

        def add() -> Watch | None:
            if network_file_system(path) is not None:
                return None
            return inotify.add_watch(path, Mask.MODIFY | Mask.CREATE | Mask.MOVED_TO | Mask.ONLYDIR)

        try:
            watch = await asyncio.to_thread(add)
        except OSError:
            return
        if watch is None:
            return
        if self._directories.get(path) is not directory or directory.watch is not None:
            if all(one.watch is not watch for one in self._directories.values()):
                directory.watch = watch
                self._unwatch(directory)
            return
        directory.watch = watch
        _tell_all(directory)  # of what happened before

    def _unwatch(self, directory: _Directory) -> None:
        watch, directory.watch = directory.watch, None
        if watch is not None and self._inotify is not None:
            with contextlib.suppress(OSError):  # the directory is gone, and the watch with it
                self._inotify.rm_watch(watch)

    async def _listen(self, inotify: Inotify) -> None:
        while True:
            self._hear(await inotify.get())
            for _ in range(_AT_ONCE):
                event = inotify.sync_get()
                if event is None:
                    break
                self._hear(event)
            await asyncio.sleep(_REST_S)

    def _hear(self, event: Event) -> None:
        from asyncinotify import Mask

        watch = event.watch
        if watch is None:  # one that is not known yet, or more than the kernel could keep
            for directory in self._directories.values():
                _tell_all(directory)
            return
        for directory in self._directories.values():
            if directory.watch is watch:
                if Mask.IGNORED in event.mask:
                    directory.watch = None
                if event.name is None:
                    _tell_all(directory)
                else:
                    _tell(directory, str(event.name))
                return

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            unheard = [
                (path, directory)
                for path, directory in self._directories.items()
                if directory.watch is None
            ]
            if not unheard:
                continue
            seen = await asyncio.to_thread(_sizes, unheard)
            for (path, directory), sizes in zip(unheard, seen, strict=True):
                for name, size in sizes.items():
                    if directory.sizes.get(name) != size:
                        _tell(directory, name)
                directory.sizes = sizes
                if self._directories.get(path) is directory:
                    await self._watch(path, directory)


def _sizes(several: list[tuple[Path, _Directory]]) -> list[dict[str, int]]:
    found = []
    for path, directory in several:
        sizes = {}
        for name in list(directory.listeners):
            try:
                sizes[name] = (path / name).stat().st_size
            except OSError:
                continue
        found.append(sizes)
    return found


def _tell(directory: _Directory, name: str) -> None:
    for grown in directory.listeners.get(name, ()):
        grown.set()


def _tell_all(directory: _Directory) -> None:
    for name in directory.listeners:
        _tell(directory, name)
