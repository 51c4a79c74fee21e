"""A package that adds a cluster: one desk, at which jobs wait until somebody lets them go.

It knows nothing of jupyter-training but its port. The tests install it next to a server.
"""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from jupyter_training.executors.base import Found, GangLaunch, Launch
from jupyter_training.executors.local import LocalExecutor
from jupyter_training.executors.records import STARTED
from jupyter_training.executors.registry import Plugin, Setting
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.scheduling.choice import Offer
from jupyter_training.scheduling.resources import ClusterNode, Gpu, Node, Placement

DESK = Node("desk", 64, 256, (Gpu("desk/0", "Abacus"), Gpu("desk/1", "Abacus")))


class Desk(LocalExecutor):
    """Jobs of it are processes of this machine in the end, but it decides when."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting.grace_s)
        self._data_dir = setting.data_dir
        self._given_up: set[str] = set()

    def problems(self, spec: JobSpec) -> Sequence[FieldError]:
        if spec.executor_options.get("drawer") in (None, "upper"):
            return []
        return [FieldError("executor_options.drawer", "there is only the upper one")]

    async def start(self, launch: Launch) -> Found:
        (launch.directory / "handed").write_bytes(pickle.dumps(launch))
        return await self.find(launch.token, launch.directory)

    async def find(self, token: str, directory: Path) -> Found:
        if (directory / STARTED).exists() or not (directory / "handed").exists():
            return await super().find(token, directory)
        return Found(token, directory, {"ticket": token})

    async def begin(self, found: Found, tell: Callable[[str], None]) -> Found:
        tell(f"waits at the desk for {os.fspath(self._data_dir / 'go')}")
        while not (self._data_dir / "go").exists() and found.token not in self._given_up:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if found.token in self._given_up:
            return await super().find(found.token, found.directory)
        launch: Launch = pickle.loads((found.directory / "handed").read_bytes())
        placement = Placement("desk", launch.cpu_cores, launch.memory_gb, ("desk/0",))
        if not isinstance(launch, GangLaunch):
            return replace(await super().start(launch), placements=(placement,))
        nodes = [await super(Desk, self).start(one) for one in launch.nodes]
        return replace(found, started_at=nodes[-1].started_at, placements=(placement,) * len(nodes))

    async def stop(self, found: Found) -> None:
        self._given_up.add(found.token)
        await super().stop(replace(found, handle={}) if "ticket" in found.handle else found)

    async def inventory(self) -> Sequence[ClusterNode]:
        return [ClusterNode(DESK, "tidy", 60, 200, frozenset({"desk/1"}))]


PLUGIN = Plugin(Desk, Offer(options={"drawer": "which drawer"}))
