"""What a monitor shows in a notebook: a picture that stays, and a widget that lives.

The output of a cell gets both. The picture, HTML and text, is what a saved notebook has, and what a
front end without widgets shows. It is found by its display id, and told anew when it matters, as
each time changes the notebook. The widget has all that moves; nothing of it is saved. Of the two
the widget is seen where there is one: JupyterLab shows a widget whose kernel is gone as an error,
even if the same output has HTML as well, so they are two outputs, and a style sheet chooses.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from jupyter_training.notebook.answering import Answering
from jupyter_training.notebook.kernel import kernel

_RENEW_S = 600.0
"""How old the picture may be beside a widget (s)."""

_HINT = "Install ipywidgets and anywidget to have buttons and charts that move here."
_hinted = threading.Event()


@dataclass(frozen=True)
class Pair:
    """The CSS classes of a picture and of the widget in whose absence it is seen."""

    picture: str
    widget: str

    @classmethod
    def new(cls) -> Pair:
        """One that no other output has."""
        key = uuid.uuid4().hex[:8]
        return cls(f"jt-picture-{key}", f"jt-live-{key}")

    @property
    def style(self) -> str:
        """What stands in the picture: of the two outputs one after the other one is seen."""
        child = ".jp-OutputArea-child"
        picture, widget = f":has(.{self.picture})", f".{self.widget}"
        return (
            f"<style>{child}{picture}:has(+ {child} {widget}){{display:none}}"
            f"{child}{picture} + {child}:not(:has({widget})){{display:none}}</style>"
        )

    @property
    def style_of_widget(self) -> str:
        """What stands in the widget, for other front ends."""
        return f"<style>.{self.picture}{{display:none}}</style>"


class Picture(Protocol):
    """What stays; it has a representation as HTML too."""

    def text(self) -> str:
        """What a terminal shows."""


class Widget(Protocol):
    """What lives."""

    @property
    def model_id(self) -> str:
        """By what a front end finds it."""

    def draw(self) -> None:
        """Show what is known by now."""


class Live:
    """An output that is kept up to date.

    Parameters
    ----------
    picture
        Makes the picture of now, which has the style sheet of a pair if it is given one.
    widget
        Makes the widget; raises `ImportError` where there are none.
    moment
        What it depends on whether the picture is told anew beside a widget.
    is_seen
        Whether a browser has said that it shows the widget.
    """

    def __init__(
        self,
        picture: Callable[[Pair | None], Picture],
        widget: Callable[[Pair], Widget],
        moment: Callable[[], Any],
        is_seen: Callable[[], bool],
    ) -> None:
        self._picture, self._make_widget = picture, widget
        self._moment, self._is_seen = moment, is_seen
        self._pair: Pair | None = None
        self._widget: Widget | None = None
        self._answering: Answering | None = None
        self._handle: Any = None
        self._drawing = threading.Lock()
        self._pictured: Any = None
        self._pictured_at = 0.0

    def show(self) -> bool:
        """Display it; whether it can be kept up to date."""
        if kernel() is None:
            # A terminal would print every update below the last one.
            print(self._picture(None).text())
            return False
        from IPython.display import display

        pair = Pair.new()
        try:
            self._answering = Answering()
            self._widget = self._answering.run(partial(self._make_widget, pair))
        except ImportError:
            if not _hinted.is_set():
                _hinted.set()
                print(_HINT)
        else:
            self._pair = pair
        self._handle = display(self._new_picture(), display_id=uuid.uuid4().hex)  # type: ignore[no-untyped-call]
        if self._widget is not None:
            view = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
            # Who knows no widgets shows nothing: the picture says it all.
            bundle = {"application/vnd.jupyter.widget-view+json": view, "text/plain": ""}
            display(bundle, raw=True)  # type: ignore[no-untyped-call]
        return True

    def _new_picture(self) -> Picture:
        self._pictured, self._pictured_at = self._moment(), time.monotonic()
        return self._picture(self._pair)

    def draw(self) -> None:
        """Show what is new; from any thread."""
        with self._drawing:
            if self._widget is not None:
                assert self._answering is not None
                self._answering.run(self._widget.draw)
            if (
                not self._is_seen()
                or self._moment() != self._pictured
                or time.monotonic() - self._pictured_at >= _RENEW_S
            ):
                self._handle.update(self._new_picture())
