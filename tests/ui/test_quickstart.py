"""The example notebook as a person runs it."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.conftest import Home
from tests.ui.lab import notebook, start_lab


def test_the_output_of_a_training_cell_follows_its_job(browser: Browser, home: Home) -> None:
    server = start_lab(home)
    with notebook(browser, server) as book:
        book.run("%load_ext jupyter_training")
        output = book.run("%%train --name digits")
        expect(output).to_contain_text("digits")
        expect(output).to_contain_text("running")
        expect(output).to_contain_text("Epoch ")
        # No other cell runs, and yet the output goes on to the end of the job.
        expect(output).to_contain_text("completed")
        expect(output.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
        expect(output).to_contain_text("Held-out accuracy 0.9")
        expect(output).not_to_contain_text("starting one in the background")
        listed = book.run("%train_jobs")
        expect(listed).to_contain_text("digits")
    (job,) = server.api.get("api/training-jobs").json()
    assert job["status"] == "completed"
