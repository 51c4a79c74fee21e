"""Run jobs as processes of this machine, each under its own supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jupyter_training.executors import supervisor
from jupyter_training.executors.base import Ended, Found, Launch
from jupyter_training.jobs.lifecycle import Cause, Exit

SECRET_PREFIXES = ("JPY_", "JUPYTERHUB_")
SECRETS = frozenset({"JUPYTER_TOKEN", "JUPYTER_TRAINING_TOKEN"})
"""What a server's environment holds that would let a job act as its user on the server."""

_MAX_LINE = 1 << 20
_SWEEP_S = 0.5


def environment(inherited: Mapping[str, str], launch: Launch) -> dict[str, str]:
    """The environment of a job.

    Parameters
    ----------
    inherited
        That of the server, which is not passed on as it is: its secrets stay behind.
    """
    env = {
        name: value
        for name, value in inherited.items()
        if name not in SECRETS and not name.startswith(SECRET_PREFIXES)
    }
    # Numeric libraries start a thread per core of the machine; the job was given fewer.
    env["OMP_NUM_THREADS"] = str(launch.cpu_cores)
    # Into a pipe Python would print by blocks, and the log would be minutes behind.
    env["PYTHONUNBUFFERED"] = "1"
    env.update(launch.env)
    if os.path.isabs(launch.argv[0]):
        # As in an activated environment: `torchrun` of the same one is found by its name.
        paths = [os.path.dirname(launch.argv[0]), *filter(None, [env.get("PATH", os.defpath)])]
        env["PATH"] = os.pathsep.join(paths)
    if launch.python_path is not None:
        paths = [launch.python_path, *filter(None, [env.get("PYTHONPATH")])]
        env["PYTHONPATH"] = os.pathsep.join(paths)
    env["CUDA_VISIBLE_DEVICES"] = ",".join(launch.gpus)
    env[supervisor.TOKEN_VARIABLE] = launch.token
    return env


class LocalExecutor:
    """Processes of this machine.

    Parameters
    ----------
    grace_s
        How long a job may take to end after it was asked to (s).
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._launcher: _Launcher | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Start the launcher now, so that the first job need not wait for it."""
        await self._open_launcher()

    async def start(self, launch: Launch) -> Found:
        """Start an attempt; see `Executor`."""
        request = {
            "token": launch.token,
            "directory": str(launch.directory),
            "argv": launch.argv,
            "env": environment(os.environ, launch),
            "cwd": launch.cwd,
            "time_limit_s": launch.time_limit_s,
            "grace_s": self._grace_s,
        }
        launcher = await self._open_launcher()
        reply = await launcher.start(launch.token, json.dumps(request).encode() + b"\n")
        if reply is None or "pid" not in reply:
            # Nobody answered, or nobody could: the files tell how far it came.
            return await self.find(launch.token, launch.directory)
        if not reply["launched"]:
            return await asyncio.to_thread(_look, launch.token, launch.directory)
        return Found(launch.token, launch.directory, reply, _utc(reply["started_at"]))

    async def find(self, token: str, directory: Path) -> Found:
        """Find an attempt; see `Executor`."""
        return await asyncio.to_thread(_look, token, directory)

    async def wait(self, found: Found) -> Ended:
        """Wait for an attempt; see `Executor`."""
        while found.ended is None:
            await _process_ends(found.handle["pid"], found.handle["start_time"])
            found = await self.find(found.token, found.directory)
        return found.ended

    async def stop(self, found: Found) -> None:
        """Stop an attempt; see `Executor`."""
        handle = found.handle
        if found.ended is None and supervisor.start_time(handle["pid"]) == handle["start_time"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(handle["pid"], signal.SIGTERM)

    async def close(self) -> None:
        """End the launcher; the supervisors stay."""
        if self._launcher is not None:
            await self._launcher.close()
            self._launcher = None

    async def _open_launcher(self) -> _Launcher:
        async with self._opening:
            if self._launcher is None or self._launcher.ended:
                self._launcher = await _Launcher.open()
            return self._launcher


class _Launcher:
    """The process that forks the supervisors, seen from the server."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._replies: dict[str, asyncio.Future[dict[str, Any] | None]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls) -> _Launcher:
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", supervisor.__file__),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                # A Ctrl-C in the server's terminal is not meant for it.
                start_new_session=True,
                limit=_MAX_LINE,
            )
        )

    @property
    def ended(self) -> bool:
        return self._reading.done()

    async def start(self, token: str, request: bytes) -> dict[str, Any] | None:
        """Have a supervisor forked; None if the launcher died of it."""
        if token in self._replies:
            return await self._replies[token]
        reply: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._replies[token] = reply
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(request)
            await self._process.stdin.drain()
            if self.ended:
                return None
            return await reply
        except ConnectionError:
            return None
        finally:
            self._replies.pop(token, None)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            async for line in self._process.stdout:
                reply = json.loads(line)
                waiting = self._replies.get(reply["token"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply)
        finally:
            for waiting in self._replies.values():
                if not waiting.done():
                    waiting.set_result(None)

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _look(token: str, directory: Path) -> Found:
    """Read from an attempt's directory, and from the processes there are, where it stands."""
    started = _read_json(directory / supervisor.STARTED)
    if started is None:
        given_up = {"token": token, "given_up_by": os.getpid()}
        try:
            ours = supervisor.claim(str(directory), given_up)
        except FileNotFoundError:
            ours = True  # where there is no directory, no supervisor can claim it
        if ours:
            return _lost(token, directory, {}, None, "the server ended before the job was started")
        started = _read_json(directory / supervisor.STARTED) or {}
    try:
        return _understand(token, directory, started)
    except (KeyError, TypeError, ValueError):
        # The job can write there. Whatever it wrote, it does not outlive this.
        return _lost(token, directory, {}, None, "the records of its supervisor were damaged")


def _understand(token: str, directory: Path, started: dict[str, Any]) -> Found:
    if "pid" not in started:
        return _lost(token, directory, {}, None, "the server ended before the job was started")
    started_at = _utc(started["started_at"])
    same_boot = started["boot_id"] == supervisor.boot_id()
    lives = same_boot and supervisor.start_time(started["pid"]) == started["start_time"]
    # In this order: a supervisor that is gone has written its record before.
    record = _read_json(directory / supervisor.EXIT)
    if record is not None:
        cause = Cause(record["cause"]) if record["cause"] else None
        exit_ = Exit(record["exit_code"], record["signal"], cause, record["detail"])
        launched = cause is not Cause.LAUNCH_FAILED
        ended = Ended(exit_, _utc(record["ended_at"]))
        return Found(token, directory, started, started_at if launched else None, ended)
    if lives:
        return Found(token, directory, started, started_at)
    why = "its supervisor was killed" if same_boot else "the machine was restarted"
    return _lost(token, directory, started, started_at, why)


def _lost(
    token: str,
    directory: Path,
    handle: dict[str, Any],
    started_at: datetime | None,
    why: str,
) -> Found:
    _kill_all_of(token)
    ended = Ended(Exit(cause=Cause.NODE_LOST, detail=why), datetime.now(timezone.utc))
    return Found(token, directory, handle, started_at, ended)


def _kill_all_of(token: str) -> None:
    """Kill every process that carries an attempt's token, and return when none is left."""
    mark = f"{supervisor.TOKEN_VARIABLE}={token}".encode()
    while left := [pid for pid in _pids() if mark in _environ(pid) and supervisor.start_time(pid)]:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _pids() -> list[int]:
    if not os.path.isdir("/proc/self"):
        return []
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _environ(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        content = None
    return content if isinstance(content, dict) else {}


async def _process_ends(pid: int, started: float) -> None:
    """Wait until a process, told from a later one of the same pid by its start, is gone."""
    if not hasattr(os, "pidfd_open"):
        while supervisor.start_time(pid) == started:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(_SWEEP_S)
        return
    try:
        file = os.pidfd_open(pid)
    except OSError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(file, ended.set)
    try:
        # Only now is it certain which process the descriptor stands for.
        if supervisor.start_time(pid) == started:
            await ended.wait()
    finally:
        loop.remove_reader(file)
        os.close(file)
