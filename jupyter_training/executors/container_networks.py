"""The private networks of gangs: one for each attempt, in which its nodes find each other by name.

A network is made right before the first container that needs it, and removed with the last one.
What a crash leaves is found by its labels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from jupyter_training.executors.base import attempt_token
from jupyter_training.executors.containers import (
    ATTEMPT,
    DIRECTORY,
    INSTALLATION,
    ContainerLaunch,
    network_of,
)
from jupyter_training.executors.docker_engine import DockerEngine, EngineAway, Refused, Unusable
from jupyter_training.executors.records import STARTED

T = TypeVar("T")


class GangNetworks:
    """The networks of an installation; those without its id in their labels are never touched.

    Parameters
    ----------
    internal
        Whether containers are to reach each other and nothing else.
    """

    def __init__(self, engine: DockerEngine, installation: str, *, internal: bool) -> None:
        self._engine, self._installation, self._internal = engine, installation, internal
        # Names are not unique: two nodes that start at once must not make two networks.
        self._changing = asyncio.Lock()

    async def within(self, launch: ContainerLaunch, create: Callable[[], Awaitable[T]]) -> T:
        """Create a container when its network is there; see `DockerEngine.call` for what is raised.

        Until the container is there, nobody removes the network.
        """
        name = network_of(launch.token)
        if name is None:
            return await create()
        labels = {
            INSTALLATION: self._installation,
            ATTEMPT: attempt_token(launch.token),
            DIRECTORY: str(launch.directory.parent),
        }

        def ensure(client: Any) -> None:
            if not self._called(client, name):
                client.create_network(
                    name,
                    driver="bridge",
                    internal=self._internal,
                    labels=labels,
                    check_duplicate=True,
                )

        async with self._changing:
            await self._engine.call(ensure)
            return await create()

    async def release(self, token: str) -> None:
        """Remove the network of a node's attempt, if no container is in it any more."""
        name = network_of(token)
        if name is None:
            return

        def remove(client: Any) -> None:
            for one in self._called(client, name):
                self._remove(client, one)

        async with self._changing:
            await self._engine.surely(remove)

    async def remove_leftovers(self) -> None:
        """Remove networks whose attempt is over or never was, as after a crash."""
        try:
            several = await self._engine.call(lambda client: self._ours(client, {}))
            for one in several:
                if await asyncio.to_thread(_is_left_over, one):
                    async with self._changing:
                        await self._engine.call(lambda client, one=one: self._remove(client, one))  # type: ignore[misc]
        except (EngineAway, Unusable, Refused):
            return  # the next server does it

    def _called(self, client: Any, name: str) -> list[Mapping[str, Any]]:
        # The engine's filter finds names that begin so, too.
        return [one for one in self._ours(client, {"name": name}) if one["Name"] == name]

    def _ours(self, client: Any, filters: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        label = f"{INSTALLATION}={self._installation}"
        return list(client.networks(filters={**filters, "label": label}))

    def _remove(self, client: Any, network: Mapping[str, Any]) -> None:
        there = client.containers(all=True, filters={"network": network["Id"]})
        if any(one["State"] not in ("exited", "dead", "removing") for one in there):
            return
        with self._engine.translated():
            try:
                client.remove_network(network["Id"])
            except Exception as error:
                if getattr(error, "status_code", None) not in (403, 404, 409):  # in use, or gone
                    raise


def _is_left_over(network: Mapping[str, Any]) -> bool:
    """Whether no node of its attempt can be started any more."""
    directory = Path((network["Labels"] or {}).get(DIRECTORY, ""))
    if not directory.is_dir():
        return True
    return all((node / STARTED).exists() for node in directory.glob("node-*"))
