"""Uploads the files of a directory as they are now, as far as the server lacks them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jupyter_training.jobs.contents import digest, human_size
from jupyter_training.notebook.client import Client, TrainingError
from jupyter_training.notebook.ignored import TRAIN
from jupyter_training.notebook.snapshot import LIMIT_VARIABLE, Snapshot, take
from jupyter_training.notebook.uploading import Advance, showing

_TRIES = 3
_AT_ONCE = 4
"""How many uploads are under way at the same time."""

_WHOLE_BYTES = 8 * 1024**2
"""Up to this size a file is in memory while it is uploaded."""

_PIECE = 1 << 20


class _Changed(Exception):
    """A file is not any more what it was when it was read."""


def upload(
    client: Client,
    directories: Sequence[Path],
    scripts: Sequence[Path],
    say: Callable[[str], None] = lambda _: None,
    limit_mb: int | None = None,
) -> str:
    """Take a snapshot, and upload what the server lacks of it.

    Parameters
    ----------
    directories
        What it is of; the first one is where the job runs.
    scripts
        Files that belong to it whatever ignore files say.
    say
        Told what a person should know: what is not a part of it, and that much is on its way.
    limit_mb
        How large it may be (MB of 1024**2 bytes); by default what the environment says, or else the
        server.

    Returns
    -------
    str
        The SHA-256 of its manifest.

    Raises
    ------
    TrainingError
        If it is larger than the server allows; the text names the largest files.
    """
    limits = _limited(client.snapshot_limits(), limit_mb)
    changed = None
    for _ in range(_TRIES):
        snapshot = take(directories, scripts, limits)
        try:
            name = _send(client, snapshot, say)
        except _Changed as error:
            changed = error
            continue
        for note in snapshot.notes:
            say(note)
        return name
    raise TrainingError(
        f"{changed} changes all the time, so there can be no snapshot of it. Write it into "
        f"{directories[0] / TRAIN}, and the job finds the file itself."
    )


def _limited(limits: dict[str, Any], limit_mb: int | None) -> dict[str, Any]:
    """The limits of a server with one's own for the size."""
    if limit_mb is None and (given := os.environ.get(LIMIT_VARIABLE)):
        try:
            limit_mb = int(given)
        except ValueError:
            raise TrainingError(
                f"{LIMIT_VARIABLE} is {given!r}, and should be a whole number of MB."
            ) from None
    if limit_mb is None:
        return limits
    wanted, most = limit_mb * 1024**2, limits["snapshot_ceiling_bytes"]
    if wanted > most:
        raise TrainingError(
            f"A snapshot of up to {human_size(wanted)} is asked for, and this server takes at most "
            f"{human_size(most)} (c.TrainingApp.snapshot_ceiling_mb)."
        )
    return {**limits, "max_snapshot_bytes": wanted}


def _send(client: Client, snapshot: Snapshot, say: Callable[[str], None]) -> str:
    """Upload what is missing of a snapshot."""
    content = snapshot.content
    name = digest(content)
    # All of it is asked for each time, so that nothing of it is deleted before the job is there.
    missing = client.missing_contents([name, *snapshot.sources])
    wanted = [one for one in missing if one != name]
    sizes = {file.sha256: file.size for file in snapshot.manifest.files}
    size = sum(sizes[one] for one in wanted)
    what = f"{human_size(size)} of new files, {len(wanted)} of them"
    with showing(what, size, say) as advance, ThreadPoolExecutor(_AT_ONCE) as threads:
        list(
            threads.map(lambda one: _send_file(client, one, snapshot.sources[one], advance), wanted)
        )
    if name in missing:
        client.put_content(name, content, len(content))
    return name


def _send_file(client: Client, name: str, path: Path, advance: Advance) -> None:
    try:
        size = path.stat().st_size
        if size <= _WHOLE_BYTES:
            content = path.read_bytes()
            if digest(content) != name:
                raise _Changed(path)
            client.put_content(name, content, len(content))
            advance(size)
        else:
            client.put_content(name, _pieces(path, size, advance), size)
    except OSError:
        raise _Changed(path) from None
    except TrainingError as error:
        if error.reason != "wrong_content":
            raise
        raise _Changed(path) from None


def _pieces(path: Path, size: int, advance: Advance) -> Iterator[bytes]:
    """So many bytes of a file, whatever becomes of it meanwhile."""
    with path.open("rb") as file:
        left = size
        while left:
            piece = file.read(min(_PIECE, left)) or b"\0" * min(_PIECE, left)
            left -= len(piece)
            yield piece
            advance(len(piece))
