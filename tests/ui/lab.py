"""JupyterLab in a real browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, sync_playwright

from tests.conftest import Home, Server

BINDER = Path(__file__).parents[2] / "binder"

_BROWSER = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_KERNEL_IS_READY = """() => {
    const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel?.connectionStatus === 'connected' && kernel?.status === 'idle';
}"""
_PATIENCE_MS = 60_000


def start_lab(home: Home, **options: Any) -> Server:
    """Start JupyterLab on a copy of the examples."""
    shutil.copytree(BINDER, home.path / "work", ignore=shutil.ignore_patterns("__pycache__"))
    settings = home.path / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    return home.start(
        "--LabApp.expose_app_in_browser=True",
        f"--LabApp.user_settings_dir={home.path / 'settings'}",
        f"--LabApp.workspaces_dir={home.path / 'workspaces'}",
        module="jupyterlab",
        **options,
    )


class Notebook:
    """A notebook that is open in the browser."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def cell(self, text: str) -> Locator:
        """The code cell with this text in it."""
        return self.page.locator(".jp-CodeCell").filter(
            has=self.page.locator(".jp-InputArea-editor", has_text=text)
        )

    def run(self, text: str) -> Locator:
        """Run a cell; its output."""
        cell = self.cell(text).first
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        return cell.locator(".jp-OutputArea")


@contextmanager
def notebook(server: Server, name: str = "quickstart.ipynb") -> Iterator[Notebook]:
    """Open a notebook, and wait for its kernel."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_BROWSER)
        page = browser.new_page(viewport={"width": 1180, "height": 760}, device_scale_factor=2)
        page.set_default_timeout(_PATIENCE_MS)
        page.goto(f"{server.url}lab/tree/{name}?token=the-servers-own&reset")
        page.wait_for_function(_KERNEL_IS_READY)
        yield Notebook(page)
        browser.close()
