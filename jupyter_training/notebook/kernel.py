"""Whether this process is the kernel of a notebook."""

from __future__ import annotations

import sys
from typing import Any


def kernel() -> Any:
    """The kernel that this process is; None if it is none."""
    # Whoever is in one has imported it already, and a terminal does not wait for it.
    ipython: Any = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None)
