"""How images are called: Docker's grammar of their names, and what people write instead. Pure.

The engine would say as much, but only when a job has waited for its turn; and what is no name would
be a part of the path of a request.
"""

from __future__ import annotations

import re

_HOST = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = rf"(?:{_HOST}(?:\.{_HOST})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"\w[\w.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

# As in the package `reference` of github.com/distribution/reference, whose names Docker takes.
_NAME = re.compile(rf"(?:{_DOMAIN}/)?{_PATH}(?::{_TAG})?(?:@{_DIGEST})?", re.ASCII)

_SCHEME = re.compile(r"[a-z]+://", re.IGNORECASE)
_EXAMPLES = "pytorch/pytorch:2.0-cuda11.8 or registry.example.com/team/image:tag"


def why_no_image(name: str) -> str | None:
    """Why no image can be called so, as a sentence; None if one can."""
    if _NAME.fullmatch(name):
        return None
    told = f"{name!r} is not the name of an image"
    for meant in (_SCHEME.sub("", name), _in_small_letters(_SCHEME.sub("", name))):
        if _NAME.fullmatch(meant):
            return f"{told}; did you mean {meant}?"
    return f"{told}; one looks like {_EXAMPLES}"


def _in_small_letters(name: str) -> str:
    """The name with its path in small letters, as it has to be; a tag may have capital ones."""
    path, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:  # what is behind a colon is the port of a registry
        return name.lower()
    return f"{path.lower()}:{tag}"
