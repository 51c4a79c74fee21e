"""The figures of this machine's GPUs at the moment, read when somebody looks at them.

What may be given out is decided in `jupyter_training.engine.gpus` and is in the database; figures
change all the time and are in neither. However many look, the driver is asked once a second, in a
thread, and nobody waits long for it: where it is slow or stuck, the last figures are told, with
their time, and after a while none.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import time
from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path

from jupyter_training.engine.nvml import GpuProcess, GpuReading, Nvml
from jupyter_training.engine.threads import begin
from jupyter_training.executors.base import attempt_token
from jupyter_training.executors.supervisor import TOKEN_VARIABLE

_log = logging.getLogger(__name__)

_FORGET_S = 60.0
"""How old figures may be that are still told (s)."""

_END_S = 1.0
"""How long the driver is waited for when this server ends (s)."""


@dataclass(frozen=True)
class LiveProcess:
    """A process on a card.

    Attributes
    ----------
    user
        The name of the system user that it runs as; None if it cannot be seen from here.
    memory_gb
        What it uses of the card's memory, in GB of 1024**3 bytes; None if not known.
    token
        The token of the attempt that it says it belongs to; None if it says nothing. It is a
        secret.
    """

    pid: int
    user: str | None
    memory_gb: float | None
    token: str | None = field(repr=False)


@dataclass(frozen=True)
class LiveGpu:
    """A card at a moment.

    Attributes
    ----------
    reading
        Its figures.
    processes
        None if they cannot be known.
    at
        When this was read.
    """

    reading: GpuReading
    processes: tuple[LiveProcess, ...] | None
    at: datetime
    read: float = field(repr=False, compare=False)
    """When this was read, by the clock that nobody sets (s)."""


class LiveGpus:
    """The cards of this machine as they are now.

    Parameters
    ----------
    fresh_s
        Figures of this age are still new (s).
    rest_s
        And of this age while the driver is to be left alone (s).
    patience_s
        How long the driver is waited for (s).
    idle_s
        How long the driver is kept open when nobody looks any more (s).
    """

    def __init__(
        self,
        *,
        fresh_s: float = 1.0,
        rest_s: float = 5.0,
        patience_s: float = 0.5,
        idle_s: float = 30.0,
    ) -> None:
        self._fresh_s, self._rest_s = fresh_s, rest_s
        self._patience_s, self._idle_s = patience_s, idle_s
        self._latest: Mapping[str, LiveGpu] = {}
        self._nvml: Nvml | None = None
        # What the driver is being asked; there is never more than one such thread.
        self._asked: Future[None] | None = None
        self._asked_at = self._read_at = -float("inf")
        self._idle: asyncio.TimerHandle | None = None
        self._closed = False

    async def look(self, *, let_go: bool = False) -> Mapping[str, LiveGpu]:
        """The figures by the UUIDs of the cards; those that tell nothing are not there.

        Parameters
        ----------
        let_go
            Whether to close the driver after each reading, and to read less often, because a card
            may have to be reset: that cannot be done while the driver is open.
        """
        came_at = time.monotonic()
        until = came_at + self._patience_s
        new_since = came_at - (self._rest_s if let_go else self._fresh_s)
        while True:
            now = time.monotonic()
            if self._asked is None or self._asked.done():
                if self._read_at > new_since or self._closed:
                    break
                self._asked_at = now
                self._asked = begin(lambda: self._read(let_go), "figures of the GPUs")
            # Those who come while it hangs do not wait as long again as the first one did.
            left_s = min(until, self._asked_at + self._patience_s) - now
            if left_s <= 0:
                break
            await asyncio.wait([asyncio.wrap_future(self._asked)], timeout=left_s)
        self._let_go_later()
        now = time.monotonic()
        return {uuid: one for uuid, one in self._latest.items() if now - one.read < _FORGET_S}

    def close(self) -> None:
        """Let go of the driver for good. It blocks, but not if the driver hangs."""
        self._closed = True
        if self._asked is not None and wait([self._asked], _END_S).not_done:
            return
        wait([begin(self._close, "end of NVML")], _END_S)

    def _let_go_later(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._let_go)

    def _let_go(self) -> None:
        if self._asked is None or self._asked.done():
            self._asked_at = time.monotonic()
            self._asked = begin(self._close, "figures of the GPUs")

    # In the thread that asks the driver

    def _read(self, let_go: bool) -> None:
        try:
            if self._nvml is None:
                self._nvml = Nvml()
            if not self._read_cards(self._nvml) or let_go:
                self._close()
        except Exception as error:  # there is no driver, or it has gone: there are no figures
            _log.debug("The GPUs tell no figures: %s", error)
            self._latest = {}
            self._close()
        finally:
            self._read_at = time.monotonic()
            if self._closed:  # it hung when this was closed, and nobody else lets go of it
                self._close()

    def _read_cards(self, nvml: Nvml) -> bool:
        """Read each card; whether all of them answered."""
        gone = set(self._latest)
        count = nvml.count()
        for index in range(count):
            try:
                uuid, handle = nvml.card(index)
                reading = nvml.measure(uuid, index, handle)
            except Exception as error:
                _log.debug("GPU %d of the driver's list tells no figures: %s", index, error)
                continue
            several = reading.processes
            processes = None if several is None else tuple(_seen(process) for process in several)
            moment = datetime.now(timezone.utc)
            told = LiveGpu(reading, processes, moment, time.monotonic())
            # At once, because the next card may hang.
            self._latest = {**self._latest, uuid: told}
            gone.discard(uuid)
        self._latest = {uuid: one for uuid, one in self._latest.items() if uuid not in gone}
        return len(self._latest) == count

    def _close(self) -> None:
        nvml, self._nvml = self._nvml, None
        if nvml is not None:
            nvml.close()


def _seen(process: GpuProcess) -> LiveProcess:
    place = Path(f"/proc/{process.pid}")
    try:
        user = _name_of(place.stat().st_uid)
    except OSError:  # it has ended, or is outside of the container of this server
        user = None
    return LiveProcess(process.pid, user, process.memory_gb, token_of(process.pid))


def token_of(pid: int) -> str | None:
    """The token of the attempt that a process says it belongs to."""
    mark = f"{TOKEN_VARIABLE}=".encode()
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    for entry in environment.split(b"\0"):
        if entry.startswith(mark):
            return attempt_token(os.fsdecode(entry[len(mark) :]))
    return None


@lru_cache(maxsize=256)
def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
