"""What the accessibility checker finds."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.ui.lab import ROOT

AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page, region: str) -> list[str]:
    """What the accessibility checker finds in a part of the page."""
    page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = page.evaluate(
        "async region => (await axe.run(region, {resultTypes: ['violations']})).violations",
        region,
    )
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes']]}"
        for one in found
    ]
