"""How often the engine looks at things, and how long it waits for them."""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyter_training.jobs.lifecycle import RetryPolicy


@dataclass(frozen=True)
class Timing:
    """How often and how long, in seconds.

    Attributes
    ----------
    schedule_interval_s, monitor_interval_s
        The sweeps that find what an event missed.
    lease_s, renew_s
        How long a server that says nothing keeps the lease, and how often it says something.
    trouble_s
        The wait after the database could not be written.
    idle_gpu_s
        After how long without work the GPUs of a job are called idle; 0 for never.
    hang_s
        After how long without any sign of life a job is said to hang; 0 for never.
    retries
        How long a failed job waits for its next attempt.
    """

    schedule_interval_s: float = 10.0
    monitor_interval_s: float = 30.0
    lease_s: float = 10.0
    renew_s: float = 3.0
    trouble_s: float = 1.0
    idle_gpu_s: float = 1800.0
    hang_s: float = 1800.0
    retries: RetryPolicy = field(default_factory=RetryPolicy)
