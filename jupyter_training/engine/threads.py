"""A thread for what may hang: nobody has to wait for its end, not even the end of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")


def begin(call: Callable[[], _T], name: str) -> Future[_T]:
    """Begin a call in a thread of its own.

    Threads of a pool are joined when the interpreter ends, so one that hangs there hangs it, too.

    Parameters
    ----------
    name
        The thread's name.
    """
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # whoever asks for the result gets it
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
