"""What Slurm's commands take and print: values and pure functions.

They are asked in their text forms with a format of ours. Those have been the same for a decade, on
every version and without plugins, while the JSON of `squeue` is another one with each release. That
of slurmrestd has versions of its own, see `slurm_json`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from jupyter_training.executors.slurm_inventory import SlurmNode, node_of
from jupyter_training.executors.slurm_jobs import FINAL, SlurmJob, token_of
from jupyter_training.executors.slurm_request import OPTIONS, Wanted

FIELDS = ("%i", "%T", "%r", "%N", "%L", "%Z", "%k")
_SEPARATOR = "|"
FORMAT = _SEPARATOR.join(FIELDS)

PAST = ("JobIDRaw", "State", "NodeList", "WorkDir")
"""What is asked of accounting."""

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

_NODE_FIELD = re.compile(r"(?:^|\s)([A-Z][A-Za-z:]*)=(\S*)")


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


def words(said: str, program: str = "sbatch") -> str:
    """What a command has said, as one line for a person."""
    lines = [re.sub(rf"^{program}: (error|fatal): ", "", one) for one in said.splitlines()]
    told = [re.sub(r"^Batch job submission failed: ", "", one).strip() for one in lines]
    return "; ".join(dict.fromkeys(filter(None, told)))[:500]
