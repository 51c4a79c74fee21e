"""A Docker engine as something that can be away for a while.

docker-py blocks, so every call runs in a thread of its own, and whatever goes wrong is one of
three: the engine answered and *refused*, it is *away*, or it can't be used at all until a person
does something. Only the second is worth waiting for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from docker import APIClient

_log = logging.getLogger(__name__)

T = TypeVar("T")

TIMEOUT_S = 60
"""An engine that does not answer a request for so long is away (s)."""

_RETRY_S, _RETRY_MAX_S = 0.2, 5.0


class EngineAway(Exception):
    """Nobody answers, for now."""


class Unusable(Exception):
    """The engine can't be used from here until a person has done something about it."""


class Forbidden(Unusable):
    """The operating system does not let this user talk to the engine."""


class Refused(Exception):
    """The engine answered that it won't.

    Attributes
    ----------
    status
        The HTTP status of its answer.
    words
        What it said.
    """

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class DockerEngine:
    """The engine that jobs run on.

    Parameters
    ----------
    url
        Where it is, such as ``unix:///run/user/1000/docker.sock``. If left out, it is where
        ``DOCKER_HOST`` says, or else at its usual place.
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = url
        self._client: APIClient | None = None
        self._connecting = threading.Lock()
        self._away = False

    @property
    def url(self) -> str:
        """Where it is."""
        return self._url or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine."""
        return self.url.startswith("unix:")

    def client(self) -> APIClient:
        """A client, which may be used by several threads. It blocks.

        Raises
        ------
        EngineAway, Unusable
            If there is none to be had.
        """
        with self._connecting, self.translated():
            if self._client is None:
                self._client = _connect(self._url)
            return self._client

    def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            self._client.close()

    async def call(self, ask: Callable[[APIClient], T]) -> T:
        """Ask the engine something.

        Raises
        ------
        EngineAway, Refused, Unusable
            Whatever docker-py may raise is one of these.
        """

        def blocking() -> T:
            client = self.client()
            with self.translated():
                return ask(client)

        return await in_thread(blocking)

    async def surely(self, ask: Callable[[APIClient], T]) -> T:
        """Ask the engine something, for as long as it takes until it answers.

        Raises
        ------
        Refused
            If it answers no.
        """
        async for pause in pauses():
            try:
                answer = await self.call(ask)
            except (EngineAway, Unusable) as error:
                if not self._away:
                    self._away = True
                    _log.warning("Jobs in containers are waited for: %s", error)
                await asyncio.sleep(pause)
            else:
                self._answers()
                return answer
        raise AssertionError("pauses do not end")

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what docker-py may raise into one of ours."""
        try:
            yield
        except (EngineAway, Refused, Unusable):
            raise
        except Exception as error:
            ours = _translation(error, self.url)
            if ours is error:
                raise
            raise ours from error

    def _answers(self) -> None:
        if self._away:
            self._away = False
            _log.warning("The Docker engine at %s answers again", self.url)


def _connect(url: str | None) -> APIClient:
    try:
        from docker import APIClient
        from docker.errors import InvalidConfigFile
        from docker.utils import kwargs_from_env
        from docker.utils.config import find_config_file
        from requests import RequestException
    except ImportError as error:
        raise Unusable(
            f"the Python package docker is missing ({error}); "
            "install it with: pip install 'docker>=7.1,<8'"
        ) from None
    options: dict[str, Any] = {"base_url": url} if url else {**kwargs_from_env()}
    try:
        return APIClient(timeout=TIMEOUT_S, **options)
    except (InvalidConfigFile, AttributeError, TypeError, ValueError) as error:
        file = find_config_file()
        if file is None or isinstance(error, RequestException):
            raise
        # docker-py takes for granted that it is what `docker login` has written.
        raise Unusable(
            f"what is in {file!s} cannot be understood ({error}); "
            "repair that file, or remove it and log in to your registries again"
        ) from None


def _translation(error: Exception, url: str) -> Exception:
    """What docker-py's exception means for us; the exception itself if it is our mistake."""
    import http.client

    import requests
    import urllib3
    from docker.errors import APIError, DockerException, InvalidRepository

    if isinstance(error, InvalidRepository):  # docker-py did not even ask
        return Refused(http.HTTPStatus.BAD_REQUEST, str(error))
    if isinstance(error, APIError):
        words = str(error.explanation or error)
        status = error.status_code or 500
        if status in (502, 503, 504):  # whoever stands in front of an engine says so
            return EngineAway(f"the Docker engine at {url} does not answer ({words})")
        return Refused(status, words)
    kinds = (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        DockerException,
        ConnectionError,
    )
    if not isinstance(error, kinds):
        return error
    root = _root(error)
    if isinstance(root, PermissionError):
        return Forbidden(
            f"this server may not use the Docker engine at {url}; add its user to the group "
            "docker (sudo usermod -aG docker $USER), log in again, and start the server again"
        )
    words = root.strerror if isinstance(root, OSError) and root.strerror else str(root)
    told = (
        f"the Docker engine at {url} does not answer ({words}); "
        "if it stays so, start it, for example with: systemctl start docker"
    )
    if isinstance(root, FileNotFoundError):
        told += "; if there is none, install it: docs.docker.com/engine/install"
    return EngineAway(told)


def _root(error: BaseException) -> BaseException:
    """The operating system's own error, if there is one below."""
    seen: BaseException | None = error
    while seen is not None:
        for inner in seen.args:
            if isinstance(inner, BaseException):
                return _root(inner)
        if isinstance(seen, OSError) and seen.errno is not None:
            return seen
        seen = seen.__cause__ or seen.__context__
    return error


async def pauses() -> AsyncIterator[float]:
    """How long to wait before each next try (s), without end."""
    pause = _RETRY_S
    while True:
        yield pause
        pause = min(pause * 1.5, _RETRY_MAX_S)


async def in_thread(blocking: Callable[[], T]) -> T:
    """Run something that blocks in a thread of its own.

    A pool is for short work: here a stop takes as long as the job does, a pull takes minutes, and a
    server that ends waits for neither.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def set_result(result: T) -> None:
        if not future.done():
            future.set_result(result)

    def set_exception(error: Exception) -> None:
        if not future.done():
            future.set_exception(error)

    def run() -> None:
        try:
            result = blocking()
        except Exception as error:
            tell(loop, set_exception, error)
        else:
            tell(loop, set_result, result)

    threading.Thread(target=run, name="docker", daemon=True).start()
    return await future


def tell(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: Any) -> None:
    """Call something on the loop, from a thread, if there is still a loop."""
    with contextlib.suppress(RuntimeError):  # it was closed
        loop.call_soon_threadsafe(callback, *args)


class Ends(threading.Thread):
    """Hears of the ends of an installation's containers, in a thread of its own.

    Parameters
    ----------
    label
        The label, with its value, of the containers to hear of.
    on_end
        Called in this thread with the labels of a container that has ended or is gone.
    on_gap
        Called in this thread when something may have been missed.
    """

    def __init__(
        self,
        engine: DockerEngine,
        label: str,
        on_end: Callable[[dict[str, str]], None],
        on_gap: Callable[[], None],
    ) -> None:
        super().__init__(name="events of the Docker engine", daemon=True)
        self._engine, self._on_end, self._on_gap = engine, on_end, on_gap
        self._filters = {"type": "container", "event": ["die", "destroy"], "label": label}
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._stream: Any = None

    def run(self) -> None:
        """Listen, and again when the stream has broken, until closed."""
        pause = _RETRY_S
        while not self._closed.is_set():
            try:
                stream = self._engine.client().events(filters=self._filters, decode=True)
            except Exception:  # whoever waits for a container finds out why, and says so
                self._closed.wait(pause)
                pause = min(pause * 1.5, _RETRY_MAX_S)
                continue
            pause = _RETRY_S
            with self._lock:
                self._stream = stream
            # Before this nobody listened.
            self._on_gap()
            with contextlib.suppress(Exception):
                while not self._closed.is_set():
                    self._on_end(next(stream)["Actor"]["Attributes"])
            with self._lock, contextlib.suppress(Exception):
                self._stream = None
                stream.close()
            if not self._closed.is_set():
                self._on_gap()
                self._closed.wait(_RETRY_S)

    def close(self) -> None:
        """Listen no more."""
        self._closed.set()
        with self._lock, contextlib.suppress(Exception):
            if self._stream is not None:
                self._stream.close()
