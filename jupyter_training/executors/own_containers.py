"""The containers of one installation: made, looked at, stopped and removed, and no others.

Whatever comes from a record or a label is checked against the labels of the container itself before
anything is done to it: jobs can write into their records.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

from jupyter_training.executors import container_records as records
from jupyter_training.executors.container_states import Container, time_of
from jupyter_training.executors.containers import ATTEMPT, DIRECTORY, INSTALLATION, name_of
from jupyter_training.executors.docker_engine import DockerEngine, EngineAway, Refused, Unusable
from jupyter_training.executors.image import ImageUnavailable

T = TypeVar("T")

_SECOND_LOOK_S = 0.5
_TRIES, _PAUSE_S = 50, 0.1
_SLACK = timedelta(seconds=5)


def now() -> datetime:
    """The time."""
    return datetime.now(timezone.utc)


@dataclass
class Contact:
    """When the engine last answered, and its last absence.

    Attributes
    ----------
    last
        When it last answered.
    gap
        From when to when it was away.
    """

    last: datetime = field(default_factory=now)
    gap: tuple[datetime, datetime] | None = None

    def answered(self, *, after_a_gap: bool) -> None:
        """Note that it answers, and whether it did not at first."""
        moment = now()
        if after_a_gap:
            self.gap = (self.last, moment)
        self.last = moment

    def was_lost_at(self, moment: datetime | None) -> bool:
        """Whether the engine was away then, or about to go."""
        if self.gap is None or moment is None:
            return False
        return self.gap[0] - _SLACK <= moment <= self.gap[1] + _SLACK


class OwnContainers:
    """The containers of an installation.

    Parameters
    ----------
    installation
        Its id, which is in the labels of its containers.
    """

    def __init__(self, engine: DockerEngine, installation: str) -> None:
        self._engine, self._installation = engine, installation

    async def create(
        self, token: str, configuration: dict[str, Any], cancelled: threading.Event
    ) -> str:
        """Create the container of an attempt, unless it was created before.

        Returns
        -------
        str
            Its id.

        Raises
        ------
        ImageUnavailable
            If its image is gone.
        EngineAway, Refused, Unusable
            As from `DockerEngine.call`.
        """
        name = name_of(token)

        def ask(client: Any) -> str:
            created: str = client.create_container_from_config(configuration, name)["Id"]
            if cancelled.is_set():  # nobody waits for it any more
                client.remove_container(created, force=True)
            return created

        last = Refused(409, "")
        for _ in range(_TRIES):
            try:
                return await self._engine.call(ask)
            except Refused as error:
                if error.status == 404:
                    raise ImageUnavailable(error.words) from None
                if error.status != 409:
                    raise
                last = error
            # The name is taken. An earlier request came through, though its answer did not; or
            # another server's is on its way, or is being removed: then it can't be looked at.
            container = await self._look(name)
            if container is not None:
                if self.has(container, token):
                    return container.id
                raise Refused(409, f"there is a container {name} that is not ours; remove it")
            await asyncio.sleep(_PAUSE_S)
        raise last

    async def _look(self, name: str) -> Container | None:
        try:
            told = await self._engine.call(lambda client: client.inspect_container(name))
        except Refused as error:
            if error.status == 404:
                return None
            raise
        return _unless_going(Container.of(told))

    def has(self, container: Container, token: str) -> bool:
        """Whether a container is this attempt's, and ours."""
        return container.belongs_to(self._installation, token)

    async def inspect(self, name: str, contact: Contact | None = None) -> Container | None:
        """Look at a container as soon as the engine answers.

        Parameters
        ----------
        name
            Its name or its id.
        """

        def ask(client: Any) -> Mapping[str, Any]:
            told: Mapping[str, Any] = client.inspect_container(name)
            return told

        try:
            return _unless_going(Container.of(await self.surely(ask, contact)))
        except Refused as error:
            if error.status == 404:
                return None
            raise

    async def surely(self, ask: Callable[[Any], T], contact: Contact | None) -> T:
        """As `DockerEngine.surely`, and note in `contact` when the engine was away."""
        away = False
        try:
            try:
                return await self._engine.call(ask)
            except (EngineAway, Unusable):
                away = True
                return await self._engine.surely(ask)
        finally:
            if contact is not None:
                contact.answered(after_a_gap=away)

    async def look_again(self, contact: Contact) -> None:
        """See whether the engine is about to go, and took a container with it."""
        await asyncio.sleep(_SECOND_LOOK_S)
        try:
            await self._engine.call(lambda client: client.ping())
        except (EngineAway, Refused, Unusable):
            contact.answered(after_a_gap=True)

    async def engine_since(self) -> datetime | None:
        """When the engine was started, by its own clock; None if it does not tell now.

        It makes its bridge anew each time, unless it found containers that had outlived it.
        """

        def ask(client: Any) -> str:
            made: str = client.inspect_network("bridge")["Created"]
            return made

        try:
            return time_of(await self._engine.call(ask))
        except (EngineAway, Refused, Unusable, KeyError, ValueError):
            return None  # it is away, has no bridge, or is another program

    async def stop(self, token: str, name: str, grace_s: int) -> None:
        """Have the engine send SIGTERM, and SIGKILL after the grace period.

        It goes on with that if this server ends meanwhile.
        """
        container = await self.inspect(name)
        if container is None or not self.has(container, token):
            return
        try:
            await self._engine.surely(lambda client: client.stop(container.id, timeout=grace_s))
        except Refused as error:
            if error.status != 404:  # it is gone
                raise

    async def remove(self, token: str, name: str) -> None:
        """Remove the container of an attempt, if there is one and it does not run."""
        container = await self.inspect(name)
        if container is None or not self.has(container, token):
            return
        if container.never_started or container.ended:
            await self.remove_whatever_it_does(container)

    async def remove_whatever_it_does(self, container: Container) -> None:
        """Remove a container of ours, also one that is being started this moment."""
        try:
            await self._engine.surely(
                lambda client: client.remove_container(container.id, v=True, force=True)
            )
        except Refused as error:
            if error.status not in (404, 409):  # gone, or going
                raise

    async def remove_leftovers(self) -> None:
        """Remove containers whose attempt is over or never was, as after a crash."""
        label = {"label": f"{INSTALLATION}={self._installation}"}
        try:
            several = await self._engine.call(
                lambda client: client.containers(all=True, filters=label)
            )
        except (EngineAway, Unusable):
            return  # the next server does it
        for one in several:
            if await asyncio.to_thread(_is_left_over, one):
                await self.remove(one["Labels"].get(ATTEMPT, ""), one["Id"])


def _unless_going(container: Container) -> Container | None:
    """A container; none if it has ended and its removal is on its way."""
    return None if container.status == "removing" else container


def _is_left_over(summary: Mapping[str, Any]) -> bool:
    if summary["State"] not in ("created", "exited", "dead"):
        return False
    directory = Path(summary["Labels"].get(DIRECTORY, ""))
    if not directory.is_dir() or records.read_end(directory) is not None:
        return True
    handle = records.taken(directory)
    return handle is not None and handle.get("container") != summary["Id"]
