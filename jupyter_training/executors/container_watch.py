"""Watches the containers that run: hears of their ends, and copies what they print."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from jupyter_training.executors.base import Found
from jupyter_training.executors.container_logs import Copy
from jupyter_training.executors.container_states import Container
from jupyter_training.executors.containers import ATTEMPT, INSTALLATION
from jupyter_training.executors.docker_engine import DockerEngine, Ends, tell
from jupyter_training.executors.records import LOG


class ContainerWatch:
    """Wakes whoever waits for a container, when there is something to look at.

    Parameters
    ----------
    installation
        The id of this installation; no other containers are watched.
    log_limit
        How much of what a job prints is kept (bytes); 0 for all.
    """

    def __init__(self, engine: DockerEngine, installation: str, log_limit: int = 0) -> None:
        self._engine, self._installation = engine, installation
        self._log_limit = log_limit
        self._copies: dict[str, Copy] = {}
        self._waiting: set[tuple[str, asyncio.Event]] = set()
        self._ends: Ends | None = None

    def listen(self) -> None:
        """Hear of ends from now on."""
        if self._ends is not None:
            return
        loop = asyncio.get_running_loop()
        self._ends = Ends(
            self._engine,
            f"{INSTALLATION}={self._installation}",
            lambda labels: tell(loop, self._wake, labels.get(ATTEMPT, "")),
            lambda: tell(loop, self._wake_all),
        )
        self._ends.start()

    @contextlib.contextmanager
    def waiting(self, token: str) -> Iterator[asyncio.Event]:
        """What is set whenever it is worth a look at an attempt's container."""
        self.listen()
        woken = asyncio.Event()
        self._waiting.add((token, woken))
        try:
            yield woken
        finally:
            self._waiting.discard((token, woken))
            self._let_go(token)

    def copy(self, found: Found, container: Container) -> Copy:
        """What copies the log of a container that runs."""
        token = found.token
        copy = self._copies.get(token)
        if copy is None:
            loop = asyncio.get_running_loop()
            copy = self._new_copy(found, container, lambda: tell(loop, self._wake, token))
            self._copies[token] = copy
            copy.start()
        return copy

    def last_copy(self, found: Found, container: Container) -> Copy:
        """What copies the rest of the log of a container that has ended."""
        return self._copies.get(found.token) or self._new_copy(found, container, lambda: None)

    def forget(self, token: str) -> None:
        """The copy of an attempt's log has ended."""
        self._copies.pop(token, None)

    def close(self) -> None:
        """Watch nothing any more."""
        for token in list(self._copies):
            self._let_go(token)
        if self._ends is not None:
            self._ends.close()
            self._ends = None

    def _new_copy(self, found: Found, container: Container, on_end: Callable[[], object]) -> Copy:
        path, offset = found.directory / LOG, container.log_offset
        return Copy(self._engine, container.id, path, offset, on_end, log_limit=self._log_limit)

    def _let_go(self, token: str) -> None:
        copy = self._copies.pop(token, None)
        if copy is not None:
            copy.close()

    def _wake(self, token: str) -> None:
        for waiting, woken in self._waiting:
            if waiting == token:
                woken.set()

    def _wake_all(self) -> None:
        for _, woken in self._waiting:
            woken.set()
