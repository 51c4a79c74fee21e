"""Whether a stage need not be run, because an earlier one did the same: then it gets its results.

What makes two runs the same is written down when the first one is prepared: a *fingerprint* of its
definition, of the files of its snapshot and those that its command names, of its data sets and of
the very runs whose results it reads. The database only knows the part that needs no files, by which
candidates are found.

The results are copied, as both jobs may be run again, and write to their own. On file systems that
can, the copy shares its blocks.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_training.jobs.spec import JobSpec
from jupyter_training.points import Point, reach

FINGERPRINT = "fingerprint"
"""The file in an attempt's directory."""

_CONTENT_BYTES = 1 << 20
"""A file up to this size counts by its content, a larger one by its size and its time (bytes)."""

_CHUNK_BYTES = 1 << 26

_DOCUMENTS = (".ipynb",)
"""How files end that change whenever somebody works with them, and that no other code reads."""


@dataclass(frozen=True)
class Candidate:
    """A completed stage that may have done the same.

    Attributes
    ----------
    origin
        What stands for its run, see `origin_of`.
    attempt
        The directory of that run.
    output
        Where its results are.
    """

    origin: str
    attempt: Path
    output: Path


def origin_of(job_id: str, attempt: int) -> str:
    """What stands for one run of a job."""
    return f"{job_id}#{attempt}"


def fingerprint(
    digest: str,
    spec: JobSpec,
    cwd: Path,
    datasets: Mapping[str, Path],
    upstreams: Mapping[str, str],
    frozen: Mapping[str, str] | None = None,
) -> str:
    """What is the same for two runs that do the same with the same inputs.

    Parameters
    ----------
    digest
        Of its definition.
    cwd
        What names of files in the command are relative to.
    datasets, upstreams
        By their names: where each data set is, and the origin of the results of each upstream.
    frozen
        By their paths from `cwd`, the SHA-256 of the files of its snapshot. All of them count, as a
        script may import or read any of them; but of notebooks only those that its command names:
        the one in which a stage was written changes with each run of a cell.
    """
    kept = frozen or {}
    words = [word for word in spec.words if len(word) < 4096]
    files = {word: kept.get(os.path.normpath(word)) or _of_file(cwd / word) for word in words}
    told = {
        "definition": digest,
        "files": {word: known for word, known in files.items() if known is not None},
        "snapshot": {path: known for path, known in kept.items() if not path.endswith(_DOCUMENTS)},
        "datasets": {name: _of_path(path) for name, path in datasets.items()},
        "upstreams": dict(upstreams),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def write_fingerprint(attempt: Path, text: str) -> None:
    """Write down what a run is about to do."""
    draft = attempt / f"{FINGERPRINT}.draft"
    draft.write_text(text, encoding="ascii")
    draft.replace(attempt / FINGERPRINT)


def take_over(wanted: str, candidates: Sequence[Candidate], output: Path) -> str | None:
    """Copy the results of the first candidate that did the same, if there is one.

    Parameters
    ----------
    wanted
        The fingerprint.
    output
        Where the results are to be. Nothing is there, or what may be replaced.

    Returns
    -------
    str or None
        The origin of the results.
    """
    for candidate in candidates:
        try:
            if (candidate.attempt / FINGERPRINT).read_text(encoding="ascii") != wanted:
                continue
            _copy(candidate.output, output)
        except (OSError, ValueError, shutil.Error):
            continue  # they are not there any more, or not whole
        reach(Point.REUSE_COPIED)
        return candidate.origin
    return None


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink() or not source.is_dir():
        raise NotADirectoryError(source)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_name(target.name + ".draft")
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(draft)
    shutil.copytree(source, draft, symlinks=True, copy_function=_copy_file)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(target)
    draft.rename(target)


def _copy_file(source: str, target: str) -> None:
    with open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as read:
        if not stat.S_ISREG(os.fstat(read.fileno()).st_mode):
            raise OSError(f"{source} is not a file")
        with open(target, "wb") as write:
            try:
                while os.copy_file_range(read.fileno(), write.fileno(), _CHUNK_BYTES):
                    pass
            except OSError:  # not between these file systems
                shutil.copyfileobj(read, write)
    shutil.copystat(source, target, follow_symlinks=False)


def _of_file(path: Path) -> Any:
    """What stands for a file that a command names; None if it names none."""
    try:
        told = path.stat()
        if not stat.S_ISREG(told.st_mode):
            return None
        if told.st_size > _CONTENT_BYTES:
            return [told.st_size, told.st_mtime_ns]
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):
        return None


def _of_path(path: Path) -> Any:
    told = path.stat()
    return [str(path), told.st_size, told.st_mtime_ns]
