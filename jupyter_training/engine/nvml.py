"""What NVIDIA's management library (NVML) tells of the GPUs of this machine, through pynvml.

Only what it says: what follows from it is decided in `jupyter_training.engine.gpus`. A query that a
card or a driver does not know gives None. pynvml is imported when NVML is opened, and not before.
"""

from __future__ import annotations

import ctypes
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)

GB = 1024**3

LOST = "has fallen off the bus"

_EVENTS_AT_ONCE = 100

# Newer than the oldest pynvml that is supported.
_ERROR_DEPRECATED, _RECOVERY_ACTION, _RECOVERY_ACTION_NONE = 26, 230, 0


@dataclass(frozen=True)
class GpuProcess:
    """A process on a card.

    Attributes
    ----------
    name
        Empty if it cannot be seen from here.
    memory_gb
        What it uses of the card's memory; None if not known.
    computes
        False for one that only draws, such as a desktop.
    """

    pid: int
    name: str
    memory_gb: float | None
    computes: bool


@dataclass(frozen=True)
class GpuReading:
    """What is known of a card at a moment. None is for what it, or its driver, does not tell.

    Attributes
    ----------
    uuid, index
        What names it for good, and its place in the driver's list at the moment.
    memory_gb, memory_used_gb
        GB of 1024**3 bytes.
    memory_reserved_gb
        What the driver keeps for itself, in GB. Where that is None it is counted as used.
    utilization_percent
        The share of the last moments in which it computed.
    temperature_c, power_w, power_limit_w
        °C and W.
    trouble
        Why it is drained, as what follows its name in a sentence; None if it is well.
    in_use
        Who uses it who is not one of our jobs, in the same form; None for nobody.
    """

    uuid: str
    index: int
    model: str = ""
    memory_gb: float | None = None
    memory_used_gb: float | None = None
    memory_reserved_gb: float | None = None
    utilization_percent: int | None = None
    temperature_c: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    processes: tuple[GpuProcess, ...] | None = None
    trouble: str | None = None
    in_use: str | None = None

    @property
    def sentence(self) -> str:
        """What is wrong with it, in a sentence; empty if nothing is."""
        if self.trouble is None:
            return ""
        return f"{self.uuid} {self.trouble}; it gets no new job until the driver says otherwise"


class Nvml:
    """NVML, open.

    Raises
    ------
    pynvml.NVMLError
        If there is no driver, no library, or they do not fit together; so do all its methods if the
        driver or the card fails.
    """

    def __init__(self) -> None:
        import pynvml

        pynvml.nvmlInit()
        self._nvml: Any = pynvml
        self._events: Any = None
        self._listening: dict[int | None, str] = {}
        try:
            self._events = pynvml.nvmlEventSetCreate()
        except pynvml.NVMLError as error:  # not on every system
            _log.debug("NVML tells of no events: %s", error)

    def close(self) -> None:
        """Let go of the driver. This never fails."""
        nvml = self._nvml
        try:
            if self._events is not None:
                nvml.nvmlEventSetFree(self._events)
            nvml.nvmlShutdown()
        except nvml.NVMLError as error:
            _log.debug("NVML does not close: %s", error)

    def count(self) -> int:
        """How many cards the driver lists, also if some of them do not answer."""
        counted: int = self._nvml.nvmlDeviceGetCount()
        return counted

    def card(self, index: int) -> tuple[str, Any]:
        """The UUID of a card of that list, and the handle to ask it with."""
        handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
        return _text(self._nvml.nvmlDeviceGetUUID(handle)), handle

    def listen(self, uuid: str, handle: Any) -> None:
        """Note the Xid errors of a card from now on."""
        if self._events is not None and _address(handle) not in self._listening:
            kind = self._nvml.nvmlEventTypeXidCriticalError
            self._ask("nvmlDeviceRegisterEvents", handle, kind, self._events)
            self._listening[_address(handle)] = uuid

    def xids(self) -> list[tuple[str, int]]:
        """The Xid errors since the last call, each with the UUID of the card."""
        found: list[tuple[str, int]] = []
        for _ in range(_EVENTS_AT_ONCE if self._events is not None else 0):
            try:
                event = self._nvml.nvmlEventSetWait_v2(self._events, 0)
            except self._nvml.NVMLError:  # no more of them, or a card is lost, which is seen anyway
                break
            uuid = self._listening.get(_address(event.device))
            if uuid is not None:
                found.append((uuid, event.eventData))
        return found

    def measure(self, uuid: str, index: int, handle: Any) -> GpuReading:
        """What a card is and does."""
        nvml, ask = self._nvml, self._ask
        memory = ask("nvmlDeviceGetMemoryInfo", handle, nvml.nvmlMemory_v2)
        reserved_gb = None if memory is None else memory.reserved / GB
        if memory is None:
            memory = ask("nvmlDeviceGetMemoryInfo", handle)
        rates = ask("nvmlDeviceGetUtilizationRates", handle)
        model = ask("nvmlDeviceGetName", handle)
        return GpuReading(
            uuid,
            index,
            "" if model is None else _text(model),
            memory_gb=None if memory is None else memory.total / GB,
            memory_used_gb=None if memory is None else memory.used / GB,
            memory_reserved_gb=reserved_gb,
            utilization_percent=None if rates is None else rates.gpu,
            temperature_c=ask("nvmlDeviceGetTemperature", handle, nvml.NVML_TEMPERATURE_GPU),
            power_w=_watts(ask("nvmlDeviceGetPowerUsage", handle)),
            power_limit_w=_watts(ask("nvmlDeviceGetEnforcedPowerLimit", handle)),
            processes=self._processes(handle),
        )

    def _processes(self, handle: Any) -> tuple[GpuProcess, ...] | None:
        found: dict[int, GpuProcess] = {}
        answered = False
        for kind in ("Compute", "MPSCompute", "Graphics"):
            several = self._ask(f"nvmlDeviceGet{kind}RunningProcesses", handle)
            answered |= several is not None
            for one in several or ():
                used_gb = None if one.usedGpuMemory is None else one.usedGpuMemory / GB
                process = GpuProcess(one.pid, _name(one.pid), used_gb, kind != "Graphics")
                found.setdefault(one.pid, process)  # one that also draws is in two lists
        return tuple(found.values()) if answered else None

    def conditions(self, handle: Any) -> tuple[list[str], bool | None]:
        """What is wrong with a card, and whether the driver wants a reset; None if it is silent."""
        nvml, ask = self._nvml, self._ask
        told = []
        mig = ask("nvmlDeviceGetMigMode", handle)
        if mig is not None and mig[0] == nvml.NVML_DEVICE_MIG_ENABLE:
            told.append("is divided by MIG, which is not supported yet")
        uncorrected = nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED
        if ask("nvmlDeviceGetTotalEccErrors", handle, uncorrected, nvml.NVML_VOLATILE_ECC):
            told.append("reports uncorrectable ECC errors")
        if ask("nvmlDeviceGetRetiredPagesPendingStatus", handle):
            told.append("has bad memory pages to retire at the next reset")
        rows = ask("nvmlDeviceGetRemappedRows", handle)
        # A row that is only to be remapped is no trouble: the card works on without it.
        if rows is not None and rows[3]:
            told.append("could not remap bad rows of its memory")
        values = ask("nvmlDeviceGetFieldValues", handle, [_RECOVERY_ACTION])
        if values is None or values[0].nvmlReturn != nvml.NVML_SUCCESS:
            return told, None
        is_to_recover = values[0].value.uiVal != _RECOVERY_ACTION_NONE
        if is_to_recover:
            told.append("needs a reset or a restart, says the driver")
        return told, is_to_recover

    def _ask(self, call: str, *arguments: Any) -> Any:
        """What a query tells; None if it is not supported here.

        Raises
        ------
        NVMLError
            If it fails in another way, so that a card in trouble is not taken for a silent one.
        """
        nvml = self._nvml
        try:
            return getattr(nvml, call)(*arguments)
        except nvml.NVMLError as error:
            if error.value in (
                nvml.NVML_ERROR_NOT_SUPPORTED,
                nvml.NVML_ERROR_FUNCTION_NOT_FOUND,
                nvml.NVML_ERROR_NO_PERMISSION,
                nvml.NVML_ERROR_INVALID_ARGUMENT,
                nvml.NVML_ERROR_NO_DATA,
                nvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
                _ERROR_DEPRECATED,
            ):
                return None
            raise


def of_card(error: Any) -> str:
    """How a card that does not answer is, as what follows its name in a sentence."""
    import pynvml

    told = {
        pynvml.NVML_ERROR_GPU_IS_LOST: LOST,
        pynvml.NVML_ERROR_RESET_REQUIRED: "needs a reset, says the driver",
        pynvml.NVML_ERROR_INSUFFICIENT_POWER: "gets too little power: are its cables in place?",
        pynvml.NVML_ERROR_IRQ_ISSUE: "gets no interrupts",
        pynvml.NVML_ERROR_NO_PERMISSION: "may not be used by this server",
    }
    return told.get(error.value, f"cannot be read ({error})")


def of_driver(error: Any) -> str:
    """What is wrong with the driver, as a sentence."""
    import pynvml

    told = {
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "there is no NVIDIA driver (no libnvidia-ml.so.1)",
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded",
        pynvml.NVML_ERROR_NO_PERMISSION: "this server may not use the NVIDIA driver",
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: (
            "the NVIDIA driver and its library are of different versions; "
            "after an update, restart the machine"
        ),
    }
    return told.get(error.value, f"the NVIDIA driver cannot be used ({error})")


def _address(handle: Any) -> int | None:
    """What tells whether two handles are of the same card."""
    return ctypes.cast(handle, ctypes.c_void_p).value


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
