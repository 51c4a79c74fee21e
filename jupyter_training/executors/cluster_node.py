"""What runs on the machines of a cluster for us: a supervisor, and who looks after it.

A cluster is told to run a program of ours, which forks a supervisor, the same one that local jobs
have, so that log, exit record, limits and ends are the same.

Server and nodes talk by files in the attempt's directory, which all of them see:

``launch.json``
    What is to be run.
``started.json``, ``exit.json``
    The supervisor's records. The first is also the fence: an attempt that somebody has taken, be it
    a server that gave it up or an earlier run of the same script, does not run.
``alive.json``
    What the job uses, written again and again: who reads it knows that this program lives.
``waits.json``
    Why a distributed job has been begun and its nodes have not, where that is so.
``stop.json``
    Appears when the job is to end, and may take its grace period.
``told.json``
    Appears when a job of several nodes is to end and nobody here has asked for it: the cluster has
    told the first node, or has lost one.
``revoked.json``
    Appears when the attempt is given up although it may still run, because the cluster has lost its
    node or begins it again: then it is killed, and nobody runs beside the next attempt.

Each change is also told by a file in a directory of all attempts, which wakes the server.

Standard library only, and no import that is not needed here.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time

from jupyter_training.executors import guard as guards
from jupyter_training.executors.processes import ON_LINUX, Processes, boot_id, descendants
from jupyter_training.executors.records import EXIT
from jupyter_training.executors.supervisor import supervise

TYPE_CHECKING = False  # that of typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any, NoReturn

LAUNCH, ALIVE, STOP, REVOKED = "launch.json", "alive.json", "stop.json", "revoked.json"
WAITS, TOLD = "waits.json", "told.json"

NOT_SHARED, NO_PYTHON, NOT_OURS = 113, 114, 115
"""How the script ends that cannot begin: it does not see the attempt's directory, or the
interpreter, or somebody has taken the attempt."""

_LOOK_S = 0.5
_YOUNG_S = 60.0
_PR_SET_PDEATHSIG = 1


class Node:
    """The supervisor of this node, from its start to its end.

    Parameters
    ----------
    whole, launch
        What is to be run in all, and here.
    where
        What is to be known of the place where this runs.
    env
        What the job finds in its environment beside what the server has written.
    also
        Where else it may be said that this is to end.
    """

    def __init__(
        self,
        whole: dict[str, Any],
        launch: dict[str, Any],
        where: dict[str, Any],
        env: dict[str, str],
        also: list[str],
    ) -> None:
        self._whole, self._launch, self._where, self._env = whole, launch, where, env
        self._directory = launch["directory"]
        self._places = [self._directory, *also]
        self._pid = 0
        self._gauge: Any = None
        self._identity: dict[str, Any] | None = None
        self._is_asked = False
        self._began = time.monotonic()
        self._next_sign = 0.0

    def run(self) -> int:
        """Run it, and return how this program is to end."""
        signals, wake = wake_on_signals()
        told, tell = os.pipe()
        launch = {
            **self._launch,
            "env": {**self._launch["env"], **self._env},
            "umask": os.umask(0o077),
            "boot_id": boot_id(),
            "memory_home": guards.find_home(),
            "where": self._where,
        }
        self._pid = os.fork()
        if self._pid == 0:
            try:
                for end in (signals, wake, told):
                    os.close(end)
                os.set_inheritable(tell, False)
                _outlive_parent_a_little()
                supervise(launch, tell)
            finally:
                os._exit(0)
        os.close(tell)
        return self._watch(signals, told)

    def _watch(self, signals: int, told: int) -> int:
        poll = select.poll()
        for file in (signals, told):
            poll.register(file, select.POLLIN)
        ours = True
        while True:
            for ready, event in poll.poll(_LOOK_S * 1000):
                if ready == signals:
                    if signal.SIGTERM in os.read(signals, 4096):
                        self._ask_to_end()
                elif event & select.POLLIN:
                    for line in os.read(told, 1 << 16).splitlines():
                        ours &= self._heard(json.loads(line))
                else:
                    poll.unregister(told)
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                break
            self._look()
        if not ours:
            return NOT_OURS
        tell_server(self._whole, self._launch["token"])
        return _code(self._directory)

    def _heard(self, message: dict[str, Any]) -> bool:
        """What the supervisor says; whether the attempt is ours."""
        if "failed" in message:
            return False
        if "pid" in message:
            self._identity, self._next_sign = message, time.monotonic() + _LOOK_S
            tell_server(self._whole, self._launch["token"])
        return True

    def _look(self) -> None:
        if any(os.path.exists(os.path.join(one, REVOKED)) for one in self._places):
            for pid in descendants(self._pid):
                _kill(pid, signal.SIGKILL)
        elif not self._is_asked and any(
            os.path.exists(os.path.join(one, name)) for one in self._places for name in (STOP, TOLD)
        ):
            self._ask_to_end()
        if time.monotonic() >= self._next_sign:
            self._sign()

    def _ask_to_end(self) -> None:
        if not self._is_asked:
            self._is_asked = True
            _kill(self._pid, signal.SIGTERM)

    def _sign(self) -> None:
        """Give a sign of life."""
        if self._identity is None:
            return
        if self._gauge is None:
            # Half of all imports; a job that is over before it needs a gauge does without.
            from jupyter_training.executors.gauges import LocalGauge

            self._gauge = LocalGauge(self._identity["token"], self._identity)
        at = time.time()  # what is read is not older than that
        used = self._gauge.read(Processes())
        content = {
            "at": at,
            "cpu_seconds": None if used is None else used.cpu_seconds,
            "memory_bytes": None if used is None else used.memory_bytes,
        }
        appear(os.path.join(self._directory, ALIVE), content)
        now, pause_s = time.monotonic(), self._whole["alive_s"]
        is_young = now - self._began < _YOUNG_S
        self._next_sign = now + (min(1.0, pause_s) if is_young else pause_s)


def wake_on_signals() -> tuple[int, int]:
    """What can be read when a signal comes, and what it is written to."""
    signals, wake = os.pipe()
    for end in (signals, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    # Clusters wake what they have suspended, and ask it to end, with these.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGCONT):
        signal.signal(number, signal.SIG_IGN if number != signal.SIGCONT else signal.SIG_DFL)
    return signals, wake


def _outlive_parent_a_little() -> None:
    """Have this process told when its parent is gone, and by nobody who kills the parent's group.

    So a job whose cluster has gone down may save its work, all of its processes are ended, and how
    it ended is written.
    """
    os.setsid()
    if ON_LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        pass


def appear(path: str, content: dict[str, Any]) -> None:
    """Let a file appear, or change, whole."""
    draft = f"{path}.{os.getpid()}"
    try:
        with open(draft, "w") as file:
            json.dump(content, file)
        os.rename(draft, path)
    except OSError:
        pass  # the file system is away or full; the next sign will come


def tell_server(launch: dict[str, Any], token: str) -> None:
    """Let a file appear that wakes the server, which finds the rest in the records."""
    try:
        os.close(os.open(os.path.join(launch["told"], token), os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError:
        pass  # it looks now and then anyway


def _code(directory: str) -> int:
    """The end of the job for the cluster: a code, or the negative number of a signal."""
    try:
        with open(os.path.join(directory, EXIT)) as file:
            record = json.load(file)
        if record["signal"]:
            return -int(record["signal"])
        return 1 if record["exit_code"] is None else int(record["exit_code"])
    except (OSError, ValueError, KeyError, TypeError):
        return 1


def leave(code: int) -> NoReturn:
    """End this program with a code, or by the signal of a negative number."""
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
        code = 128 - code
    sys.stdout.flush()
    os._exit(code)
