"""A job as Ray takes it, and what Ray tells of jobs and nodes: values and pure functions."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_training.executors.base import GangLaunch, Launch
from jupyter_training.executors.cluster_dialect import begin, code_of, could_not_begin, gpu_name
from jupyter_training.executors.cluster_node import LAUNCH, NOT_OURS
from jupyter_training.executors.memory import GB
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.scheduling.resources import ClusterNode, Gpu, Node, matches

OPTIONS = {
    "resources": 'resources of its own that the cluster has, as in "tpu_host=1, licence=0.5"',
    "labels": 'the labels that its nodes have, as in "zone=eu-west, market=!spot"',
}
"""What a job may ask Ray for beside its resources."""

SAID = "ray.log"
"""What our program says on Ray that is no output of the job; most often nothing."""

START_TIMEOUT = "JOB_SUPERVISOR_ACTOR_START_TIMEOUT"
"""What Ray says of a job of which it has given up that it begins; after 15 minutes, by default."""

_SAID_OF_ALL = re.compile(
    r"^Job has not started yet\.|\s*It may be waiting for the runtime environment to be set up\."
)
"""What Ray says of every job that waits."""

_OWN_ERROR = "JOB_ENTRYPOINT_COMMAND_ERROR"
"""What Ray says of a job that has ended by itself with an error."""

_FINAL = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
_INSTALLATION = "jupyter_training"
_ACCELERATOR = "accelerator_type:"
_A_LITTLE = 0.001
"""So much of an accelerator type says: on a node that has it."""


@dataclass(frozen=True)
class Site:
    """What is particular to a cluster.

    Attributes
    ----------
    python
        The interpreter that starts jobs on the nodes, and has Ray.
    packages
        Where it finds this package.
    gpu_types
        What accelerator types are called on the cluster, by what people write.
    """

    installation: str
    python: str
    packages: str
    gpu_types: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> list[str]:
        """What runs on a node, without its arguments."""
        return [self.python, "-I", "-S", "-c", code_of("ray_node"), self.packages]

    @property
    def driver(self) -> list[str]:
        """What runs a distributed job; it needs Ray, and so its site packages."""
        return [self.python, "-I", "-c", code_of("ray_gang"), self.packages]


@dataclass(frozen=True)
class RayJob:
    """A job as Ray tells of it.

    Attributes
    ----------
    message
        What Ray says of its state.
    error
        The kind of its failure, in Ray's word; empty for none.
    exit_code
        That of its entrypoint, if it has ended by itself.
    node_id
        Where its entrypoint runs, or ran.
    submission
        What was submitted, if Ray has it still.
    """

    id: str
    state: str
    message: str
    error: str
    exit_code: int | None
    node_id: str
    token: str
    directory: str
    submission: Mapping[str, Any] = field(default_factory=dict, compare=False)

    left_s = math.inf
    is_unsure = True  # whatever Ray says, our supervisor may be about to end it

    @property
    def is_over(self) -> bool:
        """Whether it stays as it is."""
        return self.state in _FINAL and not self.is_forgotten

    @property
    def waits(self) -> bool:
        """Whether it has not begun."""
        return self.state == "PENDING" or self.is_forgotten

    @property
    def is_forgotten(self) -> bool:
        """Whether Ray has given up to wait until there is room for it."""
        return self.error == START_TIMEOUT

    def __str__(self) -> str:
        return self.state


def submission(
    launch: Launch, site: Site, grace_s: float, models: Iterable[str] = ()
) -> dict[str, Any]:
    """What Ray's job server is sent for an attempt.

    The token is the submission's id, so that nothing is ever submitted twice. What Ray does not
    tell any more, but is needed to submit it again, is in the metadata.

    Parameters
    ----------
    grace_s
        How long it may take to end after somebody has asked Ray to stop it (s).
    models
        The accelerator types that there are, as Ray calls them.
    """
    directory = launch.directory
    wanted = amounts(launch, site, models)
    is_gang = isinstance(launch, GangLaunch)
    asked: dict[str, Any] = {}
    if not is_gang:
        asked = {
            "entrypoint_num_cpus": wanted.pop("CPU", 0),
            "entrypoint_num_gpus": wanted.pop("GPU", 0),
            "entrypoint_memory": wanted.pop("memory", 0),
            "entrypoint_resources": wanted,
        }
        if asked_labels := labels(launch):
            asked["entrypoint_label_selector"] = asked_labels
    return {
        "submission_id": launch.token,
        "entrypoint": begin(
            site.driver if is_gang else site.program, directory, directory / LAUNCH, SAID
        ),
        # Ray's own patience with a job that it stops is 3 s.
        "runtime_env": {"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(math.ceil(grace_s) + 5)}},
        "metadata": {
            "job_name": launch.name or launch.job_id,
            _INSTALLATION: site.installation,
            "jupyter_training.job": launch.job_id,
            "jupyter_training.directory": str(directory),
            "jupyter_training.asked": json.dumps(asked),
        },
        **asked,
    }


def amounts(launch: Launch, site: Site, models: Iterable[str] = ()) -> dict[str, float]:
    """What an attempt, or each node of a distributed one, asks Ray for, by Ray's names."""
    one = launch.nodes[0] if isinstance(launch, GangLaunch) else launch
    found: dict[str, float] = {"CPU": one.cpu_cores, "memory": one.memory_gb * GB}
    if one.gpus:
        found["GPU"] = len(one.gpus)
        if launch.gpu_type is not None:
            kind = accelerator(launch.gpu_type, site.gpu_types, models)
            found[_ACCELERATOR + (kind or launch.gpu_type)] = _A_LITTLE
    for name, much in pairs(str(launch.options.get("resources", ""))).items():
        found[name] = float(much)
    return found


def labels(launch: Launch) -> dict[str, str]:
    """Which labels its nodes are to have."""
    return pairs(str(launch.options.get("labels", "")))


def pairs(text: str) -> dict[str, str]:
    """The pairs of ``name=value, other=value``.

    Raises
    ------
    ValueError
        If it is something else.
    """
    found = {}
    for one in filter(None, (part.strip() for part in text.split(","))):
        name, is_there, value = (it.strip() for it in one.partition("="))
        if not (name and is_there and value):
            raise ValueError(f'{one!r} should be like "name=value"')
        found[name] = value
    return found


def accelerator(asked: str, names: Mapping[str, str], models: Iterable[str]) -> str | None:
    """What a GPU type that a person wrote is called on the cluster; None if it is not there."""
    named = {said.casefold(): name for said, name in names.items()}
    if asked.casefold() in named:
        return named[asked.casefold()]
    return next((one for one in sorted(models) if matches(Gpu("", one), asked)), None)


def jobs_of(told: Any, installation: str) -> list[RayJob]:
    """The jobs of this installation in Ray's list of all."""
    found = []
    for one in told if isinstance(told, list) else ():
        about = one.get("metadata") or {}
        token = one.get("submission_id")
        if about.get(_INSTALLATION) != installation or not token:
            continue
        code = one.get("driver_exit_code")
        found.append(
            RayJob(
                token,
                str(one.get("status")),
                str(one.get("message") or ""),
                str(one.get("error_type") or ""),
                code if isinstance(code, int) else None,
                str(one.get("driver_node_id") or ""),
                token,
                str(about.get("jupyter_training.directory", "")),
                one,
            )
        )
    return found


def again(job: RayJob) -> dict[str, Any]:
    """The same submission once more."""
    about = job.submission["metadata"]
    return {
        "submission_id": job.id,
        "entrypoint": job.submission["entrypoint"],
        "runtime_env": job.submission.get("runtime_env"),
        "metadata": about,
        **json.loads(about.get("jupyter_training.asked", "{}")),
    }


def reason(job: RayJob, nodes: Iterable[Mapping[str, Any]] = ()) -> str:
    """Why a job waits, in Ray's words, and what can be done if time alone does not.

    Parameters
    ----------
    nodes
        The nodes of the cluster, as Ray's state API has them; empty if that is not known.
    """
    if not job.waits:
        return ""
    if job.is_forgotten:
        return "PENDING (is submitted again, as Ray has given up waiting for resources)"
    if missing := lack(job, nodes):
        return f"PENDING (no node of Ray has {missing}): ask for less, or add such a node"
    # "Job has not started yet. It may be waiting for resources (CPUs, …) to become available. It
    # may be waiting for the runtime environment to be set up.", which is one variable for us.
    said = _SAID_OF_ALL.sub("", job.message).strip().rstrip(".")
    return f"PENDING ({said})" if said else "PENDING"


def lack(job: RayJob, nodes: Iterable[Mapping[str, Any]]) -> str:
    """What a job asks for that no node has, as ``64 CPU cores, the largest has 8``; or nothing."""
    asked = json.loads((job.submission.get("metadata") or {}).get("jupyter_training.asked", "{}"))
    wanted = {
        "CPU": asked.get("entrypoint_num_cpus", 0),
        "memory": asked.get("entrypoint_memory", 0),
        "GPU": asked.get("entrypoint_num_gpus", 0),
        **asked.get("entrypoint_resources", {}),
    }
    alive = [one for one in nodes if one.get("state") == "ALIVE"]
    labels_ = asked.get("entrypoint_label_selector", {})
    has = [one.get("resources_total") or {} for one in alive if _is_called(one, labels_)]
    if not alive or any(all(one.get(name, 0) >= it for name, it in wanted.items()) for one in has):
        return ""
    if not has:
        return "the labels " + ", ".join(f"{name}={it}" for name, it in labels_.items())
    for name, much in wanted.items():
        most = max(one.get(name, 0) for one in has)
        if most < much:
            return _shortage(name, much, most)
    return "all that it asks for"


def _is_called(node: Mapping[str, Any], labels_: Mapping[str, str]) -> bool:
    """Whether a node has the labels that a job asks for, of which ``!`` says: not this one."""
    its = node.get("labels") or {}
    return all(
        (its.get(name) != it[1:]) if it.startswith("!") else (its.get(name) == it)
        for name, it in labels_.items()
    )


def _shortage(name: str, much: float, most: float) -> str:
    if name.startswith(_ACCELERATOR):
        return f"GPUs of type {name.removeprefix(_ACCELERATOR)}"
    if name == "memory":
        return f"{much / GB:.0f} GB of memory, the largest has {math.floor(most / GB)}"
    if name in ("CPU", "GPU"):
        unit = "CPU core" if name == "CPU" else "GPU"
        return f"{much:g} {unit}{'s' * (much != 1)}, the largest has {most:g}"
    return f"{name}={much:g}, the most is {most:g}"


def not_begun(
    job: RayJob, directory: Path, python: str, where: str = "the node", said: str = ""
) -> Exit:
    """How an attempt ended that Ray has let go of before it ran.

    Parameters
    ----------
    where
        Which node could not begin it.
    said
        The last line that our program said.
    """
    told = could_not_begin(job.exit_code, where, directory, "Ray", python)
    if told is not None:
        return told
    if job.state == "STOPPED":
        return Exit(cause=Cause.CANCELLED_BY_USER, detail=f"somebody in Ray (job {job.id})")
    lost_by = ("JOB_SUPERVISOR_ACTOR_DIED", "JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE")
    if job.error in lost_by or job.exit_code == NOT_OURS:
        return lost(job)
    code = "" if job.exit_code is None else f", exit code {job.exit_code}"
    said = said or _last_line(job.message)
    detail = f"Ray's job {job.id} ended as {job.state}{code}: {said or 'it says nothing'}"
    return Exit(cause=Cause.LAUNCH_FAILED, detail=detail[:1000])


def lost(job: RayJob | None, *, by_us: bool = False) -> Exit:
    """How an attempt ended that began and has written nothing of its end.

    Parameters
    ----------
    job
        None if Ray does not know it any more, as after a restart of its head.
    by_us
        Whether it was we who may have had Ray stop it.
    """
    if job is None:
        told = "Ray does not know its job any more: it was restarted"
        return Exit(cause=Cause.NODE_LOST, detail=told)
    if job.state == "STOPPED" and not by_us:
        return Exit(cause=Cause.CANCELLED_BY_USER, detail=f"somebody in Ray (job {job.id})")
    # Of a distributed job it is its driver that has seen it, and ended with an error.
    why = job.state if job.error in ("", _OWN_ERROR) else job.error
    return Exit(cause=Cause.NODE_LOST, detail=f"Ray has lost the node of job {job.id} ({why})")


def end_of(told: Exit, job: RayJob | None, *, asked: bool, revoked: bool) -> Exit:
    """The end of an attempt, from what its supervisor has written and what Ray says of it."""
    if asked or (told.cause is None and told.signal is None):
        return told
    if revoked:
        return lost(job, by_us=True)
    was_ended = told.cause is Cause.NODE_LOST or told.signal is not None
    if job is not None and job.state == "STOPPED" and was_ended:
        return Exit(told.exit_code, told.signal, Cause.CANCELLED_BY_USER, lost(job).detail)
    return told


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:500] if lines else ""


# ---- nodes


def names_of(told: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What the nodes are called here, by Ray's ids: by their names, if those tell them apart."""
    alive = [one for one in told if one.get("state") == "ALIVE"]
    names = [str(one.get("node_name") or "") for one in alive]
    found = {}
    for one, name in zip(alive, names, strict=True):
        if not name or names.count(name) > 1:
            name = str(one.get("node_ip") or one["node_id"][:8])
        found[one["node_id"]] = name
    several = list(found.values())
    return {
        id_: name if several.count(name) == 1 else f"{name}-{id_[:8]}"
        for id_, name in found.items()
    }


def nodes_of(
    told: Sequence[Mapping[str, Any]], used: Mapping[str, Mapping[str, float]]
) -> list[ClusterNode]:
    """The nodes that are there.

    Parameters
    ----------
    told
        All nodes, as Ray's state API has them.
    used
        How much of each resource somebody has, by the node's id. Of GPUs Ray tells only how many,
        not which; the first ones are said to be in use.
    """
    names = names_of(told)
    found = []
    for one in told:
        if one["node_id"] not in names:
            continue
        name, has = names[one["node_id"]], one.get("resources_total") or {}
        held = used.get(one["node_id"], {})
        kinds = sorted(it.removeprefix(_ACCELERATOR) for it in has if it.startswith(_ACCELERATOR))
        model = kinds[0] if kinds else ""
        count = int(has.get("GPU", 0))
        gpus = tuple(Gpu(gpu_name(name, index), model) for index in range(count))
        memory = has.get("memory", 0.0)
        node = Node(name, int(has.get("CPU", 0)), int(memory / GB), gpus)
        busy = min(count, math.ceil(held.get("GPU", 0.0)))
        found.append(
            ClusterNode(
                node,
                "alive",
                max(0, int(has.get("CPU", 0) - held.get("CPU", 0.0))),
                max(0, int((memory - held.get("memory", 0.0)) / GB)),
                frozenset(gpu.uuid for gpu in gpus[:busy]),
            )
        )
    return found


def usage_of(told: Any) -> dict[str, dict[str, float]]:
    """How much of each resource somebody has, by node, in what Ray's dashboard says of itself."""
    report = ((told or {}).get("clusterStatus") or {}).get("loadMetricsReport") or {}
    found = {}
    for id_, amounts_ in (report.get("usageByNode") or {}).items():
        # The dashboard writes keys in another way than Ray does; ids have no capitals.
        found[id_.lower()] = {
            name: float(pair[0])
            for name, pair in amounts_.items()
            if isinstance(pair, Sequence) and len(pair) == 2
        }
    return found
