"""Find the server that takes the jobs of this kernel or this terminal; start one if there is none.

In this order: what the server told its kernel; the server that started this kernel; the user's
server under JupyterHub; any server of this user that offers the training API; and if there is none
of all that, an embedded one in the background, once per user.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

from jupyter_training import servers
from jupyter_training.notebook.client import Client, ServerGone, TrainingError


@dataclass(frozen=True)
class Place:
    """Where a training API may be.

    Attributes
    ----------
    embedded
        Whether that server was started only for training jobs.
    """

    url: str
    token: str
    embedded: bool = False


class Connection:
    """The server of this process: found when it is first needed, and again when it is gone.

    Parameters
    ----------
    say
        Told what a person should know, such as that a server was started.
    """

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self.say = say or (lambda _: None)
        self.place: Place | None = None
        self._client: Client | None = None
        self._lock = threading.Lock()

    def client(self) -> Client:
        """The client of the server.

        Raises
        ------
        TrainingError
            If there is none and none can be started.
        """
        with self._lock:
            if self._client is None:
                self._client = self._find()
            return self._client

    def client_if_there(self) -> Client | None:
        """The client of the server, if there is one; none is started."""
        with self._lock:
            if self._client is None:
                self._client = self._look_around()
            return self._client

    def lose(self, client: Client) -> None:
        """This one does not answer any more: look for another the next time."""
        with self._lock:
            if self._client is client:
                self._client = None

    def release(self) -> None:
        """This process needs its server no more; an embedded one may end, and then has.

        Raises
        ------
        ServerGone
            If it has ended already.
        """
        client, place = self._client, self.place
        if client is None or place is None or not place.embedded:
            return
        here = [server for server in servers.live() if server.url == place.url]
        if client.release():
            self.lose(client)
            for server in here:
                servers.wait_for_end(server)

    def _find(self) -> Client:
        found = self._look_around()
        if found is not None:
            return found
        self.place = self._start()
        return Client(self.place.url, self.place.token)

    def _look_around(self) -> Client | None:
        for place in candidates(os.environ):
            client = Client(place.url, place.token)
            try:
                client.jobs(limit=1)
            except TrainingError as error:
                client.close()
                if error.status == 503 and not isinstance(error, ServerGone):
                    raise
                continue
            self.place = place
            return client
        return None

    def _start(self) -> Place:
        """Start the embedded server, unless somebody just did."""
        directory = servers.directory()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (directory / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for place in _registered():
                return place
            self.say("No Jupyter server here runs training jobs: starting one in the background.")
            log = directory / "embedded.log"
            _launch(log)
            for place in _registered():
                return place
        last = log.read_text(errors="replace").splitlines()[-5:]
        raise TrainingError(
            f"The training server could not be started. The end of its log ({log}):\n"
            + "\n".join(last)
        )


def candidates(environment: Mapping[str, str]) -> Iterator[Place]:
    """Where the training API may be, the best first."""
    url, token = (environment.get(f"JUPYTER_TRAINING_{name}") for name in ("URL", "TOKEN"))
    if url and token:
        yield Place(url, token)
    parent = environment.get("JPY_PARENT_PID", "")
    if parent.isdigit():
        yield from _of_parent(Path(jupyter_runtime_dir()) / f"jpserver-{parent}.json")
    url, token = (environment.get(f"JUPYTERHUB_{name}") for name in ("SERVICE_URL", "API_TOKEN"))
    if url and token:
        yield Place(url.replace("//0.0.0.0", "//127.0.0.1"), token)
    yield from _registered()


def _of_parent(path: Path) -> Iterator[Place]:
    try:
        told = json.loads(path.read_text())
        yield Place(told["url"], told["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return


def _registered() -> Iterator[Place]:
    for server in servers.live():
        yield Place(server.url, server.token, server.embedded)


def _launch(log: Path) -> None:
    """Start the embedded server, and return when it is ready or has failed."""
    ready, told = os.pipe()
    try:
        with log.open("w") as output:
            server = subprocess.Popen(
                [sys.executable, "-m", "jupyter_training", "serve", "--ready-fd", str(told)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=_clean(os.environ),
                pass_fds=(told,),
                # It is to outlive this kernel or terminal, and what is sent to its group.
                start_new_session=True,
            )
        os.close(told)
        told = -1
        # Whoever starts a process has to ask how it ended, or it stays on as a zombie.
        threading.Thread(target=server.wait, daemon=True).start()
        # The end of the pipe: closed by the server when it is ready, by the system if it died.
        os.read(ready, 1)
    finally:
        os.close(ready)
        if told >= 0:
            os.close(told)


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """What a server of its own inherits: nothing of another server's kernel."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("JPY_", "JUPYTER_TRAINING_", "JUPYTERHUB_"))
    }
