"""The driver of a distributed job on Ray: it holds a placement group, and runs a node in each part.

It is the entrypoint of its job. All parts are on different machines and are given at the same time.
While they wait, and as long as they run, its signs of life are in the attempt's directory. When a
node is lost, the others are asked to end, for nobody else may see that soon.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, NoReturn

from jupyter_training.executors.cluster_node import (
    ALIVE,
    LAUNCH,
    NOT_OURS,
    REVOKED,
    STOP,
    WAITS,
    appear,
    leave,
    tell_server,
)
from jupyter_training.executors.records import EXIT, claim

_LOOK_S = 0.5


def main(arguments: list[str]) -> NoReturn:
    """Run the distributed attempt of a directory."""
    directory = arguments[0]
    with open(os.path.join(directory, LAUNCH)) as file:
        launch = json.load(file)
    identity = {"token": launch["token"], "pid": os.getpid(), "started_at": time.time()}
    if not claim(directory, identity):
        leave(NOT_OURS)
    code = 1
    try:
        code = _Driver(launch, directory).run()
    finally:
        tell_server(launch, launch["token"])
    leave(code)


class _Driver:
    """From the wish for a placement group to the end of the last node."""

    def __init__(self, launch: dict[str, Any], directory: str) -> None:
        import ray
        from ray.util import placement_group

        self._launch, self._directory, self._ray = launch, directory, ray
        ray.init(log_to_driver=False, configure_logging=False)
        parts = [launch["bundle"]] * len(launch["nodes"])
        self._group = placement_group(parts, strategy="STRICT_SPREAD")
        self._next_sign = 0.0

    def run(self) -> int:
        """Run it, and return how this program is to end."""
        ready = self._group.ready()
        told = f"waits for {len(self._launch['nodes'])} nodes of Ray at the same time"
        appear(os.path.join(self._directory, WAITS), {"reason": told})
        tell_server(self._launch, self._launch["token"])
        while not self._ray.wait([ready], timeout=_LOOK_S)[0]:
            if self._is_to_end():
                return 1
            self._sign()
        self._ray.get(ready)
        nodes = self._start()
        code = 0
        while nodes:
            done, nodes = self._ray.wait(nodes, timeout=_LOOK_S)
            for one in done:
                try:
                    code = self._ray.get(one) or code
                except self._ray.exceptions.RayError as error:
                    print(f"a node was lost: {error}", file=sys.stderr, flush=True)
                    appear(os.path.join(self._directory, STOP), {"at": time.time()})
                    code = 1
            self._sign()
        return 1 if code else 0

    def _start(self) -> list[Any]:
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        launch, bundle = self._launch, dict(self._launch["bundle"])
        run = self._ray.remote(_node_runner())
        amounts = {
            "num_cpus": bundle.pop("CPU", 0),
            "num_gpus": bundle.pop("GPU", 0),
            "memory": bundle.pop("memory", None),
            "resources": bundle,
            "max_retries": 0,
        }
        return [
            run.options(
                **amounts,
                scheduling_strategy=PlacementGroupSchedulingStrategy(self._group, index),
            ).remote([*launch["program"], self._directory, str(index)], node["directory"])
            for index, node in enumerate(launch["nodes"])
        ]

    def _is_to_end(self) -> bool:
        return any(os.path.exists(os.path.join(self._directory, one)) for one in (STOP, REVOKED))

    def _sign(self) -> None:
        """Give a sign of life."""
        if time.monotonic() >= self._next_sign:
            self._next_sign = time.monotonic() + self._launch["alive_s"]
            appear(os.path.join(self._directory, ALIVE), {"at": time.time()})


def _node_runner() -> Any:
    """What a worker of Ray does for a node; it finds nothing of this package there."""
    exit_name = EXIT

    def run(program: list[str], directory: str) -> int:
        import json
        import os
        import subprocess

        import ray

        place = {"node": ray.get_runtime_context().get_node_id()}
        # In a group of its own: Ray kills that of a worker, and what runs here may end by itself.
        code = subprocess.call([*program, json.dumps(place)], start_new_session=True)
        if not os.path.exists(os.path.join(directory, exit_name)):
            raise RuntimeError(f"its program ended with {code}")
        return code

    return run
