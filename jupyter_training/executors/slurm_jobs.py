"""A job of Slurm, and how one has ended, however Slurm was asked: values and pure functions."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from jupyter_training.executors.cluster_dialect import could_not_begin
from jupyter_training.executors.cluster_node import NOT_OURS
from jupyter_training.jobs.lifecycle import Cause, Exit

FINAL = frozenset(
    {
        *("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "PREEMPTED", "BOOT_FAIL", "DEADLINE"),
        *("OUT_OF_MEMORY", "NODE_FAIL", "REVOKED"),
    }
)
"""The states in which a job of Slurm stays."""

WAITING = frozenset(
    {
        *("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"),
        "RESV_DEL_HOLD",
    }
)
"""Those in which it has not begun, or is to begin again."""

UNSURE = frozenset({"NODE_FAIL", "BOOT_FAIL", "REVOKED", "COMPLETED", "FAILED"})
"""Those in which a job that has written nothing of its end may live on: Slurm cannot see its node,
or has begun it a second time, and what has ended is that."""

_BY_THE_NODE = frozenset({"NODE_FAIL", "BOOT_FAIL", "REVOKED"})
"""Those in which it is over because of a node."""

_NEVER = "BadConstraints"
"""Slurm's word at a job that failed because none of its nodes could ever run it."""

_ADVICE = {
    "PartitionTimeLimit": (
        "its partition does not give so much time; ask for less with --time-limit, or for another "
        "--partition"
    ),
    "PartitionNodeLimit": (
        "its partition does not give so many nodes; ask for fewer with --nodes, or for another "
        "--partition"
    ),
    "PartitionConfig": (
        "no node of its partition has at the moment what it asks for; ask for less, or for another "
        "--partition"
    ),
    "PartitionDown": "its partition begins no jobs at the moment",
    "PartitionInactive": "its partition takes no jobs at the moment",
    "JobHeldUser": "somebody holds it back; scontrol release {id} lets it go",
    "JobHeldAdmin": "an administrator holds it back",
    "ReqNodeNotAvail": "nodes that it needs are down, drained or reserved",
    "Assoc": "its account has reached a limit",
    "QOS": "its quality of service has reached a limit",
}
"""What a person makes of why a job waits, by how Slurm's word begins. What is only a matter of time
is not among them."""

_MARK = "jupyter-training"


@dataclass(frozen=True)
class SlurmJob:
    """A job as Slurm tells of it.

    Attributes
    ----------
    reason
        Why it waits, or ended, in Slurm's word.
    left_s
        How long it may still run (s); infinite if there is no limit, or it does not run.
    directory
        That of its attempt.
    token
        The token of its attempt.
    """

    id: str
    state: str
    reason: str
    nodes: str
    left_s: float
    directory: str
    token: str

    @property
    def is_over(self) -> bool:
        """Whether it stays as it is."""
        return self.state in FINAL

    @property
    def waits(self) -> bool:
        """Whether it has not begun, or is to begin again."""
        return self.state in WAITING

    @property
    def is_unsure(self) -> bool:
        """Whether its processes may live on although it is over."""
        return self.state in UNSURE

    def __str__(self) -> str:
        said = self.reason if self.reason not in ("", "None") else ""
        return f"{self.state} ({said})" if said else self.state


def reason(job: SlurmJob) -> str:
    """Why a job waits, as ``PENDING (Resources)``, and what can be done if time alone does not."""
    if job.state == "RUNNING":
        return ""
    if job.state == "COMPLETING":
        return f"{job}: it did not begin, and Slurm clears up behind it"
    told = (advice for begins, advice in _ADVICE.items() if job.reason.startswith(begins))
    advice = next(told, None)
    return str(job) if advice is None else f"{job}: {advice.format(id=job.id)}"


def comment(installation: str, job_id: str, token: str) -> str:
    """What is written at a job in Slurm, so that it is found again."""
    return ":".join((_MARK, installation, job_id, token))


def token_of(said: str, installation: str) -> str | None:
    """The token in the comment of a job; None if it is not of this installation."""
    mark = said.strip().split(":")
    return mark[3] if len(mark) == 4 and mark[:2] == [_MARK, installation] else None


def not_begun(
    job: SlurmJob,
    exit_code: int | None,
    directory: Path,
    python: str,
    said: str = "",
    *,
    was_run: bool = False,
) -> Exit:
    """How an attempt ended that Slurm has let go of before it ran.

    Parameters
    ----------
    exit_code
        That of its script; None if it is not known.
    said
        The last line that the script said.
    was_run
        Whether a node has run its script, so that it was not the node that could not.
    """
    where = job.nodes or "the node"
    told = could_not_begin(exit_code, where, directory, "Slurm", python)
    if told is not None:
        return told
    if job.state in {*_BY_THE_NODE, "PREEMPTED"}:
        return lost(job)
    if job.state == "FAILED" and job.reason == _NEVER:
        told_so = (
            f"no nodes of Slurm that it may run on have what it asks for ({_NEVER}); ask for less, "
            "or for another --partition"
        )
        return Exit(cause=Cause.LAUNCH_FAILED, detail=told_so)
    if job.state == "CANCELLED" and (was_run or not job.nodes):
        return Exit(cause=Cause.CANCELLED_BY_USER, detail=f"somebody in Slurm (job {job.id})")
    if job.state == "CANCELLED":
        # A node that cannot launch a job has it requeued, and cancelled if that is not allowed.
        told_so = f"{where} could not begin it, and Slurm has cancelled job {job.id}"
        return Exit(cause=Cause.NODE_LOST, detail=told_so)
    if exit_code in (None, 0, NOT_OURS):
        # Not even our script has said anything: it is the node that could not run it.
        return lost(job)
    told_so = f"{where} could not begin it (exit code {exit_code})"
    return Exit(cause=Cause.LAUNCH_FAILED, detail=f"{told_so}: {said}" if said else told_so)


def lost(job: SlurmJob | None, *, revoked: bool = False, asked: bool = False) -> Exit:
    """How an attempt ended that began and has written nothing of its end.

    Parameters
    ----------
    job
        None if Slurm does not know it any more.
    revoked, asked
        Whether the attempt was given up, and whether we have asked it to end.
    """
    if job is None:
        return Exit(cause=Cause.NODE_LOST, detail="Slurm does not know its job any more")
    if job.waits or (revoked and job.state == "CANCELLED"):  # it was we who cancelled it then
        return Exit(cause=Cause.NODE_LOST, detail=f"Slurm has put job {job.id} back into its queue")
    where = f"{job.nodes}, " if job.nodes else ""
    unknown = (Cause.NODE_LOST, "{where}Slurm's job {id} is {job}")
    was_ours = asked and job.state == "CANCELLED"  # it has not ended when it was asked to
    cause, told = unknown if was_ours else _ENDS.get(job.state, unknown)
    return Exit(cause=cause, detail=told.format(where=where, id=job.id, job=job))


_ENDS = {
    "PREEMPTED": (Cause.PREEMPTED, "Slurm has preempted job {id}"),
    "TIMEOUT": (Cause.TIMED_OUT, "it ran for the time that Slurm gave job {id}"),
    "DEADLINE": (Cause.TIMED_OUT, "the deadline of Slurm's job {id} has come"),
    "OUT_OF_MEMORY": (Cause.OUT_OF_MEMORY, "killed by Slurm at the memory of job {id}"),
    "CANCELLED": (Cause.CANCELLED_BY_USER, "somebody in Slurm (job {id})"),
}


def end_of(
    told: Exit, job: SlurmJob | None, *, asked: bool, revoked: bool, left_s: float, grace_s: float
) -> Exit:
    """The end of an attempt, from what its supervisor has written and what Slurm says of it.

    Parameters
    ----------
    told
        What the supervisor has written.
    job
        What Slurm says; None if it does not know it any more.
    asked
        Whether we have asked it to end.
    revoked
        Whether it was killed because the attempt was given up.
    left_s
        How much of its time was left when Slurm was asked last (s).
    grace_s
        How long before the end of its time Slurm tells it (s).
    """
    if asked or (told.cause is None and told.signal is None):
        return told
    if revoked:
        return lost(job, revoked=True)
    state = None if job is None else job.state
    was_told = told.cause is Cause.NODE_LOST
    # Slurm may end the script before it tells us.
    is_theirs = was_told or told.signal in (signal.SIGTERM, signal.SIGKILL)
    if is_theirs and job is not None and (job.waits or state in _BY_THE_NODE):
        return Exit(told.exit_code, told.signal, Cause.NODE_LOST, lost(job).detail)
    if state in _ENDS and told.cause is not Cause.TIMED_OUT:
        found = lost(job)
        return Exit(told.exit_code, told.signal, found.cause, found.detail)
    # Slurm tells it up to a minute earlier, and if it then ends by itself there is no TIMEOUT.
    if was_told and left_s <= grace_s + 90:
        detail = "it ran for the time that Slurm gave it"
        return Exit(told.exit_code, told.signal, Cause.TIMED_OUT, detail)
    return told
