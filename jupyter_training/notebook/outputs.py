"""What a job has left: as a list, and downloaded to where this kernel or this terminal runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote_to_bytes

import httpx

from jupyter_training.jobs.contents import human_size
from jupyter_training.notebook.asking import ask, connection
from jupyter_training.notebook.client import Client, ServerGone, TrainingError
from jupyter_training.notebook.display import printable
from jupyter_training.notebook.tables import Table

Progress = Callable[[str, int, int], None]
"""Told of a path, how much of it has come, and how much it is, in bytes."""

_TRIES = 5

_PART = re.compile(r"\.[0-9a-f]{20}\.part\Z")


class OutputTable(Table):
    """What a job has left, by name."""

    columns = ("path", "type", "size", "modified")
    empty = "It has left nothing here, or not yet."

    def __init__(self, entries: Sequence[dict[str, Any]], rows: int = 50) -> None:
        self.rows = [
            (
                printable(entry["path"]),
                entry["type"],
                "" if entry["size"] is None else human_size(entry["size"]),
                "" if entry["modified_at"] is None else f"{_time(entry).astimezone():%F %T}",
            )
            for entry in entries[:rows]
        ]
        if len(entries) > rows:
            self.rows.append((f"… and {len(entries) - rows} more", "", "", ""))


class Outputs(list[dict[str, Any]]):
    """What a job has left: a list of dictionaries that shows itself as a table."""

    def __repr__(self) -> str:
        return repr(OutputTable(self))

    def _repr_html_(self) -> str:
        return OutputTable(self)._repr_html_()


def listing(reference: str, path: str | os.PathLike[str] = "", *, recursive: bool) -> Outputs:
    """What is in a directory of a job's results."""
    return Outputs(_entries(reference, _encode(path), recursive=recursive))


def download(
    reference: str,
    path: str | os.PathLike[str] | None,
    to: str | os.PathLike[str],
    progress: Progress = lambda path, done, total: None,
) -> Path:
    """Download a file or a directory of a job's results.

    Returns
    -------
    Path
        Where it is now.
    """
    encoded = _encode(path or "")
    parts = _parts(encoded)
    # All of it gets a directory of its own, so that nothing of yours is replaced by a job.
    target, there = Path(to).expanduser() / (parts[-1] if parts else reference), _Parts()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if parts and _fetch(reference, encoded, target, there, progress):
            return target
        _fetch_directory(reference, encoded, target, there, progress)
    except OSError as error:
        raise TrainingError(
            f"{target} cannot be written: {error.strerror or error}. What has come is kept; the "
            "same download goes on from there."
        ) from None
    return target


def _entries(reference: str, encoded: str, *, recursive: bool) -> Iterator[dict[str, Any]]:
    query = {"recursive": "true" if recursive else "false", "limit": "2000"}
    while True:
        page = ask(lambda client: client.outputs(reference, encoded, **query))
        yield from page["entries"]
        if page["next"] is None:
            return
        query["after"] = page["next"]


def _fetch_directory(
    reference: str, encoded: str, target: Path, there: _Parts, progress: Progress
) -> None:
    depth, left_out = len(_parts(encoded)), []
    target.mkdir(exist_ok=True)
    for entry in _entries(reference, encoded, recursive=True):
        here = target.joinpath(*_parts(entry["encoded_path"])[depth:])
        if entry["type"] == "directory":
            here.mkdir(exist_ok=True)
        elif entry["type"] != "file":
            is_link = entry["type"] == "symlink"
            what = "a symlink" if is_link else "neither a file nor a directory"
            left_out.append(f"{printable(entry['path'])} ({what})")
        elif not _is_here(entry, here):
            try:
                _fetch(reference, entry["encoded_path"], here, there, progress)
            except TrainingError as error:
                if error.reason not in ("no_such_output", "unreadable_output"):
                    raise
                left_out.append(str(error))
    if left_out:
        more = f" and {len(left_out) - 10} more" if len(left_out) > 10 else ""
        connection.say(f"Not downloaded: {'; '.join(left_out[:10])}{more}")


def _fetch(reference: str, encoded: str, target: Path, there: _Parts, progress: Progress) -> bool:
    """Download a file, however often it is interrupted; False if it is a directory."""
    tries = _TRIES
    while True:
        before = there.kept(target)
        try:
            state = ask(
                lambda client: _Attempt(client, reference, encoded, target, there, progress).run()
            )
            if state is not None:
                return state
        except ServerGone:
            if there.kept(target) <= before:
                tries -= 1
            if tries == 0:
                raise
        # Else it became another file meanwhile.


class _Parts:
    """The parts of files that there are, looked for once in each directory.

    Looking for those of each file anew would take longer with every file that has come.
    """

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, set[Path]]] = {}

    def of(self, target: Path) -> list[Path]:
        """Those of a file."""
        return [*self._in(target.parent).get(_beginning(target), ())]

    def kept(self, target: Path) -> int:
        """How much there is of a file (bytes)."""
        sizes = [0]
        for part in self.of(target):
            with contextlib.suppress(FileNotFoundError):
                sizes.append(part.stat().st_size)
        return max(sizes)

    def add(self, target: Path, part: Path) -> None:
        """Note that a part of a file is made."""
        self._in(target.parent).setdefault(_beginning(target), set()).add(part)

    def discard(self, target: Path, part: Path) -> None:
        """Note that it is gone."""
        alike = self._in(target.parent)
        parts = alike.get(_beginning(target), set())
        parts.discard(part)
        if not parts:
            alike.pop(_beginning(target), None)

    def _in(self, directory: Path) -> dict[str, set[Path]]:
        if directory not in self._known:
            known = self._known[directory] = {}
            with os.scandir(directory) as entries:
                for entry in entries:
                    if end := _PART.search(entry.name):
                        known.setdefault(entry.name[: end.start()], set()).add(Path(entry.path))
        return self._known[directory]


class _Attempt:
    """One attempt to download a file: into one with ``.part`` at its end, and from where that ends.

    The name of the part has the entity tag in it, so it is only ever completed with what it is the
    beginning of.
    """

    def __init__(
        self,
        client: Client,
        reference: str,
        encoded: str,
        target: Path,
        there: _Parts,
        progress: Progress,
    ) -> None:
        self._ask = partial(client.output, reference, encoded)
        self._target, self._there, self._progress = target, there, progress
        self._name = printable("/".join(_parts(encoded)))

    def run(self) -> bool | None:
        """Download it.

        Returns
        -------
        bool or None
            Whether it is a file; None if it has to be begun again.
        """
        with self._ask() as answer:
            if "Content-Disposition" not in answer.headers:
                return False
            tag, size = answer.headers["ETag"], int(answer.headers["Content-Length"])
            part = _part(self._target, tag)
            self._clear(but=part)
            self._there.add(self._target, part)
            with _locked(part) as file:
                have = file.seek(0, os.SEEK_END)
                if have > size or tag.startswith("W/"):
                    # It still changes, so nobody knows what this is a part of.
                    have = file.seek(file.truncate(0))
                if have == 0:
                    self._save(answer, file, 0, size)
                elif have < size:
                    answer.close()
                    with self._ask({"Range": f"bytes={have}-", "If-Range": tag}) as rest:
                        if rest.status_code != httpx.codes.PARTIAL_CONTENT:
                            return None
                        self._save(rest, file, have, size)
                _keep_time(file, tag, answer)
                part.replace(self._target)
                self._there.discard(self._target, part)
        return True

    def _clear(self, but: Path) -> None:
        """Remove parts of what it was before."""
        for part in self._there.of(self._target):
            if part != but:
                with contextlib.suppress(OSError, TrainingError), _locked(part):
                    part.unlink()
                    self._there.discard(self._target, part)

    def _save(self, answer: httpx.Response, file: BinaryIO, have: int, size: int) -> None:
        self._progress(self._name, have, size)
        for piece in answer.iter_raw():
            file.write(piece)
            have += len(piece)
            self._progress(self._name, have, size)
        file.flush()


def _beginning(target: Path) -> str:
    # A name has at most 255 bytes, and a character up to 4.
    return target.name[:50]


def _part(target: Path, tag: str) -> Path:
    return target.with_name(f"{_beginning(target)}.{tag.removeprefix('W/').strip(chr(34))}.part")


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[BinaryIO]:
    """Open a part, which nobody else writes to at the same time."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had the lock before may have renamed it.
            mine = os.path.samestat(os.fstat(descriptor), part.stat())
        except (BlockingIOError, FileNotFoundError):
            mine = False
        if not mine:
            raise TrainingError(f"{part} is being written by another download; wait for its end.")
        yield file


def _keep_time(file: BinaryIO, tag: str, answer: httpx.Response) -> None:
    """Give a file the time of its original, from which it is known the next time."""
    modified = answer.headers.get("Last-Modified")
    if modified is not None and not tag.startswith("W/"):
        seconds = int(parsedate_to_datetime(modified).timestamp())
        os.utime(file.fileno(), (seconds, seconds))


def _is_here(entry: dict[str, Any], path: Path) -> bool:
    """Whether a file was downloaded before, and is what it was."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    if entry["modified_at"] is None or status.st_size != entry["size"]:
        return False
    # Whole seconds, as `_keep_time` sets them, and hardly anybody else.
    return status.st_mtime_ns == int(_time(entry).timestamp()) * 1_000_000_000


def _encode(path: str | os.PathLike[str]) -> str:
    """A path that a person wrote as a URL has it."""
    words = os.fspath(path).removesuffix("/").removeprefix("./")
    encoded = "" if words == "." else quote(os.fsencode(words), safe="/")
    _parts(encoded)
    return encoded


def _parts(encoded: str) -> list[str]:
    """The names in a path, none of which leads anywhere but downwards."""
    if not encoded:
        return []
    parts = [os.fsdecode(unquote_to_bytes(part)) for part in encoded.split("/")]
    if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
        raise TrainingError(
            f"{printable('/'.join(parts))} is not a path below the results of a job; name it as "
            "the list does, without . or .. and without a / in front."
        )
    return parts


def _time(entry: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["modified_at"].replace("Z", "+00:00"))
