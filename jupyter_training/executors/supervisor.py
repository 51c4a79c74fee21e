"""The process that stays with a local job when everything else is gone.

Run as a program, this module is the *launcher*: one per server, a bare interpreter that reads one
launch a line from its standard input and forks a *supervisor* for each. A fork shares the
launcher's memory, so a supervisor costs a few megabytes and milliseconds and not an interpreter.
The launcher ends with its server; supervisors, each in a session of its own, do not.

A supervisor claims its attempt, runs the command, copies what it prints into the log, ends it when
it is told to or when its time is over, waits until no process of it is left, and writes how it
ended: see `records`. What keeps it within the memory that it was given is in `memory`.

Standard library only, and no import that is not needed here.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import json
import os
import select
import signal
import sys
import time

from jupyter_training.executors import guard as guards
from jupyter_training.executors import memory
from jupyter_training.executors.log_files import LogFile
from jupyter_training.executors.processes import ON_LINUX, boot_id, descendants, start_time
from jupyter_training.executors.records import LOG, claim, open_exit, write_exit

TYPE_CHECKING = False  # that of typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any, NoReturn

TOKEN_VARIABLE = "JUPYTER_TRAINING_ATTEMPT_TOKEN"
"""In the environment of every process of an attempt; by it what is left of one is found."""

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36
_CHUNK = 1 << 16
_LEFTOVERS_S = 1.0
_UNGUARDED = b"\0"
"""Said by a job that could not join the group that was to keep it within its memory."""

_libc = ctypes.CDLL(None, use_errno=True)


def serve(server: int) -> None:
    """The launcher: fork a supervisor for each line of standard input, until it is closed.

    Parameters
    ----------
    server
        A pipe on which the supervisors tell the server what happens.
    """
    os.set_inheritable(server, False)  # the job is not to write there
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended supervisors leave no zombies
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.chdir("/")
    same_for_all = {
        "umask": os.umask(0o077),
        "boot_id": boot_id(),
        "memory_home": guards.find_home(),
    }
    # Garbage collection would write into pages that the forks share.
    gc.disable()
    gc.freeze()
    for line in sys.stdin.buffer:
        try:
            child = os.fork()
        except OSError as error:
            launch = json.loads(line)
            failed = f"no new process: {error.strerror}"
            _tell(server, {"token": launch["token"], "failed": failed})
            continue
        if child == 0:
            _be_supervisor(line, server, same_for_all)


def _be_supervisor(line: bytes, server: int, same_for_all: dict[str, Any]) -> NoReturn:
    try:
        os.setsid()
        supervise({**same_for_all, **json.loads(line)}, server)
    finally:
        os._exit(0)


def _tell(server: int, message: dict[str, Any]) -> None:
    """Tell the server, if it listens, what stands in the files anyway."""
    ready = select.poll()
    ready.register(server, select.POLLOUT)
    try:
        # A server that was stopped and reads nothing must not hold us up.
        if any(event == select.POLLOUT for _, event in ready.poll(0)):
            # One write of less than PIPE_BUF bytes is not mixed with those of other supervisors.
            os.write(server, json.dumps(message).encode() + b"\n")
    except OSError:
        pass  # the server is gone; the next one reads the files


def supervise(launch: dict[str, Any], server: int) -> None:
    """Run one attempt to its end.

    Parameters
    ----------
    launch
        ``token``, ``directory`` (of the attempt), ``argv``, ``env``, ``cwd``, ``time_limit_s`` (or
        None), ``grace_s``, ``log_limit`` (bytes, 0 for none), ``umask``, ``boot_id``, what
        `guards.guard` takes, and perhaps ``where``: what else is to be known of where it runs.
    server
        A pipe to the server.
    """
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    signals, wake = os.pipe()
    for end in (signals, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for handled in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(handled, lambda *_: None)
    if ON_LINUX:
        # Whatever the job leaves behind becomes our child, so nothing escapes.
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        _libc.prctl(_PR_SET_NAME, b"jupyter-train", 0, 0, 0)
    identity = {
        **launch.get("where", {}),
        "token": launch["token"],
        "pid": os.getpid(),
        "start_time": start_time(os.getpid()),
        "boot_id": launch["boot_id"],
        "started_at": time.time(),
    }
    if not claim(launch["directory"], identity):
        _tell(server, {"token": launch["token"], "failed": "this attempt was given up"})
        return
    record = open_exit(launch["directory"])
    log = LogFile(os.path.join(launch["directory"], LOG), launch["log_limit"])
    job, failure = _start(launch, guards.guard(launch))
    if failure is not None:
        failed = _exit(cause="launch_failed", detail=failure)
        write_exit(launch["directory"], record, failed)
    _tell(server, {**identity, "launched": failure is None})
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    if failure is None:
        ended = _Watch(launch, signals, job, log).run()
        # A server that hears it writes it into its database; the record is for all others, and
        # nobody has to wait until that is on disk.
        _tell(server, {"token": launch["token"], "exit": ended})
        write_exit(launch["directory"], record, ended)
    job.guard.close()


def _start(launch: dict[str, Any], guard: guards.Guard) -> tuple[_Job, str | None]:
    """Fork the job and wait until it runs its program, or tells why it can't."""
    output, printed = os.pipe()
    trouble, told = os.pipe()  # closed by the exec that succeeds
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            signal.set_wakeup_fd(-1)
            if not guard.join():
                os.write(told, _UNGUARDED)
            _become(launch, printed, supervisor)
        except BaseException as error:
            os.write(told, str(error).encode("utf-8", "replace")[:1000])
        finally:
            os._exit(127)
    os.close(printed)
    os.close(told)
    with os.fdopen(trouble, "rb") as file:
        failure = file.read()
    if failure.startswith(_UNGUARDED):
        failure = failure[len(_UNGUARDED) :]
        guard.close()
        guard = guards.watch(launch["memory_bytes"])
    job = _Job(pid, output, guard)
    if not failure:
        return job, None
    os.waitpid(pid, 0)
    return job, failure.decode("utf-8", "replace")


def _become(launch: dict[str, Any], printed: int, supervisor: int) -> NoReturn:
    """Turn this fork into the job."""
    os.setsid()
    if ON_LINUX:
        # Without its supervisor nobody would know how the job ended, nor stop it.
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(127)
    # Signals with a handler are set back by the exec; those that are ignored would stay so.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    os.umask(launch["umask"])
    what = launch["cwd"]
    try:
        os.chdir(what)
        what = launch["argv"][0]
        os.execvpe(what, launch["argv"], launch["env"])
    except OSError as error:
        # Named as it was asked for: the error has where it was looked for last.
        raise OSError(f"{what}: {error.strerror}") from None


class _Job:
    """The main process of the job, the pipe that it prints into, and what guards its memory."""

    def __init__(self, pid: int, output: int, guard: guards.Guard) -> None:
        self.pid, self.output, self.guard = pid, output, guard
        os.set_blocking(output, False)


class _Watch:
    """From the start of the job to the end of its last process."""

    def __init__(self, launch: dict[str, Any], signals: int, job: _Job, log: LogFile) -> None:
        self._launch, self._signals, self._job, self._log = launch, signals, job, log
        self._grace_s = float(launch["grace_s"])
        limit = launch["time_limit_s"]
        self._deadline = None if limit is None else time.monotonic() + limit
        # The steps of an end that is not the job's own: when, and which signal to whom.
        self._steps: list[tuple[float, int, bool]] = []
        self._status: int | None = None
        self._why: dict[str, str] = {}
        self._cpu_s = 0.0
        self._largest = 0

    def run(self) -> dict[str, Any]:
        """Watch to the end; how it ended."""
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        poll.register(self._job.output, select.POLLIN)
        while not self._reap():
            for ready, _ in poll.poll(self._timeout_ms()):
                if ready == self._job.output and not self._copy():
                    poll.unregister(ready)  # everybody has closed it
                elif ready == self._signals and self._told_to_stop():
                    self._end(
                        cause="node_lost",
                        detail="it was told to stop, as happens when a machine is shut down",
                    )
            self._act()
        while self._copy():
            pass
        self._log.close()
        killed, told, peak = self._job.guard.account()
        why = memory.verdict(self._status == 0, killed, told, self._why)
        return {
            **_exit(status=self._status, peak_memory_gb=peak, **why),
            "cpu_seconds": round(self._cpu_s, 6),
            "largest_process_bytes": self._largest,
        }

    def _reap(self) -> bool:
        """Collect what has ended; whether nothing is left."""
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            # With all those that it has waited for itself; what it left behind we wait for.
            self._cpu_s += used.ru_utime + used.ru_stime
            self._largest = max(self._largest, used.ru_maxrss * (1024 if ON_LINUX else 1))
            if pid == self._job.pid:
                self._status = status
                self._end_the_rest()

    def _end_the_rest(self) -> None:
        """What the job left running may finish by itself, for a moment; it is not waited for."""
        now = time.monotonic()
        if self._steps:  # it was being ended, and the rest gets what is left of its time
            self._steps = [(now, signal.SIGTERM, True), self._steps[-1]]
        else:
            asked = now + _LEFTOVERS_S
            self._steps = [
                (asked, signal.SIGTERM, True),
                (asked + self._grace_s, signal.SIGKILL, True),
            ]

    def _copy(self) -> bool:
        """Move some of what was printed into the log; False when there is nothing."""
        try:
            chunk = os.read(self._job.output, _CHUNK)
        except BlockingIOError:
            return False  # after a poll that said otherwise, this does not happen
        if chunk:
            self._log.write(chunk)
        return bool(chunk)

    def _told_to_stop(self) -> bool:
        return signal.SIGTERM in os.read(self._signals, 4096)

    def _end(self, **why: str) -> None:
        """Begin to end the job: ask its main process, then all of them, then no longer ask.

        A script that is asked can save its work with the help of its own workers, which is why
        they are not asked at the same time; but a shell that waits for its child never hears of it.
        """
        if self._steps or self._status is not None:
            return
        self._why = why
        now = time.monotonic()
        self._steps = [
            (now, signal.SIGTERM, False),
            (now + self._grace_s / 2, signal.SIGTERM, True),
            (now + self._grace_s, signal.SIGKILL, True),
        ]

    def _timeout_ms(self) -> float | None:
        moments = [when for when, _, _ in self._steps[:1]]
        if self._deadline is not None and not self._steps:
            moments.append(self._deadline)
        if self._job.guard.due is not None:
            moments.append(self._job.guard.due)
        if not moments:
            return None
        return max(0.0, min(moments) - time.monotonic()) * 1000 + 1

    def _act(self) -> None:
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline:
            self._end(
                cause="timed_out",
                detail=f"it ran for its time limit of {self._launch['time_limit_s']:g} s",
            )
        due = self._job.guard.due
        if due is not None and now >= due and self._job.guard.look():
            # Nobody is asked: by the time that it has saved its work the machine may be out of
            # memory, and it with it.
            self._steps = [(now, signal.SIGKILL, True)]
        while self._steps and self._steps[0][0] <= now:
            _, number, everybody = self._steps.pop(0)
            self._signal(number, everybody)
            if number == signal.SIGKILL:
                # A process may have been born meanwhile; look again until none is left.
                self._steps = [(now + 0.05, signal.SIGKILL, True)]

    def _signal(self, number: int, everybody: bool) -> None:
        if not everybody:
            pids = [self._job.pid]
        elif ON_LINUX:
            pids = descendants(os.getpid())
        else:
            pids = [-self._job.pid]  # its process group; the system offers no more
        for pid in pids:
            try:
                os.kill(pid, number)
            except OSError as error:
                if error.errno not in (errno.ESRCH, errno.EPERM):
                    raise


def _exit(
    status: int | None = None,
    cause: str | None = None,
    detail: str = "",
    peak_memory_gb: float | None = None,
) -> dict[str, Any]:
    """What is told and written of an end, as of now."""
    ended_by = os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else None
    return {
        "exit_code": None if status is None or ended_by else os.WEXITSTATUS(status),
        "signal": ended_by,
        "cause": cause,
        "detail": detail[:1000],
        "peak_memory_gb": peak_memory_gb,
        "ended_at": time.time(),
    }
