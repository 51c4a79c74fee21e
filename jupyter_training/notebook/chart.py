"""Line charts as SVG: the same picture in a live output, a saved notebook and any front end.

Colours are the variables of JupyterLab's theme, or of VS Code's, so that a chart is light or dark
as its surroundings are. Lines differ also by their dashes, and carry their names.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupyter_training.notebook.formats import figure

TEXT = "var(--jp-ui-font-color2,var(--vscode-descriptionForeground,#6b7280))"
GRID = "var(--jp-border-color2,var(--vscode-widget-border,#c8ccd1))"

_LINES = (
    ("var(--jp-brand-color1,var(--vscode-charts-blue,#1976d2))", ""),
    ("var(--jp-warn-color1,var(--vscode-charts-orange,#c55a00))", "6 3"),
    ("var(--jp-success-color1,var(--vscode-charts-green,#2e7d32))", "2 2"),
    ("var(--jp-error-color1,var(--vscode-charts-red,#d32f2f))", "8 3 2 3"),
    ("var(--jp-info-color1,var(--vscode-charts-purple,#0097a7))", "1 3"),
    ("var(--jp-accent-color1,var(--vscode-charts-yellow,#7b8a1b))", "10 4"),
)
"""The colour and the dashes of each line, as the sidebar has them; then they begin again."""

_FONT = 10
_CHARACTER = 5.6
"""How wide one is on average (pixels)."""


@dataclass(frozen=True)
class Curve:
    """A line of a chart.

    Attributes
    ----------
    x
        Growing. Of the length of `y`.
    y
        None, NaN and infinity are gaps.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]

    @property
    def last(self) -> float | None:
        """The last value that is no gap."""
        return next((value for value in reversed(self.y) if not is_gap(value)), None)


def smoothed(values: Sequence[float | None], weight: float) -> list[float | None]:
    """The exponential moving average, corrected for its beginning; gaps stay.

    Parameters
    ----------
    weight
        Of what was before, from 0 (nothing is changed) to less than 1.
    """
    if not 0 <= weight < 1:
        raise ValueError(f"a weight is from 0 to less than 1, and not {weight}")
    result: list[float | None] = []
    mean, left = 0.0, 1.0
    for value in values:
        if is_gap(value):
            result.append(value)
            continue
        assert value is not None
        mean = weight * mean + (1 - weight) * value
        left *= weight
        # Kingma and Ba 2015, section 3: else the first values would be drawn to zero.
        result.append(mean / (1 - left))
    return result


def line_chart(
    curves: Sequence[Curve],
    *,
    label: str,
    size: tuple[int, int] = (360, 120),
    log: bool = False,
    smoothing: float = 0.0,
    bottom: float | None = None,
    top: float | None = None,
    x_axis: str = "",
) -> str:
    """A chart with an axis of values, whose lines have their names and last values at their ends.

    Parameters
    ----------
    label
        What it shows, for those who hear it.
    size
        Width and height (pixels).
    log
        Whether the axis of values is logarithmic; what is not positive is a gap then.
    smoothing
        The weight of `smoothed`. The values themselves are drawn, too, but faintly.
    bottom, top
        Values that the axis reaches in any case.
    x_axis
        What the other axis is; without, it has no numbers.

    Returns
    -------
    str
        An SVG element.
    """
    drawn = [_Line(place, curve, smoothing) for place, curve in enumerate(curves)]
    if log:
        drawn = [one.where_positive() for one in drawn]
    drawn = [one for one in drawn if one.last is not None]
    width, height = size
    opening = (
        f'<svg role="img" aria-label="{html.escape(label)}" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'style="max-width:100%" font-size="{_FONT}" font-family="inherit">'
    )
    if not drawn:
        return (
            f'{opening}<text x="{width / 2:.0f}" y="{height / 2:.0f}" text-anchor="middle" '
            f'fill="{TEXT}">no values yet</text></svg>'
        )
    frame = _Frame(drawn, size, log=log, bottom=bottom, top=top, x_axis=x_axis)
    return "".join([opening, *frame.axes(), *frame.lines(), *frame.names(), "</svg>"])


class _Line:
    def __init__(
        self, place: int, curve: Curve, smoothing: float, raw: Sequence[float | None] | None = None
    ) -> None:
        self.place, self.curve = place, curve
        self.colour, self.dashes = _LINES[place % len(_LINES)]
        self.raw = curve.y if smoothing else raw
        self.y = smoothed(curve.y, smoothing) if smoothing else list(curve.y)
        known = [value for value in self.y if not is_gap(value)]
        self.last = known[-1] if known else None

    def where_positive(self) -> _Line:
        def positive(values: Iterable[float | None]) -> list[float | None]:
            return [None if value is None or not value > 0 else value for value in values]

        y = Curve(self.curve.name, self.curve.x, positive(self.y))
        return _Line(self.place, y, 0.0, positive(self.raw) if self.raw is not None else None)


class _Frame:
    """Where the numbers are on the picture."""

    def __init__(
        self,
        lines: list[_Line],
        size: tuple[int, int],
        *,
        log: bool,
        bottom: float | None,
        top: float | None,
        x_axis: str,
    ) -> None:
        self._lines, self._log, self._x_axis = lines, log, x_axis
        values = [
            value
            for one in lines
            for value in [*one.y, *(one.raw or ())]
            if value is not None and not is_gap(value)
        ]
        low, high = min([*values, *_given(bottom)]), max([*values, *_given(top)])
        self.ticks = _log_ticks(low, high) if log else ticks(low, high)
        self._low = self._scale(min(low, self.ticks[0]))
        self._high = self._scale(max(high, self.ticks[-1]))
        if self._high == self._low:
            self._low, self._high = self._low - 0.5, self._high + 0.5
        xs = [x for one in lines for x in one.curve.x if math.isfinite(x)]
        self._first, self._last = min(xs, default=0.0), max(xs, default=1.0)
        self._names = [_shortened(f"{one.curve.name} {figure(one.last or 0)}") for one in lines]
        self._left = 6 + _CHARACTER * max(len(figure(tick)) for tick in self.ticks)
        self._right = size[0] - 8 - _CHARACTER * max(len(name) for name in self._names)
        self._top, self._bottom = 7.0, size[1] - (16.0 if x_axis else 5.0)

    def _scale(self, value: float) -> float:
        return math.log10(value) if self._log else value

    def _at(self, x: float, y: float) -> tuple[float, float]:
        wide = self._last - self._first
        across = (x - self._first) / wide if wide else 0.5
        up = (self._scale(y) - self._low) / (self._high - self._low)
        return (
            self._left + across * (self._right - self._left),
            self._bottom - up * (self._bottom - self._top),
        )

    def axes(self) -> list[str]:
        parts = []
        for tick in self.ticks:
            _, y = self._at(self._first, tick)
            parts.append(
                f'<line x1="{self._left:.1f}" x2="{self._right:.1f}" y1="{y:.1f}" y2="{y:.1f}" '
                f'stroke="{GRID}" stroke-width=".5"/><text x="{self._left - 4:.1f}" '
                f'y="{y + 3:.1f}" text-anchor="end" fill="{TEXT}">{figure(tick)}</text>'
            )
        if self._x_axis:
            y = self._bottom + 13
            for x, text, anchor in (
                (self._left, figure(self._first), "start"),
                (self._right, f"{self._x_axis} {figure(self._last)}", "end"),
            ):
                parts.append(
                    f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{TEXT}">'
                    f"{html.escape(text)}</text>"
                )
        return parts

    def lines(self) -> list[str]:
        parts = []
        for one in self._lines:
            if one.raw is not None:
                parts.append(self._path(one, one.raw, "1", ' opacity=".35"'))
            dashes = f' stroke-dasharray="{one.dashes}"' if one.dashes else ""
            parts.append(self._path(one, one.y, "1.8", dashes))
        return parts

    def _path(self, line: _Line, values: Sequence[float | None], wide: str, more: str) -> str:
        title = f"<title>{html.escape(line.curve.name)}</title>"
        run: list[tuple[float, float]] = []
        d = dots = ""
        for x, y in [*zip(line.curve.x, values, strict=True), (0.0, None)]:
            if not is_gap(y) and math.isfinite(x):
                assert y is not None
                run.append(self._at(x, y))
                continue
            if len(run) == 1:
                dots += (
                    f'<circle cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="2" '
                    f'fill="{line.colour}">{title}</circle>'
                )
            elif run:
                d += "M" + "L".join(f"{one:.1f},{other:.1f}" for one, other in run)
            run = []
        if not d:
            return dots
        return (
            f'<path d="{d}" fill="none" stroke="{line.colour}" stroke-width="{wide}" '
            f'stroke-linejoin="round"{more}>{title}</path>{dots}'
        )

    def names(self) -> list[str]:
        """What the lines are called, at their ends, one below the other where they meet."""
        ends = []
        for one, name in zip(self._lines, self._names, strict=True):
            assert one.last is not None
            ends.append((self._at(self._last, one.last)[1], one, name))
        ends.sort(key=lambda end: end[0])
        step = _FONT + 1.0
        places: list[float] = []
        for y, _, _ in ends:
            places.append(max(y + 3, places[-1] + step if places else 0.0))
        # What was pushed below the picture goes up again.
        limit = self._bottom + 3
        for place in range(len(places) - 1, -1, -1):
            places[place] = min(places[place], limit)
            limit = places[place] - step
        return [
            f'<text x="{self._right + 5:.1f}" y="{y:.1f}" fill="{one.colour}">'
            f"{html.escape(name)}</text>"
            for y, (_, one, name) in zip(places, ends, strict=True)
        ]


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Round numbers, of which the first is not above `low` and the last not below `high`.

    Heckbert 1990, "Nice numbers for graph labels", in: Graphics Gems.
    """
    if not high > low:
        around = abs(low) / 2 or 0.5
        return [low - around, low, low + around]
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(
        (factor for factor in (1, 2, 2.5, 5) if (high - low) / (step * factor) <= most), 10
    )
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [place * step for place in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    every = -(-(last - first) // 4)
    return [10.0**place for place in range(first, last + every, every)]


def _shortened(text: str, most: int = 22) -> str:
    return text if len(text) <= most else f"…{text[1 - most :]}"


def _given(value: float | None) -> list[float]:
    return [] if value is None else [value]


def is_gap(value: float | None) -> bool:
    """Whether nothing can be drawn there: None, NaN and infinity."""
    return value is None or not math.isfinite(value)
