"""Answers that are too long to be made as a whole."""

from __future__ import annotations

import asyncio

from tornado.iostream import StreamClosedError

from jupyter_training.server.handlers.base import TrainingHandler

STALL_S = 300.0
"""How long a client may take for one piece (s)."""


class StreamingHandler(TrainingHandler):
    """Sends an answer piece by piece, no faster than it is read."""

    def initialize(self) -> None:
        """Know when nobody waits any more."""
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_connection_close(self) -> None:
        """Nobody waits any more."""
        super().on_connection_close()
        if not self._gone.done():
            self._gone.set_result(None)

    async def send_piece(self, piece: bytes) -> bool:
        """Send a piece; False if nobody reads it."""
        self.write(piece)
        sent = self.flush()
        done, _ = await asyncio.wait(
            [sent, self._gone], timeout=STALL_S, return_when=asyncio.FIRST_COMPLETED
        )
        if sent not in done or isinstance(sent.exception(), StreamClosedError):
            return False
        sent.result()
        return True

    def break_off(self) -> None:
        """Close the connection: without an end the client knows that this is not all."""
        self.detach().close()
