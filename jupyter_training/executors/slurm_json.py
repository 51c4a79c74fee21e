"""What slurmrestd takes and tells, in the versions of its interface: values and pure functions.

Of each version Slurm keeps the next two or three releases, so a few are enough for all that are in
use. Until 0.0.38 a job is described as to ``sbatch``, each option with the text that it takes; then
with numbers that may be unset or infinite, states that are lists, and names of its own.

Source: the OpenAPI documents that slurmrestd serves of itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_training.executors.slurm_inventory import SlurmNode, node_of
from jupyter_training.executors.slurm_jobs import FINAL, SlurmJob, token_of
from jupyter_training.executors.slurm_request import OPTIONS, Wanted

VERSIONS = ("v0.0.43", "v0.0.42", "v0.0.41", "v0.0.40", "v0.0.38")
"""Those that we speak, the preferred ones first; between them they are served since Slurm 22.05."""

_OF_TEXTS = "v0.0.38"

_NAMES = {"constraint": "constraints", "nodelist": "required_nodes", "exclude": "excluded_nodes"}
"""What `OPTIONS` are called that are not called as those of ``sbatch``."""

_NAMES_OF_TEXTS = {"exclude": "exclude_nodes"}
_LISTS = frozenset({"required_nodes", "excluded_nodes"})

_MB_IN_GB = 1024


def submission(job: Wanted, version: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What is posted to have a job.

    Parameters
    ----------
    environment
        What its script finds; there has to be something.
    """
    if version == _OF_TEXTS:
        return {"job": _texts(job) | {"environment": dict(environment)}, "script": job.script}
    told = [f"{name}={value}" for name, value in environment.items()]
    return {"job": _numbers(job) | {"environment": told, "script": job.script}}


def _common(job: Wanted) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": job.name,
        "comment": job.comment,
        "current_working_directory": str(job.directory),
        "standard_output": "/dev/null",
        "cpus_per_task": job.cpu_cores,
        "nodes": f"{job.min_nodes}-{job.nodes}",
    }
    if job.is_elastic:
        # Of so many tasks it would want them all, and of one on each node the fewest nodes.
        found["minimum_cpus_per_node"] = job.cpu_cores
    else:
        found |= {"tasks": job.nodes, "tasks_per_node": 1}
    return found | ({"nice": job.nice} if job.nice else {})


def _texts(job: Wanted) -> dict[str, Any]:
    found = _common(job)
    # A signal to a script alone cannot be asked for in this version. At the end of its time Slurm
    # sends SIGTERM in any case, and waits for as long as the cluster is set to.
    found |= {"memory_per_node": f"{job.memory_gb}G", "no_requeue": True}
    if job.gres:
        found["gres"] = job.gres
    if job.minutes is not None:
        found["time_limit"] = job.minutes
    return found | {_NAMES_OF_TEXTS.get(name, name): it for name, it in _options(job)}


def _numbers(job: Wanted) -> dict[str, Any]:
    found = _common(job)
    found |= {
        "requeue": False,
        "memory_per_node": _set(job.memory_gb * _MB_IN_GB),
        "kill_warning_flags": ["BATCH_JOB"],
        "kill_warning_signal": "TERM",
        "kill_warning_delay": _set(job.warned_s),
    }
    if job.gres:
        found["tres_per_node"] = f"gres/{job.gres}"
    if job.minutes is not None:
        found["time_limit"] = _set(job.minutes)
    for option, value in _options(job):
        name = _NAMES.get(option, option)
        found[name] = value.split(",") if name in _LISTS else value
    return found


def _options(job: Wanted) -> Iterable[tuple[str, str]]:
    return ((name, job.options[name]) for name in OPTIONS if name in job.options)


def _set(number: int) -> dict[str, Any]:
    return {"set": True, "infinite": False, "number": number}


def number_of(value: object) -> float | None:
    """A number in any version: as it is, or as one that may be unset or infinite."""
    if isinstance(value, Mapping):
        if value.get("infinite"):
            return math.inf
        value = value.get("number") if value.get("set", True) else None
    return float(value) if isinstance(value, int | float) else None


def words_of(value: object) -> list[str]:
    """A state in any version: a word, or several."""
    return [str(one) for one in value] if isinstance(value, list) else str(value or "").split()


def number_in(answer: Mapping[str, Any]) -> str | None:
    """The number of the job that was submitted; None if none was."""
    found = answer.get("job_id") or (answer.get("result") or {}).get("job_id")
    return str(found) if found else None


def jobs_in(answer: Mapping[str, Any], installation: str, user: str, now: float) -> list[SlurmJob]:
    """The jobs of this installation and user in an answer.

    Parameters
    ----------
    now
        The time of this machine (s since the epoch).
    """
    found = []
    for told in answer.get("jobs") or ():
        token = token_of(str(told.get("comment") or ""), installation)
        if token is None or told.get("user_name") != user:
            continue
        states = words_of(told.get("job_state"))
        reason = str(told.get("state_reason") or "")
        directory = str(told.get("current_working_directory") or "")
        state = _state(states)
        ends = number_of(told.get("end_time")) or math.inf
        # Without a limit Slurm makes up an end a year ahead.
        has_limit = math.isfinite(number_of(told.get("time_limit")) or math.inf)
        left = ends - now if state == "RUNNING" and has_limit else math.inf
        nodes = str(told.get("nodes") or "")
        found.append(SlurmJob(str(told["job_id"]), state, reason, nodes, left, directory, token))
    return found


def _state(words: Sequence[str]) -> str:
    """The one state that the commands would tell, where what else is true is told with it."""
    for one in ("COMPLETING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT"):
        if one in words:
            return one
    return words[0] if words else "UNKNOWN"


def exit_code_in(answer: Mapping[str, Any], job: str) -> int | None:
    """With which code a job has ended; None if that is not known."""
    for told in answer.get("jobs") or ():
        if str(told.get("job_id")) == job:
            code = told.get("exit_code")
            if isinstance(code, Mapping):
                code = number_of(code.get("return_code"))
                return None if code is None else int(code)
            # As `wait` has it.
            return None if not isinstance(code, int) else code >> 8
    return None


def past_job_in(answer: Mapping[str, Any], job: str) -> SlurmJob | None:
    """A job that has ended, in an answer of accounting."""
    for told in answer.get("jobs") or ():
        state = next(iter(words_of((told.get("state") or {}).get("current"))), "")
        if str(told.get("job_id")) == job and state in FINAL:
            nodes = str(told.get("nodes") or "")
            where = "" if nodes == "None assigned" else nodes
            directory = str(told.get("working_directory") or "")
            return SlurmJob(job, state, "", where, math.inf, directory, "")
    return None


_FIELDS = {
    "NodeName": ("name",),
    "CPUTot": ("cpus",),
    "CPUEfctv": ("effective_cpus",),
    "CPUAlloc": ("alloc_cpus",),
    "RealMemory": ("real_memory",),
    "AllocMem": ("alloc_memory",),
    "Gres": ("gres",),
    "GresUsed": ("gres_used",),
    "State": ("state", "state_flags"),
}
"""By what ``scontrol`` calls it, what is told of a node."""


def nodes_in(answer: Mapping[str, Any]) -> list[SlurmNode]:
    """The nodes in an answer."""
    return [
        SlurmNode(
            node_of(
                {
                    name: "+".join(word for one in parts for word in _field(told.get(one)))
                    for name, parts in _FIELDS.items()
                }
            ),
            str(told.get("hostname") or ""),
        )
        for told in answer.get("nodes") or ()
    ]


def _field(value: object) -> list[str]:
    if isinstance(value, str | list):
        return words_of(value)
    number = number_of(value)
    return [] if number is None else [str(int(number))]


def release_in(answer: Mapping[str, Any]) -> str:
    """Of which release of Slurm an answer is."""
    meta = answer.get("meta") or {}
    told = meta.get("Slurm") or meta.get("slurm") or {}
    return str(told.get("release") or "unknown")


def trouble_in(answer: Mapping[str, Any]) -> str:
    """What an answer says went wrong, for a person; empty if nothing did."""
    told = []
    for one in answer.get("errors") or ():
        if isinstance(one, Mapping):
            parts = (one.get("description"), one.get("error"))
            told.append(": ".join(dict.fromkeys(str(part) for part in parts if part)))
        else:
            told.append(str(one))
    return "; ".join(dict.fromkeys(filter(None, told)))[:500]


def socket_of(url: str) -> Path | None:
    """The socket of ``unix:///run/slurmrestd.socket``; None if it is no such URL."""
    return Path(url.removeprefix("unix:").removeprefix("//")) if url.startswith("unix:") else None
