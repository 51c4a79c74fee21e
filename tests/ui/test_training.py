"""The JupyterLab extension as a person uses it: a real browser, a real server, real jobs."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.conftest import ENDED, NAP, Home, python
from tests.patience import PATIENCE_S, until
from tests.ui.accessibility import OF_COLOURS, draws, moving, other_looks, violations
from tests.ui.lab import Lab, start_lab

MANY = 5000
EPOCHS = python(
    "import time\n"
    "for epoch in range(1, 401):\n"
    "    print(f'Epoch {epoch}/400 - loss: {1 / epoch:.4f}', flush=True)\n"
    "    time.sleep(0.05 if epoch < 40 else 20)"
)
"""It goes on for longer than anybody looks at it, and what was printed first stays in view."""


@pytest.fixture
def home(shared: Lab) -> Home:
    return shared.server.home


@pytest.fixture(scope="module")
def opened(shared: Lab) -> Lab:
    """JupyterLab, still or again without a job."""
    api = shared.server.api
    for job in api.get("api/training-jobs?limit=1000").json():
        if job["status"] not in ENDED:
            api.post(f"api/training-jobs/{job['job_id']}/cancel")
            api.ended(job["job_id"])
        api.http.delete(f"api/training-jobs/{job['job_id']}")
    shared.open()
    return shared


@pytest.fixture
def lab(opened: Lab) -> Iterator[Lab]:
    """JupyterLab; what a test leaves running is cancelled."""
    yield opened
    opened.cancel_all()


@pytest.fixture
def unattended(lab: Lab) -> Iterator[None]:
    """Nobody looks at the window, so that what is told stays until somebody does."""
    lab.page.evaluate("() => { document.hasFocus = () => false; }")
    yield
    lab.page.evaluate(
        "() => { delete document.hasFocus; window.dispatchEvent(new Event('focus')); }"
    )


def toast(page: Page, text: str) -> Locator:
    return page.locator(".Toastify__toast").filter(has_text=text)


def test_who_has_no_job_is_shown_how_to_make_one(lab: Lab) -> None:
    expect(lab.panel).to_contain_text("No training jobs yet")
    assert violations(lab.page, ".jp-Training-panel") == []
    lab.panel.get_by_role("button", name="Insert this cell").click()
    cells = lab.page.locator(".jp-Notebook .jp-CodeCell")
    expect(cells.filter(has_text="%%train --name first-job")).to_have_count(1)
    expect(cells.filter(has_text="%load_ext jupyter_training")).to_have_count(1)


@pytest.mark.usefixtures("unattended")
def test_a_job_is_created_followed_and_told_of_when_it_has_ended(lab: Lab) -> None:
    lab.panel.get_by_role("button", name="New").click()
    dialog = lab.dialog()
    dialog.get_by_label("Job name").fill("made-here")
    dialog.get_by_label("Command").fill(f"{sys.executable} -c 'print(6 * 7)'")
    dialog.get_by_label("CPU cores").fill("9")
    expect(dialog).to_contain_text("Would never start")  # on a machine that has so few
    dialog.get_by_label("CPU cores").fill("one")
    expect(dialog).to_contain_text("should be a whole number")
    dialog.get_by_label("CPU cores").fill("1")
    dialog.get_by_label("Memory (GB)").fill("1")
    expect(dialog).to_contain_text("Would start now")
    expect(dialog.locator("code")).to_contain_text("%train --name made-here --cpus 1 --memory 1")
    assert violations(lab.page, ".jp-Training-dialog") == []
    dialog.get_by_role("button", name="Submit").click()

    expect(lab.row("made-here")).to_have_attribute("data-status", "completed")
    told = toast(lab.page, "“made-here” is completed.")
    told.get_by_role("button", name="Open log").click()
    expect(lab.view.get_by_role("log")).to_contain_text("42")
    expect(lab.view).to_contain_text("Complete")

    lab.panel.get_by_role("button", name="New").click()
    expect(dialog.get_by_label("CPU cores")).to_have_value("1")
    dialog.get_by_role("button", name="Close").click()


def test_what_the_server_refuses_is_told_at_the_field(lab: Lab) -> None:
    dialog = lab.create()
    dialog.get_by_label("Job name").fill("wrong")
    dialog.get_by_label("Command").fill("echo 'not closed")
    expect(dialog.locator(".jp-Training-field").filter(has_text="Command")).to_contain_text(
        "cannot be split into words"
    )
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog).to_contain_text("cannot be split into words")
    dialog.get_by_role("button", name="Close").click()
    expect(lab.row("wrong")).to_have_count(0)


def test_the_log_comes_as_it_is_printed_and_the_job_is_cancelled_after_a_question(
    lab: Lab,
) -> None:
    job = lab.server.api.submit(EPOCHS, name="long-one")
    expect(lab.row("long-one")).to_contain_text("running")
    lab.row("long-one").click()
    lab.tab("Log")
    log = lab.view.get_by_role("log")
    expect(log).to_contain_text("Epoch 30/400")
    expect(lab.view).to_contain_text("Live")
    lab.view.get_by_role("searchbox").fill("epoch 7/")
    # Though lines go on to come.
    expect(lab.view.locator(".jp-TrainingLog-count")).to_contain_text("of 1")
    lab.view.get_by_role("searchbox").press("Enter")
    expect(lab.view.locator(".jp-TrainingLog-match.jp-mod-current")).to_have_text("Epoch 7/")
    # Who reads is left alone.
    expect(lab.view.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")

    lab.view.get_by_role("button", name="Cancel").click()
    question = lab.page.get_by_role("dialog")
    expect(question).to_contain_text("Cancel “long-one”?")
    question.get_by_role("button", name="Keep it").click()
    assert lab.server.api.job(job["job_id"])["status"] == "running"
    lab.view.get_by_role("button", name="Cancel").click()
    question.get_by_role("button", name="Cancel the job").click()
    expect(lab.row("long-one")).to_have_attribute("data-status", "cancelled")
    expect(lab.view.get_by_role("button", name="Run again")).to_be_visible()


@pytest.mark.usefixtures("unattended")
def test_a_failure_says_why_and_is_run_again(lab: Lab, home: Home) -> None:
    flag = home.path / "repaired"
    command = python(
        f"import os; assert os.path.exists({str(flag)!r}), '\x1b[31mbroken\x1b[0m'; print('fine')"
    )
    lab.server.api.submit(command, name="fragile", max_retries=0)
    row = lab.row("fragile")
    expect(row).to_contain_text("script error")
    expect(row).to_contain_text("the script ended with exit code 1")
    toast(lab.page, "“fragile” has failed").get_by_role("button", name="Open log").click()
    expect(lab.view.locator(".ansi-red-fg")).to_have_text("broken")
    lab.view.get_by_role("button", name="Next error").click()
    expect(lab.view.locator(".jp-TrainingLog-line.jp-mod-current")).to_be_visible()
    # Of a job only the newest is told: the next attempt does not fail before this one was told of.
    seen = home.path / "seen"
    waits = f"os.environ['JUPYTER_TRAINING_ATTEMPT'] == '2' and not os.path.exists({str(seen)!r})"
    twice = python(f"import os, sys, time\nwhile {waits}: time.sleep(0.01)\nsys.exit(1)")
    lab.server.api.submit(twice, name="stubborn", max_retries=1)
    again = "“stubborn” has failed and is tried again: the script ended with exit code 1"
    expect(toast(lab.page, again)).to_be_visible()
    seen.touch()
    expect(toast(lab.page, "“stubborn” has failed: ")).to_be_visible()
    expect(toast(lab.page, again)).to_have_count(0)

    flag.touch()
    row.focus()
    row.get_by_role("button", name="Run again").click()
    expect(row).to_have_attribute("data-status", "completed")
    expect(lab.view.get_by_role("log")).to_contain_text("fine")
    lab.view.get_by_label("Attempt").select_option("1")
    expect(lab.view.get_by_role("log")).to_contain_text("broken")
    lab.tab("Attempts and history")
    expect(lab.view.get_by_role("row").filter(has_text="failed")).to_have_count(1)


def test_results_are_listed_and_downloaded(lab: Lab) -> None:
    command = python(
        "import os; d = os.environ['JUPYTER_TRAINING_OUTPUT_DIR']; os.makedirs(d + '/logs'); "
        "open(d + '/model.bin', 'w').write('weights'); open(d + '/logs/a.txt', 'w').write('a')"
    )
    job = lab.server.api.submit(command, name="results")
    lab.server.api.ended(job["job_id"])
    lab.do("training:open", job=job["job_id"], tab="outputs")
    table = lab.view.get_by_role("table")
    with lab.page.expect_download() as download:
        table.get_by_role("link", name="Download model.bin").click()
    assert Path(download.value.path()).read_text() == "weights"
    table.get_by_role("button", name="logs/").click()
    expect(table).to_contain_text("a.txt")


def test_the_keyboard_is_enough(lab: Lab) -> None:
    older = lab.server.api.submit(python("print()"), name="one-more")
    lab.server.api.ended(older["job_id"])
    job = lab.server.api.submit(NAP, name="by-keys")
    expect(lab.row("one-more")).to_contain_text("completed")
    expect(lab.row("by-keys")).to_contain_text("running")
    oldest = lab.server.api.get("api/training-jobs?limit=1000").json()[-1]["job_id"]
    # An earlier test may have left the focus there.
    lab.page.evaluate("() => document.activeElement.blur()")
    lab.do("training:show-panel")
    expect(lab.panel.get_by_label("Filter jobs")).to_be_focused()
    lab.row("by-keys").focus()
    # From one of its buttons to the next row, which takes the button away.
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("ArrowDown")
    focused = lab.panel.locator(".jp-Training-jobRow:focus")
    expect(focused).not_to_have_attribute("data-job", job["job_id"])
    lab.page.keyboard.press("End")
    expect(focused).to_have_attribute("data-job", oldest)
    lab.page.keyboard.press("Home")
    expect(lab.row("by-keys")).to_be_focused()
    lab.page.keyboard.press("Shift+F10")
    expect(lab.page.get_by_role("menuitem", name="View Log")).to_be_visible()
    lab.page.keyboard.press("Escape")
    expect(lab.row("by-keys")).to_be_focused()
    lab.page.keyboard.press("Enter")
    expect(lab.view.get_by_role("heading", name="by-keys")).to_be_visible()
    # What was opened takes the focus; else it could take it from the row.
    lab.page.wait_for_function("() => document.activeElement.closest('.jp-Training-view')")
    lab.row("by-keys").focus()
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Enter")
    expect(lab.page.get_by_role("dialog")).to_contain_text("Cancel “by-keys”?")
    lab.page.keyboard.press("Escape")
    dialog = lab.create()
    dialog.locator("button:enabled").last.focus()
    lab.page.keyboard.press("Tab")
    expect(dialog.locator("input:checked")).to_be_focused()
    lab.page.keyboard.press("Escape")


TABS = ("Overview", "Log", "Metrics", "Attempts and history", "Outputs", "Code")


def test_nothing_stands_in_the_way_of_a_screen_reader_or_of_weak_eyes(lab: Lab) -> None:
    job = lab.server.api.submit(EPOCHS, name="seen")
    lab.server.api.printed(job["job_id"], "Epoch 3/400 - loss: 0.3333")
    lab.do("training:open", job=job["job_id"])
    expect(lab.row("seen")).to_contain_text("running")
    regions = (".jp-Training-view", ".jp-Training-panel", ".jp-Training-statusItem")
    for tab in TABS:
        lab.tab(tab)
        for region in regions:
            assert violations(lab.page, region) == []
    for look in other_looks(lab):
        for tab in TABS:
            lab.tab(tab)
            assert violations(lab.page, regions[0], OF_COLOURS) == [], look
        assert violations(lab.page, regions[1], OF_COLOURS) == [], look
        dialog = lab.create()
        dialog.get_by_label("Command").fill("echo 'not closed")
        expect(dialog).to_contain_text("cannot be split into words")
        assert violations(lab.page, ".jp-Training-dialog", OF_COLOURS) == [], look
        dialog.get_by_role("button", name="Close").click()


def test_where_the_system_forces_its_colours_no_background_alone_tells_anything(lab: Lab) -> None:
    job = lab.server.api.submit(EPOCHS, name="forced")
    lab.page.emulate_media(forced_colors="active", color_scheme="dark")
    lab.do("training:open", job=job["job_id"], tab="metrics")

    def colour(node: Locator, which: str) -> str:
        found: str = node.evaluate("(node, which) => getComputedStyle(node)[which]", which)
        return found

    done = lab.row("forced").get_by_role("progressbar")
    expect(done).to_be_visible()
    assert colour(done.locator("div"), "backgroundColor") != colour(done, "backgroundColor")
    current = lab.view.get_by_role("tab", selected=True)
    other = lab.view.get_by_role("tab", selected=False).first
    assert colour(current, "borderBottomColor") != colour(other, "borderBottomColor")
    draws(lab.page, "LinkText")  # the curve
    lab.page.emulate_media(forced_colors="none", color_scheme="light")
    draws(lab.page, "var(--jp-brand-color1)")
    lab.page.emulate_media(forced_colors="active", color_scheme="dark")
    types = lab.create().locator(".jp-Training-types span")
    assert colour(types.nth(0), "backgroundColor") != colour(types.nth(1), "backgroundColor")
    lab.page.keyboard.press("Escape")
    lab.page.emulate_media(forced_colors="none", color_scheme="light")


def test_nothing_moves_for_who_wants_that(lab: Lab) -> None:
    lab.server.api.submit(NAP, name="at-rest")
    expect(lab.row("at-rest")).to_contain_text("running")
    lab.row("at-rest").click()
    lab.create()
    assert {name.split()[-1] for name in moving(lab.page)} == {"jp-Training-shape-running"}
    lab.page.emulate_media(reduced_motion="reduce")
    assert moving(lab.page) == []
    lab.page.emulate_media(reduced_motion="no-preference")
    lab.page.keyboard.press("Escape")


def test_everything_is_there_again_after_a_reload(lab: Lab) -> None:
    job = lab.server.api.submit(NAP, name="stays")
    # Not before it is saved: whoever leaves the page takes back what was not sent yet.
    with lab.page.expect_response(
        lambda told: (
            "api/workspaces" in told.url and job["job_id"] in (told.request.post_data or "")
        )
    ):
        lab.do("training:open", job=job["job_id"], tab="code")
        expect(lab.view).to_contain_text("import time; time.sleep(600)")
    lab.open(query="")
    expect(lab.view.get_by_role("heading", name="stays")).to_be_visible()
    expect(lab.view).to_contain_text("import time; time.sleep(600)")
    expect(lab.row("stays")).to_contain_text("running")


def test_nobody_sees_the_jobs_of_others(lab: Lab) -> None:
    other = lab.server.api_of("somebody-else")
    other.submit(python("print('secret')"), name="not-yours")
    lab.server.api.submit(python("print()"), name="yours")
    expect(lab.row("yours")).to_be_visible()
    expect(lab.row("not-yours")).to_have_count(0)


def test_while_the_sidebar_is_hidden_nothing_is_fetched_and_the_status_bar_goes_on(
    lab: Lab,
) -> None:
    lab.discard_all()
    status = lab.page.locator(".jp-Training-statusItem")
    expect(status).to_contain_text("0 running")
    lab.do("application:toggle-left-area")
    expect(lab.panel).to_be_hidden()
    asked: list[str] = []

    def note(request: Request) -> None:
        if "api/training" in request.url:
            asked.append(request.url)

    lab.page.on("request", note)
    lab.server.api.submit(NAP, name="unseen")
    expect(status).to_contain_text("1 running")
    assert asked == []
    lab.page.remove_listener("request", note)
    lab.do("training:show-panel")
    expect(lab.row("unseen")).to_contain_text("running")


def test_thousands_of_jobs_are_filtered_and_scrolled(lab: Lab, home: Home) -> None:
    one = lab.server.api.submit(python("print()"), name="original")
    lab.server.api.ended(one["job_id"])
    multiply(home.data_dir / "training.db", one["job_id"], MANY)
    lab.do("training:refresh")
    lab.panel.get_by_role("searchbox").fill("copy-4")
    expect(lab.row("copy-4999")).to_be_visible()
    expect(lab.row("copy-5000")).to_have_count(0)
    lab.panel.get_by_role("searchbox").fill("copy-4321 status:completed")
    expect(lab.panel.locator(".jp-Training-jobRow")).to_have_count(1)
    lab.panel.get_by_role("searchbox").fill("copy")
    expect(lab.row("copy-5000")).to_be_visible()
    scroller = lab.panel.locator(".jp-Training-scroller")

    def has_more_at_its_end() -> bool:
        scroller.evaluate("node => node.scrollTo(0, node.scrollHeight)")
        return int(scroller.get_by_role("grid").evaluate("node => node.clientHeight")) > 300 * 40

    until(has_more_at_its_end)
    # So much is loaded; so little is in the document.
    assert lab.panel.locator(".jp-Training-jobRow").count() < 60
    lab.panel.get_by_role("searchbox").fill("")
    expect(lab.row("copy-5000")).to_be_visible()  # it is at its beginning again


def test_a_server_that_is_lost_is_told_of_and_found_again(lab: Lab) -> None:
    lost, go = lab.server, lab.server.home.path / "go"
    os.mkfifo(go)
    job = lost.api.submit(python(f"open({str(go)!r}).read()"), name="survivor")
    expect(lab.row("survivor")).to_contain_text("running")
    lost.kill()
    expect(lab.panel.get_by_role("alert")).to_contain_text("The server does not answer")
    expect(lab.row("survivor")).to_contain_text("running")
    found = re.search(r":(\d+)/", lost.url)
    assert found is not None
    again = start_lab(lost.home, cpu_cores=8, memory_gb=32, port=int(found[1]))
    lab.server = again
    expect(lab.panel.get_by_role("alert")).to_have_count(0)
    go.open("w").close()
    again.api.ended(job["job_id"])
    lab.do("training:refresh")
    expect(lab.row("survivor")).to_have_attribute("data-status", "completed")


def multiply(database: Path, job_id: str, many: int) -> None:
    """Have so many jobs like one that has completed."""
    with closing(sqlite3.connect(database, timeout=PATIENCE_S)) as connection, connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(training_jobs)")]
        query = "SELECT * FROM training_jobs WHERE uuid = ?"
        row = connection.execute(query, [job_id]).fetchone()
        model = dict(zip(names, row, strict=True))
        del model["id"]
        copies = [
            {
                **model,
                "uuid": f"job-copy{number}",
                "name": f"copy-{number}",
                "idempotency_key": None,
            }
            for number in range(1, many + 1)
        ]
        columns = ", ".join(model)
        values = ", ".join(f":{name}" for name in model)
        connection.executemany(f"INSERT INTO training_jobs ({columns}) VALUES ({values})", copies)
