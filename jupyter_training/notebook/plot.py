"""The chart of a job that lives: drawn in the browser by what also draws it in the sidebar.

Its code, `labextension/src/widget`, is built into `static/widget.js`. Only new points of what is
shown are sent to it, as messages, which no notebook keeps; a browser that has missed some, or has
just come, asks for all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any, Protocol

import anywidget
import ipywidgets as widgets
import traitlets

from jupyter_training.notebook import card
from jupyter_training.notebook.chart import Curve
from jupyter_training.notebook.points import news
from jupyter_training.notebook.words import Words

_STATIC = files("jupyter_training.notebook").joinpath("static")

MOST_SHOWN = 12
"""So many metrics can be drawn at once."""

_NOT_BUILT = (
    "This installation lacks the part in which a chart can be changed: static/widget.js. Install "
    "jupyter-training again to have it."
)


class Plot(Protocol):
    """What draws the curves of a job."""

    root: Any

    @property
    def shown(self) -> Sequence[str]:
        """The metrics whose last values are seen there."""

    def draw(self, curves: Sequence[Curve], attempt: int) -> None:
        """Show what a job has measured in an attempt."""

    def open(self, is_open: bool) -> None:
        """Show, or hide, what can be chosen."""

    def speak(self, words: Words) -> None:
        """Use the words of a language."""


def new_plot() -> Plot:
    """A chart, or a picture of one where the built code is missing."""
    try:
        code, style = ((_STATIC / name).read_text("utf-8") for name in ("widget.js", "widget.css"))
    except OSError:
        return Picture()
    return LivePlot(Chart(code, style))


class Chart(anywidget.AnyWidget):
    """The state that this process and all browsers have in common: `widget/state.ts`."""

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.List(traitlets.Unicode()).tag(sync=True)
    shown = traitlets.List(traitlets.Unicode()).tag(sync=True)
    is_log = traitlets.Bool(False).tag(sync=True)
    smoothing = traitlets.Float(0.0, min=0.0, max=0.99).tag(sync=True)
    is_open = traitlets.Bool(False).tag(sync=True)
    words = traitlets.Dict().tag(sync=True)

    def __init__(self, code: str, style: str) -> None:
        super().__init__(_esm=code, _css=style, layout={"flex": "0 0 auto", "display": "none"})


class LivePlot:
    """Keeps a chart up to date.

    Parameters
    ----------
    root
        The chart.
    """

    def __init__(self, root: Chart) -> None:
        self.root = root
        self._curves: dict[str, Curve] = {}
        self._attempt = 0
        self._sent: dict[str, Curve] = {}
        self._serial = 0
        self._sending = threading.RLock()
        root.on_msg(self._answer)
        root.observe(lambda _: self._show(), "chosen")

    @property
    def shown(self) -> Sequence[str]:
        """The metrics whose last values are seen there."""
        return list(self.root.shown)

    def draw(self, curves: Sequence[Curve], attempt: int) -> None:
        """Show what a job has measured in an attempt; only what is new is sent."""
        with self._sending:
            if attempt != self._attempt:
                self._sent, self._attempt = {}, attempt
            self._curves = {one.name: one for one in curves}
            self.root.names = list(self._curves)
            self._show()
            self.root.layout.display = "" if self._curves else "none"

    def open(self, is_open: bool) -> None:
        """Show, or hide, what can be chosen."""
        self.root.is_open = is_open

    def speak(self, words: Words) -> None:
        """Use the words of a language."""
        self.root.words = {
            "metrics": words("Metrics"),
            "log": words("Log scale"),
            "smoothing": words("Smoothing"),
            "step": words("step %1"),
            "chart": words("Chart. Last values: %1"),
        }

    def _show(self) -> None:
        with self._sending:
            chosen = [one for one in self.root.chosen if one in self._curves]
            self.root.shown = (chosen or card.by_itself(list(self._curves.values())))[:MOST_SHOWN]
            self._send(self._shown())

    def _shown(self) -> Iterable[Curve]:
        return [self._curves[name] for name in self.root.shown]

    def _answer(self, _: Any, content: dict[str, Any], __: Any) -> None:
        """Tell everything to a browser that asks, and to the others with it."""
        if content.get("type") == "points":
            with self._sending:
                self._sent = {}
                self._send(self._shown(), whole=True)

    def _send(self, curves: Iterable[Curve], *, whole: bool = False) -> None:
        found = [one for curve in curves if (one := news(self._sent.get(curve.name), curve))]
        if not found and not whole:
            return
        for one in found:
            self._sent[one.name] = one.after(self._sent.get(one.name))
        self._serial += 1
        told = [one.told() for one in found]
        self.root.send({"type": "points", "serial": self._serial, "whole": whole, "curves": told})


class Picture:
    """A chart that is drawn here, of the metrics that are drawn where nobody has chosen."""

    def __init__(self) -> None:
        self.root = widgets.HTML(layout={"flex": "0 0 auto", "min_width": "0"})
        self._note = ""
        self.shown: Sequence[str] = ()

    def draw(self, curves: Sequence[Curve], attempt: int) -> None:
        """Show what a job has measured."""
        drawn, self.shown = card.chart(curves), card.by_itself(curves)
        self.root.value = drawn and f"<div>{drawn}</div>{self._note}"
        self.root.layout.display = "" if drawn else "none"

    def open(self, is_open: bool) -> None:
        """Say that there is nothing to choose."""
        self._note = f"<div>{_NOT_BUILT}</div>" if is_open else ""

    def speak(self, words: Words) -> None:
        """Say nothing: a picture has no words."""
