"""Every way to a job in JupyterLab, as a person takes it: menus, toolbars, dialog, settings."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from jupyter_training.notebook import specs
from tests.conftest import NAP, Home
from tests.patience import until
from tests.ui.accessibility import violations
from tests.ui.lab import Lab, page_of, start_lab, write_notebook


@pytest.fixture(scope="module")
def opened(shared: Lab) -> Lab:
    """JupyterLab, with a script and a notebook."""
    (root(shared) / "hello.py").write_text("print('from', __file__)")
    write_notebook(shared.server.home, ["print(6 * 7)"], "answer.ipynb")
    shared.open()
    return shared


@pytest.fixture
def lab(opened: Lab) -> Iterator[Lab]:
    """JupyterLab; what a test leaves open or running is closed and cancelled."""
    yield opened
    if opened.page.get_by_role("dialog").count():
        opened.page.keyboard.press("Escape")
    opened.discard_all()
    opened.cancel_all()


def choose(lab: Lab, item: Locator, label: str) -> None:
    """Take an entry of the menu that a right click shows."""
    item.click(button="right")
    lab.page.get_by_role("menuitem", name=label).click()


def file(lab: Lab, name: str) -> Locator:
    lab.do("filebrowser:activate")
    return lab.page.locator(".jp-DirListing-item").filter(has_text=name)


def submit(lab: Lab, dialog: Locator, name: str, cores: int = 1) -> dict[str, str]:
    """Submit what is in the dialog under a name of its own; the job when it has ended."""
    dialog.get_by_label("Job name").fill(name)
    dialog.get_by_label("CPU cores").fill(str(cores))
    dialog.get_by_label("Memory (GB)").fill("1")
    dialog.get_by_label("Retries").fill("0")
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog).to_have_count(0)
    lab.do("training:show-panel")
    expect(lab.row(name)).to_have_attribute("data-status", "completed")
    (job,) = lab.server.api.get(f"api/training-jobs?q={name}&limit=1").json()
    told: dict[str, str] = job
    return told


def test_a_script_in_the_file_browser_is_run_as_a_job(lab: Lab) -> None:
    choose(lab, file(lab, "hello.py"), "Run as Training Job")
    dialog = lab.dialog()
    expect(dialog.get_by_label("Command")).to_have_value("python hello.py")
    expect(dialog.locator("code")).to_contain_text("%train --name hello")
    job = submit(lab, dialog, "by-file")
    assert lab.server.api.log(job["job_id"]) == ["from " + str(root(lab) / "hello.py")]


def root(lab: Lab) -> Path:
    return lab.server.home.path / "work"


def test_a_notebook_in_the_file_browser_is_run_as_the_magic_runs_it(lab: Lab) -> None:
    choose(lab, file(lab, "answer.ipynb"), "Run as Training Job")
    job = submit(lab, lab.dialog(), "by-notebook")
    magic = specs.of_notebook(root(lab) / "answer.ipynb", ())["command"]
    assert job["command"].split()[1:] == magic[1:]
    executed = json.loads((Path(job["output_dir"]) / "answer.ipynb").read_text())
    (cell,) = executed["cells"]
    assert cell["outputs"][0]["text"] in ("42\n", ["42\n"])
    lab.do("training:open", job=job["job_id"], tab="outputs")
    expect(lab.view.get_by_role("table")).to_contain_text("answer.ipynb")


def test_the_toolbar_of_a_notebook_saves_it_first(lab: Lab) -> None:
    lab.do("docmanager:open", path="answer.ipynb")
    cell = lab.page.locator(".jp-Notebook .cm-content").first

    def is_written_into() -> bool:
        cell.click()
        return bool(cell.evaluate("node => node === document.activeElement"))

    until(is_written_into)  # what is just being opened may still take the focus
    lab.page.keyboard.press("Control+End")
    lab.page.keyboard.type("  # changed")
    lab.page.get_by_role("button", name="Run this notebook as a training job").click()
    dialog = lab.dialog()
    expect(dialog.get_by_label("Job name")).to_have_value("answer")
    assert "# changed" in (root(lab) / "answer.ipynb").read_text()
    dialog.get_by_role("button", name="Close").click()


def test_launcher_and_command_palette_open_the_dialog(lab: Lab) -> None:
    lab.do("launcher:create")
    card = lab.page.locator(".jp-LauncherCard:visible").filter(has_text="Create Training Job")
    card.click()
    dialog = lab.dialog()
    expect(dialog).to_contain_text("Create training job")
    dialog.get_by_label("Job name").fill("begun")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    lab.do("apputils:activate-command-palette")
    lab.page.locator(".lm-CommandPalette-input").fill("Create Training Job")
    # It looks for it a moment after it is typed; till then the key means another one, or none.
    found = lab.page.locator(".lm-CommandPalette-item.lm-mod-active")
    expect(found).to_contain_text("Create Training Job")
    lab.page.keyboard.press("Enter")
    expect(dialog.get_by_label("Job name")).to_have_value("begun")  # as it was left
    dialog.get_by_role("button", name="Close").click()


def test_a_row_copies_its_id_and_is_duplicated_and_edited(lab: Lab) -> None:
    fields = {"name": "original", "env_vars": {"LR": "0.1"}, "time_limit_s": 5400}
    cell = {"name": "cell.py", "text": "print('from the cell')"}
    job = lab.server.api.submit([sys.executable, "{script}"], script=cell, **fields)
    lab.server.api.ended(job["job_id"])
    lab.do("training:show-panel")
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose(lab, lab.row("original"), "Copy Job ID")
    copied(lab, job["job_id"])
    expect(lab.row("original")).to_have_attribute("data-status", "completed")
    lab.row("original").click(button="right")
    menu = lab.page.get_by_role("menuitem", name="Cancel Training Job")
    expect(menu).to_have_class(re.compile("lm-mod-disabled"))
    lab.page.keyboard.press("Escape")
    choose(lab, lab.row("original"), "Duplicate and Edit")
    dialog = lab.dialog()
    expect(dialog.get_by_label("Time limit")).to_have_value("90m")
    expect(dialog.get_by_label("Script", exact=True)).to_have_value(cell["text"])
    expect(dialog.locator("code")).to_contain_text("%%train --name original")
    dialog.get_by_text("More", exact=True).click()
    expect(dialog.get_by_label("Environment variables")).to_have_value("LR=0.1")
    copy = submit(lab, dialog, "copy-of-it")
    assert copy["command"] == job["command"]
    assert lab.server.api.log(copy["job_id"]) == ["from the cell"]
    # What is clicked with the right button is meant by its menu, and by nothing later.
    lab.do("training:open", job=copy["job_id"])
    expect(lab.view.get_by_role("heading", name="copy-of-it")).to_be_visible()
    lab.do("training:copy-id")
    copied(lab, copy["job_id"])


def copied(lab: Lab, text: str) -> None:
    """Return when this is in the clipboard."""
    lab.page.wait_for_function(
        "wanted => navigator.clipboard.readText().then(text => text === wanted)", arg=text
    )


def test_the_dialog_tells_after_which_job_one_would_start(lab: Lab) -> None:
    holder = lab.server.api.submit(NAP, name="holder", cpu_cores=8, time_limit_s=7200)
    lab.server.api.status(holder["job_id"], "running")
    dialog = lab.create()
    dialog.get_by_label("CPU cores").fill("8")
    told = re.compile("Would start after “holder”, in about (2 h|1 h 5[0-9] min)")
    expect(dialog).to_contain_text(told)
    dialog.get_by_role("radio", name="Distributed").check(force=True)
    dialog.get_by_label("CPU cores").fill("4")
    expect(dialog).to_contain_text(told)
    assert violations(lab.page, ".jp-Training-dialog") == []
    dialog.get_by_role("button", name="Close").click()


def test_a_pipeline_is_made_of_rows_and_duplicated_with_them(lab: Lab) -> None:
    dialog = lab.create()
    dialog.get_by_role("radio", name="Pipeline").check(force=True)
    first, second = (dialog.get_by_role("group", name=f"Stages {place}") for place in (1, 2))
    first.get_by_label("Command").fill("true")
    second.get_by_label("Command").fill("echo fitted")
    second.get_by_label("After").fill("prepared")
    expect(dialog).to_contain_text("fit depends on prepared, and there is no such stage")
    second.get_by_label("After").fill("prepare")
    expect(dialog).to_contain_text("Would start now")
    expect(dialog.locator("code")).to_contain_text("--stage fit --after prepare")
    assert violations(lab.page, ".jp-Training-dialog") == []
    job = submit(lab, dialog, "rows")
    children = lab.server.api.get(f"api/training-jobs/{job['job_id']}/children").json()
    assert [one["child_key"] for one in children] == ["prepare", "fit"]
    choose(lab, lab.row("rows"), "Duplicate and Edit")
    lab.dialog()
    expect(second.get_by_label("Command")).to_have_value("echo fitted")
    expect(second.get_by_label("After")).to_have_value("prepare")
    dialog.get_by_role("button", name="Close").click()


def test_a_search_is_made_of_rows(lab: Lab) -> None:
    (root(lab) / "fit.py").write_text("import sys; print(f'step 1 loss: {float(sys.argv[1]):.4f}')")
    dialog = lab.create()
    dialog.get_by_role("radio", name="Hyperparameter search").check(force=True)
    dialog.get_by_label("Command").fill("python fit.py {lr}")
    row = dialog.get_by_role("group", name="Search space 1")
    row.get_by_label("From").fill("1")
    expect(row).to_contain_text("low should be less than high")
    row.get_by_label("Type").select_option("choice")
    row.get_by_label("Values").fill("0.1, 0.2")
    dialog.get_by_label("Trials").fill("2")
    dialog.get_by_label("Sampler").select_option("grid")
    expect(dialog).to_contain_text("Would start now")
    expect(dialog.locator("code")).to_contain_text("--search lr=choice:0.1,0.2 --metric loss")
    assert violations(lab.page, ".jp-Training-dialog") == []
    job = submit(lab, dialog, "rates")
    told = lab.server.api.get(f"api/training-jobs/{job['job_id']}/trials").json()
    assert told["best"]["params"] == {"lr": 0.1}


def test_a_setting_acts_as_soon_as_it_is_changed(lab: Lab) -> None:
    status = lab.page.locator(".jp-Training-statusItem")
    expect(status).to_be_visible()
    lab.do("settingeditor:open", query="Training jobs")
    editor = lab.page.locator(".jp-SettingsForm")
    expect(editor).to_contain_text("Of what to tell while you do something else")
    editor.get_by_label("Status bar").uncheck()
    expect(status).to_be_hidden()
    editor.get_by_label("Status bar").check()
    expect(status).to_be_visible()


def test_without_the_server_part_the_panel_says_what_to_do(home: Home, browser: Browser) -> None:
    home.configure("c.ServerApp.jpserver_extensions = {'jupyter_training': False}")
    server = start_lab(home, wait=False)
    with page_of(browser) as page:
        until(lambda: server.answers)  # it has nothing that could tell that it is ready
        lab = Lab(page, server)
        lab.open()
        expect(lab.panel.get_by_role("alert")).to_contain_text(
            "jupyter server extension enable jupyter_training"
        )
        assert violations(page, ".jp-Training-panel") == []
    server.kill()  # nothing of ours is in it that would have to end
