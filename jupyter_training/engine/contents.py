"""What a person can ask about code, values and environments: upload, download, show.

All of them are *contents* of the user's own `SnapshotStore`. Nobody sees those of another user,
whatever hash they ask for.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from jupyter_training.engine.engine import DatabaseAway, Engine
from jupyter_training.engine.finding import job_of
from jupyter_training.engine.snapshots import (
    KEEP_S,
    Draft,
    NoSuchContent,
    SnapshotStore,
    TooLarge,
)
from jupyter_training.jobs.contents import human_size, largest
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.snapshots import InvalidManifest, Manifest
from jupyter_training.jobs.spec import JobSpec, Script
from jupyter_training.store import jobs, snapshots
from jupyter_training.store.records import Job
from jupyter_training.store.snapshots import References

_log = logging.getLogger(__name__)

_COLLECT_S = 1800.0
"""How often what no job refers to is deleted (s)."""

_MAX_ENVIRONMENT_BYTES = 4 * 1024**2


@dataclass(frozen=True)
class Limits:
    """What may be uploaded.

    Attributes
    ----------
    snapshot_bytes, snapshot_files
        Of all files of a snapshot together; the bytes, where nobody has asked for more.
    ceiling_bytes
        So much at most can be asked for.
    content_bytes
        Of one file or value.
    """

    snapshot_bytes: int = 500 * 1024**2
    ceiling_bytes: int = 16 * 1024**3
    snapshot_files: int = 20_000
    content_bytes: int = 16 * 1024**3


@dataclass(frozen=True)
class Code:
    """What a job runs.

    Attributes
    ----------
    script
        The script that is stored with it, such as the text of a cell.
    manifest
        The files that it runs with; None if it runs in the directory itself.
    """

    job: Job
    script: Script | None
    manifest: Manifest | None


class Contents:
    """The contents that users have uploaded.

    Parameters
    ----------
    keep_s
        How long a content to which no job refers is kept after somebody asked for it (s).
    """

    def __init__(
        self, engine: Engine, limits: Limits | None = None, keep_s: float = KEEP_S
    ) -> None:
        self.limits = limits or Limits()
        self._engine, self._data_dir, self._keep_s = engine, engine.workspace.data_dir, keep_s

    @property
    def own_directories(self) -> list[Path]:
        """Directories of the server's own, of which there is to be no snapshot."""
        workspace = self._engine.workspace
        return [workspace.data_dir, *workspace.hidden]

    async def missing(self, user: str, digests: Iterable[str]) -> list[str]:
        """Which contents have to be uploaded; the others are kept for a while."""
        return await asyncio.to_thread(self._store(user).missing, digests)

    async def receive(self, user: str, digest: str) -> Draft:
        """Begin to receive a content; the draft is used in threads, and closed in the end."""
        store = self._store(user)
        await asyncio.to_thread(store.path, digest)
        return await asyncio.to_thread(Draft, store, digest)

    async def open(self, user: str, digest: str) -> tuple[BinaryIO, int]:
        """A content, to be closed, and its size in bytes.

        Raises
        ------
        NoSuchContent
            If this user has none of that name.
        """
        store = self._store(user)
        size = await asyncio.to_thread(store.size, digest)
        try:
            return await asyncio.to_thread(store.path(digest).open, "rb"), size
        except FileNotFoundError:
            raise NoSuchContent(digest) from None

    async def check(self, user: str, spec: JobSpec) -> list[FieldError]:
        """What is wrong with the contents that a job refers to; they are kept from now on."""
        return await asyncio.to_thread(self._check, self._store(user), spec)

    def _check(self, store: SnapshotStore, spec: JobSpec) -> list[FieldError]:
        wrong = []
        refers_to = [*spec.variables.values(), *filter(None, [spec.snapshot, spec.environment])]
        if gone := store.missing(refers_to):
            for field in ("snapshot", "environment", "variables"):
                value = getattr(spec, field)
                if set(gone) & set(value.values() if isinstance(value, dict) else [value]):
                    wrong.append(FieldError(field, "has to be uploaded first"))
            return wrong
        if spec.snapshot is not None:
            wrong += self._check_snapshot(store, spec.snapshot)
        if spec.environment is not None:
            try:
                read_environment(store, spec.environment)
            except ValueError:
                wrong.append(FieldError("environment", "should be the SHA-256 of a JSON object"))
        return wrong

    def _check_snapshot(self, store: SnapshotStore, digest: str) -> list[FieldError]:
        try:
            manifest = store.manifest(digest)
        except InvalidManifest as error:
            return [FieldError("snapshot", f"is not the SHA-256 of a manifest: {error}")]
        if told := why_too_large(manifest, self.limits):
            return [FieldError("snapshot", told)]
        gone = set(store.missing(file.sha256 for file in manifest.files))
        names = [file.path for file in manifest.files if file.sha256 in gone]
        if names:
            first = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            told = f"{len(names)} of its files have to be uploaded first: {first}"
            return [FieldError("snapshot", told)]
        for file in manifest.files:
            if store.size(file.sha256) != file.size:
                store.forget(file.sha256)
                told = f"{file.path} is not as large as it says; upload it again"
                return [FieldError("snapshot", told)]
        return []

    async def code(self, user: str, reference: str) -> Code:
        """What a job runs.

        Raises
        ------
        NoSuchJob
            If this user has none of that name.
        NoSuchContent
            If its snapshot was lost or damaged on the disk.
        """
        job = await job_of(self._engine, user, reference)
        script = await self._engine.read(lambda c: jobs.script(c, job.id))
        if job.snapshot is None:
            return Code(job, script, None)
        try:
            return Code(job, script, await self.manifest(user, job.snapshot))
        except InvalidManifest:
            raise NoSuchContent(job.snapshot) from None

    async def environment(self, user: str, reference: str) -> dict[str, Any] | None:
        """With which software a job was submitted; None if that is not known.

        Raises
        ------
        NoSuchJob
            If this user has none of that name.
        NoSuchContent
            If it was lost on the disk.
        """
        job = await job_of(self._engine, user, reference)
        if job.environment is None:
            return None
        try:
            return await asyncio.to_thread(read_environment, self._store(user), job.environment)
        except ValueError:
            raise NoSuchContent(job.environment) from None

    async def manifest(self, user: str, digest: str) -> Manifest:
        """The manifest of a job's snapshot.

        Raises
        ------
        NoSuchContent, InvalidManifest
            If it was lost or damaged on the disk.
        """
        return await asyncio.to_thread(self._store(user).manifest, digest)

    async def keep_clean(self) -> None:
        """Delete, from time to time, what no job refers to."""
        while True:
            await asyncio.sleep(_COLLECT_S)
            try:
                await self.collect()
            except (DatabaseAway, OSError) as error:
                _log.warning("Old snapshots could not be deleted, trying again later: %s", error)

    async def collect(self) -> int:
        """Delete what no job refers to, and nobody has asked for in a while.

        Whoever submits a job at this moment makes its contents new before the job is written. So
        what was old before the jobs were read, and is still old when it is to be deleted, is of no
        job.

        Returns
        -------
        int
            How many bytes are free again.
        """
        old = await asyncio.to_thread(self._candidates)
        if not any(old.values()):
            return 0
        referred = await self._engine.read(snapshots.references)
        return await asyncio.to_thread(self._delete, old, referred)

    def _candidates(self) -> dict[Path, list[str]]:
        there = (self._data_dir / "snapshots").glob("*")
        stores = (SnapshotStore.at(path) for path in there if path.is_dir())
        return {store.directory: store.candidates(self._keep_s) for store in stores}

    def _delete(self, old: dict[Path, list[str]], referred: dict[str, References]) -> int:
        of_users = {self._store(user).directory: refs for user, refs in referred.items()}
        freed = 0
        for directory, digests in old.items():
            store = SnapshotStore.at(directory)
            kept = _all_of(store, of_users.get(directory, References()))
            freed += store.delete([one for one in digests if one not in kept], keep_s=self._keep_s)
        if freed:
            _log.info("%s of old snapshots were deleted", human_size(freed))
        return freed

    def _store(self, user: str) -> SnapshotStore:
        return SnapshotStore(self._data_dir, user)


def read_environment(store: SnapshotStore, digest: str) -> dict[str, Any]:
    """A JSON object from a store.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        value = json.loads(store.read(digest, _MAX_ENVIRONMENT_BYTES))
    except (TooLarge, RecursionError) as error:
        raise ValueError(str(error)) from None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def why_too_large(manifest: Manifest, limits: Limits) -> str | None:
    """Why this server does not take a snapshot; None if it does."""
    if len(manifest.files) > limits.snapshot_files:
        return f"has {len(manifest.files)} files; at most {limits.snapshot_files} are taken"
    if manifest.total_bytes <= limits.ceiling_bytes:
        return None
    top = largest((file.path, file.size) for file in manifest.files)
    return (
        f"has {human_size(manifest.total_bytes)}; at most {human_size(limits.ceiling_bytes)} are "
        f"taken. The largest: {top}"
    )


def _all_of(store: SnapshotStore, references: References) -> set[str]:
    """What is referred to, with what the manifests refer to."""
    kept = references.others | references.snapshots
    for digest in references.snapshots:
        try:
            kept.update(file.sha256 for file in store.manifest(digest).files)
        except (NoSuchContent, InvalidManifest):
            _log.warning("The manifest %s of a job is not there or damaged", digest)
    return kept
