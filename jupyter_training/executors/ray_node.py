"""What Ray runs for us: the entrypoint of a job, or each node of a distributed one.

Standard library only, and no import that is not needed here.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal

from jupyter_training.executors.cluster_node import LAUNCH, Node, leave
from jupyter_training.executors.processes import ON_LINUX

TYPE_CHECKING = False  # that of typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any, NoReturn

NODES, ADDRESS = "JUPYTER_TRAINING_NODES", "JUPYTER_TRAINING_NODE_ADDRESS"
"""Where `jupyter_training.ranks`, which takes long to import, finds how many nodes there are, and
how the others reach this one."""

_PR_SET_PDEATHSIG = 1
_DEVICES = (
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "ONEAPI_DEVICE_SELECTOR",
    "ASCEND_RT_VISIBLE_DEVICES",
    "NEURON_RT_VISIBLE_CORES",
    "TPU_VISIBLE_CHIPS",
    "HABANA_VISIBLE_MODULES",
)
"""How Ray says which devices it has given."""

_CLUSTER = ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
"""What a script's own ``ray.init()`` takes."""


def main(arguments: list[str]) -> NoReturn:
    """Run the attempt of a directory.

    Parameters
    ----------
    arguments
        The directory; for one node of a distributed job also its number, how many there are, and
        where it is.
    """
    directory = arguments[0]
    with open(os.path.join(directory, LAUNCH)) as file:
        launch = json.load(file)
    if not arguments[1:]:
        leave(Node(launch, launch, where({}), of_ray(launch["gpus"]), []).run())
    _end_with_parent()
    node = launch["nodes"][int(arguments[1])]
    place = json.loads(arguments[3])
    env = {
        "RAY_ADDRESS": place.pop("ray"),
        **of_ray(launch["gpus"]),
        NODES: arguments[2],
        ADDRESS: place["address"],
    }
    leave(Node(launch, node, where(place), env, [directory]).run())


def where(place: dict[str, Any]) -> dict[str, Any]:
    """What is to be known of the place where this runs, beside what Ray tells of it."""
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return {"node": "", "gpus": [one for one in gpus.split(",") if one], **place}


def of_ray(gpus: int) -> dict[str, str]:
    """What Ray says of what it gave, for the job.

    Parameters
    ----------
    gpus
        How many it was to give. A job without sees none, also where Ray does not hide them.
    """
    given = {name: os.environ[name] for name in _DEVICES if name in os.environ}
    if not gpus:
        given["CUDA_VISIBLE_DEVICES"] = ""
    return given | {name: os.environ[name] for name in _CLUSTER if name in os.environ}


def _end_with_parent() -> None:
    """Have this told to end when the worker of Ray that has begun it is gone."""
    if ON_LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
