"""The engine of this server while it runs, who uses it, and when an embedded server may end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_training.engine.service import TrainingService
from jupyter_training.server.identity import TrainingTokens

_STILL_THERE_S = 30.0
"""How long a client that asks nothing is believed to be there (s)."""

_LOOK_S = 5.0


class Closing(RuntimeError):
    """This server is about to end."""

    def __init__(self) -> None:
        super().__init__("This server is about to end; ask again and another one is started.")


class NotAvailable(RuntimeError):
    """The engine of this server could not be started."""


class Running:
    """What the handlers use.

    Parameters
    ----------
    tokens
        The training tokens that open this server.
    end
        Ends the server, if it was started only for its jobs.
    """

    def __init__(self, tokens: TrainingTokens, end: Callable[[], None] | None = None) -> None:
        self.tokens = tokens
        self._loop = asyncio.get_event_loop()
        self.started: asyncio.Future[TrainingService] = self._loop.create_future()
        self._hindered: asyncio.Future[str] = self._loop.create_future()
        self._end = end
        self._closing = False
        self._requests = 0
        self._seen: dict[str, float] = {}
        self._last_request = time.monotonic()

    async def service(self) -> TrainingService:
        """The operations, as soon as the engine has started.

        Raises
        ------
        NotAvailable
            If it could not be started, or cannot be for the moment.
        """
        # Who asks before it is known that the engine cannot start yet is told as soon as it is.
        answers: list[asyncio.Future[Any]] = [self.started, self._hindered]
        await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        if not self.started.done():
            raise NotAvailable(self._hindered.result())
        return self.started.result()

    def hinder(self, why: str) -> None:
        """The engine cannot be started for the moment."""
        if self._hindered.done():
            self._hindered = self._loop.create_future()
        self._hindered.set_result(why)

    def fail(self, why: str) -> None:
        """The engine could not be started."""
        self.started.set_exception(NotAvailable(f"Training jobs are not available here: {why}"))
        self.started.exception()  # it is told to whoever asks; nobody need have asked

    @contextmanager
    def request(self, client: str, *, writes: bool) -> Iterator[None]:
        """Count a request while it is served.

        Raises
        ------
        Closing
            If it comes too late for a server that ends.
        """
        if self._closing:
            raise Closing
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1
            self._last_request = now = time.monotonic()
            if self._end is not None:
                self._seen[client] = now

    async def release(self, client: str) -> bool:
        """A client needs this server no more: end, unless somebody else does.

        It is called within a request of its own.
        """
        now = time.monotonic()
        self._seen = {one: at for one, at in self._seen.items() if now - at < _STILL_THERE_S}
        if self._seen.keys() - {client}:
            return False
        return await self._end_if_unused(own_requests=1)

    async def end_when_idle(self, idle_s: float) -> None:
        """End when no job is left and nobody has asked anything for a while (s)."""
        while True:
            await asyncio.sleep(min(_LOOK_S, idle_s))
            idle = time.monotonic() - self._last_request
            if idle >= idle_s and await self._end_if_unused(own_requests=0):
                return

    async def _end_if_unused(self, own_requests: int) -> bool:
        if self._end is None or self._requests > own_requests:
            return False
        # From here on nothing new comes in, so what is counted stays true.
        self._closing = True
        try:
            if await (await self.service()).count_unended() == 0:
                self._end()
                return True
        finally:
            self._closing = False
        return False
