"""Which GPUs of this machine may be given out, and why the others may not.

A card that reports errors, or is not there any more, is *drained*: it keeps its place in the
inventory with a reason in plain words, and gets no new job. So is, by default, a card that somebody
outside uses. Whatever goes wrong with the driver ends as such a sentence and never as an exception,
and nothing on a card is ever changed.

Some conditions can be read as long as they last: uncorrectable ECC errors, retired pages, a failed
row remapping, and what the driver recommends. Xid errors cannot, they are events: a critical one is
remembered until a reset is seen - the card or the driver was away and came back, or the driver
recommended one and does so no more - or until this object is made anew, with the server. Xid 63 and
94 are not among them: after a row was marked for remapping, or an error was contained to the
process that had it, the card may be used again at once ("Xid Errors" and "GPU Memory Error
Management" of NVIDIA's documentation). What the driver counts as uncorrectable drains all the same.

NVML is kept open for these events. A card cannot be reset, nor the driver unloaded, while it is, so
it is closed between the readings while there is a card that needs care. Xid errors of the others
are missed in that time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_training.engine.nvml import LOST, GpuReading, Nvml, of_card, of_driver
from jupyter_training.engine.threads import begin
from jupyter_training.scheduling.resources import Gpu

_log = logging.getLogger(__name__)

CRITICAL_XIDS = {
    46: "the GPU stopped processing",
    48: "uncorrectable ECC error",
    62: "its power management halted",
    64: "bad memory could not be retired",
    74: "NVLink error",
    79: "fallen off the bus",
    95: "uncontained ECC error",
    119: "its firmware does not answer",
    120: "error of its firmware",
    140: "uncorrectable ECC error",
}
"""The Xid errors after which NVIDIA recommends a reset, a restart or an inspection."""

_DRAINED = "drained: "
UNKNOWN = f"{_DRAINED}is not known to the driver"
"""Why no job gets a card that is configured, and that the driver does not have."""

_SILENT = "the NVIDIA driver does not answer"
_END_S = 1.0
"""How long the driver is waited for when this server ends (s)."""

_RESERVE_GB = 0.7
"""What drivers keep of a card for themselves at most; older ones count it as used."""


@dataclass(frozen=True)
class Snapshot:
    """All cards at a moment.

    Attributes
    ----------
    gpus
        In the driver's order; also those that were there once.
    trouble
        What is wrong with the driver or with a card that has never been readable; None if nothing.
    """

    gpus: tuple[GpuReading, ...] = ()
    trouble: str | None = None


def schedulable(readings: Iterable[GpuReading], *, give_out_used: bool = False) -> tuple[Gpu, ...]:
    """The cards as the scheduler sees them.

    Parameters
    ----------
    give_out_used
        Whether jobs may get cards that somebody outside uses.
    """
    found = []
    for reading in readings:
        unavailable = f"{_DRAINED}{reading.trouble}" if reading.trouble is not None else ""
        if not unavailable and reading.in_use is not None and not give_out_used:
            unavailable = reading.in_use
        found.append(
            Gpu(reading.uuid, reading.model, round(reading.memory_gb or 0.0, 1), unavailable)
        )
    return tuple(found)


def is_drained(gpu: Gpu) -> bool:
    """Whether a card gets no job because something is wrong with it, and not with who uses it."""
    return gpu.unavailable.startswith(_DRAINED)


@dataclass
class _Known:
    """What is remembered of a card between readings."""

    reading: GpuReading
    xids: set[int] = field(default_factory=set)
    was_gone: bool = False
    was_to_recover: bool = False


class GpuInventory:
    """The cards of this machine, read again and again.

    Its methods block and may be called from any thread.

    Parameters
    ----------
    is_ours
        Whether a process belongs to one of our jobs. One of which that cannot be known, does not.
    hidden_memory_gb
        How much of a card's memory may be used without a process that can be seen, before somebody
        is assumed there: from within a container processes outside are not visible.
    patience_s
        How long the driver may take to tell everything (s), before all its cards are drained. To be
        opened takes it some seconds a card where nothing keeps it loaded.
    """

    def __init__(
        self,
        is_ours: Callable[[int], bool] = lambda pid: False,
        *,
        hidden_memory_gb: float = 0.3,
        patience_s: float = 20.0,
    ) -> None:
        self._is_ours, self._hidden_memory_gb = is_ours, hidden_memory_gb
        self._patience_s = patience_s
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()
        self._reading: Future[Snapshot] | None = None
        self._interrupted: Future[None] = Future()
        self._is_silent = self._is_closed = False
        self._nvml: Nvml | None = None

    def read(self, held: Collection[str] = ()) -> Snapshot:
        """Ask the driver for everything.

        Parameters
        ----------
        held
            The UUIDs of the cards that our jobs hold: on these, memory that is used by no process
            that can be seen is taken for theirs.

        Returns
        -------
        Snapshot
            Also when there is no driver, or it fails.
        """
        with self._lock:
            until = time.monotonic() + self._patience_s
            # Never two at a time: one that hangs is waited for, and not followed by more.
            if self._reading is None or self._ends(self._reading, until):
                self._is_closed = False
                self._reading = begin(lambda: self._read_all(held), "driver of the GPUs")
            if not self._ends(self._reading, until):
                self._note_silence(True)
                return self._all_gone(_SILENT)
            self._note_silence(False)
            return self._reading.result()

    def close(self) -> None:
        """Let go of the driver; if it hangs, as soon as it answers, which is not waited for.

        The next reading opens it again.
        """
        self._is_closed = True
        if not self._interrupted.done():
            self._interrupted.set_result(None)
        with self._lock:
            if self._reading is None or not wait([self._reading], _END_S).not_done:
                wait([begin(self._close, "end of NVML")], _END_S)
            self._interrupted = Future()

    def _ends(self, reading: Future[Snapshot], until: float) -> bool:
        """Wait for a reading, until time is up or this is closed, and tell whether it has ended."""
        left_s = max(0.0, until - time.monotonic())
        either: list[Future[Any]] = [reading, self._interrupted]
        wait(either, left_s, return_when=FIRST_COMPLETED)
        return reading.done()

    def _note_silence(self, is_silent: bool) -> None:
        if is_silent != self._is_silent:
            self._is_silent = is_silent
            told = f"{_SILENT}; its cards get no new job" if is_silent else "it answers again"
            _log.warning("NVML: %s", told)

    def _read_all(self, held: Collection[str]) -> Snapshot:
        before = {uuid: known.reading.trouble for uuid, known in self._known.items()}
        try:
            snapshot = self._read(held)
        except Exception as error:  # an inventory is no reason for a server to fail
            _log.exception("The GPUs could not be read")
            snapshot = self._all_gone(f"the GPUs could not be read ({error!r})")
        if self._is_closed or any(reading.trouble is not None for reading in snapshot.gpus):
            self._close()
        for reading in snapshot.gpus:
            self._known.setdefault(reading.uuid, _Known(reading)).reading = reading
            if reading.trouble != before.get(reading.uuid):
                told = reading.sentence or f"{reading.uuid} is well again and gets new jobs"
                _log.warning("%s", told)
        return snapshot

    def _close(self) -> None:
        nvml, self._nvml = self._nvml, None
        if nvml is not None:
            nvml.close()

    def _open(self) -> tuple[Nvml, int]:
        """NVML, and the number of cards."""
        import pynvml

        if self._nvml is not None:
            try:
                return self._nvml, self._nvml.count()
            except pynvml.NVMLError:  # the driver may have been away since it was opened
                self._close()
        self._nvml = Nvml()
        return self._nvml, self._nvml.count()

    def _read(self, held: Collection[str]) -> Snapshot:
        import pynvml

        try:
            nvml, count = self._open()
        except pynvml.NVMLError as error:
            self._close()
            for known in self._known.values():
                known.was_gone |= error.value == pynvml.NVML_ERROR_DRIVER_NOT_LOADED
            return self._all_gone(of_driver(error))
        for uuid, xid in nvml.xids():
            if uuid in self._known and xid in CRITICAL_XIDS:
                self._known[uuid].xids.add(xid)
        found: dict[str, GpuReading] = {}
        failed: dict[int, str] = {}
        for index in range(count):
            try:
                uuid, handle = nvml.card(index)
            except pynvml.NVMLError as error:
                failed[index] = of_card(error)
                continue
            known = self._known.setdefault(uuid, _Known(GpuReading(uuid, index)))
            try:
                found[uuid] = self._look(nvml, known, index, handle, held)
            except pynvml.NVMLError as error:
                known.was_gone |= error.value == pynvml.NVML_ERROR_GPU_IS_LOST
                found[uuid] = _bare(replace(known.reading, index=index), of_card(error))
        for uuid, known in self._known.items():
            if uuid not in found:
                # One that fails has no UUID; its place in the list tells which it is.
                trouble = failed.pop(known.reading.index, LOST)
                known.was_gone |= trouble == LOST
                found[uuid] = _bare(known.reading, trouble)
        strangers = [f"GPU {index} of the driver's list {why}" for index, why in failed.items()]
        return Snapshot(
            tuple(sorted(found.values(), key=lambda reading: (reading.index, reading.uuid))),
            "; ".join(strangers) or None,
        )

    def _all_gone(self, trouble: str) -> Snapshot:
        """What is left when the driver tells nothing."""
        why = f"cannot be used: {trouble}"
        known = list(self._known.values())  # a reading that hangs may go on at any time
        return Snapshot(tuple(_bare(one.reading, why) for one in known), trouble)

    def _look(
        self, nvml: Nvml, known: _Known, index: int, handle: Any, held: Collection[str]
    ) -> GpuReading:
        uuid = known.reading.uuid
        reading = nvml.measure(uuid, index, handle)
        told, is_to_recover = nvml.conditions(handle)
        if known.was_gone or (known.was_to_recover and is_to_recover is False):
            known.xids.clear()
        known.was_gone, known.was_to_recover = False, bool(is_to_recover)
        nvml.listen(uuid, handle)
        told += [f"reported Xid {xid} ({CRITICAL_XIDS[xid]})" for xid in sorted(known.xids)]
        in_use = self._used_by(reading, uuid in held)
        return replace(reading, trouble=" and ".join(told) or None, in_use=in_use)

    def _used_by(self, reading: GpuReading, is_held: bool) -> str | None:
        """Who uses a card who is not one of our jobs."""
        here = reading.processes or ()
        # A desktop on a card does not make it useless.
        others = [one for one in here if one.computes and not self._owns(one.pid)]
        if others:
            first = others[0]
            who = f"{first.name} (pid {first.pid})" if first.name else f"pid {first.pid}"
            if len(others) == 1:
                return f"in use by {who}, not one of our jobs"
            return f"in use by {who} and {len(others) - 1} more, not our jobs"
        seen = [one.memory_gb for one in here if one.memory_gb is not None]
        if is_held or reading.memory_used_gb is None or len(seen) < len(here):
            return None
        hidden = reading.memory_used_gb - sum(seen)
        allowed = self._hidden_memory_gb
        if reading.memory_reserved_gb is None:
            allowed += _RESERVE_GB
        if hidden <= allowed:
            return None
        return f"in use: {hidden:.1f} GB of its memory are taken by a process that is not visible"

    def _owns(self, pid: int) -> bool:
        try:
            return self._is_ours(pid)
        except (OSError, ValueError):
            return False


def _bare(reading: GpuReading, trouble: str) -> GpuReading:
    """A card of which only the identity is known at the moment."""
    return GpuReading(
        reading.uuid, reading.index, reading.model, reading.memory_gb, trouble=trouble
    )
