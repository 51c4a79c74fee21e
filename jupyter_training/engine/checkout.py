"""The directory that a job runs in: its snapshot, written out anew for every attempt.

It is a copy, whose content is checked while it is made, so that a job may do with it what it likes.
What is not a part of the snapshot is found at the same relative path through a symbolic link to
where it really is, and so is what lies next to the directory and next to its parent: a script that
opens ``../data/train.csv`` need not know that it runs from a copy.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePath

from jupyter_training.engine.snapshots import NoSuchContent, SnapshotStore
from jupyter_training.jobs.snapshots import File, InvalidManifest, Manifest
from jupyter_training.points import Point, reach

LEVELS = 2
"""In how many directories above its own a job finds what it would find there."""

_MOST_NEIGHBOURS = 1000
_PIECE = 1 << 20


def manifest_of(store: SnapshotStore, digest: str) -> Manifest:
    """The manifest of a snapshot that a job refers to.

    Raises
    ------
    OSError
        If it is not there, or damaged; the text is for a person.
    """
    try:
        return store.manifest(digest)
    except NoSuchContent:
        raise FileNotFoundError("its snapshot is not there any more") from None
    except InvalidManifest as wrong:
        store.forget(digest)
        raise OSError(
            f"its snapshot was damaged on the disk ({wrong}); submit the job again"
        ) from None


def place(base: Path, root: str) -> Path:
    """Where in a directory a snapshot is written out.

    Parameters
    ----------
    root
        What the snapshot is of. Its name, and those of its parents, are those of the copy.
    """
    return base.joinpath(*PurePath(root).parts[1:][-1 - LEVELS :])


def check_out(
    store: SnapshotStore, manifest: Manifest, base: Path, original: PurePath | None
) -> None:
    """Write out a snapshot below a directory that is made for it, or made anew.

    Parameters
    ----------
    base
        See `place`.
    original
        What links lead to: where the job finds the directory that the snapshot is of. None if it
        does not see it.

    Raises
    ------
    OSError
        If it cannot be done, or a content is not there or damaged; the text is for a person.
    """
    shutil.rmtree(base, ignore_errors=True)
    root = place(base, manifest.root)
    root.mkdir(mode=0o700, parents=True)
    for directory in manifest.directories:
        (root / directory).mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(manifest.files):
        _write(store, file, root / file.path)
        if number == 0:
            reach(Point.CHECKED_OUT)
    for path, target in manifest.symlinks.items():
        _link(root / path, target)
    if original is not None:
        for path in manifest.links:
            _link(root / path, original / path)
        _link_neighbours(root, base, manifest.root, original)


def _write(store: SnapshotStore, file: File, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    found, size = hashlib.sha256(), 0
    try:
        with store.path(file.sha256).open("rb") as source, target.open("xb") as copy:
            while piece := source.read(_PIECE):
                found.update(piece)
                size += len(piece)
                copy.write(piece)
            if file.executable:
                os.fchmod(copy.fileno(), 0o755)
    except (FileNotFoundError, NoSuchContent):
        raise FileNotFoundError(f"{file.path} of its snapshot is not there any more") from None
    if (found.hexdigest(), size) != (file.sha256, file.size):
        # So that the same snapshot can be uploaded again.
        store.forget(file.sha256)
        raise OSError(f"{file.path} of its snapshot was damaged on the disk; submit the job again")


def _link(path: Path, target: str | PurePath) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def _link_neighbours(root: Path, base: Path, original_root: str, seen: PurePath) -> None:
    """Let what lies next to the directory, and next to its parents, be found there."""
    # They are listed where they are, and linked to where the job sees them.
    here, there = root, PurePath(original_root)
    while base not in (here, here.parent):
        here, there, seen = here.parent, there.parent, seen.parent
        try:
            names = sorted(os.listdir(there))
        except OSError:
            return  # it may not be read, or is on another machine
        if len(names) > _MOST_NEIGHBOURS:
            continue
        for name in names:
            path = here / name
            if not os.path.lexists(path):
                path.symlink_to(seen / name)


def link_output(base: Path, cwd: Path, asked: str, output: Path) -> None:
    """Let a job find its output directory at the relative path that it has asked for.

    Parameters
    ----------
    base
        Where the snapshot was written out. Nothing outside of it is touched.
    cwd
        Where the job runs.
    """
    parts = PurePath(asked).parts
    if not parts or PurePath(asked).is_absolute() or ".." in parts or parts[0].startswith("~"):
        return
    path = cwd.joinpath(*parts)
    # A link on the way may be to what is no part of the snapshot: then it leads there already, and
    # what is there is the person's own.
    if path.is_symlink() or not path.parent.resolve().is_relative_to(base.resolve()):
        return
    if path.is_dir():
        shutil.rmtree(path)
    if not path.exists():
        _link(path, output)


def copy_values(store: SnapshotStore, values: Mapping[str, str], directory: Path) -> None:
    """Copy the values of a job to where it finds them by their names.

    Raises
    ------
    OSError
        If it cannot be done; the text is for a person.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    for name, digest in values.items():
        try:
            _copy(store.path(digest), directory / name)
        except FileNotFoundError:
            told = f"the value of {name} is not there any more; submit the job again"
            raise FileNotFoundError(told) from None


def _copy(source: Path, target: Path) -> None:
    """Copy a file, where the file system can without taking more space; whole or not at all."""
    if target.exists():
        return
    draft = target.with_name(f"{target.name}.draft")
    with source.open("rb") as from_, draft.open("wb") as to:
        _copy_content(from_.fileno(), to.fileno())
    draft.replace(target)


def _copy_content(source: int, target: int) -> None:
    left = os.fstat(source).st_size
    while left:
        try:
            # Between two files of one file system that can, it shares what they have in common.
            copied = os.copy_file_range(source, target, left)
        except (AttributeError, OSError):  # macOS has no such thing, nor do some file systems
            copied = os.write(target, os.read(source, _PIECE))
        if copied == 0:
            raise OSError("a value was damaged on the disk; submit the job again")
        left -= copied
