"""What this machine has to give to jobs."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from jupyter_training.engine.gpus import UNKNOWN, GpuInventory, is_drained, schedulable
from jupyter_training.engine.live_gpus import LiveGpu, LiveGpus, token_of
from jupyter_training.scheduling.resources import Gpu, Node

GB = 1024**3


class Machine:
    """This machine, as configured or detected; GPUs are read again each time.

    Parameters
    ----------
    cpu_cores, memory_gb
        None to detect.
    gpus
        ``"auto"`` to ask the driver, a number for that many with indices from 0, or their UUIDs,
        each perhaps with a model: ``"GPU-5a1…=NVIDIA A100-SXM4-80GB"``.
    give_out_used
        Whether jobs may get GPUs that somebody outside uses.
    """

    def __init__(
        self,
        *,
        cpu_cores: int | None,
        memory_gb: int | None,
        gpus: str | int | Sequence[str],
        give_out_used: bool = False,
    ) -> None:
        self._cpu_cores, self._memory_gb, self._gpus = cpu_cores, memory_gb, gpus
        self._give_out_used = give_out_used
        self._tokens: frozenset[str] = frozenset()
        self._inventory = GpuInventory(self._is_ours)
        self._live = LiveGpus()

    def read(self, given: Mapping[str, tuple[str, ...]]) -> Node:
        """What it has now. It blocks.

        Parameters
        ----------
        given
            By the token of each open attempt, the UUIDs of its GPUs.
        """
        return Node(
            socket.gethostname(),
            self._cpu_cores if self._cpu_cores is not None else detect_cpu_cores(),
            self._memory_gb if self._memory_gb is not None else detect_memory_gb(),
            self._read_gpus(given),
        )

    async def live_gpus(self, nodes: Iterable[Node]) -> Mapping[str, LiveGpu]:
        """What this machine's GPUs do at the moment, by UUID. It does not wait long.

        Parameters
        ----------
        nodes
            The machines that are known. If this one has no GPUs there, nobody is asked.
        """
        name = socket.gethostname()
        here = [gpu for node in nodes if node.name == name for gpu in node.gpus]
        # Which card a configured index means depends on settings of CUDA.
        if not here or isinstance(self._gpus, int):
            return {}
        return await self._live.look(let_go=any(is_drained(gpu) for gpu in here))

    def close(self) -> None:
        """Let go of the driver."""
        self._live.close()
        self._inventory.close()

    def _read_gpus(self, given: Mapping[str, tuple[str, ...]]) -> tuple[Gpu, ...]:
        if isinstance(self._gpus, int):  # which card is meant depends on settings of CUDA
            return configured_gpus(self._gpus)
        detected = self._detected(given) if self._gpus else ()
        if self._gpus == "auto":
            return detected
        return tuple(as_detected(one, detected) for one in configured_gpus(self._gpus))

    def _detected(self, given: Mapping[str, tuple[str, ...]]) -> tuple[Gpu, ...]:
        self._tokens = frozenset(given)
        held = {uuid for gpus in given.values() for uuid in gpus}
        readings = self._inventory.read(held).gpus
        return schedulable(readings, give_out_used=self._give_out_used)

    def _is_ours(self, pid: int) -> bool:
        """Whether a process belongs to an open attempt; those of another installation do not."""
        return token_of(pid) in self._tokens


def configured_gpus(gpus: str | int | Sequence[str]) -> tuple[Gpu, ...]:
    """The GPUs that a configuration names."""
    if isinstance(gpus, int):
        return tuple(Gpu(str(index)) for index in range(gpus))
    several = [gpus] if isinstance(gpus, str) else gpus
    named = (one.partition("=") for one in several)
    return tuple(Gpu(uuid.strip(), model.strip()) for uuid, _, model in named)


def as_detected(configured: Gpu, detected: Sequence[Gpu]) -> Gpu:
    """A GPU that a configuration names, with what the driver tells of it.

    Parameters
    ----------
    configured
        Its UUID may be shortened, as for CUDA.
    detected
        All of the driver; none where there is no driver, or it was never readable.
    """
    for gpu in detected:
        if gpu.uuid.startswith(configured.uuid):
            return replace(gpu, uuid=configured.uuid, model=configured.model or gpu.model)
    # A part of a card is not in the driver's list, and what an index means is not known.
    if detected and configured.uuid.startswith("GPU-"):
        return replace(configured, unavailable=UNKNOWN)
    return configured


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
