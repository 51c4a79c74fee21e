"""Take the pictures of the documentation: ``python -m tests.ui.screenshots``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import expect

from tests.conftest import Home
from tests.ui.lab import notebook, start_lab

DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    """Write the pictures into `docs`."""
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place))
        server = start_lab(home)
        try:
            with notebook(server) as book:
                book.run("%load_ext jupyter_training")
                output = book.run("%%train --name digits")
                expect(output).to_contain_text("Epoch 20/30", timeout=60_000)
                book.page.keyboard.press("Escape")
                book.page.screenshot(path=DOCS / "quickstart.png")
        finally:
            home.close()


if __name__ == "__main__":
    main()
