"""Have what a person does with a widget handled at once, also while a cell runs.

A kernel that has subshells (ipykernel 7) handles what comes for a widget where the widget's last
message said: by default in the main thread, which is busy with the cell. So there is a subshell for
the widgets of this package, and all that they send says that it is sent from there.
"""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable
from typing import TypeVar

from jupyter_training.notebook.kernel import kernel

_T = TypeVar("_T")

_PATIENCE_S = 10.0


class Answering:
    """Where the widgets are answered."""

    def __init__(self) -> None:
        self._context = contextvars.copy_context()
        self._context.run(_be_in_subshell)

    def run(self, action: Callable[[], _T]) -> _T:
        """Do something that sends to widgets; from any thread, and also within itself."""
        return self._context.copy().run(action)


def _be_in_subshell() -> None:
    subshell = _subshell()
    if subshell is None:
        return
    from ipykernel.kernelbase import Kernel

    ours = kernel()
    told = ours.get_parent("shell")
    parent = {**told, "header": {**told.get("header", {}), "subshell_id": subshell}}
    # Not the method of the IPython kernel, which would lead away what the running cell prints.
    Kernel.set_parent(ours, [], parent, "shell")  # type: ignore[no-untyped-call]


@functools.cache
def _subshell() -> str | None:
    """The subshell of this kernel for widgets; None if it has none."""
    if "kernel subshells" not in getattr(kernel(), "kernel_info", {}).get("supported_features", ()):
        return None
    from ipykernel.connect import get_connection_file
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient(connection_file=get_connection_file())
    client.load_connection_file()
    client.start_channels(shell=False, iopub=False, stdin=False, hb=False, control=True)
    try:
        client.control_channel.send(client.session.msg("create_subshell_request", {}))
        # The kernel answers this in another thread than the one that runs cells.
        reply = client.get_control_msg(timeout=_PATIENCE_S)
        found: str | None = reply["content"].get("subshell_id")
        return found
    finally:
        client.stop_channels()
