"""What this machine has to give to jobs."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from jupyter_training.scheduling.resources import Gpu, Node

GB = 1024**3


def this_node(
    *, cpu_cores: int | None, memory_gb: int | None, gpus: str | int | Sequence[str]
) -> Node:
    """This machine, as configured or detected.

    Parameters
    ----------
    cpu_cores, memory_gb
        None to detect.
    gpus
        ``"auto"`` to ask the driver, a number for that many with indices from 0, or their UUIDs,
        each perhaps with a model: ``"GPU-5a1…=NVIDIA A100-SXM4-80GB"``.
    """
    return Node(
        socket.gethostname(),
        cpu_cores if cpu_cores is not None else detect_cpu_cores(),
        memory_gb if memory_gb is not None else detect_memory_gb(),
        _gpus(gpus),
    )


def _gpus(gpus: str | int | Sequence[str]) -> tuple[Gpu, ...]:
    if gpus == "auto":
        return detect_gpus()
    if isinstance(gpus, int):
        return tuple(Gpu(str(index)) for index in range(gpus))
    several = [gpus] if isinstance(gpus, str) else gpus
    named = (one.partition("=") for one in several)
    return tuple(Gpu(uuid.strip(), model.strip()) for uuid, _, model in named)


def detect_cpu_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """The cores that this process may use: its affinity, and the quota of its control group."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        cores = os.cpu_count() or 1
    quotas = []
    with contextlib.suppress(OSError, ValueError):
        quota, period = (cgroup / "cpu.max").read_text().split()
        quotas.append(float(quota) / float(period))
    with contextlib.suppress(OSError, ValueError):
        quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
        quotas.append(float(quota) / float((cgroup / "cpu/cpu.cfs_period_us").read_text()))
    return max(1, min([cores, *(int(quota) for quota in quotas if quota > 0)]))


def detect_memory_gb(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """The memory that this process may use, in whole GB: the machine's, or its group's limit."""
    amounts = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # absent, or "max"
            amounts.append(int((cgroup / name).read_text()))
    return max(1, min(amounts) // GB)


def detect_gpus() -> tuple[Gpu, ...]:
    """The GPUs that the driver knows; none where there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        found = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            device = pynvml.nvmlDeviceGetHandleByIndex(index)
            found.append(
                Gpu(
                    _text(pynvml.nvmlDeviceGetUUID(device)),
                    _text(pynvml.nvmlDeviceGetName(device)),
                    round(pynvml.nvmlDeviceGetMemoryInfo(device).total / GB, 1),
                )
            )
        return tuple(found)
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
