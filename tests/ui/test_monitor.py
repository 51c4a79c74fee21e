"""The monitor of a job, as a person sees and uses it in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from tests.conftest import Home, Server
from tests.ui.lab import notebook, start_lab, write_notebook

QUICK = """\
%%train --name quick --cpus 1 --memory 1
print("Epoch 1/2 - loss: 0.5")
print("Epoch 2/2 - loss: 0.25")
print("Accuracy 0.97")
"""
TRAINS = """\
%%train --name curve --cpus 1 --memory 1
import time
from jupyter_training import report
for step in range(1, 6000):
    report(step=step, loss=1 / step, total=1000)
    print(f"step {step} of many")
    time.sleep(0.3)
"""
"""It goes on for longer than a test may take, and what it printed first is still found then."""
BOTH = re.compile(r"loss [\d.e-]+, total 1000")
CELLS = [
    "%load_ext jupyter_training",
    TRAINS,
    "import time; time.sleep(600)",
    "%train_monitor curve",
    QUICK,  # at the end, as JupyterLab draws only cells that are near those in view
]


def test_a_monitor_lives_and_its_buttons_work_while_a_cell_runs(
    browser: Browser, home: Home
) -> None:
    server = start_lab(home)
    name = write_notebook(home, CELLS)
    with notebook(browser, server, name) as book:
        book.run("%load_ext")
        output = book.run("--name quick")
        # No other cell runs, and yet the output goes on to the end of the job.
        expect(output).to_contain_text("completed")
        expect(output.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
        expect(output).to_contain_text("Accuracy 0.97")
        expect(output).not_to_contain_text("starting one in the background")
        output = book.run("--name curve")
        live = output.locator(".jt-live")
        expect(live).to_contain_text("running")
        # There is something to point at in the midst of it.
        expect(live.get_by_role("img", name=re.compile(r"loss 0\.[01]"))).to_be_visible()
        chart = live.get_by_role("img", name="Chart. Last values: loss")
        expect(chart.locator("canvas")).to_be_visible()
        before = chart.get_attribute("aria-label")
        # No cell runs, and the chart moves.
        expect(chart).not_to_have_attribute("aria-label", before or "")
        chart.hover()
        expect(live.locator(".jp-TrainingChart-tip")).to_contain_text("loss 0.")
        # The picture is there for a saved notebook, but only one of the two is seen.
        expect(output.locator("[class^=jt-picture]")).to_be_hidden()
        live.get_by_role("button", name="Options").press("Enter")
        live.get_by_label("Search log").fill("STEP 3 ")
        expect(live.locator("mark").first).to_have_text("step 3 ")
        live.get_by_label("Log scale").check()
        live.get_by_role("checkbox", name="total").check()
        expect(live.get_by_role("img", name=BOTH)).to_be_visible()
        book.save()
        book.page.reload()
        book.ready()
        output = book.cell("--name curve").locator(".jp-OutputArea")
        live = output.locator(".jt-live")
        expect(live).to_contain_text("running")
        # What was chosen is as it was, and all points are there again.
        expect(live.get_by_label("Log scale")).to_be_checked()
        expect(live.get_by_role("img", name=BOTH)).to_be_visible()
        # A cell runs, and the button acts.
        book.run("time.sleep(600)")
        prompt = book.cell("time.sleep(600)").locator(".jp-InputPrompt")
        expect(prompt).to_have_text("[*]:")
        live.get_by_role("button", name="Cancel").press("Enter")
        expect(live).to_contain_text("cancelled")
        expect(prompt).to_have_text("[*]:")
        expect(live.get_by_role("button", name="Retry")).to_be_visible()
        server.api.http.post(f"api/kernels/{kernel_of(server)}/interrupt")
        # An interrupted cell takes those with it that were asked for before it ended.
        expect(prompt).not_to_have_text("[*]:")
        again = book.run("%train_monitor curve").locator(".jt-live")
        expect(again).to_contain_text("cancelled")
        book.save()
        server.api.http.post(f"api/kernels/{kernel_of(server)}/restart")
        book.page.reload()
        book.ready()
        # The widget is gone with its kernel, and the picture is seen in its place.
        picture = book.cell("%train_monitor").locator("[class^=jt-picture]")
        expect(picture).to_be_visible()
        expect(picture).to_contain_text("cancelled")
        expect(picture.locator("svg[role=img] path").first).to_be_visible()
        expect(book.page.get_by_text("Error displaying widget")).to_be_hidden()
        book.run("%load_ext")
        again = book.run("%train_monitor curve").locator(".jt-live")
        expect(again).to_contain_text("cancelled")


def kernel_of(server: Server) -> str:
    (session,) = server.api.http.get("api/sessions").json()
    return str(session["kernel"]["id"])
