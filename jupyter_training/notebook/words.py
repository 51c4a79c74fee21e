"""The words around a job in the language of the page that shows it, as the sidebar has them.

It is only the words: what the server says of a job is in English here.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from importlib.resources import files

_PLACE = re.compile(r"%(\d)")


class Words:
    """The words of a language.

    Parameters
    ----------
    catalogue
        By the English text, what it is in this language.
    """

    def __init__(self, catalogue: Mapping[str, str] | None = None) -> None:
        self._catalogue = catalogue or {}

    def __call__(self, text: str, *values: object) -> str:
        """A text, with values in the places ``%1``, ``%2`` and so on."""
        found = self._catalogue.get(text, text)
        return _PLACE.sub(lambda place: str(values[int(place[1]) - 1]), found) if values else found


ENGLISH = Words()


@functools.cache
def words_of(language: str) -> Words:
    """The words of a language; English if it is none that there is.

    Parameters
    ----------
    language
        As a page tells it, such as ``zh-CN``.
    """
    if not re.fullmatch(r"[A-Za-z]{2,3}([_-][A-Za-z]{2,4})?", language):
        return ENGLISH
    place = files("jupyter_training") / "locale" / language.replace("-", "_") / "LC_MESSAGES"
    try:
        text = (place / "jupyter_training.json").read_text("utf-8")
    except OSError:
        return ENGLISH
    return Words({key: told[0] for key, told in json.loads(text).items() if key})
