"""Run jobs as processes of this machine, each under its own supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jupyter_training
from jupyter_training.executors.base import Ended, Found, Launch
from jupyter_training.executors.gauges import Gauge, LocalGauge
from jupyter_training.executors.memory import GB
from jupyter_training.executors.processes import ON_LINUX, boot_id, start_time
from jupyter_training.executors.records import EXIT, STARTED, claim
from jupyter_training.executors.registry import Plugin
from jupyter_training.executors.supervised import ended_of, read_record, utc
from jupyter_training.executors.supervisor import TOKEN_VARIABLE
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.points import Point, reach

SECRET_PREFIXES = ("JPY_", "JUPYTERHUB_")
SECRETS = frozenset({"JUPYTER_TOKEN", "JUPYTER_TRAINING_TOKEN"})
"""What a server's environment holds that would let a job act as its user on the server."""

_Record = dict[str, Any]
"""What a supervisor writes down or tells: who it is, or how its job ended."""

_LAUNCHER = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from jupyter_training.executors.supervisor import serve; serve(int(sys.argv[2]))"
)
PACKAGES = str(Path(jupyter_training.__file__).parents[1])
"""Without its site packages an interpreter is there sooner, and smaller; ours are found by this."""

_MAX_LINE = 1 << 20
_SWEEP_S = 0.5
_REPLY_S = 30.0
"""After this it is assumed that a supervisor's answer was lost, and its files are read (s)."""


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
    program = launch.argv[0] if os.path.isabs(launch.argv[0]) else None
    if program is None and "PATH" not in launch.env:
        # Where nothing is said of it, `python` is that of the server, as for a kernel.
        program = sys.executable
    if program is not None:
        # As in an activated environment: `torchrun` of the same one is found by its name.
        paths = [os.path.dirname(program), *filter(None, [env.get("PATH", os.defpath)])]
        env["PATH"] = os.pathsep.join(paths)
    if launch.python_path is not None:
        paths = [launch.python_path, *filter(None, [env.get("PYTHONPATH")])]
        env["PYTHONPATH"] = os.pathsep.join(paths)
    env["CUDA_VISIBLE_DEVICES"] = ",".join(launch.gpus)
    env[TOKEN_VARIABLE] = launch.token
    return env


class LocalExecutor:
    """Processes of this machine.

    Parameters
    ----------
    grace_s
        How long a job may take to end after it was asked to (s).
    log_limit
        How much of what a job prints is kept (bytes); 0 for all.
    """

    def __init__(self, grace_s: float, *, log_limit: int = 0) -> None:
        self._grace_s, self._log_limit = grace_s, log_limit
        self._launcher: _Launcher | None = None
        self._opening = asyncio.Lock()
        self._ends: dict[str, asyncio.Future[_Record]] = {}

    async def open(self) -> None:
        """Start the launcher now, so that the first job need not wait for it."""
        await self._open_launcher()

    async def why_not(self, image: str | None) -> str | None:
        """Nothing keeps it from running jobs."""
        return None

    async def start(self, launch: Launch) -> Found:
        """Start an attempt; see `Executor`."""
        request = {
            "token": launch.token,
            "directory": str(launch.directory),
            "argv": launch.argv,
            "env": environment(os.environ, launch),
            "cwd": launch.cwd,
            "memory_bytes": launch.memory_gb * GB,
            "time_limit_s": launch.time_limit_s,
            "grace_s": self._grace_s,
            "log_limit": self._log_limit,
        }
        launcher = await self._open_launcher()
        reply = await launcher.start(launch.token, json.dumps(request).encode() + b"\n")
        if reply is None or "pid" not in reply:
            # Nobody answered, or nobody could: the files tell how far it came.
            return await self.find(launch.token, launch.directory)
        if not reply["launched"]:
            return await asyncio.to_thread(_look, launch.token, launch.directory)
        handle = {name: value for name, value in reply.items() if name != "launched"}
        return Found(launch.token, launch.directory, handle, utc(reply["started_at"]))

    async def find(self, token: str, directory: Path) -> Found:
        """Find an attempt; see `Executor`."""
        return await asyncio.to_thread(_look, token, directory)

    async def gauge(self, found: Found) -> Gauge | None:
        """What tells how much an attempt uses; see `Executor`."""
        return LocalGauge(found.token, found.handle) if ON_LINUX and found.handle else None

    async def wait(self, found: Found) -> Ended:
        """Wait for an attempt; see `Executor`."""
        end: asyncio.Future[_Record] = asyncio.get_running_loop().create_future()
        self._ends[found.token] = end
        try:
            while found.ended is None:
                record = await _supervisor_ends(found.handle, end)
                # One that was killed, or that another server started, has told nothing.
                found = (
                    await self.find(found.token, found.directory)
                    if record is None
                    else replace(found, ended=ended_of(record))
                )
        finally:
            self._ends.pop(found.token, None)
        return found.ended

    async def stop(self, found: Found) -> None:
        """Stop an attempt; see `Executor`."""
        handle = found.handle
        if not handle:
            return  # it starts within milliseconds, and is stopped then
        if found.ended is None and start_time(handle["pid"]) == handle["start_time"]:
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
                self._launcher = await _Launcher.open(self._has_ended)
            return self._launcher

    def _has_ended(self, token: str, record: _Record) -> None:
        end = self._ends.get(token)
        if end is not None and not end.done():
            end.set_result(record)


PLUGIN = Plugin(lambda it: LocalExecutor(it.grace_s, log_limit=it.log_limit))
"""For the registry."""


class _Launcher:
    """The process that forks the supervisors, seen from the server.

    Parameters
    ----------
    on_end
        Called with the token and the exit record of an attempt.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        pipe: asyncio.ReadTransport,
        told: asyncio.StreamReader,
        on_end: Callable[[str, _Record], None],
    ) -> None:
        self._process, self._pipe, self._on_end = process, pipe, on_end
        self._replies: dict[str, asyncio.Future[_Record | None]] = {}
        self._reading = asyncio.create_task(self._read(told))
        self._ending = asyncio.create_task(self._wait())

    @classmethod
    async def open(cls, on_end: Callable[[str, _Record], None]) -> _Launcher:
        # A pipe of its own: the supervisors, which may outlive the launcher, write there too.
        ours, theirs = os.pipe()
        told = asyncio.StreamReader(limit=_MAX_LINE)
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(told), os.fdopen(ours, "rb", 0)
        )
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", "-c", _LAUNCHER, PACKAGES, str(theirs)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs,),
                # A Ctrl-C in the server's terminal is not meant for it.
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        return cls(process, pipe, told, on_end)

    @property
    def ended(self) -> bool:
        return self._ending.done() or self._reading.done()

    async def start(self, token: str, request: bytes) -> _Record | None:
        """Have a supervisor forked; None if the launcher died of it."""
        if token in self._replies:
            return await self._replies[token]
        reply: asyncio.Future[_Record | None] = asyncio.get_running_loop().create_future()
        self._replies[token] = reply
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(request)
            await self._process.stdin.drain()
            reach(Point.START_ASKED)
            if self.ended:
                return None
            return await asyncio.wait_for(reply, _REPLY_S)
        except (ConnectionError, asyncio.TimeoutError):
            return None
        finally:
            self._replies.pop(token, None)

    async def _read(self, told: asyncio.StreamReader) -> None:
        async for line in told:
            message = json.loads(line)
            if "exit" in message:
                self._on_end(message["token"], message["exit"])
                continue
            waiting = self._replies.get(message["token"])
            if waiting is not None and not waiting.done():
                waiting.set_result(message)

    async def _wait(self) -> None:
        await self._process.wait()
        for waiting in self._replies.values():
            if not waiting.done():
                waiting.set_result(None)

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._ending
        self._pipe.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


def _look(token: str, directory: Path) -> Found:
    """Read from an attempt's directory, and from the processes there are, where it stands."""
    started = read_record(directory / STARTED)
    if started is None:
        given_up = {"token": token, "given_up_by": os.getpid()}
        try:
            ours = claim(str(directory), given_up)
        except FileNotFoundError:
            ours = True  # where there is no directory, no supervisor can claim it
        if ours:
            return _lost(token, directory, {}, None, "the server ended before the job was started")
        started = read_record(directory / STARTED) or {}
    try:
        return _understand(token, directory, started)
    except (KeyError, TypeError, ValueError):
        # The job can write there. Whatever it wrote, it does not outlive this.
        return _lost(token, directory, {}, None, "the records of its supervisor were damaged")


def _understand(token: str, directory: Path, started: dict[str, Any]) -> Found:
    if started["token"] != token:
        raise ValueError("the records of another attempt")
    if "pid" not in started:
        return _lost(token, directory, {}, None, "the server ended before the job was started")
    started_at = utc(started["started_at"])
    same_boot = started["boot_id"] == boot_id()
    lives = same_boot and start_time(started["pid"]) == started["start_time"]
    # In this order: a supervisor that is gone has written its record before.
    record = read_record(directory / EXIT)
    if record is not None:
        ended = ended_of(record)
        launched = ended.exit.cause is not Cause.LAUNCH_FAILED
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
    mark = f"{TOKEN_VARIABLE}={token}".encode()
    while left := [pid for pid in _pids() if mark in _environ(pid) and start_time(pid)]:
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


async def _supervisor_ends(
    handle: Mapping[str, Any], told: asyncio.Future[_Record]
) -> _Record | None:
    """Wait until a supervisor tells of the end of its job, or is gone.

    Returns
    -------
    dict or None
        What it told; None if it is gone and its files have to tell.
    """
    pid, started = handle["pid"], handle["start_time"]
    if not hasattr(os, "pidfd_open"):
        while not told.done() and start_time(pid) == started:
            await asyncio.wait([told], timeout=_SWEEP_S)
        return told.result() if told.done() else None
    try:
        file = os.pidfd_open(pid)
    except OSError:
        return told.result() if told.done() else None
    loop = asyncio.get_running_loop()
    gone: asyncio.Future[None] = loop.create_future()
    loop.add_reader(file, _finish, gone)
    try:
        # Only now is it certain which process the descriptor stands for.
        if start_time(pid) == started:
            either: list[asyncio.Future[Any]] = [told, gone]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(file)
        os.close(file)
        gone.cancel()
    return told.result() if told.done() else None


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
