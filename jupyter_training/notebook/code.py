"""What a job runs: shown, and written out again exactly as it was."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_training.jobs.contents import human_size
from jupyter_training.jobs.snapshots import Manifest
from jupyter_training.notebook.asking import ask
from jupyter_training.notebook.client import Client, TrainingError


class Code:
    """What a job runs. It shows itself as a list of its files.

    Attributes
    ----------
    command
        Quoted as for a shell.
    script
        The text of the cell; None if it was submitted in another way.
    files
        By their paths, the sizes of the files that it runs with (bytes).
    links
        What lay there and is not a part of it.
    path
        Where it was written to; None if it was not.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        self.job_id: str = told["job_id"]
        self.command: str = told["command"]
        self._script: dict[str, str] | None = told["script"]
        self.script = None if self._script is None else self._script["text"]
        listed = told["manifest"]
        self._manifest = None if listed is None else Manifest.model_validate(listed)
        files = () if self._manifest is None else self._manifest.files
        self.files = {file.path: file.size for file in files}
        self.links = [] if self._manifest is None else self._manifest.links
        self.directory: str | None = told["working_dir"]
        self.path: Path | None = None

    def __repr__(self) -> str:
        lines = [f"command    {self.command}"]
        if self._manifest is None:
            lines.append(f"directory  {self.directory}, as it is (submitted without a snapshot)")
        else:
            size = human_size(self._manifest.total_bytes)
            lines.append(f"snapshot   of {self._manifest.root}: {len(self.files)} files, {size}")
            width = max(map(len, self.files), default=0)
            lines += [
                f"  {path:{width}}  {human_size(bytes_)}" for path, bytes_ in self.files.items()
            ]
            if self.links:
                lines.append(f"not in it  {', '.join(self.links)}")
        if self._script is not None:
            lines += [f"{self._script['name']}", *(f"  {one}" for one in self._lines())]
        if self.path is not None:
            lines.append(f"written to {self.path}")
        return "\n".join(lines)

    def _lines(self) -> list[str]:
        return (self.script or "").splitlines()

    def read(self, path: str) -> bytes:
        """The content of one of the files.

        Raises
        ------
        KeyError
            If there is no such file.
        """
        for file in self._manifest.files if self._manifest is not None else ():
            if file.path == path:
                return ask(partial(Client.content, digest=file.sha256))
        raise KeyError(path)

    def write(self, to: str | os.PathLike[str]) -> Path:
        """Write all of it into a directory, which is to be new or empty.

        Raises
        ------
        TrainingError
            If it is not, or cannot be written.
        """
        target = Path(to).expanduser().absolute()
        draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            if target.exists() and any(target.iterdir()):
                raise TrainingError(f"{target} is not empty; name a directory that is new.")
            draft.mkdir(parents=True)
            self._write(draft)
            draft.replace(target)
        except OSError as error:
            told = error.strerror or error
            raise TrainingError(f"{target} cannot be written: {told}.") from None
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        self.path = target
        return target

    def _write(self, draft: Path) -> None:
        manifest = self._manifest or Manifest(root="/")
        for directory in manifest.directories:
            (draft / directory).mkdir(parents=True, exist_ok=True)
        for file in manifest.files:
            path = draft / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            _fetch(file.sha256, path)
            if file.executable:
                path.chmod(0o755)
        for link, goal in manifest.symlinks.items():
            (draft / link).parent.mkdir(parents=True, exist_ok=True)
            (draft / link).symlink_to(goal)
        if self._script is not None:
            path = draft / self._script["name"]
            if os.path.lexists(path):  # a file of the same name lay next to the notebook
                path = path.with_name(f"{self.job_id}-{path.name}")
            path.write_text(self._script["text"], encoding="utf-8")


def code(reference: str) -> Code:
    """What a job runs."""
    return Code(ask(lambda client: client.code(reference)))


def _fetch(digest: str, path: Path) -> None:
    found = hashlib.sha256()
    with path.open("xb") as file:
        for piece in ask(lambda client: client.open_content(digest)):
            found.update(piece)
            file.write(piece)
    if found.hexdigest() != digest:
        raise TrainingError(f"{path.name} was damaged on the way or on the disk of the server.")
