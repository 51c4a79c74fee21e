"""The chart of a cell in a page that keeps anywidget's contract with it, and nothing else.

The page has the style variables of VS Code and forbids `eval`, scripts in the page and requests. It
is no VS Code: whether that keeps the contract is not seen here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from jupyter_training.notebook.chart import Curve
from jupyter_training.notebook.points import news
from tests.ui.lab import ROOT, page_of

HOST = Path(__file__).parent / "host"
BUILT = ROOT / "jupyter_training" / "notebook" / "static"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'"
STATE = {
    "names": ["loss", "accuracy"],
    "chosen": [],
    "shown": ["loss"],
    "is_log": False,
    "smoothing": 0.0,
    "is_open": False,
}
BLUE = [0x37, 0x94, 0xFF]
HAS_COLOUR = """wanted => [...document.querySelectorAll('canvas')].some(canvas => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 0; at < data.length; at += 4)
        if (wanted.every((value, i) => data[at + i] === value) && data[at + 3] === 255) return true;
    return false;
})"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with page_of(browser, viewport={"width": 600, "height": 300}) as page:

        def answer(route: Route) -> None:
            name = route.request.url.rsplit("/", 1)[1] or "index.html"
            path = next(one for one in (HOST / name, BUILT / name) if one.exists())
            route.fulfill(path=path, headers={"Content-Security-Policy": POLICY})

        page.route("http://widget.test/*", answer)
        page.goto("http://widget.test/")
        page.wait_for_function("() => window.show")
        yield page
        assert page.evaluate("violations") == []


def test_a_chart_needs_no_more_than_the_contract_and_follows_the_theme_of_vs_code(
    page: Page,
) -> None:
    page.evaluate("state => show(state)", STATE)
    assert page.evaluate("model.sent") == [{"type": "points"}]
    first = Curve("loss", [1, 2, 3], [1.0, 0.5, float("nan")])
    tell(page, 1, first, whole=True)
    chart = page.get_by_role("img", name="Chart. Last values: loss 0.5")
    expect(chart.locator("canvas")).to_be_visible()
    page.wait_for_function(HAS_COLOUR, arg=BLUE)
    page.evaluate(
        "() => { document.documentElement.style.setProperty('--vscode-charts-blue', '#0000f0');"
        "document.body.dataset.vscodeThemeId = 'another'; }"
    )
    page.wait_for_function(HAS_COLOUR, arg=[0, 0, 0xF0])


def test_only_new_points_come_and_who_has_missed_some_asks_for_all(page: Page) -> None:
    page.evaluate("state => show(state)", STATE)
    first = Curve("loss", [1, 2], [1.0, 0.5])
    second = Curve("loss", [1, 2, 3], [1.0, 0.5, 0.25])
    tell(page, 1, first, whole=True)
    tell(page, 2, second, before=first)
    chart = page.get_by_role("img")
    expect(chart).to_have_attribute("aria-label", "Chart. Last values: loss 0.25")
    # The third message was lost on its way.
    tell(page, 4, Curve("loss", [1, 2, 3, 4, 5], [1.0, 0.5, 0.25, 0.2, 0.1]), before=second)
    assert page.evaluate("model.sent") == [{"type": "points"}] * 2
    expect(chart).to_have_attribute("aria-label", "Chart. Last values: loss 0.25")
    tell(page, 5, Curve("loss", [1, 3], [1.0, 0.125]), whole=True)
    expect(chart).to_have_attribute("aria-label", "Chart. Last values: loss 0.125")


def test_values_are_under_the_pointer_and_all_is_chosen_by_hand(page: Page) -> None:
    page.evaluate("state => show(state)", STATE)
    tell(page, 1, Curve("loss", [1, 2, 3], [1.0, 0.5, 2e-5]), whole=True)
    over = page.locator(".u-over")
    over.hover(position={"x": 1, "y": 20})
    tip = page.locator(".jp-TrainingChart-tip")
    expect(tip).to_have_text("step 1\nloss 1")
    box = over.bounding_box()
    assert box is not None
    over.hover(position={"x": box["width"] - 2, "y": 20})
    expect(tip).to_have_text("step 3\nloss 2e-5")
    expect(page.get_by_label("Log scale")).to_be_hidden()
    page.evaluate("() => model.set('is_open', true)")
    page.get_by_label("Log scale").check()
    expect(page.get_by_label("loss", exact=True)).to_be_checked()
    page.get_by_label("accuracy").check()
    page.get_by_label("Smoothing").fill("0.6")
    saved = page.evaluate("Object.assign({}, ...model.saved)")
    assert saved == {
        "is_log": True,
        "chosen": ["loss", "accuracy"],
        "smoothing": 0.6,
        "is_open": True,
    }
    page.evaluate("leave()")
    assert page.evaluate("[...model.listeners.values()].flat()") == []


def tell(
    page: Page, serial: int, curve: Curve, *, before: Curve | None = None, whole: bool = False
) -> None:
    """Send what the kernel would send."""
    found = news(before, curve)
    assert found is not None
    message: dict[str, Any] = {"type": "points", "serial": serial, "whole": whole}
    page.evaluate("it => model.tell('msg:custom', it)", {**message, "curves": [found.told()]})
