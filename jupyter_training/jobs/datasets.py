"""What a data set is: a path under a name that jobs can ask for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from jupyter_training.jobs.requests import (
    FieldError,
    InvalidRequest,
    Line,
    Text,
    as_file_name,
    checked,
)

_NAME = re.compile(r"[\w][\w.+-]*")

SYSTEM = tuple(map(Path, ("/boot", "/dev", "/etc", "/proc", "/run", "/sys", "/var/lib/docker")))
"""Where nobody keeps data to train on, and much that a job should not see."""


def _file_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name.isdecimal():
        raise ValueError("should be a plain file name such as imagenet-2012, and not a number")
    return as_file_name(name)


DataSetId = Annotated[int, Field(ge=1, lt=2**63, strict=True)]
DataSetName = Annotated[str, Field(max_length=128), AfterValidator(_file_name)]


class InvalidDataSet(InvalidRequest):
    """A request that cannot be a data set."""

    what = "This data set cannot be registered"


class DataSetSpec(BaseModel):
    """A data set as a person registers it.

    Attributes
    ----------
    name
        What jobs call it, and what its file or directory is called where they find it.
    path
        The file or directory; relative to the server's root directory.
    description
        For people.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: DataSetName
    path: Annotated[Line, Field(max_length=4096)]
    description: Annotated[Text, Field(max_length=10_000)] | None = None


def parse(data: object) -> DataSetSpec:
    """Check a request.

    Raises
    ------
    InvalidDataSet
        With every wrong field.
    """
    if not isinstance(data, dict):
        raise InvalidDataSet([FieldError("", "a data set is a JSON object with name and path")])
    return checked(DataSetSpec, data, InvalidDataSet)


def why_not(path: Path, allowed: Sequence[Path], own: Sequence[Path]) -> str | None:
    """Why a path may not be a data set; None if it may.

    All paths are absolute and without symbolic links.

    Parameters
    ----------
    allowed
        The directories that data sets have to be in; none of them means that any will do that is
        not of the system.
    own
        The server's own directories, with its records and tokens, which are for no job to see.
    """
    for one in own:
        if path.is_relative_to(one):
            return f"{path} is inside the server's own directory {one}"
        if one.is_relative_to(path):
            return f"{path} contains the server's own directory {one}"
    if allowed:
        if any(path.is_relative_to(one) for one in allowed):
            return None
        there = " or ".join(map(str, allowed))
        return f"{path} is not in {there}, where data sets have to be on this server"
    for one in SYSTEM:
        if path.is_relative_to(one) or one.is_relative_to(path):
            return f"{path} is a directory of the system"
    return None
