"""What an attempt uses of its machine: samples, and what is kept of them.

A *sample* is a moment: the CPU time so far, the memory that is held, and what each GPU does. Totals
are what a fold over the samples leaves: peaks, the CPU time and how busy the GPUs were. So whoever
comes after a server that died gets the same totals from the same samples.

Everything here is a value or a pure function.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

GB = 1024**3

_N = TypeVar("_N", int, float)

_SHORTEST_S, _USUAL_S, LONGEST_S = 0.5, 5.0, 30.0
_GAP_S = 15.0


@dataclass(frozen=True)
class Consumption:
    """What the processes of an attempt use of a machine.

    Attributes
    ----------
    cpu_seconds
        CPU time of all its processes since the start (s), also of those that have ended; None if
        not known.
    memory_bytes
        What they hold now and nobody can take back from them: no files that were read; None if not
        known.
    """

    cpu_seconds: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Spent:
    """What an attempt has used from its start to its end, as the kernel has counted it.

    Attributes
    ----------
    cpu_seconds
        CPU time of all its processes (s); None if not known.
    peak_memory_bytes
        The most that it held at once; None if not known.
    """

    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None


@dataclass(frozen=True)
class GpuSample:
    """A GPU at a moment; None is for what it does not tell.

    Attributes
    ----------
    utilization_percent
        The share of the last moments in which it computed.
    memory_bytes
        How much of its memory is used.
    """

    utilization_percent: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Sample:
    """An attempt at a moment.

    Attributes
    ----------
    at
        When (s since the epoch).
    gpus
        In the order of the attempt's placement.
    """

    at: float
    used: Consumption = Consumption()
    gpus: tuple[GpuSample, ...] = ()

    @property
    def gpu_utilization_percent(self) -> float | None:
        """The mean of those GPUs that tell it; None if none does."""
        told = [one.utilization_percent for one in self.gpus if one.utilization_percent is not None]
        return sum(told) / len(told) if told else None

    @property
    def busiest_gpu_percent(self) -> float | None:
        """The utilisation of the GPU that computes most; None if none tells."""
        told = [one.utilization_percent for one in self.gpus if one.utilization_percent is not None]
        return max(told, default=None)

    @property
    def gpu_memory_bytes(self) -> int | None:
        """Of the GPU whose memory is used most; None if none tells."""
        told = [one.memory_bytes for one in self.gpus if one.memory_bytes is not None]
        return max(told, default=None)


@dataclass(frozen=True)
class Totals:
    """What is kept of the samples of an attempt. None is for what no sample told.

    Attributes
    ----------
    until
        The time of the last sample, or of the end (s since the epoch).
    cpu_seconds
        CPU time (s).
    peak_memory_bytes, peak_gpu_memory_bytes
        The most at once; of GPUs, that of the fullest one.
    gpu_s, gpu_busy_s
        How long the utilisation of the GPUs is known for, and the share of that in which they
        computed, as a mean of all of them (s).
    """

    until: float | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    peak_gpu_memory_bytes: int | None = None
    gpu_s: float = 0.0
    gpu_busy_s: float = 0.0

    def with_sample(self, sample: Sample) -> Totals:
        """These and one more sample. One that is older than the last changes nothing."""
        if self.until is not None and sample.at <= self.until:
            return self
        share = sample.gpu_utilization_percent
        # What the GPUs did while nobody looked is not known.
        past_s = 0.0 if self.until is None else sample.at - self.until
        seen_s = past_s if share is not None and past_s <= LONGEST_S + _GAP_S else 0.0
        return Totals(
            sample.at,
            _most(self.cpu_seconds, sample.used.cpu_seconds),
            _most(self.peak_memory_bytes, sample.used.memory_bytes),
            _most(self.peak_gpu_memory_bytes, sample.gpu_memory_bytes),
            self.gpu_s + seen_s,
            self.gpu_busy_s + seen_s * (share or 0.0) / 100,
        )

    def at_the_end(self, at: float, spent: Spent | None) -> Totals:
        """These, with what is known when no process is left."""
        spent = spent or Spent()
        return replace(
            self,
            until=_most(self.until, at),
            # What the kernel has counted is exact; the samples may have counted a process twice.
            cpu_seconds=self.cpu_seconds if spent.cpu_seconds is None else spent.cpu_seconds,
            peak_memory_bytes=_most(self.peak_memory_bytes, spent.peak_memory_bytes),
        )

    @property
    def gpu_utilization_percent(self) -> float | None:
        """How busy the GPUs were on average; None if that is not known."""
        return 100 * self.gpu_busy_s / self.gpu_s if self.gpu_s > 0 else None

    def has_risen_since(self, told: Totals) -> bool:
        """Whether a peak is so much higher than the one that was told that it is worth telling."""
        return _is_higher(self.peak_memory_bytes, told.peak_memory_bytes) or _is_higher(
            self.peak_gpu_memory_bytes, told.peak_gpu_memory_bytes
        )


def _is_higher(peak: int | None, told: int | None) -> bool:
    return peak is not None and (told is None or peak > 1.05 * told)


def _most(one: _N | None, other: _N | None) -> _N | None:
    """The greater of two numbers, of which one or both may not be known."""
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)


def pause_s(age_s: float) -> float:
    """How long not to look at an attempt of an age (s): a young one changes quickly.

    Returns
    -------
    float
        From half a second at the start over 5 s within the first hour to 30 s after six hours. A
        month has about 90,000 samples.
    """
    young_s = min(_USUAL_S, max(_SHORTEST_S, age_s / 8))
    return min(LONGEST_S, max(young_s, age_s / 720))


def is_gap(age_s: float, pause: float) -> bool:
    """Whether nobody looked for so long (s), at an attempt of this age, that it was not planned."""
    return pause > 3 * pause_s(age_s) + _GAP_S


def mean_cores(totals: Totals, started_at: float) -> float | None:
    """How many CPU cores were used on average since a start (s since the epoch)."""
    if totals.cpu_seconds is None or totals.until is None or totals.until <= started_at:
        return None
    return totals.cpu_seconds / (totals.until - started_at)


def summary(
    *,
    peak_memory_bytes: int | None,
    memory_gb: int,
    cpu_cores: int,
    mean_cpu_cores: float | None = None,
    gpu_count: int = 0,
    gpu_utilization_percent: float | None = None,
    peak_gpu_memory_bytes: int | None = None,
) -> str | None:
    """What a person reads about the use of a job; None if nothing is known.

    Parameters
    ----------
    memory_gb, cpu_cores
        What it was given.
    gpu_utilization_percent
        How busy its GPUs were on average.
    """
    told = []
    if peak_memory_bytes is not None:
        told.append(f"used at most {amount(peak_memory_bytes, memory_gb)} of memory")
    if mean_cpu_cores is not None:
        many = f"core{'s' if cpu_cores != 1 else ''}"
        told.append(f"{mean_cpu_cores:.1f} of {cpu_cores} CPU {many} on average")
    if gpu_count and gpu_utilization_percent is not None:
        whose = "its GPU" if gpu_count == 1 else f"its {gpu_count} GPUs"
        told.append(f"{whose} {gpu_utilization_percent:.0f} % busy")
    if gpu_count and peak_gpu_memory_bytes is not None:
        told.append(f"at most {amount(peak_gpu_memory_bytes)} of a GPU's memory")
    return ", ".join(told) or None


def amount(part: int, whole_gb: int | None = None) -> str:
    """An amount of memory (bytes), perhaps out of another: ``6.2 of 16 GB``, ``9 MB of 1 GB``."""
    large = part >= 0.1 * GB
    value = f"{part / GB:.1f}" if large else f"{part / 1024**2:.0f}"
    unit = "GB" if large else "MB"
    if whole_gb is None:
        return f"{value} {unit}"
    return f"{value} of {whole_gb} GB" if large else f"{value} {unit} of {whole_gb} GB"
