"""Jupyter Notebook 7, as a person uses it in a browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests import fake_nvml
from tests.conftest import Home
from tests.fake_nvml import FakeGpus
from tests.ui.lab import notebook, start_notebook_7, write_notebook

TRAINS = """\
%%train --name curve --cpus 1 --memory 1 --gpus 2
import time
from jupyter_training import report
for step in range(1, 6000):
    report(step=step, loss=1 / step, total=1000)
    time.sleep(0.3)
"""


def test_a_job_and_its_gpus_are_watched_and_it_is_cancelled_in_a_notebook(
    browser: Browser, home: Home, tmp_path: Path
) -> None:
    cards = FakeGpus(tmp_path / "gpus", ["NVIDIA A100-SXM4-80GB"] * 2)
    cards.card(0, utilization=93)
    home.variables |= cards.environment(fake_nvml.build(tmp_path))
    server = start_notebook_7(home, gpus=None)
    name = write_notebook(home, ["%load_ext jupyter_training", TRAINS])
    with notebook(browser, server, name, below="notebooks") as book:
        book.run("%load_ext")
        live = book.run("%%train").locator(".jt-live")
        expect(live).to_contain_text("running")
        chart = live.get_by_role("img", name="Chart. Last values: loss")
        expect(chart.locator("canvas")).to_be_visible()
        before = chart.get_attribute("aria-label")
        expect(chart).not_to_have_attribute("aria-label", before or "")
        # What the GPUs do is seen, and seen to change.
        expect(live).to_contain_text("GPUs 0, 1 (93 %, 0 %)")
        cards.card(1, utilization=41)
        expect(live).to_contain_text("GPUs 0, 1 (93 %, 41 %)")
        live.get_by_role("button", name="Cancel").press("Enter")
        expect(live).to_contain_text("cancelled")
        book.page.evaluate(
            "job => void window.jupyterapp.commands.execute('training:open', {job})",
            server.api.get("api/training-jobs").json()[0]["job_id"],
        )
        view = book.page.locator(".jp-Training-view:visible")
        expect(view.get_by_role("heading", name="curve")).to_be_visible()
        # There is room for what is below its heading.
        assert view.evaluate("node => node.clientHeight / window.innerHeight") >= 0.4
        view.get_by_role("tab", name="Log").click()
        expect(view.get_by_role("log")).to_be_visible()
        book.page.get_by_role("button", name="Run this notebook as a training job").click()
        dialog = book.page.get_by_role("dialog")
        expect(dialog.get_by_label("Command")).to_have_value(
            "python -m jupyter_training.run_notebook mine.ipynb"
        )
        dialog.get_by_role("button", name="Close").click()
    (job,) = server.api.get("api/training-jobs").json()
    assert job["status"] == "cancelled"
