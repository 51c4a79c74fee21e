"""What all requests share: how they are checked, and how it is told what is wrong with them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError
from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)


def _printable(text: str) -> str:
    if not text.strip():
        raise ValueError("should not be empty")
    if not text.isprintable():
        raise ValueError("should be one line without control characters")
    return text


def as_text(text: str) -> str:
    """The text, if a database and an operating system can take it."""
    if "\0" in text:
        raise ValueError("should not contain a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:  # JSON can have such: "\\ud83d"
        raise ValueError("should not contain half a character (a lone surrogate)") from None
    return text


MAX_NAME_BYTES = 240
"""How long the name of a file may be (bytes): file systems take 255, and a draft needs some."""


def as_file_name(name: str) -> str:
    """The name, if a file can be called so; it counts in bytes and not in characters."""
    size = len(name.encode("utf-8", "surrogatepass"))
    if size > MAX_NAME_BYTES:
        raise ValueError(f"has {size} bytes, and may have {MAX_NAME_BYTES}")
    return name


_NOTIFY = (
    'should be an array of URLs, names of receivers, or objects such as {"to": "team", "on": '
    '["failed"]}, with some of completed, failed, retrying, cancelled and idle'
)
_TOLD_OF_NOTIFY = frozenset({"value_error", "too_long"})

Line = Annotated[str, AfterValidator(_printable)]
Text = Annotated[str, AfterValidator(as_text)]


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong with a request: the field's name and a sentence about it."""

    field: str
    message: str


class InvalidRequest(ValueError):
    """A request that is wrong.

    Attributes
    ----------
    what
        What cannot be done for that reason.
    errors
        Every wrong field with a sentence.
    """

    what: ClassVar[str] = "This cannot be done"

    def __init__(self, errors: list[FieldError]) -> None:
        self.errors = errors
        told = "; ".join(f"{error.field}: {error.message}" for error in errors)
        super().__init__(f"{self.what}. {told}")


def checked(model: type[M], data: dict[str, Any], kind: type[InvalidRequest]) -> M:
    """A request as a value.

    Raises
    ------
    kind
        With every wrong field.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # Pydantic reports a union once per member; one sentence a field is what a person wants.
        found: dict[str, FieldError] = {}
        for details in error.errors():
            told = _within(model, data, details)
            found.setdefault(told.field, told)
        raise kind(list(found.values())) from None


def _within(model: type[BaseModel], data: Any, details: ErrorDetails) -> FieldError:
    """What is wrong with a field, or with one of a stage, which is told by its name."""
    where, told, path = "", "", list(details["loc"])
    while len(path) > 2 and path[0] == "stages" and isinstance(path[1], int):
        data = data["stages"][path[1]]
        name = data.get("name") if isinstance(data, dict) else None
        where += f"stages.{path[1]}."
        told += f"stage {name if isinstance(name, str) else path[1] + 1}: "
        path = path[2:]
    found = _field_error(model, path, details)
    return FieldError(where + found.field, told + found.message)


def _field_error(
    model: type[BaseModel], parts: Sequence[int | str], details: ErrorDetails
) -> FieldError:
    path = [str(part) for part in parts]
    field = path[0] if path else ""
    kind = details["type"]
    if field == "notify" and kind not in _TOLD_OF_NOTIFY:
        # What was given is not repeated: a URL is a secret.
        return FieldError(field, _NOTIFY)
    if kind == "extra_forbidden":
        name = ".".join(path)
        there = model.model_fields if len(path) == 1 else ()
        near = difflib.get_close_matches(field, there, n=1)
        return FieldError(name, "no such field" + (f"; did you mean {near[0]}?" if near else ""))
    if kind == "missing":
        return FieldError(".".join(path), "is required")
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if kind in ("too_long", "string_too_long"):
        what = "characters" if isinstance(details["input"], str) else "items"
        length, most = len(details["input"]), details["ctx"]["max_length"]
        message = f"has {length} {what}, and may have {most}"
    if field == "command" and kind.endswith("_type"):
        message = "should be a string or an array of strings"
    elif field == "stages" and kind in ("list_type", "model_type"):
        message = (
            'should be an array of objects such as {"name": "fit", "command": "python fit.py"}'
        )
    elif field == "dataset_ids" and len(path) > 1:
        message = "should be an array of numbers or names of data sets"
    elif field == "search":
        field = ".".join(path)
        message = _of_a_search(len(path), kind, message)
    elif field in ("env_vars", "script") and len(path) > 1:
        message = f"{'.'.join(path[1:])} {message}"
    given = details.get("input")
    if kind != "value_error" and isinstance(given, str | int | float) and len(str(given)) < 60:
        message += f", not {given!r}"
    return FieldError(field, message)


def _of_a_search(depth: int, kind: str, message: str) -> str:
    if kind == "too_short":
        return "should name at least one parameter"
    if kind == "model_type" and depth == 1:
        return 'should be an object such as {"metric": "loss", "trials": 20, "space": {…}}'
    if kind == "model_type":
        return 'should be an object, or a text such as "loguniform:1e-5:1e-1"'
    return message
