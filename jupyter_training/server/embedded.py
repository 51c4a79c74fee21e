"""The server that is started where there is none: the same extension, with nothing around it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from jupyter_training.server.extension import TrainingApp


def serve(ready_fd: int | None) -> None:
    """Serve until no job is left and nobody asks.

    Parameters
    ----------
    ready_fd
        A file that is closed when the server is ready.
    """
    argv = [
        # It runs only what its own user submits, from this machine.
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={_free_port()}",
        "--ServerApp.allow_root=True",
        f"--ServerApp.root_dir={Path.home()}",
        "--ServerApp.certfile=",
        "--ServerApp.keyfile=",
        "--ServerApp.terminals_enabled=False",
        "--ServerApp.open_browser=False",
        "--ServerApp.no_browser_open_file=True",
        # With a wrong setting it ends, and whoever waits for it reads why; it would go on without.
        "--ServerApp.reraise_server_extension_failures=True",
        "--TrainingApp.embedded=True",
    ]
    if ready_fd is not None:
        os.set_inheritable(ready_fd, False)
        argv.append(f"--TrainingApp.ready_fd={ready_fd}")
    TrainingApp.load_other_extensions = False
    TrainingApp.launch_instance(argv)  # type: ignore[no-untyped-call]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
