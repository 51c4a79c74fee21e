"""JupyterLab in a real browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.conftest import ENDED, Home, Server
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
BINDER = ROOT / "binder"
CHROMIUM = "/usr/bin/chromium"

_BROWSER = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_KERNEL_IS_READY = """() => {
    const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel?.connectionStatus === 'connected' && kernel?.status === 'idle';
}"""
_PATIENCE_MS = 1000 * PATIENCE_S
expect.set_options(timeout=_PATIENCE_MS)


def start_lab(home: Home, **options: Any) -> Server:
    """Start JupyterLab on a copy of the examples, or again."""
    return _start(home, "jupyterlab", "LabApp", **options)


def start_notebook_7(home: Home, **options: Any) -> Server:
    """Start Jupyter Notebook 7 on a copy of the examples."""
    return _start(home, "notebook", "JupyterNotebookApp", **options)


def _start(home: Home, module: str, app: str, **options: Any) -> Server:
    if not (home.path / "work").exists():
        _prepare(home)
    return home.start(
        f"--{app}.expose_app_in_browser=True",
        f"--{app}.user_settings_dir={home.path / 'settings'}",
        f"--{app}.workspaces_dir={home.path / 'workspaces'}",
        f"--MappingKernelManager.kernel_info_timeout={PATIENCE_S}",
        module=module,
        **options,
    )


def _prepare(home: Home) -> None:
    shutil.copytree(BINDER, home.path / "work", ignore=shutil.ignore_patterns("__pycache__"))
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    configure(home, "@jupyterlab/apputils-extension", "notification", quiet)
    # As it is built here, whatever is installed.
    home.variables["JUPYTER_PATH"] = str(home.path / "share")
    extensions = home.path / "share" / "labextensions"
    extensions.mkdir(parents=True, exist_ok=True)
    (extensions / "jupyter-training").symlink_to(ROOT / "jupyter_training" / "labextension")


def configure(home: Home, extension: str, plugin: str, settings: dict[str, Any]) -> None:
    """Write the settings of a plugin of JupyterLab."""
    directory = home.path / "settings" / extension
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{plugin}.jupyterlab-settings").write_text(json.dumps(settings))


def write_notebook(home: Home, cells: list[str], name: str = "mine.ipynb") -> str:
    """Write a notebook for the browser to open; its name."""
    book = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],  # type: ignore[no-untyped-call]
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(book, home.path / "work" / name)  # type: ignore[no-untyped-call]
    return name


class Notebook:
    """A notebook that is open in the browser."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def ready(self) -> None:
        """Wait for its kernel."""
        self.page.wait_for_function(_KERNEL_IS_READY)

    def save(self) -> None:
        """Save it, and return when it is saved."""
        run = "() => window.jupyterapp.commands.execute('docmanager:save')"
        self.page.evaluate(run)

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


class Lab:
    """JupyterLab in the browser, with the sidebar of training jobs open."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.panel = page.locator(".jp-Training-panel")
        self.view = page.locator(".jp-Training-view:visible")

    def open(self, query: str = "reset") -> None:
        """Load the page, and show the sidebar."""
        self.page.goto(f"{self.server.url}lab?token=the-servers-own&{query}")
        self.restored()
        self.do("training:show-panel")

    def restored(self) -> None:
        """Return when JupyterLab is as it was when it was left."""
        self.page.wait_for_function("() => window.jupyterapp?.started")
        self.page.evaluate("() => window.jupyterapp.restored")

    def do(self, command: str, **args: str) -> None:
        """Run a command, and do not wait for its end."""
        run = "([command, args]) => void window.jupyterapp.commands.execute(command, args)"
        self.page.evaluate(run, [command, args])

    def create(self) -> Locator:
        """Open the dialog that creates jobs."""
        self.do("training:create")
        return self.dialog()

    def dialog(self) -> Locator:
        """Return the dialog that creates jobs, once it has chosen where to begin.

        It takes the focus a moment after it is seen; what is typed before goes to another field.
        """
        dialog = self.page.get_by_role("dialog")
        dialog.locator("input:focus").wait_for()
        return dialog

    def discard_all(self) -> None:
        """Close all that is open, and do not ask what is to be saved of it.

        A question that nobody answers keeps the focus, and so every key, to itself.
        """
        self.page.evaluate(
            "() => [...window.jupyterapp.shell.widgets('main')].forEach(one => one.dispose())"
        )

    def cancel_all(self) -> None:
        """Have every job cancelled that has not ended."""
        api = self.server.api
        for job in api.get("api/training-jobs?limit=1000").json():
            if job["status"] not in ENDED:
                api.post(f"api/training-jobs/{job['job_id']}/cancel")

    def row(self, name: str) -> Locator:
        """The row of a job in the sidebar."""
        title = self.page.locator(".jp-Training-name").get_by_text(name, exact=True)
        return self.panel.locator(".jp-Training-jobRow").filter(has=title)

    def tab(self, name: str) -> None:
        """Show a tab of the job that is shown."""
        self.view.get_by_role("tab", name=name, exact=True).click()

    def theme(self, name: str) -> None:
        """Change the theme."""
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})",
            name,
        )
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=_BROWSER, timeout=_PATIENCE_MS
        )
        yield browser
        browser.close()


@contextmanager
def page_of(browser: Browser, **options: Any) -> Iterator[Page]:
    """Open a page that has nothing in common with the other pages of the browser."""
    page = browser.new_page(**options)
    page.set_default_timeout(_PATIENCE_MS)
    try:
        yield page
    finally:
        page.close()


@contextmanager
def browser_page(**options: Any) -> Iterator[Page]:
    """Open a page in a browser of its own."""
    with chromium() as browser, page_of(browser, **options) as page:
        yield page


@contextmanager
def notebook(
    browser: Browser, server: Server, name: str = "quickstart.ipynb", *, below: str = "lab/tree"
) -> Iterator[Notebook]:
    """Open a notebook, and wait for its kernel.

    Parameters
    ----------
    below
        The path of what shows it; ``notebooks`` for Jupyter Notebook 7.
    """
    size = {"width": 1180, "height": 760}
    with page_of(browser, viewport=size, device_scale_factor=2) as page:
        page.goto(f"{server.url}{below}/{name}?token=the-servers-own&reset")
        page.wait_for_function(_KERNEL_IS_READY)
        yield Notebook(page)
