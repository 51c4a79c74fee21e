"""The contents of snapshots and of values: stored once, under the SHA-256 of what they are.

::

    <data_dir>/snapshots/<user>/
        lock           shared by those who refer to contents, exclusive for who deletes them
        drafts/        what is being received
        objects/ab/ab… one read-only file for each content

Each user has a store of their own, so nobody learns what another one has by asking for a hash.
A content appears under its name when all of it is there. One that no job refers to is deleted after
a while in which nobody has asked for it; a submission makes all of its contents new again, under
the lock, before it is written that the job refers to them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from jupyter_training.jobs.snapshots import MAX_MANIFEST_BYTES, InvalidManifest, Manifest, parse
from jupyter_training.points import Point, reach

KEEP_S = 3600.0
"""How long a content to which no job refers is kept after somebody asked for it (s)."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_BATCH = 500


class NoSuchContent(LookupError):
    """There is no such content, or it is not this user's."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"There is no content {digest[:64]} in your snapshots.")


class WrongContent(ValueError):
    """What was received is not what it was said to be."""


class TooLarge(ValueError):
    """A content larger than this server takes."""


class Draft:
    """A content while it is being received. It blocks, so it is used in threads.

    It may be closed while another thread is at work on it, as when a client goes away.
    """

    def __init__(self, store: SnapshotStore, digest: str) -> None:
        self._store, self._digest, self._hash = store, digest, hashlib.sha256()
        # Held while the descriptor is used: once it is closed, its number may be another file's.
        self._lock = threading.Lock()
        self._open = True
        self._path = store.directory / "drafts" / secrets.token_hex(12)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Take in what comes next, unless it was closed."""
        with self._lock:
            if not self._open:
                return
            self._hash.update(piece)
            self.size += len(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def finish(self) -> bool:
        """Store it.

        Returns
        -------
        bool
            Whether it is new.

        Raises
        ------
        WrongContent
            If its SHA-256 is another one, or it was closed before it was whole.
        """
        with self._lock:
            if not self._open:
                raise WrongContent("The connection ended before it was stored.")
            return self._finish()

    def _finish(self) -> bool:
        found = self._hash.hexdigest()
        if found != self._digest:
            raise WrongContent(
                f"The SHA-256 of what was sent ({self.size} bytes) is {found}, not {self._digest}."
            )
        os.fchmod(self._file, 0o400)
        target = self._store.path(self._digest)
        with self._store.in_use():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = not target.exists()
            reach(Point.CONTENT_RECEIVED)
            os.replace(self._path, target)
            reach(Point.CONTENT_STORED)
        return new

    def close(self) -> None:
        """Let go of it; if it was not finished, nothing is left of it."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._file)
                self._path.unlink(missing_ok=True)


class SnapshotStore:
    """The contents of one user.

    Parameters
    ----------
    data_dir
        The installation's own directory.
    """

    def __init__(self, data_dir: Path, username: str) -> None:
        # A user may be called anything.
        name = hashlib.sha256(username.encode(errors="surrogatepass")).hexdigest()[:32]
        self.directory = data_dir / "snapshots" / name

    @classmethod
    def at(cls, directory: Path) -> SnapshotStore:
        """The store that has this directory, whoever's it is."""
        store = cls.__new__(cls)
        store.directory = directory
        return store

    def path(self, digest: str) -> Path:
        """Where a content is, if it is here.

        Raises
        ------
        NoSuchContent
            If this can be no content's name.
        """
        if not _DIGEST.fullmatch(digest):
            raise NoSuchContent(digest)
        return self.directory / "objects" / digest[:2] / digest

    @contextlib.contextmanager
    def in_use(self, *, alone: bool = False) -> Iterator[None]:
        """Nothing is deleted meanwhile; or with `alone`, nothing is referred to."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(lock)

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Which of these are not here, each once; the others are as new as if they just came."""
        with self.in_use():
            return [one for one in dict.fromkeys(digests) if not self._renew(one)]

    def _renew(self, digest: str) -> bool:
        try:
            os.utime(self.path(digest))
        except FileNotFoundError:
            return False
        return True

    def size(self, digest: str) -> int:
        """How large a content is (bytes).

        Raises
        ------
        NoSuchContent
            If it is not here.
        """
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise NoSuchContent(digest) from None

    def read(self, digest: str, most: int) -> bytes:
        """A content as a whole.

        Raises
        ------
        NoSuchContent
            If it is not here.
        TooLarge
            If it has more bytes than that.
        """
        try:
            with self.path(digest).open("rb") as file:
                content = file.read(most + 1)
        except FileNotFoundError:
            raise NoSuchContent(digest) from None
        if len(content) > most:
            raise TooLarge(f"The content {digest} has more than {most} bytes.")
        return content

    def manifest(self, digest: str) -> Manifest:
        """The manifest of a snapshot.

        Raises
        ------
        NoSuchContent
            If it is not here.
        InvalidManifest
            If it is none.
        """
        try:
            return parse(self.read(digest, MAX_MANIFEST_BYTES))
        except TooLarge:
            raise InvalidManifest(f"it has more than {MAX_MANIFEST_BYTES} bytes") from None

    def forget(self, digest: str) -> None:
        """Delete a content that was found to be damaged, so that it can come again."""
        with self.in_use(alone=True):
            self.path(digest).unlink(missing_ok=True)

    def candidates(self, keep_s: float = KEEP_S) -> list[str]:
        """What nobody has asked for in a while."""
        before = time.time() - keep_s
        found = []
        for path in self._objects():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    found.append(path.name)
        return found

    def delete(self, digests: Collection[str], *, keep_s: float = KEEP_S) -> int:
        """Delete these, unless somebody has asked for them meanwhile; and old drafts.

        Returns
        -------
        int
            How many bytes are free again.
        """
        freed, several = 0, list(digests)
        for start in range(0, len(several), _BATCH):  # whoever submits has not to wait for long
            with self.in_use(alone=True):
                for digest in several[start : start + _BATCH]:
                    freed += self._delete_if_old(self.path(digest), keep_s)
                    reach(Point.CONTENT_DELETED)
        for path in (self.directory / "drafts").glob("*"):
            freed += self._delete_if_old(path, max(keep_s, KEEP_S))
        return freed

    def _delete_if_old(self, path: Path, keep_s: float) -> int:
        try:
            status = path.stat()
            if time.time() - status.st_mtime < keep_s:
                return 0
            path.unlink()
        except FileNotFoundError:
            return 0
        return status.st_size

    def _objects(self) -> Iterator[Path]:
        yield from (self.directory / "objects").glob("??/*")
