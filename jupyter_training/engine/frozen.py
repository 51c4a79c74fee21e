"""Where the snapshot of a job is written out, and where the job sees it.

On this machine it is below the attempt's directory. A container sees it in the place of the
directory that it is of, if that is below the server's root directory. What the snapshot covers
there is seen in a second place, which the links in it lead to.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from jupyter_training.engine import checkout
from jupyter_training.jobs.snapshots import Manifest

SNAPSHOT = "snapshot"

CONTAINER_ROOT, CONTAINER_OWN = PurePosixPath("/workspace"), PurePosixPath("/training")
"""Where a container finds the server's root directory, and what is the job's own."""

CONTAINER_OUTPUT = CONTAINER_OWN / "output"
"""Where a container finds the directory for its results, unless its job wants them elsewhere."""

CONTAINER_ORIGINAL = CONTAINER_OWN / "workspace"
"""Where a container finds the root directory as it is, if a snapshot covers part of it."""


def why_not_output(cwd: PurePosixPath, asked: str) -> str | None:
    """Why the results of a container cannot be at a path; None if they can.

    They are mounted there, and would cover what the container needs.

    Parameters
    ----------
    cwd
        Where it runs.
    """
    place = PurePosixPath(posixpath.normpath(cwd / asked))
    if any(one.is_relative_to(place) for one in (cwd, CONTAINER_ROOT, CONTAINER_OWN)):
        return (
            f"the results would take the place of all that is in {place}; "
            "name a directory of their own, such as output, or leave it out"
        )
    if place.is_relative_to(CONTAINER_OWN) and place != CONTAINER_OUTPUT:
        return f"{CONTAINER_OWN} is the job's own; there, only {CONTAINER_OUTPUT} is for results"
    return None


@dataclass(frozen=True)
class Frozen:
    """The files that came with a job.

    Attributes
    ----------
    of
        The directory that it is a snapshot of.
    base, root
        What it is written out below, and where it is then itself.
    in_container
        Where a container sees it.
    original
        Where the job sees the directory as it is; None if it does not.
    """

    manifest: Manifest
    of: PurePath
    base: Path
    root: Path
    in_container: PurePosixPath
    original: PurePath | None

    @classmethod
    def from_manifest(
        cls, manifest: Manifest, base: Path, root_dir: Path, *, container: bool
    ) -> Frozen:
        """Of a snapshot that is to be written out below `base`, for a container or not."""
        of = PurePath(manifest.root)
        in_container, original = CONTAINER_OWN / SNAPSHOT, None if container else of
        if of.is_relative_to(root_dir):
            below = of.relative_to(root_dir)
            in_container = CONTAINER_ROOT / below
            original = CONTAINER_ORIGINAL / below if container else of
        root = checkout.place(base, manifest.root)
        return cls(manifest, of, base, root, in_container, original)

    def below(self, directory: PurePath) -> PurePath:
        """A directory of those that it is a snapshot of, relative to the first of them."""
        return _below(self.of, directory)

    def mounts(self, root_dir: Path) -> list[tuple[Path, PurePath]]:
        """What of its user's files a container sees: on this machine, and in there."""
        # The outer one comes first, or it would cover the inner one.
        outer: list[tuple[Path, PurePath]] = [(root_dir, CONTAINER_ROOT)]
        covered = self.in_container == CONTAINER_ROOT
        inner: list[tuple[Path, PurePath]] = [
            (root_dir, CONTAINER_ORIGINAL),
            (self.root, self.in_container),
        ]
        return inner if covered else outer + inner

    def hidden(self, paths: Iterable[PurePath]) -> list[PurePath]:
        """Where a container sees directories of the server's own, which it is not to see.

        Parameters
        ----------
        paths
            Below the server's root directory.
        """
        hidden: list[PurePath] = []
        for path in paths:
            hidden.append(CONTAINER_ORIGINAL / path)
            # A snapshot has nothing in it that is the server's own.
            if not (CONTAINER_ROOT / path).is_relative_to(self.in_container):
                hidden.append(CONTAINER_ROOT / path)
        return hidden


def files_from(manifest: Manifest, directory: PurePath) -> dict[str, str]:
    """What stands for the files of a snapshot, by their paths from a directory of it.

    That is the SHA-256 of each, and of a symbolic link where it leads to.
    """
    below = _below(PurePath(manifest.root), directory)
    files = {file.path: file.sha256 for file in manifest.files}
    links = {path: f"-> {target}" for path, target in manifest.symlinks.items()}
    return {os.path.relpath(path, below): told for path, told in (files | links).items()}


def _below(of: PurePath, directory: PurePath) -> PurePath:
    return directory.relative_to(of) if directory.is_relative_to(of) else PurePath()
