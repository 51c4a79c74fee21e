"""A job as Slurm takes it, and what Slurm tells of jobs and nodes: values and pure functions.

Slurm's commands are asked in their text forms with a format of ours. They have been the same for a
decade, on every version and without plugins, while the JSON of `squeue` is another one with each
release. That of slurmrestd has versions of its own, see `slurm_json`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_training.executors.base import GangLaunch, Launch
from jupyter_training.executors.cluster_dialect import begin, code_of, could_not_begin, gpu_name
from jupyter_training.executors.cluster_node import LAUNCH, NOT_OURS
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.scheduling.resources import ClusterNode, Gpu, Node, matches

OPTIONS = {
    "partition": "the partition that it waits in",
    "account": "the account that pays for it",
    "qos": "its quality of service",
    "constraint": "the features that its nodes need",
    "reservation": "the reservation that it runs in",
    "nodelist": "the nodes that it runs on",
    "exclude": "the nodes that it does not run on",
    "licenses": "the licenses that it needs",
}
"""What a job may ask Slurm for beside its resources; they are called as those of ``sbatch``."""

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

FIELDS = ("%i", "%T", "%r", "%N", "%L", "%Z", "%k")
_SEPARATOR = "|"
FORMAT = _SEPARATOR.join(FIELDS)

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


def comment(installation: str, job_id: str, token: str) -> str:
    """What is written at a job in Slurm, so that it is found again."""
    return ":".join((_MARK, installation, job_id, token))


def token_of(said: str, installation: str) -> str | None:
    """The token in the comment of a job; None if it is not of this installation."""
    mark = said.strip().split(":")
    return mark[3] if len(mark) == 4 and mark[:2] == [_MARK, installation] else None


def jobs_of(printed: str, installation: str) -> list[SlurmJob]:
    """The jobs of this installation in what ``squeue`` printed in our `FORMAT`."""
    found = []
    for line in printed.splitlines():
        told = line.split(_SEPARATOR)
        if len(told) < len(FIELDS):
            continue
        # A reason may be any text; a path may have a separator in it, but it is ours, and has none.
        number, state, *reason, nodes, left, directory, said = told
        token = token_of(said, installation)
        if token is None:
            continue
        why = _SEPARATOR.join(reason).strip()
        found.append(SlurmJob(number, state, why, nodes, _seconds(left), directory, token))
    return found


PAST = ("JobIDRaw", "State", "NodeList", "WorkDir")
"""What is asked of accounting."""


def past_jobs_of(printed: str) -> dict[str, SlurmJob]:
    """By their numbers, jobs that have ended in what ``sacct`` printed of `PAST`."""
    found = {}
    for line in printed.splitlines():
        number, state, nodes, directory, *_ = [*line.split(_SEPARATOR), "", "", ""]
        word = state.partition(" ")[0]  # of CANCELLED by 1000
        if word in FINAL:
            where = "" if nodes == "None assigned" else nodes
            found[number] = SlurmJob(number, word, "", where, math.inf, directory, "")
    return found


def _seconds(text: str) -> float:
    """Seconds of ``2-03:04:05``, ``03:04:05`` or ``04:05``; infinite for anything else."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text.strip())
    if found is None:
        return math.inf
    days, hours, minutes, seconds = (int(one or 0) for one in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60.0 + seconds


@dataclass(frozen=True)
class Site:
    """What is particular to a cluster.

    Attributes
    ----------
    defaults
        What jobs get that do not say otherwise, by the names of `OPTIONS`.
    gpu_types
        What a GPU type is called in Slurm's GRES, by what people write.
    python
        The interpreter that starts jobs on the nodes.
    packages
        Where it finds this package.
    """

    installation: str
    python: str
    packages: str
    defaults: Mapping[str, str] = field(default_factory=dict)
    gpu_types: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> list[str]:
        """What runs on a node, without its arguments."""
        return [self.python, "-I", "-S", "-c", code_of("slurm_node"), self.packages]


@dataclass(frozen=True)
class Wanted:
    """What a job asks Slurm for, however it is asked.

    Attributes
    ----------
    comment
        By which it is found again.
    directory
        That of its attempt.
    script
        What runs on its first node.
    nodes, min_nodes
        On how many it runs, and with how few it makes do.
    is_elastic
        Whether it makes do with fewer.
    cpu_cores, memory_gb
        Of each node.
    gres
        Of each node; empty without GPUs.
    warned_s
        How long before the end of its time it is told (s).
    minutes
        Its time; None for the partition's.
    nice
        How far it steps back behind others.
    options
        What else it asks for, by the names of `OPTIONS`.
    """

    name: str
    comment: str
    directory: Path
    script: str
    nodes: int
    min_nodes: int
    is_elastic: bool
    cpu_cores: int
    memory_gb: int
    gres: str
    warned_s: int
    minutes: int | None
    nice: int
    options: Mapping[str, str]


def wanted(launch: Launch, site: Site, grace_s: float, models: Iterable[str] = ()) -> Wanted:
    """What an attempt asks for.

    Parameters
    ----------
    grace_s
        How long before the end of its time it is told (s).
    models
        The GPU types that there are, as Slurm calls them.
    """
    gang = launch if isinstance(launch, GangLaunch) else None
    one = launch if gang is None else gang.nodes[0]
    count = 1 if gang is None else len(gang.nodes)
    is_elastic = gang is not None and gang.is_elastic
    minutes = None
    if launch.time_limit_s is not None:
        # It is kept to the second by the supervisor; Slurm's is for planning, and comes after that.
        minutes = math.ceil((launch.time_limit_s + grace_s) / 60) + 1
    return Wanted(
        name=_plain(launch.name) or "training",
        comment=comment(site.installation, launch.job_id, launch.token),
        directory=launch.directory,
        script=script(launch.directory, launch.directory / LAUNCH, site),
        nodes=count,
        min_nodes=(gang.min_nodes if gang is not None and is_elastic else None) or count,
        is_elastic=is_elastic,
        cpu_cores=one.cpu_cores,
        memory_gb=one.memory_gb,
        gres=gres(len(one.gpus), launch.gpu_type, site.gpu_types, models) if one.gpus else "",
        warned_s=max(1, min(65535, math.ceil(grace_s))),
        minutes=minutes,
        nice=max(0, -launch.priority),
        options={**site.defaults, **{name: str(it) for name, it in launch.options.items()}},
    )


def sbatch_arguments(it: Wanted, further: Sequence[str] = ()) -> list[str]:
    """How ``sbatch`` is asked.

    Parameters
    ----------
    further
        What it is to be asked beside that.
    """
    size = [f"--nodes={it.nodes}", f"--ntasks={it.nodes}", "--ntasks-per-node=1"]
    if it.is_elastic:
        # Of so many tasks it would want them all, and of one on each node the fewest nodes.
        size = [f"--nodes={it.min_nodes}-{it.nodes}", f"--mincpus={it.cpu_cores}"]
    found = [
        "--parsable",
        f"--job-name={it.name}",
        f"--comment={it.comment}",
        f"--chdir={it.directory}",
        "--output=/dev/null",
        # A job that begins again is another attempt, which we submit ourselves.
        "--no-requeue",
        "--export=ALL",
        *size,
        f"--cpus-per-task={it.cpu_cores}",
        f"--mem={it.memory_gb}G",
        f"--signal=B:TERM@{it.warned_s}",
    ]
    if it.gres:
        found.append(f"--gres={it.gres}")
    if it.minutes is not None:
        found.append(f"--time={it.minutes}")
    if it.nice:
        found.append(f"--nice={it.nice}")
    found += [f"--{name}={it.options[name]}" for name in OPTIONS if name in it.options]
    return [*found, *further]


def gres(
    count: int, asked: str | None, names: Mapping[str, str] = {}, models: Iterable[str] = ()
) -> str:
    """So many GPUs, of the type that a person wrote, as Slurm's GRES."""
    if asked is None:
        return f"gpu:{count}"
    return f"gpu:{gres_type(asked, names, models) or asked.lower().replace(' ', '_')}:{count}"


def gres_type(asked: str, names: Mapping[str, str], models: Iterable[str]) -> str | None:
    """What a GPU type that a person wrote is called in Slurm; None if it is not known there."""
    named = {said.casefold(): name for said, name in names.items()}
    if asked.casefold() in named:
        return named[asked.casefold()]
    return next((one for one in sorted(models) if matches(Gpu("", one), asked)), None)


def _plain(name: str) -> str:
    return re.sub(r"[^\w.+/ -]", "_", name)[:128].strip().lstrip("-")


def script(directory: Path, launch: Path, site: Site) -> str:
    """The batch script of an attempt: it says by its exit code why it could not begin."""
    return f"#!/bin/sh\n{begin(site.program, directory, launch, SAID)}\n"


SAID = "slurm.log"
"""What the script says that is no output of the job; most often nothing."""


def not_begun(
    job: SlurmJob, exit_code: int | None, directory: Path, python: str, said: str = ""
) -> Exit:
    """How an attempt ended that Slurm has let go of before it ran.

    Parameters
    ----------
    exit_code
        That of its script; None if it is not known.
    said
        The last line that the script said.
    """
    where = job.nodes or "the node"
    told = could_not_begin(exit_code, where, directory, "Slurm", python)
    if told is not None:
        return told
    if job.state in ("NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED"):
        return lost(job)
    if job.state == "CANCELLED" and not job.nodes:
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


def lost(job: SlurmJob | None, *, revoked: bool = False) -> Exit:
    """How an attempt ended that began and has written nothing of its end.

    Parameters
    ----------
    job
        None if Slurm does not know it any more.
    revoked
        Whether the attempt was given up.
    """
    if job is None:
        return Exit(cause=Cause.NODE_LOST, detail="Slurm does not know its job any more")
    if job.waits or (revoked and job.state == "CANCELLED"):  # it was we who cancelled it then
        return Exit(cause=Cause.NODE_LOST, detail=f"Slurm has put job {job.id} back into its queue")
    where = f"{job.nodes}, " if job.nodes else ""
    cause, told = _ENDS.get(job.state, (Cause.NODE_LOST, "{where}Slurm's job {id} is {job}"))
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
    if state in _ENDS and told.cause is not Cause.TIMED_OUT:
        found = lost(job)
        return Exit(told.exit_code, told.signal, found.cause, found.detail)
    # Slurm tells it up to a minute earlier, and if it then ends by itself there is no TIMEOUT.
    if was_told and left_s <= grace_s + 90:
        detail = "it ran for the time that Slurm gave it"
        return Exit(told.exit_code, told.signal, Cause.TIMED_OUT, detail)
    return told


AWAY = re.compile(
    r"Unable to contact slurm controller|Socket timed out|Connection refused|standby mode"
    r"|Zero Bytes were transmitted|Communication (connection failure|shutdown failure)"
    r"|temporarily unable|Resource temporarily unavailable|Protocol authentication error"
    r"|Munge|munge|Transport endpoint|Network is unreachable|No route to host|Broken pipe"
    r"|Connection (reset|timed out|aborted)|timed out|configuration (source|file)"
    r"|Unexpected message received|Slurmctld is in maintenance",
    re.IGNORECASE,
)
"""What commands say when Slurm is away, and not when it refuses something."""

LIMIT = re.compile(r"(Max)?Submit(Job)?|job submit limit|MaxJobCount", re.IGNORECASE)
"""What they say when there are too many jobs already."""


def words(said: str, program: str = "sbatch") -> str:
    """What a command has said, as one line for a person."""
    lines = [re.sub(rf"^{program}: (error|fatal): ", "", one) for one in said.splitlines()]
    told = [re.sub(r"^Batch job submission failed: ", "", one).strip() for one in lines]
    return "; ".join(dict.fromkeys(filter(None, told)))[:500]


@dataclass(frozen=True)
class SlurmNode:
    """A node, and the machine that it is."""

    node: ClusterNode
    host: str


_NODE_FIELD = re.compile(r"(?:^|\s)([A-Z][A-Za-z:]*)=(\S*)")
_MB_IN_GB = 1024


def nodes_of(printed: str) -> list[SlurmNode]:
    """The nodes in what ``scontrol --oneliner --detail show node`` printed."""
    found = []
    for line in printed.splitlines():
        told: dict[str, str] = {}
        for name, value in _NODE_FIELD.findall(line):
            told.setdefault(name, value)
        if "NodeName" in told:
            found.append(SlurmNode(node_of(told), told.get("NodeHostName", "")))
    return found


def node_of(told: Mapping[str, str]) -> ClusterNode:
    """A node, from its fields as ``scontrol`` calls and writes them."""
    name, state = told["NodeName"], told.get("State", "UNKNOWN")
    cpus = _number(told, "CPUEfctv") or _number(told, "CPUTot")
    memory_mb = _number(told, "RealMemory")
    models = _gpu_models(told.get("Gres", ""))
    words = set(re.split(r"[+*~#!%$@^-]+", state.upper()))
    usable = bool(words & {"IDLE", "MIXED", "ALLOCATED"}) and not words & {
        *("DRAIN", "DRAINING", "DRAINED", "DOWN", "FAIL", "FAILING", "NOT_RESPONDING"),
        *("MAINT", "REBOOT", "POWERED_DOWN", "UNKNOWN"),
    }
    usable = usable and not state.endswith("*")
    why = "" if usable else f"drained: its node is {state.lower()}"
    gpus = tuple(Gpu(gpu_name(name, index), model, 0.0, why) for index, model in enumerate(models))
    held = frozenset(gpu_name(name, index) for index in _used(told.get("GresUsed", "")))
    node = Node(name, cpus, memory_mb // _MB_IN_GB, gpus)
    if not usable:
        return ClusterNode(node, state.lower(), 0, 0, held)
    free_mb = memory_mb - _number(told, "AllocMem")
    return ClusterNode(
        node,
        state.lower(),
        max(0, cpus - _number(told, "CPUAlloc")),
        max(0, free_mb // _MB_IN_GB),
        held,
    )


def _number(told: Mapping[str, str], name: str) -> int:
    value = told.get(name, "0")
    return int(value) if value.isdecimal() else 0


def _gpu_models(text: str) -> list[str]:
    """The type of each GPU, in their order, of ``gpu:a100:4(S:0-1),gpu:2``."""
    found: list[str] = []
    for one in re.split(r",(?![^(]*\))", text):
        part = re.fullmatch(r"gpu(?::([^:(]*[^:(\d][^:(]*))?(?::(\d+))?(?:\(.*\))?", one.strip())
        if part is not None:
            found += [part[1] or ""] * int(part[2] or 1)
    return found


def _used(text: str) -> set[int]:
    """The places of the GPUs that are in use, of ``gpu:a100:2(IDX:0-1,3),gpu:v100:0(IDX:N/A)``."""
    found: set[int] = set()
    for ranges in re.findall(r"gpu[^(,]*\(IDX:([\d,-]+)\)", text):
        for one in ranges.split(","):
            first, _, last = one.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    return found
