"""Run jobs in containers of a Docker engine.

A container is its own supervisor: the engine keeps it running, keeps what it prints and keeps how
it ended, whether or not there is a server. A server only reads that and writes it into the
attempt's directory, and removes the container when all is read.

An attempt is started in three steps, so that whatever comes in between starts it once or never:

1. The container is created, under a name made of the attempt's token. It does not run yet, and
   there can't be two.
2. The attempt is *taken*: ``started.json`` appears, with the container's id. It can be taken once.
3. The container is started.

A server that finds an attempt free takes it itself and so gives it up; one that was held up between
1 and 2 then cannot take it. One that finds it taken by a container that does not run yet removes
the container, and one that was held up between 2 and 3 has nothing left to start.

While the engine is away nothing is concluded from that. An attempt that was not taken yet is given
up after a while, so that its resources are free for others; all others are waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_training.executors import container_records as records
from jupyter_training.executors.background import Background
from jupyter_training.executors.base import Ended, Found, Launch
from jupyter_training.executors.confinement import Confinement, confinement_of_this_server
from jupyter_training.executors.container_networks import GangNetworks
from jupyter_training.executors.container_preparation import NoDirectory, Preparation
from jupyter_training.executors.container_states import (
    Container,
    end_of,
    ended_without_engine,
    launch_failure,
    may_be_the_engines_doing,
)
from jupyter_training.executors.container_watch import ContainerWatch
from jupyter_training.executors.containers import ContainerLaunch, name_of, whole_seconds
from jupyter_training.executors.docker_engine import (
    DockerEngine,
    EngineAway,
    Refused,
    Unusable,
    in_thread,
)
from jupyter_training.executors.gauges import ContainerGauge, Gauge
from jupyter_training.executors.image import ImageUnavailable
from jupyter_training.executors.image_names import why_no_image
from jupyter_training.executors.own_containers import Contact, OwnContainers, now
from jupyter_training.executors.records import LOG
from jupyter_training.executors.registry import Plugin, Setting
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.scheduling.choice import Images, Offer

_NOT_STARTED = "the server ended before the job was started"
_UNREAD = (
    "the Docker engine was started again after the job had ended; what that printed last may be "
    "missing here"
)
"""Nothing tells whether the engine has read the end of its output before it went away."""

_RESTART_S = 0.2
_PING_S = 5.0
_LOG_START = 4096


@dataclass
class _Starting:
    """An attempt that is being started."""

    task: asyncio.Task[Found] | None = None
    preparing: asyncio.Task[str] | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


class DockerExecutor:
    """Containers of a Docker engine.

    Parameters
    ----------
    installation
        The id of this installation; containers without it in their labels are never touched.
    grace_s
        How long a job may take to end after it was asked to (s); rounded up to whole seconds.
    confinement
        What containers may do. By default they are the server's user and may do little.
    url
        Where the engine is; see `DockerEngine`.
    sweep_s
        How often a container is looked at though nothing was heard of it (s).
    patience_s
        How long an engine that is away is waited for before a start is given up (s).
    log_limit
        How much of what a job prints is kept (bytes); 0 for all.
    """

    def __init__(
        self,
        installation: str,
        grace_s: float,
        *,
        confinement: Confinement | None = None,
        url: str | None = None,
        sweep_s: float = 30,
        patience_s: float = 60,
        log_limit: int = 0,
    ) -> None:
        self._installation, self._grace_s = installation, grace_s
        self._confinement = confinement or confinement_of_this_server()
        self._engine = DockerEngine(url)
        self._containers = OwnContainers(self._engine, installation)
        self._networks = GangNetworks(
            self._engine, installation, internal=self._confinement.network == "none"
        )
        self._preparation = Preparation(
            self._engine,
            self._containers,
            self._networks,
            installation=installation,
            confinement=self._confinement,
            grace_s=grace_s,
            patience_s=patience_s,
        )
        self._sweep_s = sweep_s
        self._starting: dict[str, _Starting] = {}
        self._listeners: dict[str, Callable[[str], None]] = {}
        self._watch = ContainerWatch(self._engine, installation, log_limit)
        self._stopping: set[str] = set()
        self._background = Background("A container could not be stopped or removed")

    async def open(self) -> None:
        """Remove what was left behind, when the engine answers; this is not waited for."""
        self._background.begin(self._remove_leftovers())

    async def why_not(self, image: str | None) -> str | None:
        """Why no container of an image can be run at the moment; None if one can."""
        if image is not None:
            told = why_no_image(image) or self._confinement.why_not_image(image)
            if told is not None:
                return told
        try:
            await asyncio.wait_for(self._engine.call(lambda client: client.ping()), _PING_S)
        except (EngineAway, Unusable, Refused) as error:
            return f"no container can be run: {error}"
        except asyncio.TimeoutError:
            return f"no container can be run: the Docker engine at {self._engine.url} is silent"
        return None

    def hear(self, token: str, tell: Callable[[str], None]) -> None:
        """Have somebody told how far an image was pulled; see `Preparing`."""
        self._listeners[token] = tell

    async def start(self, launch: Launch) -> Found:
        """Start an attempt; see `Executor`."""
        if not isinstance(launch, ContainerLaunch):
            raise TypeError("a container needs an image and mounts: a ContainerLaunch")
        starting = self._starting.get(launch.token)
        if starting is None:
            starting = self._starting[launch.token] = _Starting()
            starting.task = asyncio.create_task(self._start(launch, starting))
            starting.task.add_done_callback(lambda _: self._is_started(launch.token))
        assert starting.task is not None
        return await asyncio.shield(starting.task)

    async def find(self, token: str, directory: Path) -> Found:
        """Find an attempt; see `Executor`."""
        starting = self._starting.get(token)
        if starting is not None and starting.task is not None:
            return await asyncio.shield(starting.task)
        return await self._find(token, directory)

    async def gauge(self, found: Found) -> Gauge | None:
        """What tells how much an attempt uses; see `Executor`. None if the engine is elsewhere."""
        if not self._engine.is_local or "container" not in found.handle:
            return None
        container = await self._containers.inspect(found.handle["container"])
        if container is None or not container.pid:
            return None
        return ContainerGauge(container.id, container.pid)

    async def wait(self, found: Found) -> Ended:
        """Wait for an attempt; see `Executor`."""
        if found.ended is not None:
            return found.ended
        contact, pause = Contact(), _RESTART_S
        with self._watch.waiting(found.token) as woken:
            while True:
                woken.clear()
                container = await self._containers.inspect(found.handle["container"], contact)
                ours = container is not None and self._containers.has(container, found.token)
                if container is None or not ours or container.never_started:
                    again = await self._find(found.token, found.directory)
                    if again.ended is not None:
                        return again.ended
                    found = again
                    continue
                if container.ended:
                    return await self._finish(found, container, contact)
                copy = self._watch.copy(found, container)
                # If it is not, the container ends this moment, or its log was cut short.
                copies = copy.is_alive()
                wait_s = self._sweep_s if copies else pause
                deadline = container.deadline
                if deadline is not None and found.token not in self._stopping:
                    left_s = (deadline - now()).total_seconds()
                    if left_s <= 0:
                        await asyncio.to_thread(records.mark_timed_out, found.directory)
                        self._ask_to_end(found)
                    else:
                        wait_s = min(wait_s, left_s)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(woken.wait(), wait_s)
                if not copies:
                    pause = min(2 * pause, self._sweep_s)
                    self._watch.forget(found.token)

    async def stop(self, found: Found) -> None:
        """Stop an attempt; see `Executor`. One that is still being started is given up."""
        starting = self._starting.get(found.token)
        if starting is not None:
            starting.cancelled.set()
            if starting.preparing is not None:
                starting.preparing.cancel()
        elif found.ended is None and "container" in found.handle:
            self._ask_to_end(found)

    async def close(self) -> None:
        """Let go of everything but the containers."""
        starting = [one.task for one in self._starting.values() if one.task is not None]
        await self._background.close(starting)
        self._watch.close()
        self._engine.close()

    # Starting

    async def _start(self, launch: ContainerLaunch, starting: _Starting) -> Found:
        starting.preparing = asyncio.create_task(self._prepare(launch, starting.cancelled))
        if starting.cancelled.is_set():
            starting.preparing.cancel()
        why: Exit
        try:
            container_id = await starting.preparing
        except ImageUnavailable as error:
            why = Exit(cause=Cause.IMAGE_UNAVAILABLE, detail=str(error))
        except Refused as error:
            why = _launch_failed(error.words)
        except (NoDirectory, Unusable) as error:
            why = _launch_failed(str(error))
        except EngineAway as error:
            why = Exit(cause=Cause.NODE_LOST, detail=str(error))
        except asyncio.CancelledError:
            if not starting.cancelled.is_set():
                raise
            why = Exit(cause=Cause.NODE_LOST, detail="it was to end before it was started")
        else:
            starting.preparing = None  # from here on there is something to stop
            return await self._launch(launch, container_id)
        return await self._not_started(launch, why)

    async def _prepare(self, launch: ContainerLaunch, cancelled: threading.Event) -> str:
        tell = self._listeners.get(launch.token, lambda _: None)
        return await self._preparation.prepare(launch, cancelled, tell)

    def _is_started(self, token: str) -> None:
        self._starting.pop(token, None)
        self._listeners.pop(token, None)

    async def _launch(self, launch: ContainerLaunch, container_id: str) -> Found:
        """Take the attempt for this container, and start it."""
        token, directory = launch.token, launch.directory
        handle = {"container": container_id, "name": name_of(token)}
        if not await asyncio.to_thread(records.take, directory, token, handle):
            taken = await asyncio.to_thread(records.taken, directory)
            if taken != handle:
                self._background.begin(self._remove(token, container_id))
            return await self._find(token, directory)
        while True:
            try:
                await self._engine.call(lambda client: client.start(container_id))
            except Refused as error:
                if await asyncio.to_thread(records.was_given_up, directory):
                    return _lost(token, directory, handle, _NOT_STARTED)
                why = _launch_failed(launch_failure(error.words, launch.gpus))
                return await self._end_without_start(launch, handle, why)
            except (EngineAway, Unusable):
                # Perhaps it was started. It is not to be started twice.
                container = await self._containers.inspect(container_id)
                if container is not None and container.never_started:
                    continue
            break
        self._watch.listen()
        container = await self._containers.inspect(container_id)
        if container is None or container.never_started:
            return await self._find(token, directory)
        found = Found(token, directory, container.handle, container.started_at)
        if not container.ended:
            self._watch.copy(found, container)
        return found

    async def _not_started(self, launch: ContainerLaunch, why: Exit) -> Found:
        """An attempt that came to nothing before it was taken."""
        token, directory = launch.token, launch.directory
        if not await asyncio.to_thread(records.take, directory, token, {}):
            return await self._find(token, directory)
        return await self._end_without_start(launch, {}, why)

    async def _end_without_start(
        self, launch: ContainerLaunch, handle: dict[str, Any], why: Exit
    ) -> Found:
        ended = Ended(why, now())
        await in_thread(lambda: records.write_end(launch.directory, None, ended))
        self._background.begin(self._remove(launch.token, name_of(launch.token)))
        return Found(launch.token, launch.directory, handle, None, ended)

    # Finding

    async def _find(self, token: str, directory: Path) -> Found:
        written = await asyncio.to_thread(records.read_end, directory)
        handle = await asyncio.to_thread(records.taken, directory)
        if written is not None:
            self._background.begin(self._remove(token, name_of(token)))
            return Found(token, directory, handle or {}, *written)
        if handle is None:
            await asyncio.to_thread(records.take, directory, token, {})
            handle = await asyncio.to_thread(records.taken, directory)
        if not handle:
            self._background.begin(self._end_for_certain(token))
            return _lost(token, directory, {}, _NOT_STARTED)
        contact = Contact()
        container = await self._containers.inspect(handle["container"], contact)
        if container is None:
            return await self._vanished(token, directory, handle)
        if not self._containers.has(container, token):
            await self._end_for_certain(token)
            return _lost(token, directory, {}, "the record of its container was damaged")
        if container.never_started:
            # First the mark: a server that is about to start it learns why it can't.
            await asyncio.to_thread(records.mark_given_up, directory)
            await self._containers.remove_whatever_it_does(container)
            self._background.begin(self._networks.release(token))
            if container.error:
                ended = Ended(_launch_failed(container.error[:1000]), now())
                return Found(token, directory, handle, None, ended)
            return _lost(token, directory, handle, _NOT_STARTED)
        found = Found(token, directory, container.handle, container.started_at)
        if container.ended:
            return replace(found, ended=await self._finish(found, container, contact))
        return found

    async def _vanished(self, token: str, directory: Path, handle: dict[str, Any]) -> Found:
        # Another server may have read its end meanwhile.
        written = await asyncio.to_thread(records.read_end, directory)
        if written is not None:
            return Found(token, directory, handle, *written)
        await self._end_for_certain(token)
        given_up = await asyncio.to_thread(records.was_given_up, directory)
        why = _NOT_STARTED if given_up else "its container was removed by somebody"
        return _lost(token, directory, handle, why)

    # Following and ending

    async def _finish(self, found: Found, container: Container, contact: Contact) -> Ended:
        """Read what is left of a container that has ended, write it down, and remove it."""
        copy = self._watch.last_copy(found, container)
        with contextlib.suppress(Refused):  # it was removed: there is no more to read
            await self._containers.surely(copy.complete, contact)
        self._watch.forget(found.token)
        directory = found.directory
        limit_reached = await asyncio.to_thread(records.was_timed_out, directory)
        asked = limit_reached or found.token in self._stopping
        if may_be_the_engines_doing(container) and not asked:
            await self._containers.look_again(contact)
        without_engine = ended_without_engine(container, await self._containers.engine_since())
        ended = end_of(
            container,
            now(),
            log_start=await asyncio.to_thread(
                _read, directory / LOG, container.log_offset, _LOG_START
            ),
            limit_reached=limit_reached,
            engine_was_away=not asked
            and (without_engine or contact.was_lost_at(container.finished_at)),
            booted_at=_booted_at() if self._engine.is_local else None,
        )
        if without_engine and ended.exit.cause is not Cause.NODE_LOST:
            await asyncio.to_thread(records.say, directory / LOG, _UNREAD)
        await in_thread(lambda: records.write_end(directory, container.started_at, ended))
        self._background.begin(self._remove(found.token, container.id))
        self._stopping.discard(found.token)
        return ended

    def _ask_to_end(self, found: Found) -> None:
        if found.token not in self._stopping:
            self._stopping.add(found.token)
            self._background.begin(self._stop(found.token, found.handle["container"]))

    async def _remove(self, token: str, name: str) -> None:
        await self._containers.remove(token, name)
        await self._networks.release(token)

    async def _end_for_certain(self, token: str) -> None:
        """Leave nothing of an attempt that is taken for lost: what it held is given to others.

        It may run though its record is gone, if somebody deleted that, or wrote something else.
        """
        container = await self._containers.inspect(name_of(token))
        if container is not None and self._containers.has(container, token):
            await self._containers.remove_whatever_it_does(container)
        await self._networks.release(token)

    async def _remove_leftovers(self) -> None:
        await self._containers.remove_leftovers()
        await self._networks.remove_leftovers()

    async def _stop(self, token: str, container: str) -> None:
        try:
            await self._containers.stop(token, container, whole_seconds(self._grace_s))
        except BaseException:
            self._stopping.discard(token)  # asking again is asking anew
            raise


def _make(it: Setting) -> DockerExecutor:
    confinement = replace(
        confinement_of_this_server(),
        network=it.app.docker_network,
        images=tuple(it.app.docker_images),
        capabilities=tuple(it.app.docker_capabilities),
        pids=it.app.docker_pids_limit,
    )
    return DockerExecutor(
        it.installation,
        it.grace_s,
        confinement=confinement,
        url=it.app.docker_url or None,
        log_limit=it.log_limit,
    )


PLUGIN = Plugin(_make, Offer(images=Images.ALWAYS))
"""For the registry."""


def _launch_failed(why: str) -> Exit:
    return Exit(cause=Cause.LAUNCH_FAILED, detail=why)


def _lost(token: str, directory: Path, handle: dict[str, Any], why: str) -> Found:
    ended = Ended(Exit(cause=Cause.NODE_LOST, detail=why), now())
    return Found(token, directory, handle, None, ended)


def _booted_at() -> datetime | None:
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return None
    return now() - timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME))


def _read(path: Path, offset: int, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)
    except OSError:
        return b""
