"""What the tests in a browser share: to start it and JupyterLab takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.conftest import Home, has_failed
from tests.ui.lab import Lab, chromium, page_of, start_lab

MACHINE = {"cpu_cores": 8, "memory_gb": 32}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="package")
def shared(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on a machine with 8 cores, for files of tests that open it anew."""
    home = Home(tmp_path_factory.mktemp("lab"))
    with page_of(browser, viewport={"width": 1400, "height": 900}) as page:
        yield Lab(page, start_lab(home, **MACHINE))
    home.close()


@pytest.fixture(autouse=True)
def afresh(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a failed test leaves of the page or of the server is not to fail the next one."""
    lab = request.getfixturevalue("shared") if "shared" in request.fixturenames else None
    yield
    if lab and has_failed(request):
        if not lab.server.answers:
            lab.server = start_lab(lab.server.home, **MACHINE)
        lab.cancel_all()
        lab.page.emulate_media(
            forced_colors="none", color_scheme="light", reduced_motion="no-preference"
        )
        lab.open()
