"""Brings a container's image to the engine, and says so in the job's log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_training.executors import container_records as records
from jupyter_training.executors.docker_engine import DockerEngine, Refused

if TYPE_CHECKING:
    from docker import APIClient

_TRIES = 3
_PAUSE_S = 2.0
_SAY_EVERY_S = 1.0

_FINAL = ("denied", "unauthorized", "authentication", "not found", "unknown", "no such", "invalid")
"""Words of an engine or a registry that the next try would only repeat."""

_HERE = frozenset({"Pull complete", "Already exists"})


class ImageUnavailable(Exception):
    """The image can't be had; the message is the engine's own."""


class PullProgress:
    """How far a pull has come, from what the engine tells of its layers."""

    def __init__(self) -> None:
        self._layers: dict[str, str] = {}
        self._bytes: dict[str, tuple[int, int]] = {}

    def feed(self, event: Mapping[str, Any]) -> None:
        """Take one of the engine's messages."""
        layer, status = event.get("id"), event.get("status", "")
        if layer is None or status.startswith("Pulling from"):
            return
        self._layers[layer] = status
        detail = event.get("progressDetail") or {}
        if status == "Downloading" and detail.get("total"):
            self._bytes[layer] = (detail.get("current", 0), detail["total"])
        elif layer in self._bytes and status != "Downloading":
            total = self._bytes[layer][1]
            self._bytes[layer] = (total, total)

    def __str__(self) -> str:
        here = sum(status in _HERE for status in self._layers.values())
        told = f"{here} of {len(self._layers)} layers"
        if self._bytes:
            got, total = (sum(part) / 1e6 for part in zip(*self._bytes.values(), strict=True))
            told += f", {got:.0f} of {total:.0f} MB downloaded"
        return told


async def bring(
    engine: DockerEngine,
    image: str,
    log: Path,
    cancelled: threading.Event,
    tell: Callable[[str], None],
) -> list[str]:
    """Have an image at the engine; it is pulled if it isn't there.

    Parameters
    ----------
    log
        Gets the progress of a pull.
    cancelled
        Ends a pull.
    tell
        Called with the progress of a pull, from another thread.

    Returns
    -------
    list of str
        The image's environment, as ``NAME=value``.

    Raises
    ------
    ImageUnavailable
        If there is no such image, or none for us.
    EngineAway, Unusable
        As from `DockerEngine.call`.
    """
    try:
        return await engine.call(lambda client: _environment(client, image))
    except Refused as error:
        if error.status != 404:
            raise ImageUnavailable(error.words) from None

    def say(text: str) -> None:
        records.say(log, text)
        tell(progress_told(image, text))

    def pull(client: APIClient) -> list[str]:
        _pull(client, image, say, cancelled)
        return _environment(client, image)

    try:
        return await engine.call(pull)
    except Refused as error:
        raise ImageUnavailable(error.words) from None


def progress_told(image: str, text: str) -> str:
    """What the log says of a pull, for somebody who does not see that it is one."""
    return text if image in text else f"pulling the image {image}: {text}"


def _environment(client: Any, image: str) -> list[str]:
    config = client.inspect_image(image)["Config"] or {}
    return list(config.get("Env") or [])


def _pull(
    client: APIClient, image: str, say: Callable[[str], None], cancelled: threading.Event
) -> None:
    from docker.credentials.errors import StoreError
    from docker.errors import APIError, DockerException

    say(f"pulling the image {image}")
    left, lacks = _TRIES, ""
    while True:
        try:
            words = _pull_once(client, image, say, cancelled, {} if lacks else None)
        except APIError as error:
            words = str(error.explanation or error)
        except DockerException as error:
            if lacks or not isinstance(error.__cause__, StoreError):
                raise
            # Docker's settings name a program that keeps credentials and is not there, as those do
            # that Docker Desktop has left. What is there for everybody can be had all the same.
            lacks = str(error.__cause__)
            say(f"there are no credentials for it, so it is pulled without: {lacks}")
            continue
        if words is None:
            say(f"the image {image} is here")
            return
        left -= 1
        if not left or cancelled.is_set() or any(word in words.lower() for word in _FINAL):
            raise ImageUnavailable(
                words[:1000] + (f" (asked without credentials: {lacks})" if lacks else "")
            )
        say(f"pulling the image {image} failed and is tried again: {words}")
        cancelled.wait(_PAUSE_S)


def _pull_once(
    client: APIClient,
    image: str,
    say: Callable[[str], None],
    cancelled: threading.Event,
    credentials: dict[str, str] | None,
) -> str | None:
    """Pull; None, or why it failed.

    Parameters
    ----------
    credentials
        None for those that Docker's settings name.
    """
    progress, said, said_at = PullProgress(), "", time.monotonic()
    for event in client.pull(image, stream=True, decode=True, auth_config=credentials):
        if cancelled.is_set():
            return "cancelled"
        if "error" in event:
            return str(event["error"])
        progress.feed(event)
        now, text = time.monotonic(), str(progress)
        if text != said and now - said_at >= _SAY_EVERY_S:
            say(text)
            said, said_at = text, now
    if str(progress) != said:
        say(str(progress))
    return None
