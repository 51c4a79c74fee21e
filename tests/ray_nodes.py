"""Nodes of a Ray cluster, each as a process that stands for a machine; a program for `ray_cluster`.

``ray start`` would import Ray once more for each of them, which takes longer than all the rest.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import ray._private.node as nodes
from ray._private.parameter import RayParams


class _Node(nodes.Node):
    """A node whose agent may take its time.

    A raylet gives up when the agent has not said within 15 s at which port it listens, and on a
    machine that has much else to do it does not. We know it before.
    """

    port = ""

    def start_ray_processes(self) -> None:
        name = f"dashboard_agent_listen_port_{self._node_id}"
        Path(self._session_dir, name).write_text(self.port)
        super().start_ray_processes()  # type: ignore[no-untyped-call]


def _be_node(told: dict[str, Any]) -> None:
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    log = os.open(told.pop("log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    if unseen := told.pop("unseen", None):
        _hide(unseen)
    head = told.pop("head")
    port = str(told["dashboard_agent_listen_port"])
    params = RayParams(**told, min_worker_port=0, max_worker_port=0, include_log_monitor="")
    _Node.port = port
    _Node(params, head=head, shutdown_at_exit=False, spawn_reaper=False)
    while True:
        signal.pause()


def _hide(directory: str) -> None:
    """Have this process, and those that it starts, see nothing of a directory."""
    libc = ctypes.CDLL(None, use_errno=True)
    private, new_mounts = 1 << 18 | 1 << 14, 1 << 17
    done = (
        libc.unshare(new_mounts),
        libc.mount(b"none", b"/", None, ctypes.c_ulong(private), None),
        libc.mount(b"none", directory.encode(), b"tmpfs", ctypes.c_ulong(0), None),
    )
    assert not any(done), os.strerror(ctypes.get_errno())


def main() -> None:
    """Fork a node for each line of standard input, and tell its pid."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _be_node(json.loads(line))
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(1)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
