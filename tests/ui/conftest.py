"""What the tests in a browser share: to start it and JupyterLab takes longer than most of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import Browser

from tests.conftest import Home
from tests.ui.lab import Lab, chromium, page_of, start_lab


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="package")
def shared(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on a machine with 8 cores, for files of tests that open it anew."""
    home = Home(tmp_path_factory.mktemp("lab"))
    with page_of(browser, viewport={"width": 1400, "height": 900}) as page:
        yield Lab(page, start_lab(home, cpu_cores=8, memory_gb=32))
    home.close()


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture(autouse=True)
def afresh(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a failed test leaves, a page or jobs that run, is not to fail the next one."""
    lab = request.getfixturevalue("shared") if "shared" in request.fixturenames else None
    yield
    if lab and request.node.stash.get(_FAILED, False):
        lab.cancel_all()
        lab.open()
