"""What Slurm runs for us in an allocation.

A job's batch script runs this program on its first node: see `cluster_node`. Of a distributed job
it has ``srun`` run it once more on each node.

Standard library only, and no import that is not needed here.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time

from jupyter_training.executors.cluster_node import (
    LAUNCH,
    NO_PYTHON,
    NOT_OURS,
    NOT_SHARED,
    TOLD,
    Node,
    appear,
    leave,
    tell_server,
    wake_on_signals,
)
from jupyter_training.executors.records import claim

TYPE_CHECKING = False  # that of typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any, NoReturn

NODES = "JUPYTER_TRAINING_NODES"
"""Where `jupyter_training.ranks`, which takes long to import, finds how many nodes there are."""

_LOOK_S = 0.5
_SEE = f"""
for _ in 1 2 3; do [ -r "$0" ] && break; sleep 1; done
[ -r "$0" ] || exit {NOT_SHARED}
command -v "$1" >/dev/null || exit {NO_PYTHON}
"""
"""What each node of several is asked before anything runs on one of them: one that does not see the
attempt could tell nobody, and the others would wait for it."""

_DEVICES = (
    "CUDA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "ZE_AFFINITY_MASK",
    "TMPDIR",
)
"""What Slurm sets beside its own variables."""


def main(arguments: list[str]) -> NoReturn:
    """Run the attempt of a directory; with ``node`` behind it, one node of a distributed one."""
    directory = arguments[0]
    with open(os.path.join(directory, LAUNCH)) as file:
        launch = json.load(file)
    if arguments[1:] == ["node"]:
        index = int(os.environ["SLURM_PROCID"])
        env = {**_of_slurm(), NODES: str(_count(launch))}
        leave(Node(launch, launch["nodes"][index], _where(), env, [directory]).run())
    if launch.get("nodes"):
        leave(_run_nodes(launch, directory))
    leave(Node(launch, launch, _where(), _of_slurm(), []).run())


def _run_nodes(launch: dict[str, Any], directory: str) -> int:
    """Have ``srun`` run all nodes, and pass on that they are to end."""
    import subprocess  # single jobs have no use for it

    count = str(_count(launch))
    on_each = [
        *("srun", "--nodes", count, "--ntasks", count, "--ntasks-per-node", "1"),
        *("--cpus-per-task", str(launch["cpu_cores"]), "--kill-on-bad-exit=0", "--wait=0"),
        *("--mpi=none", "--input=none", "--export=ALL", "--quiet"),
    ]
    sees = [*on_each, "sh", "-c", _SEE, os.path.join(directory, LAUNCH), launch["program"][0]]
    code = subprocess.run(sees, stdin=subprocess.DEVNULL, check=False).returncode
    if code in (NOT_SHARED, NO_PYTHON):
        return code
    identity = {
        **_where(),
        "token": launch["token"],
        "pid": os.getpid(),
        "started_at": time.time(),
        "nodes": _count(launch),
    }
    if not claim(directory, identity):
        return NOT_OURS
    signals, _ = wake_on_signals()
    step = subprocess.Popen(
        [*on_each, *launch["program"], directory, "node"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    poll = select.poll()
    poll.register(signals, select.POLLIN)
    while step.poll() is None:
        if poll.poll(_LOOK_S * 1000) and signal.SIGTERM in os.read(signals, 4096):
            # Perhaps it was not we who asked, and then what Slurm says of the end counts.
            appear(os.path.join(directory, TOLD), {"at": time.time()})
    tell_server(launch, launch["token"])
    return 1 if step.returncode else 0


def _count(launch: dict[str, Any]) -> int:
    """How many nodes there are: one that may start with fewer gets what there is room for."""
    asked = len(launch["nodes"])
    return min(asked, int(os.environ["SLURM_JOB_NUM_NODES"])) if launch["is_elastic"] else asked


def _where() -> dict[str, Any]:
    """What is to be known of the place where this runs."""
    gpus = os.environ.get("SLURM_STEP_GPUS") or os.environ.get("SLURM_JOB_GPUS") or ""
    return {
        "job": os.environ.get("SLURM_JOB_ID", ""),
        "node": os.environ.get("SLURMD_NODENAME", ""),
        "gpus": [one for one in gpus.split(",") if one],
    }


def _of_slurm() -> dict[str, str]:
    """What Slurm says of the allocation, for the job."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("SLURM") or name in _DEVICES
    }
