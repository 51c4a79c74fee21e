"""What a kernel tells the chart that a browser draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_training.notebook import plot
from jupyter_training.notebook.chart import Curve
from jupyter_training.notebook.plot import MOST_SHOWN, Chart, LivePlot, Picture, new_plot


class Sent(Chart):
    """Keeps what is sent, as there is no browser."""

    def send(self, content: Any, buffers: Any = None) -> None:
        self.messages = [*getattr(self, "messages", []), content]


def curve(name: str, count: int) -> Curve:
    return Curve(name, range(count), [1.0] * count)


def test_only_what_is_new_of_what_is_shown_is_sent() -> None:
    chart = Sent("", "")
    live = LivePlot(chart)
    live.draw([curve("loss", 100), *(curve(f"m{i}", 100) for i in range(50))], 1)
    live.draw([curve("loss", 103), *(curve(f"m{i}", 103) for i in range(50))], 1)
    live.draw([curve("loss", 103), *(curve(f"m{i}", 103) for i in range(50))], 1)
    first, second = chart.messages
    assert [(one["name"], len(one["x"])) for one in first["curves"]] == [("loss", 100)]
    assert [(one["keep"], list(one["x"])) for one in second["curves"]] == [
        (99, [99, 100, 101, 102])
    ]
    assert (first["serial"], second["serial"]) == (1, 2)
    # What somebody chooses comes then, and is bounded.
    chart.chosen = [f"m{i}" for i in range(50)]
    assert len(chart.messages[-1]["curves"]) == len(chart.shown) == MOST_SHOWN
    # Whoever asks, or has come just now, gets everything that is shown.
    live._answer(chart, {"type": "points"}, [])
    assert chart.messages[-1]["whole"]
    assert {len(one["x"]) for one in chart.messages[-1]["curves"]} == {103}
    # Another attempt has other curves.
    live.draw([curve("m0", 200)], 2)
    assert [(one["keep"], len(one["x"])) for one in chart.messages[-1]["curves"]] == [(0, 200)]


def test_an_installation_without_the_built_chart_has_a_picture_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plot, "_STATIC", tmp_path)
    picture = new_plot()
    assert isinstance(picture, Picture)
    picture.draw([curve("loss", 3)], 1)
    assert "<svg" in picture.root.value
    assert "install" not in picture.root.value.lower()
    picture.open(True)
    picture.draw([curve("loss", 3)], 1)
    assert "Install jupyter-training again" in picture.root.value
