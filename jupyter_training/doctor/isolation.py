"""Look at something in a process of its own, which may hang, crash or be killed.

What is looked at is other people's: a driver that crashes its callers, a file system that is away,
a configuration file that never ends. None of that is to be the end of the doctor.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_LEFT_S = 0.5
"""How long an answer may still take that was due while another one was waited for (s)."""

_CODE = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from jupyter_training.doctor.isolation import answer; answer()"
)


@dataclass(frozen=True)
class NoAnswer:
    """Nothing was found out.

    Attributes
    ----------
    words
        Why, as what follows "this" in a sentence.
    is_silent
        Whether the time was over; else it failed.
    """

    words: str
    is_silent: bool = False


class Look(Generic[T]):
    """A function that is called in a process of its own, from now on.

    Parameters
    ----------
    function
        A function of a module; what it takes and gives has to be known to pickle.
    timeout_s
        How long it may take (s).
    """

    def __init__(self, function: Callable[..., T], *arguments: Any, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._process = subprocess.Popen(
            # Isolated: the directory in which the doctor is called is not to be imported from.
            [sys.executable, "-I", "-c", _CODE, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        # Not as arguments, which everybody can read: there may be a password among them.
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(pickle.dumps((function, arguments)))
        self._process.stdin = None

    def result(self) -> T | NoAnswer:
        """What the function gave. This never takes much longer than it may, and never fails."""
        left_s = max(self._deadline - time.monotonic(), _LEFT_S)
        try:
            told, _ = self._process.communicate(timeout=left_s)
        except subprocess.TimeoutExpired:
            self._kill()
            return NoAnswer(f"gave no answer within {self._timeout_s:g} s", is_silent=True)
        if not told:
            return NoAnswer(f"ended without an answer ({_end(self._process.returncode)})")
        found, value = pickle.loads(told)
        if found:
            result: T = value
            return result
        return NoAnswer(f"failed ({value})")

    def _kill(self) -> None:
        self._process.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        # One that hangs in the kernel does not even die; then it is not waited for.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_LEFT_S)


def answer() -> None:
    """Call what standard input names, and write what it gives to standard output."""
    output = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)  # what libraries print is no answer
    function, arguments = pickle.loads(sys.stdin.buffer.read())
    try:
        told = pickle.dumps((True, function(*arguments)))
    except BaseException as error:
        told = pickle.dumps((False, f"{type(error).__name__}: {error}"))
    with open(output, "wb") as stream:
        stream.write(told)
    # Threads that hang are not waited for.
    os._exit(0)


def _end(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
