"""Jupyter Notebook 7, as a person uses it in a browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.conftest import Home
from tests.ui.lab import notebook, start_notebook_7, write_notebook

TRAINS = """\
%%train --name curve --cpus 1 --memory 1
import time
from jupyter_training import report
for step in range(1, 1000):
    report(step=step, loss=1 / step, total=1000)
    time.sleep(0.1)
"""


def test_a_job_is_submitted_watched_and_cancelled_in_a_notebook(home: Home) -> None:
    server = start_notebook_7(home)
    name = write_notebook(home, ["%load_ext jupyter_training", TRAINS])
    with notebook(server, name, below="notebooks") as book:
        book.run("%load_ext")
        live = book.run("%%train").locator(".jt-live")
        expect(live).to_contain_text("running", timeout=60_000)
        chart = live.get_by_role("img", name="Chart. Last values: loss")
        expect(chart.locator("canvas")).to_be_visible()
        before = chart.get_attribute("aria-label")
        expect(chart).not_to_have_attribute("aria-label", before or "")
        live.get_by_role("button", name="Cancel").press("Enter")
        expect(live).to_contain_text("cancelled")
    (job,) = server.api.get("api/training-jobs").json()
    assert job["status"] == "cancelled"
