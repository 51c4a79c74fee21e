"""What a snapshot is: the files of a directory as they were at one moment, by their contents.

A snapshot is a *manifest*, a JSON document that names each file with the SHA-256 of its content.
The manifest is stored like a file, under the SHA-256 of itself, which is what a job refers to. What
is not a part of it - what an ignore file names, or a link that leads out - is listed as a *link*: a
job finds it where it really is.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

MAX_MANIFEST_BYTES = 32 * 1024**2
MAX_OBJECTS = 100_000

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""The SHA-256 of a content, in lower-case hexadecimal digits."""


class InvalidManifest(ValueError):
    """A document that is no manifest; the text says why."""


def _relative(path: str) -> str:
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise ValueError(f"{path!r} is not a path below the directory")
    return path


RelativePath = Annotated[str, Field(max_length=4096), AfterValidator(_relative)]
"""Names with a / in between, none of which leads upwards. What is not UTF-8 has surrogates."""


class File(BaseModel):
    """A file of a snapshot.

    Attributes
    ----------
    size
        In bytes.
    executable
        Whether it may be run as a program.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: RelativePath
    sha256: Digest
    size: Annotated[int, Field(ge=0, lt=2**63, strict=True)]
    executable: bool = False


class Manifest(BaseModel):
    """What a snapshot consists of.

    Attributes
    ----------
    root
        The directory that it is of: an absolute path on the machine of whoever submitted the job.
    directories
        Those that are empty; the others follow from what is in them.
    symlinks
        By their paths, where links lead to that stay within the directory.
    links
        What is there and not a part of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=1, le=1, strict=True)] = 1
    root: Annotated[str, Field(max_length=4096, pattern="^/")]
    files: list[File] = Field(default_factory=list, max_length=MAX_OBJECTS)
    directories: list[RelativePath] = Field(default_factory=list, max_length=MAX_OBJECTS)
    symlinks: dict[RelativePath, str] = Field(default_factory=dict, max_length=MAX_OBJECTS)
    links: list[RelativePath] = Field(default_factory=list, max_length=MAX_OBJECTS)

    @model_validator(mode="after")
    def _is_a_tree(self) -> Manifest:
        if "\0" in self.root or ".." in self.root.split("/"):
            raise ValueError("root should be an absolute path without ..")
        leaves = [*(file.path for file in self.files), *self.symlinks, *self.links]
        known = set(leaves)
        if len(known) != len(leaves):
            raise ValueError("a path is listed twice")
        for path in (*leaves, *self.directories):
            parent = path
            while "/" in parent:
                parent = parent.rpartition("/")[0]
                if parent in known:
                    raise ValueError(f"{path!r} is below {parent!r}, which is no directory")
        for path in self.directories:
            if path in known:
                raise ValueError(f"{path!r} is a directory and something else")
        for path, target in self.symlinks.items():
            if not stays_within(path, target):
                raise ValueError(f"the link {path!r} leads out of the directory")
        return self

    @property
    def total_bytes(self) -> int:
        """The size of all files."""
        return sum(file.size for file in self.files)

    def encoded(self) -> bytes:
        """The one way to write it down; of it the SHA-256 is taken."""
        return json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":")).encode()


def stays_within(path: str, target: str) -> bool:
    """Whether a symbolic link leads to something below the directory, by what is written in it.

    Parameters
    ----------
    path
        The link's own, below the directory.
    target
        What is written in it.
    """
    if not target or target.startswith("/") or "\0" in target:
        return False
    depth = path.count("/")
    for part in target.split("/"):
        if part == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            return False
    return True


def parse(content: bytes) -> Manifest:
    """Read a manifest.

    Raises
    ------
    InvalidManifest
        If it is none.
    """
    try:
        data: Any = json.loads(content)
        return Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        told = first["msg"].removeprefix("Value error, ")
        raise InvalidManifest(f"{where}: {told}" if where else told) from None
    except (ValueError, RecursionError):
        raise InvalidManifest("it is not JSON") from None
