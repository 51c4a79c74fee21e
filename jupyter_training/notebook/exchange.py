"""Values that go to a job from this kernel, and what comes back.

To read a result is to unpickle what the user's own job has written, which runs what the job says.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_training import values
from jupyter_training.jobs.contents import human_size
from jupyter_training.notebook.asking import ask, connection
from jupyter_training.notebook.client import Client, TrainingError
from jupyter_training.notebook.outputs import download, listing
from jupyter_training.notebook.uploading import Advance, showing

_PIECE = 1 << 20


class JobFailed(TrainingError):
    """A job has no result, as it did not complete; the text says why."""


class RemoteTraceback(Exception):
    """Where in a job an exception was raised."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n\nIn the job:\n{self.text}"


@dataclass(frozen=True)
class Packed:
    """A value that is ready to be uploaded.

    Attributes
    ----------
    size
        In bytes.
    """

    name: str
    pieces: Sequence[memoryview]
    digest: str
    size: int

    def told(self, advance: Advance) -> Iterator[bytes]:
        """What it is made of; for each piece it is said how large that is."""
        for piece in self.pieces:
            for start in range(0, len(piece), _PIECE):
                part = bytes(piece[start : start + _PIECE])
                yield part
                advance(len(part))


def pack(name: str, value: Any) -> Packed:
    """Get a value ready; its arrays are not copied.

    Raises
    ------
    TrainingError
        If it cannot be pickled; the text names the part and the reason.
    """
    try:
        pieces = values.pieces_of(value)
    except Exception as error:
        told = values.why_not(value, name) or f"{name}: {error}"
        raise TrainingError(f"{name} cannot be given to a job. {told}.") from None
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return Packed(name, pieces, found.hexdigest(), sum(piece.nbytes for piece in pieces))


def named(names: Iterable[str], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The variables with these names.

    Raises
    ------
    TrainingError
        If one of them is not there.
    """
    gone = [name for name in names if name not in namespace]
    if gone:
        raise TrainingError(f"--in: there is no variable {' and no '.join(gone)} here.")
    return {name: namespace[name] for name in names}


def upload(variables: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """Upload values, as far as the server lacks them.

    Returns
    -------
    inputs
        The SHA-256 of each, as a job has them.
    told
        Their sizes, for a person.

    Raises
    ------
    TrainingError
        If one of them cannot be pickled, or is larger than the server takes.
    """
    packed = [pack(name, value) for name, value in variables.items()]

    def put(client: Client) -> None:
        missing = set(client.missing_contents([one.digest for one in packed]))
        for one in packed:
            if one.digest in missing:
                what = f"{one.name} ({human_size(one.size)})"
                try:
                    with showing(what, one.size, connection.say) as advance:
                        client.put_content(one.digest, one.told(advance), one.size)
                except TrainingError as error:
                    if error.reason not in ("wrong_content", "too_large"):
                        raise
                    why = "it changed while it was sent" if error.status == 400 else str(error)
                    raise TrainingError(f"{one.name} cannot be given to a job: {why}") from None

    ask(put)
    told = ", ".join(f"{one.name} ({human_size(one.size)})" for one in packed)
    return {one.name: one.digest for one in packed}, told


def result(told: dict[str, Any], reference: str, name: str | None = None) -> Any:
    """What an ended job has given back.

    Parameters
    ----------
    told
        The job.
    name
        Of several, only this one.

    Raises
    ------
    JobFailed
        If it did not complete.
    TrainingError
        If it gives nothing back.
    """
    called = f"{told['name']} ({reference})"
    there = _there(reference)
    if values.RAISED in there:
        _raise(*_load(reference, values.RAISED))
    if told["status"] != "completed":
        raise JobFailed(
            f"{called} has no result: it is {told['status']}, {told['reason']}. "
            f"%train_logs {reference} shows what it has printed."
        )
    if name is not None:
        if name not in there:
            raise TrainingError(f"{called} has no {name}; it has: {', '.join(there) or 'nothing'}.")
        return _load(reference, name)
    if not there:
        raise TrainingError(
            f"{called} gives nothing back. Name variables with --out, or submit a function; files "
            "that it has left are in job.outputs()."
        )
    if len(there) == 1:
        return _load(reference, there[0])
    return {one: _load(reference, one) for one in there}


def names(reference: str) -> list[str]:
    """The names of the variables that an ended job has given back."""
    return [one for one in _there(reference) if one not in (values.RETURNED, values.RAISED)]


def _there(reference: str) -> list[str]:
    try:
        found = listing(reference, values.DIRECTORY, recursive=False)
    except TrainingError as error:
        if error.reason != "no_such_output":
            raise
        return []
    return [one["name"] for one in found if not one["name"].endswith(".draft")]


def _load(reference: str, name: str) -> Any:
    with tempfile.TemporaryDirectory(prefix="jupyter-training-") as directory:
        # What is mapped stays when the name is gone.
        path = download(reference, f"{values.DIRECTORY}/{name}", Path(directory))
        try:
            return values.load(str(path))
        except values.UnreadableValue as error:
            raise TrainingError(str(error)) from error.__cause__


def _raise(error: BaseException | None, text: str) -> None:
    if error is None:
        raise JobFailed(f"The function failed in the job:\n{text}")
    error.__cause__ = RemoteTraceback(text)
    raise error
