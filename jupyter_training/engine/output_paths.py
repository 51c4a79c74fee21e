"""Paths below an output directory: as they are stored, asked for and shown. No I/O.

A name is any bytes that a job chose. A URL names them all, and a person sees them as text.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

MAX_DEPTH = 64
"""How many directories deep a path may lead. Those that are deeper are listed, and not entered."""

RelativePath = tuple[bytes, ...]
"""A path below the output directory by its components, each as it is stored; empty for itself."""


class NoSuchOutput(LookupError):
    """There is nothing there that could be shown."""


def parse(path: str) -> RelativePath:
    """The components of a path as a person or a URL names it, below the output directory.

    Raises
    ------
    NoSuchOutput
        If it can be no such path, as it is absolute, or leads upwards, or nowhere.
    """
    parts = tuple(os.fsencode(path.removesuffix("/")).split(b"/")) if path else ()
    if len(parts) > MAX_DEPTH:
        raise NoSuchOutput(f"{shown(parts)} is more than {MAX_DEPTH} directories deep.")
    _check(parts)
    return parts


def decode(encoded: str) -> RelativePath:
    """The path that `encode` gave this text for.

    Raises
    ------
    NoSuchOutput
        If it gave it for none.
    """
    parts = tuple(unquote_to_bytes(encoded).split(b"/")) if encoded else ()
    _check(parts)
    return parts


def encode(path: RelativePath) -> str:
    """A path as a URL has it, which tells every name from every other."""
    return "/".join(quote(part, safe="") for part in path)


def text(path: RelativePath) -> str:
    """A path as it is shown; what is not UTF-8 in it is replaced."""
    return b"/".join(path).decode("utf-8", "replace")


def browser_path(directory: Path, root: Path) -> str | None:
    """Where Jupyter's file browser shows a directory.

    Returns
    -------
    str or None
        A path relative to the server's root directory; None if it is not below that, or hidden.
    """
    path = Path(os.path.normpath(directory))
    if not path.is_relative_to(root):
        return None
    below = path.relative_to(root)
    if any(part.startswith(".") for part in below.parts):
        return None
    return below.as_posix() if below.parts else ""


def shown(path: RelativePath) -> str:
    """A path for a sentence, whatever is in it."""
    told = text(path)
    return repr(told if len(told) <= 100 else f"{told[:100]}…")


def _check(parts: RelativePath) -> None:
    if any(part in (b"", b".", b"..") or b"\0" in part for part in parts):
        told = "name it as the list does, without . or .. and without a / in front"
        raise NoSuchOutput(f"{shown(parts)} is not a path below the results of a job; {told}.")
