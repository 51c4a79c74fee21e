"""The files of a directory as they are now, read to be uploaded.

What an ignore file names, what is no ordinary file, and what leads out is not read. A job finds it
where it is, through a link.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_training.jobs.contents import human_size, largest
from jupyter_training.jobs.snapshots import File, Manifest, stays_within
from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.ignored import TRAIN, Rules, is_left_out_anyway, is_nothing

_TRIES = 3
_SETTLED_NS = 2_000_000_000
"""A file that was changed this recently may change again without a trace in its times (ns)."""

_PIECE = 1 << 20

LIMIT_VARIABLE = "JUPYTER_TRAINING_SNAPSHOT_LIMIT_MB"
"""Names how large snapshots may be for whoever says nothing else (MB of 1024**2 bytes)."""

_hashes: dict[tuple[int, ...], str] = {}
"""By what is known of a file without reading it, the SHA-256 of what was read then."""


class _Found(NamedTuple):
    path: str
    status: os.stat_result


@dataclass
class Tree:
    """What there is in a directory, before anything is read.

    Attributes
    ----------
    notes
        What a person should know about it.
    """

    root: Path
    files: list[_Found] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)
    symlinks: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Snapshot:
    """What was read.

    Attributes
    ----------
    sources
        By SHA-256, where each content is.
    """

    manifest: Manifest
    sources: dict[str, Path]
    notes: list[str]

    @property
    def content(self) -> bytes:
        """The manifest as it is uploaded."""
        return self.manifest.encoded()


def take(directories: Sequence[Path], scripts: Sequence[Path], limits: dict[str, Any]) -> Snapshot:
    """Read the files of some directories; nothing is uploaded.

    Raises
    ------
    TrainingError
        If they are too many or too large.
    """
    tree = look(
        directories,
        scripts,
        own=[Path(one).resolve() for one in limits["own_directories"]],
        most=limits["max_snapshot_files"],
    )
    _check_size(tree, limits["max_snapshot_bytes"])
    files, sources = [], {}
    for found in tree.files:
        path = tree.root / found.path
        try:
            read = _read(path)
        except FileNotFoundError:
            continue  # it was there a moment ago
        except PermissionError:
            tree.links.append(found.path)
            tree.notes.append(f"{found.path} may not be read and is not a part of the snapshot.")
            continue
        if read is None:
            tree.links.append(found.path)
            tree.notes.append(
                f"{found.path} changes all the time and is not a part of the snapshot; the job "
                "finds the file itself."
            )
            continue
        name, status = read
        executable = bool(status.st_mode & stat.S_IXUSR)
        files.append(File(path=found.path, sha256=name, size=status.st_size, executable=executable))
        sources[name] = path
    manifest = Manifest(
        root=str(tree.root),
        files=files,
        directories=tree.directories,
        symlinks=tree.symlinks,
        links=tree.links,
    )
    return Snapshot(manifest, sources, tree.notes)


def look(
    directories: Sequence[Path],
    scripts: Sequence[Path] = (),
    *,
    own: Sequence[Path] = (),
    most: int = 20_000,
) -> Tree:
    """Find what belongs to a snapshot.

    Parameters
    ----------
    directories
        Absolute, and without symbolic links.
    scripts
        Likewise; files that belong to it whatever ignore files say.
    own
        The server's own directories, which do not.
    most
        How many files there may be.

    Raises
    ------
    TrainingError
        If there are more.
    """
    root = Path(os.path.commonpath(directories))
    tree = Tree(root)
    walk = _Walk(tree, tuple(directories), frozenset(scripts), frozenset(own), most)
    walk.enter(root, Rules.above(root))
    tree.files.sort()
    return tree


class _Walk:
    """Goes through directories, and decides about what is there."""

    def __init__(
        self,
        tree: Tree,
        wanted: tuple[Path, ...],
        scripts: frozenset[Path],
        own: frozenset[Path],
        most: int,
    ) -> None:
        self._tree, self._wanted, self._scripts, self._own = tree, wanted, scripts, own
        self._most = most
        # What is above something wanted is gone through, whatever ignore files say.
        self._entered = {one for path in (*wanted, *scripts) for one in path.parents} | {*wanted}

    def enter(self, directory: Path, rules: Rules) -> None:
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except PermissionError:
            self._leave_out(directory)
            self._tree.notes.append(f"{directory} may not be read and is not a part of it.")
            return
        rules = rules.inside(directory)
        before = self._count
        for entry in entries:
            self._decide(entry, Path(entry.path), rules)
        if self._count == before and directory != self._tree.root:
            self._tree.directories.append(self._name(directory))

    @property
    def _count(self) -> int:
        tree = self._tree
        return len(tree.files) + len(tree.directories) + len(tree.symlinks) + len(tree.links)

    def _decide(self, entry: os.DirEntry[str], path: Path, rules: Rules) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return
        kind = stat.S_IFMT(status.st_mode)
        if is_nothing(entry.name):
            return
        if kind == stat.S_IFDIR and path in self._entered:
            self.enter(path, rules)
        elif not any(path.is_relative_to(one) for one in self._wanted) or path in self._own:
            self._leave_out(path)
        elif kind == stat.S_IFREG and path in self._scripts:
            self._add(path, status)
        else:
            left_out = rules.decide(path, is_directory=kind == stat.S_IFDIR)
            if left_out is None and kind == stat.S_IFDIR:
                left_out = is_left_out_anyway(path)
            self._take_in(path, status, kind) if not left_out else self._leave_out(path)
            if kind == stat.S_IFDIR and not left_out:
                self.enter(path, rules)

    def _take_in(self, path: Path, status: os.stat_result, kind: int) -> None:
        if kind == stat.S_IFREG:
            self._add(path, status)
        elif kind == stat.S_IFLNK:
            name, target = self._name(path), os.readlink(path)
            if stays_within(name, target):
                self._tree.symlinks[name] = target
            else:
                self._leave_out(path)
        elif kind != stat.S_IFDIR:  # reading a pipe or a device would change it, or never end
            self._leave_out(path)

    def _add(self, path: Path, status: os.stat_result) -> None:
        self._tree.files.append(_Found(self._name(path), status))
        if len(self._tree.files) > self._most:
            raise TrainingError(_too_many(self._tree, self._most))

    def _leave_out(self, path: Path) -> None:
        self._tree.links.append(self._name(path))

    def _name(self, path: Path) -> str:
        return path.relative_to(self._tree.root).as_posix()


def _read(path: Path) -> tuple[str, os.stat_result] | None:
    """The SHA-256 of a file and what was true of it then; None if it changes all the time."""
    for _ in range(_TRIES):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            before = os.fstat(descriptor)
            known = _hashes.get(_facts(before))
            if known is not None:
                return known, before
            found, size = hashlib.sha256(), 0
            # No more than there was, or a file that is written to all the time has no end.
            while piece := file.read(min(_PIECE, before.st_size - size)):
                found.update(piece)
                size += len(piece)
            after = os.fstat(descriptor)
        if _facts(before) == _facts(after) and size == after.st_size:
            if time.time_ns() - max(after.st_mtime_ns, after.st_ctime_ns) > _SETTLED_NS:
                _hashes[_facts(after)] = found.hexdigest()
            return found.hexdigest(), after
    return None


def _facts(status: os.stat_result) -> tuple[int, ...]:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        # A program can set the time of the last change back, but not this one.
        status.st_ctime_ns,
    )


def _check_size(tree: Tree, most: int) -> None:
    total = sum(found.status.st_size for found in tree.files)
    if total <= most:
        return
    top = largest((found.path, found.status.st_size) for found in tree.files)
    raise TrainingError(
        f"{tree.root} has {human_size(total)} in {len(tree.files)} files, and a snapshot may have "
        f"{human_size(most)}. The largest: {top}. {_advice(tree.root)}"
    )


def _too_many(tree: Tree, most: int) -> str:
    counts: Counter[str] = Counter()
    for found in tree.files:
        for parent in Path(found.path).parents:
            counts[f"{parent}/"] += 1
    del counts["./"]
    top = ", ".join(f"{name} ({count:,})" for name, count in counts.most_common(5))
    return (
        f"{tree.root} has more than {most:,} files, which is what a snapshot may have. Most of the "
        f"first ones are in: {top or 'the directory itself'}. {_advice(tree.root)}"
    )


def _advice(root: Path) -> str:
    return (
        f"Write what need not be kept as it is now into {root / TRAIN}, such as data/ (one pattern "
        "a line, as in .gitignore): a job finds it where it is. Or run the job in the directory "
        "itself, with --no-snapshot, or snapshot=False in Python. --snapshot-limit 2GB, or "
        f"snapshot_limit_mb=2048 in Python, allows a larger one for once, and {LIMIT_VARIABLE} in "
        "the environment for all."
    )
