"""Another package that adds an executor, and how it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from jupyter_training.executors.registry import GROUP


def install(place: Path, **executors: str) -> None:
    """Put it into a directory from which Python imports, with these entry points."""
    shutil.copy(Path(__file__).with_name("cluster_of_another_package.py"), place)
    about = place / "another_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: another-package\nVersion: 1.0\n")
    lines = [f"{name} = {value}\n" for name, value in executors.items()]
    (about / "entry_points.txt").write_text(f"[{GROUP}]\n{''.join(lines)}")
