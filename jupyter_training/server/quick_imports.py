"""What makes it quicker to import Jupyter's server."""

from __future__ import annotations

import sys


def without_iris() -> None:
    """Have jsonschema check no IRIs in this process, if it is not imported yet.

    It builds a grammar of them when it is imported, which takes more than half the time in which a
    server starts, and leaves out what it does not find. No schema of ours or of Jupyter's has one.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
