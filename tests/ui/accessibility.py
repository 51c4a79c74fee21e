"""What the accessibility checker finds, whatever the colours are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Page

from tests.ui.lab import ROOT, Lab

AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
OF_COLOURS = ["color-contrast", "link-in-text-block"]
LOOKS: dict[str, dict[str, Any]] = {
    "JupyterLab Dark": {},
    "JupyterLab Dark High Contrast": {},
    # The system's own few colours, whatever the theme.
    "JupyterLab Light": {"forced_colors": "active", "color_scheme": "dark"},
}


def violations(page: Page, region: str, rules: list[str] | None = None) -> list[str]:
    """What the accessibility checker finds in a part of the page."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules is not None:
        options["runOnly"] = {"type": "rule", "values": rules}
    found: list[dict[str, Any]] = page.evaluate(
        "async ([region, options]) => (await axe.run(region, options)).violations",
        [region, options],
    )
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in found
    ]


def other_looks(lab: Lab) -> Iterator[str]:
    """Show JupyterLab in each of its looks but the first; then in that one again."""
    for theme, media in LOOKS.items():
        lab.theme(theme)
        lab.page.emulate_media(**media)
        yield f"{theme} {media}"
    lab.theme("JupyterLab Light")
    lab.page.emulate_media(forced_colors="none", color_scheme="light")


def moving(page: Page) -> list[str]:
    """What of ours moves by itself, or would if it changed."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('[class*=jp-Training], [class*=jp-Training] *')]
            .filter(node => {
                const { animationName, transitionDuration } = getComputedStyle(node);
                return animationName !== 'none' || /[1-9]/.test(transitionDuration);
            })
            .map(node => node.getAttribute('class') ?? node.tagName)"""
    )
    return found


def draws(page: Page, colour: str) -> None:
    """Return when a canvas has a colour of the style sheets in it."""
    page.wait_for_function(
        """colour => {
            const node = document.body.appendChild(document.createElement('i'));
            node.style.color = colour;
            const wanted = getComputedStyle(node).color.match(/\\d+/g).map(Number);
            node.remove();
            return [...document.querySelectorAll('canvas')].some(canvas => {
                const { width, height } = canvas;
                const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
                for (let at = 0; at < data.length; at += 4)
                    if (data[at + 3] === 255 && wanted.every((one, i) => data[at + i] === one))
                        return true;
                return false;
            });
        }""",
        arg=colour,
    )
