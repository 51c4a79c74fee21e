"""What comes before an attempt's container is started: its image, and the container itself.

Nothing runs yet, and all of it can be done again. So this is the part that may be given up when the
engine stays away: the resources of the attempt are then free for others.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from jupyter_training.executors.confinement import Confinement
from jupyter_training.executors.container_networks import GangNetworks
from jupyter_training.executors.containers import ContainerLaunch, configuration, place_on_host
from jupyter_training.executors.docker_engine import DockerEngine, EngineAway, pauses
from jupyter_training.executors.image import ImageUnavailable, bring
from jupyter_training.executors.mount_places import make_places
from jupyter_training.executors.own_containers import OwnContainers
from jupyter_training.executors.records import LOG

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")


class NoDirectory(Exception):
    """A job's working directory is not there."""


class Preparation:
    """Makes containers that only need to be started; see `DockerExecutor` for the parameters."""

    def __init__(
        self,
        engine: DockerEngine,
        containers: OwnContainers,
        networks: GangNetworks,
        *,
        installation: str,
        confinement: Confinement,
        grace_s: float,
        patience_s: float,
    ) -> None:
        self._engine, self._containers, self._networks = engine, containers, networks
        self._installation, self._confinement = installation, confinement
        self._grace_s, self._patience_s = grace_s, patience_s
        self._is_own_engine: bool | None = None

    async def prepare(
        self, launch: ContainerLaunch, cancelled: threading.Event, tell: Callable[[str], None]
    ) -> str:
        """Have the container of an attempt.

        Parameters
        ----------
        cancelled
            Ends a pull.
        tell
            Called with the progress of a pull, from another thread.

        Returns
        -------
        str
            Its id.

        Raises
        ------
        ImageUnavailable
            If there is no such image, or none for us.
        NoDirectory
            If the job's working directory is one of the host, and is not there.
        EngineAway
            If the engine was away for the whole of our patience.
        Refused, Unusable
            As from `DockerEngine.call`.
        """
        if self._engine.is_local and await asyncio.to_thread(_lacks_directory, launch):
            # The engine would make it, as root, and the job would find nothing in it.
            raise NoDirectory(f"{launch.cwd}: No such file or directory")
        if self._engine.is_local:
            await asyncio.to_thread(make_places, launch.mounts)
        told = self._confinement.why_not_image(launch.image)
        if told is not None:  # the configuration has changed since it was submitted
            raise ImageUnavailable(told)
        log = launch.directory / LOG
        image_env = await self._patiently(
            lambda: bring(self._engine, launch.image, log, cancelled, tell)
        )
        config = configuration(
            launch,
            installation=self._installation,
            confinement=await self._patiently(self._confinement_here),
            image_env=image_env,
            log_offset=await asyncio.to_thread(_size, log),
            grace_s=self._grace_s,
        )
        return await self._patiently(
            lambda: self._networks.within(
                launch, lambda: self._containers.create(launch.token, config, cancelled)
            )
        )

    async def _confinement_here(self) -> Confinement:
        """What containers may do, in the terms of this engine."""
        if self._is_own_engine is None:
            may_be = self._engine.is_local and os.getuid() != 0
            self._is_own_engine = may_be and await self._engine.call(_is_rootless)
        confinement = self._confinement
        return confinement.of_rootless_engine() if self._is_own_engine else confinement

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again while the engine is away, for a while."""
        until = None
        async for pause in pauses():
            try:
                return await attempt()
            except EngineAway:
                moment = time.monotonic()
                until = until or moment + self._patience_s
                if moment + pause > until:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("pauses do not end")


def _is_rootless(client: APIClient) -> bool:
    return any("name=rootless" in one for one in client.info().get("SecurityOptions") or ())


def _lacks_directory(launch: ContainerLaunch) -> bool:
    where = place_on_host(launch.cwd, launch.mounts)
    if where is None:
        return False  # of the image, which may have it
    source, below = where
    place = os.path.normpath(os.path.join(os.path.realpath(source), below))
    try:
        os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        # A link on the way may lead to something that only the container has.
        return os.path.realpath(place) == place
    except OSError:
        pass  # not for us to see
    return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
