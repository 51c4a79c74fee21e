"""The driver of a distributed job on Ray: it holds a placement group, and runs a node in each part.

It is the entrypoint of its job. All parts are on different machines and are given at the same time.
Only when they are, and each machine sees the attempt, does the driver take it: until then it can be
given up like any other that waits. When a node is lost, the others are asked to end, for nobody
else may see that soon.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from jupyter_training.executors.cluster_node import (
    ALIVE,
    LAUNCH,
    NO_PYTHON,
    NOT_OURS,
    NOT_SHARED,
    REVOKED,
    STOP,
    TOLD,
    WAITS,
    appear,
    leave,
    tell_server,
)
from jupyter_training.executors.records import EXIT, STARTED, claim

_LOOK_S = 0.5
_PATIENCE_S = 2.0
"""How long a job that bears fewer nodes waits until it asks for fewer (s)."""


def main(arguments: list[str]) -> NoReturn:
    """Run the distributed attempt of a directory."""
    directory = arguments[0]
    with open(os.path.join(directory, LAUNCH)) as file:
        launch = json.load(file)
    code = 1
    try:
        code = _Driver(launch, directory).run()
    finally:
        tell_server(launch, launch["token"])
    leave(code)


def why(
    most: int, least: int, bundle: Mapping[str, float], nodes: Sequence[Mapping[str, float]]
) -> str:
    """Why a job waits, and what helps if time alone does not.

    Parameters
    ----------
    most, least
        How many nodes it asks for, and with how few it makes do.
    bundle
        What each of them asks for, by Ray's names.
    nodes
        What the nodes of the cluster have, used or not.
    """
    told = f"waits for {most} nodes of Ray at the same time"
    if least < most:
        told += f", or at least {least}"
    could = sum(all(one.get(name, 0) >= it for name, it in bundle.items()) for one in nodes)
    if could >= least:
        return told
    if could == len(nodes):
        return f"{told}, but it has only {could}: ask for fewer, or add nodes"
    few = f"only {could} of its {len(nodes)} nodes could hold one"
    return f"{told}, but {few}: ask for less, or add such nodes"


class _Driver:
    """From the wish for a placement group to the end of the last node."""

    def __init__(self, launch: dict[str, Any], directory: str) -> None:
        import ray

        self._launch, self._directory = launch, directory
        self._ray: Any = ray
        ray.init(log_to_driver=False, configure_logging=False)
        self._next_sign = self._next_reason = 0.0
        self._reason = ""

    def run(self) -> int:
        """Run it, and return how this program is to end."""
        group, count = self._place()
        if group is None:
            return NOT_OURS
        runners = self._runners(group, count)
        what = (os.path.join(self._directory, LAUNCH), self._launch["program"][0])
        try:
            seen = self._ray.get([one.sees.remote(*what) for one in runners])
        except self._ray.exceptions.RayError as error:
            print(f"a node was lost before it began: {error}", file=sys.stderr, flush=True)
            return NOT_OURS
        for code, address in seen:
            if code:
                self._say({"where": f"the node at {address}"})
                return int(code)
        identity = {"token": self._launch["token"], "pid": os.getpid(), "nodes": count}
        if not claim(self._directory, {**identity, "started_at": time.time()}):
            return NOT_OURS
        return self._follow(
            {
                runner.run.remote(
                    [*self._launch["program"], self._directory, str(index), str(count)],
                    self._launch["nodes"][index]["directory"],
                ): index
                for index, runner in enumerate(runners)
            }
        )

    def _place(self) -> tuple[Any, int]:
        """A placement group that is there, and of how many nodes; None if it is wanted no more."""
        from ray.util import placement_group, remove_placement_group

        most = len(self._launch["nodes"])
        least = self._launch["min_nodes"] or most
        bundle, labels = self._launch["bundle"], self._launch["labels"]
        while True:
            for count in range(most, least - 1, -1):
                wanted = {"bundle_label_selector": [labels] * count} if labels else {}
                group = placement_group([bundle] * count, strategy="STRICT_SPREAD", **wanted)
                ready, until = group.ready(), time.monotonic() + _PATIENCE_S
                while least == most or time.monotonic() < until:
                    if self._ray.wait([ready], timeout=_LOOK_S)[0]:
                        self._ray.get(ready)
                        return group, count
                    if self._is_to_end():
                        return None, 0
                    self._tell_why(most, least)
                remove_placement_group(group)

    def _tell_why(self, most: int, least: int) -> None:
        """Say what it waits for, and what helps if time alone does not."""
        if time.monotonic() < self._next_reason:
            return
        self._next_reason = time.monotonic() + self._launch["alive_s"]
        nodes = [one["Resources"] for one in self._ray.nodes() if one["Alive"]]
        reason = why(most, least, self._launch["bundle"], nodes)
        if reason != self._reason:
            self._reason = reason
            self._say({"reason": reason})
            tell_server(self._launch, self._launch["token"])

    def _runners(self, group: Any, count: int) -> list[Any]:
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        amounts = dict(self._launch["bundle"])
        asked = {
            "num_cpus": amounts.pop("CPU", 0),
            "num_gpus": amounts.pop("GPU", 0),
            "memory": amounts.pop("memory", None),
            "resources": amounts,
            "max_restarts": 0,
        }
        runner = self._ray.remote(_runner())
        placed = (PlacementGroupSchedulingStrategy(group, index) for index in range(count))
        return [runner.options(**asked, scheduling_strategy=one).remote() for one in placed]

    def _follow(self, nodes: dict[Any, int]) -> int:
        """Give signs of life until the last node has ended; how this program is to end."""
        end = 0
        while nodes:
            for one in self._ray.wait(list(nodes), timeout=_LOOK_S)[0]:
                index = nodes.pop(one)
                try:
                    end = 1 if self._ray.get(one) else end
                except self._ray.exceptions.RayError as error:
                    print(f"node {index} was lost: {error}", file=sys.stderr, flush=True)
                    # Nobody has asked for it, and what became of that node counts.
                    appear(os.path.join(self._directory, TOLD), {"at": time.time()})
                    end = 1
            self._sign()
        return end

    def _is_to_end(self) -> bool:
        """Whether nobody wants it any more, or somebody has given it up."""
        files = (STARTED, STOP, REVOKED)
        return any(os.path.exists(os.path.join(self._directory, one)) for one in files)

    def _say(self, told: dict[str, str]) -> None:
        appear(os.path.join(self._directory, WAITS), told)

    def _sign(self) -> None:
        """Give a sign of life."""
        if time.monotonic() >= self._next_sign:
            self._next_sign = time.monotonic() + self._launch["alive_s"]
            appear(os.path.join(self._directory, ALIVE), {"at": time.time()})


def _runner() -> Any:
    """What a worker of Ray does for a node; it finds nothing of this package there."""
    exit_name, not_shared, no_python = EXIT, NOT_SHARED, NO_PYTHON

    class Runner:
        def sees(self, launch: str, python: str) -> tuple[int, str]:
            import os
            import shutil
            import time

            from ray.util import get_node_ip_address

            address = str(get_node_ip_address())  # type: ignore[no-untyped-call]
            for _ in range(3):  # a shared file system may be late
                if os.access(launch, os.R_OK):
                    return 0 if shutil.which(python) else no_python, address
                time.sleep(1)
            return not_shared, address

        def run(self, program: list[str], directory: str) -> int:
            import json
            import os
            import subprocess

            import ray
            from ray.util import get_node_ip_address

            context = ray.get_runtime_context()
            place = {
                "node": context.get_node_id(),
                "address": str(get_node_ip_address()),  # type: ignore[no-untyped-call]
                "ray": context.gcs_address,
            }
            # In a group of its own: Ray kills that of a worker, and what runs here may end by
            # itself.
            code = subprocess.call([*program, json.dumps(place)], start_new_session=True)
            if not os.path.exists(os.path.join(directory, exit_name)):
                raise RuntimeError(f"its program ended with {code}")
            return code

    return Runner
