"""Take the pictures of the documentation: ``python -m tests.ui.screenshots [DIRECTORY]``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect

from tests.conftest import Home
from tests.ui.lab import chromium, configure, notebook, start_lab, write_notebook
from tests.ui.lab_pictures import lab_pictures

DOCS = Path(__file__).parents[2] / "docs"
OF_LAB = ("lab-light-en.png", "lab-dark-zh.png", "lab-light-en-create-hyperparameter.png")
"""The pictures of JupyterLab that the documentation has, of all that are taken."""

TRAINS = """\
%%train --name digits --cpus 2 --memory 4
import math, random, time
from jupyter_training import report

for epoch in range(1, 61):
    time.sleep(0.2)
    loss = math.exp(-epoch / 14) + 0.05 * random.random()
    val_loss = loss + 0.03 + 0.1 * random.random()
    report(step=epoch, loss=loss, val_loss=val_loss, progress=epoch / 60)
    print(f"Epoch {epoch}/60 - loss: {loss:.4f} - val_loss: {val_loss:.4f}")
"""


def main() -> None:
    """Write the pictures into `docs`; all of JupyterLab's also into a directory that is named."""
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place) / "quickstart")
        home.path.mkdir()
        configure(home, "jupyter-training", "plugin", {"notifications": "none"})
        server = start_lab(home)
        try:
            name = write_notebook(home, ["%load_ext jupyter_training", TRAINS, "%train_monitor"])
            with chromium() as browser, notebook(browser, server, name) as book:
                page = book.page
                page.evaluate(
                    "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
                )
                book.run("%load_ext jupyter_training")
                output = book.run("%%train --name digits")
                book.run("%train_monitor")
                expect(output).to_contain_text("Epoch 45/60")
                page.keyboard.press("Escape")
                page.screenshot(path=DOCS / "quickstart.png")
                output.locator(".jt-live").get_by_role("button", name="Options").click()
                output.locator(".jt-live").get_by_label("Log scale").check()
                page.evaluate(
                    "() => window.jupyterapp.commands.execute('apputils:change-theme',"
                    " {theme: 'JupyterLab Dark'})"
                )
                page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
                expect(output.locator(".jt-live")).to_contain_text("completed")
                page.screenshot(path=DOCS / "monitor-dark.png")
        finally:
            home.close()
        pictures = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(place) / "pictures"
        pictures.mkdir(parents=True, exist_ok=True)
        lab_pictures(Path(place) / "lab", pictures)
        for name in OF_LAB:
            shutil.copy(pictures / name, DOCS / name)


if __name__ == "__main__":
    main()
