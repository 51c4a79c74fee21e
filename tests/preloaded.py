"""Real servers that start in a fraction of the time: forks of a process that has imported the code.

Most of what a server does until it answers is to import; a test that needs one of its own would
wait for that each time. What is forked is a process of its own, as it would be without this: own
session, own directories, own environment, to be killed at any moment. It has only not read the
code from the disk.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jupyter_training import points
from jupyter_training.server.quick_imports import without_iris
from tests import fake_nvml
from tests.patience import PATIENCE_S

MODULES = ("jupyter_server", "jupyterlab")

_IMPORTED = (
    *("jupyter_server.serverapp", "jupyterlab.labapp", "jupyterlab.extensions.pypi"),
    *("jupyter_lsp", "jupyter_server_terminals", "docker", "jupyter_training.server.extension"),
)
_OWN = (
    *("HOME", "IPYTHONDIR", "PYTHONFAULTHANDLER", "PYTHONPATH", "SLURM_CONF"),
    points.VARIABLE,
)
_OF_GPUS = ("LD_LIBRARY_PATH", fake_nvml.VARIABLE, fake_nvml.CALLS_VARIABLE)
_OWN_JUPYTER = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_PATH")


class Forked:
    """A process that was forked, to be used as a `subprocess.Popen`."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, as soon as it has.

        Raises
        ------
        subprocess.TimeoutExpired
            If it goes on for longer than this (s).
        """
        ended = self._look(timeout)
        if ended is None:
            raise subprocess.TimeoutExpired(f"the server {self.pid}", timeout or 0)
        return ended

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is known to have ended."""
        if self.returncode is None:  # its pid is its own until somebody has asked how it ended
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.ask({"wait": self.pid, "timeout": timeout})
        return self.returncode


class Nursery:
    """The process that has imported the code, and forks."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        # Pytest tells there which test it runs, which no server has to know.
        self._env = {
            name: os.environ[name] for name in os.environ if not name.startswith("PYTEST_")
        }
        self._mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.preloaded", str(its.fileno())],
                env=self._env,
                stdin=subprocess.DEVNULL,
                pass_fds=(its.fileno(),),
            )
        atexit.register(self.close)

    def takes(self, env: Mapping[str, str]) -> bool:
        """Whether what differs in an environment matters to nothing that is imported already."""
        names = env.keys() | self._env.keys()
        mine = {name for name in names if env.get(name) != self._env.get(name)}
        gone = {name for name in mine if name.startswith(("JPY_", "JUPYTER")) and name not in env}
        # A library that is in none of the directories of the start is loaded by its path.
        of_gpus = _OF_GPUS if fake_nvml.VARIABLE in env else ()
        return mine - gone <= {*_OWN, *_OWN_JUPYTER, *of_gpus}

    def start(
        self, arguments: Sequence[str], *, env: Mapping[str, str], cwd: str, log: int, keep: int
    ) -> Forked:
        """Fork a process that runs a module with arguments, in a session of its own.

        Parameters
        ----------
        arguments
            The module, and what follows it.
        log
            Where it prints to.
        keep
            Another file descriptor that it gets, with the same number.
        """
        wanted = {"arguments": [*arguments], "env": dict(env), "cwd": cwd, "keep": keep}
        return Forked(self, self.ask(wanted, log, keep))

    def ask(self, request: Mapping[str, Any], *descriptors: int) -> Any:
        """What it answers."""
        with self._asking:
            socket.send_fds(self._mine, [json.dumps(request).encode()], descriptors)
            answer = self._mine.recv(1 << 16)
        assert answer, "the process that has imported the code is gone"
        return json.loads(answer)

    def close(self) -> None:
        """End it; what it has forked goes on."""
        self._mine.close()
        self._process.wait(PATIENCE_S)


@cache
def nursery() -> Nursery:
    """The one of this process."""
    return Nursery()


def _serve(asked: socket.socket) -> None:
    """Fork for whoever asks; return in what was forked, and when nobody is left who could ask."""
    without_iris()
    for name in _IMPORTED:
        __import__(name)
    # What is here for good need not be looked through again, nor be copied for that, in each fork.
    gc.collect()
    gc.freeze()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    while True:
        message, descriptors, _, _ = socket.recv_fds(asked, 1 << 17, 2)
        if not message:
            return
        request = json.loads(message)
        if "wait" in request:
            told = _waited(request["wait"], request["timeout"])
        else:
            told = os.fork()
            if told == 0:
                asked.close()
                _become(request, *descriptors)
                return
            for one in descriptors:
                os.close(one)
        asked.send(json.dumps(told).encode())


def _waited(pid: int, timeout: float | None) -> int | None:
    deadline = time.monotonic() + (1e6 if timeout is None else timeout)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        signal.sigtimedwait([signal.SIGCHLD], left)


def _become(request: Mapping[str, Any], log: int, keep: int) -> None:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for number in (1, 2):
        os.dup2(log, number)
    os.close(log)
    if keep != request["keep"]:
        os.dup2(keep, request["keep"])
        os.close(keep)
    os.set_inheritable(request["keep"], True)
    sys.path[0] = request["cwd"]
    sys.argv = request["arguments"]
    # What else would have been read from the environment by now.
    faulthandler.enable()
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [one for one in paths if one and one not in sys.path]
    points.arm(os.environ.get(points.VARIABLE))
    if fake_nvml.VARIABLE in os.environ:
        fake_nvml.load(Path(os.environ["LD_LIBRARY_PATH"], fake_nvml.LIBRARY))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
