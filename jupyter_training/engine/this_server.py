"""Which server this is, and which servers of its machine are gone."""

from __future__ import annotations

import os
import secrets
import socket

from jupyter_training.executors.processes import start_time
from jupyter_training.store.records import Server

_HOST = socket.gethostname()


def this_server() -> Server:
    """This process, by a name that no server has had before."""
    pid = os.getpid()
    name = f"{_HOST}-{pid}-{secrets.token_hex(4)}"
    return Server(name, _HOST, pid, start_time(pid) or 0.0)


def is_gone(server: Server) -> bool:
    """Whether a server was one of this machine, and its process is no more."""
    return server.host == _HOST and start_time(server.pid) != server.pid_started
