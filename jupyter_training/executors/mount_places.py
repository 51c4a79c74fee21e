"""Makes the places of mounts that lie within other mounts, before an engine does.

An engine makes what is missing of them as root, in the directory of a person, who could then
neither write there nor delete it.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_training.executors.containers import Mount


def make_places(mounts: Sequence[Mount]) -> None:
    """Make the directories, or the empty files, on this machine over which mounts are put.

    No link is followed: what a link leads to in a container is another thing than it is here. What
    cannot be made is left to the engine, which says why.
    """
    for mount in mounts:
        target = PurePosixPath(posixpath.normpath(mount.target))
        around = [one for one in mounts if PurePosixPath(one.target) in target.parents]
        if not around:
            continue  # in the image, which no person keeps
        innermost = max(around, key=lambda one: len(PurePosixPath(one.target).parts))
        if not innermost.read_only:
            with contextlib.suppress(OSError):
                below = target.relative_to(innermost.target).parts
                _make(innermost.source, below, as_file=os.path.isfile(mount.source))


def _make(directory: str, below: Sequence[str], *, as_file: bool) -> None:
    here = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in below[:-1] if as_file else below:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=here)
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = inner
        if as_file:
            os.close(os.open(below[-1], os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=here))
    finally:
        os.close(here)
