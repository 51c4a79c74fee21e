"""Real kernels, started by a real server or by none."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.channels import HBChannel
from jupyter_client.manager import KernelManager

from tests.conftest import Home, Server, has_failed
from tests.patience import PATIENCE_S, until

# On a busy machine a kernel may well need longer than a second for its first sign of life.
HBChannel.time_to_dead = PATIENCE_S


class Kernel:
    """A kernel to run cells in."""

    def __init__(self, client: BlockingKernelClient, kernel_id: str = "") -> None:
        self.client, self.id = client, kernel_id
        self.messages: list[dict[str, Any]] = []
        # On a busy machine a kernel may be silent for long while it starts.
        client.hb_channel.time_to_dead = PATIENCE_S
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE_S)

    def run(self, code: str) -> Cell:
        """Run a cell to its end."""
        reply = self.client.execute_interactive(
            code, timeout=PATIENCE_S, output_hook=self.messages.append, allow_stdin=False
        )
        request = reply["parent_header"]["msg_id"]
        mine = [one for one in self.messages if one["parent_header"].get("msg_id") == request]
        return Cell(reply["content"], mine)

    def updated(self, display_id: str, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What an output shows, as soon as it is as wanted; nothing is run meanwhile."""
        deadline = time.monotonic() + PATIENCE_S
        seen = [one["content"] for one in self.messages]
        while True:
            for content in seen:
                if content.get("transient", {}).get("display_id") == display_id and enough(
                    content["data"]
                ):
                    data: dict[str, Any] = content["data"]
                    return data
            left = deadline - time.monotonic()
            seen = [self.client.get_iopub_msg(timeout=left)["content"]]

    def value(self, expression: str) -> Any:
        """The value of an expression."""
        return eval(self.run(expression).text)  # it is a literal

    def close(self) -> None:
        self.client.stop_channels()


class Cell:
    """What a cell has answered."""

    def __init__(self, reply: dict[str, Any], messages: list[dict[str, Any]]) -> None:
        self.reply = reply
        # What an earlier output is updated with comes in between, whichever cell runs.
        self.messages = [one for one in messages if one["msg_type"] != "update_display_data"]

    @property
    def error(self) -> str:
        assert self.reply["status"] == "error", self.messages
        return f"{self.reply['ename']}: {self.reply['evalue']}"

    @property
    def text(self) -> str:
        """What it printed and what its value is."""
        assert self.reply["status"] == "ok", self.reply
        contents = [one["content"] for one in self.messages]
        return "".join(
            content.get("text", "") + content.get("data", {}).get("text/plain", "")
            for content in contents
        )

    @property
    def html(self) -> str:
        return "".join(one["content"].get("data", {}).get("text/html", "") for one in self.messages)

    @property
    def display_id(self) -> str:
        """By what its output is found again."""
        assert self.reply["status"] == "ok", self.reply
        ids = {one["content"].get("transient", {}).get("display_id") for one in self.messages}
        (found,) = filter(None, ids)
        return str(found)


@contextmanager
def starting() -> Iterator[Callable[[Server], Kernel]]:
    """Start kernels on a server, as a front end does."""
    started: list[tuple[Server, Kernel]] = []

    def start(server: Server) -> Kernel:
        answer = server.api.http.post("api/kernels", json={"name": "python3", "path": ""})
        kernel_id = answer.json()["id"]
        file = server.home.path / "runtime" / f"kernel-{kernel_id}.json"
        client = BlockingKernelClient(connection_file=str(file))
        client.load_connection_file()
        kernel = Kernel(client, kernel_id)
        started.append((server, kernel))
        return kernel

    yield start
    for server, kernel in started:
        kernel.close()
        server.api.http.delete(f"api/kernels/{kernel.id}")
        if server.process.poll() is None:
            server.api.cancel_all()  # nobody is to find the machine in use


@pytest.fixture
def kernel_of() -> Iterator[Callable[[Server], Kernel]]:
    """Start kernels of one test."""
    with starting() as start:
        yield start


@pytest.fixture(scope="module")
def kernel(server: Server) -> Iterator[Kernel]:
    """A kernel with the magics, which the tests of a file share."""
    with starting() as start:
        started = start(server)
        started.run("%load_ext jupyter_training")
        yield started


@pytest.fixture(autouse=True)
def afresh(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a failed test leaves running, a cell or jobs, is not to fail the next one."""
    names = request.fixturenames
    kernel: Kernel | None = request.getfixturevalue("kernel") if "kernel" in names else None
    yield
    if kernel is not None and has_failed(request):
        server: Server = request.getfixturevalue("server")
        server.api.http.post(f"api/kernels/{kernel.id}/interrupt")
        until(lambda: kernel.run("pass").reply["status"] == "ok")
        server.api.cancel_all()


@pytest.fixture
def lone_kernel(home: Home) -> Iterator[Callable[[], Kernel]]:
    """Start kernels that no server knows, as an editor does."""
    managers: list[tuple[KernelManager, Kernel]] = []

    def start() -> Kernel:
        work = home.path / "work"
        work.mkdir(exist_ok=True)
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(env=home.env, cwd=str(work))
        kernel = Kernel(manager.client())
        managers.append((manager, kernel))
        return kernel

    yield start
    for manager, kernel in managers:
        kernel.close()
        manager.shutdown_kernel(now=True)
    for path in (home.path / "runtime" / "training-servers").glob("*.json"):
        end(int(path.stem))


def end(pid: int) -> None:
    """End a process that is not a child, and return when it is gone."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    until(lambda: not Path(f"/proc/{pid}").exists())
