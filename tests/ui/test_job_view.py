"""The view of a job in JupyterLab: stages, ranks, resources and comparisons of real jobs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request, WebSocket, expect

from tests.conftest import python
from tests.server.test_snapshots import put, snapshot
from tests.ui.accessibility import OF_COLOURS, other_looks, violations
from tests.ui.lab import Lab

VIEW = ".jp-Training-view:not(.lm-mod-hidden)"
SMALL = {"cpu_cores": 1, "memory_gb": 1, "gpu_count": 0, "max_retries": 0}
FINE = python("print('fine')")
WAITS = python("import time; print('Epoch 1/4', flush=True); time.sleep(600)")
CURVE = (
    "import math\n"
    "for step in range(1, 51):\n"
    "    print(f'Epoch {step}/50 - loss: {RATE * math.exp(-step / 9):.5f}')"
)
THIRD_FAILS = (
    "import os, sys, time\n"
    "print('begin', flush=True)\n"
    "where = os.environ['JUPYTER_TRAINING_CHECKPOINT_DIR']\n"
    "open(f'{where}/' + os.environ['RANK'], 'w').close()\n"
    "if os.environ['RANK'] != '2': time.sleep(600)\n"
    "while len(os.listdir(where)) < 4: time.sleep(0.01)\n"
    "sys.exit('the loss is NaN')\n"
)


@pytest.fixture(scope="module")
def lab(shared: Lab) -> Lab:
    shared.open()
    return shared


def test_a_pipeline_is_a_graph_of_stages_with_what_became_of_each(lab: Lab) -> None:
    fails = python("import sys; sys.exit('shapes do not match')")
    stages = [
        {"name": "prepare", "command": FINE, **SMALL},
        {"name": "fit", "command": fails, "depends_on": ["prepare"], **SMALL},
        {"name": "baseline", "command": WAITS, "depends_on": ["prepare"], **SMALL},
        {"name": "publish", "command": FINE, "depends_on": ["fit", "baseline"], **SMALL},
    ]
    spec = {"name": "nightly", "job_type": "pipeline", "stages": stages}
    job = lab.server.api.post("api/training-jobs", json=spec).json()
    lab.do("training:open", job=job["job_id"], tab="stages")
    graph = lab.view.get_by_role("list", name="Stages")

    def stage(name: str) -> Locator:
        return graph.get_by_role("button", name=re.compile(f"^{name}"))

    expect(stage("fit")).to_contain_text("script error")
    expect(stage("prepare")).to_contain_text("completed")
    expect(stage("baseline")).to_contain_text("running")
    expect(stage("publish")).to_contain_text("cancelled")
    expect(lab.view.get_by_role("row").filter(has_text="publish")).to_contain_text(
        "not run, because fit did not complete"
    )
    assert violations(lab.page, VIEW) == []
    for look in other_looks(lab):
        assert violations(lab.page, VIEW, OF_COLOURS) == [], look

    stage("prepare").focus()
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("ArrowDown")
    expect(stage("baseline")).to_be_focused()
    lab.page.keyboard.press("ArrowUp")
    lab.page.keyboard.press("Enter")
    expect(lab.view.get_by_role("heading", name="/fit")).to_be_visible()
    lab.server.api.post(f"api/training-jobs/{job['job_id']}/cancel")


def test_the_rank_that_failed_first_is_shown_with_its_log(lab: Lab) -> None:
    job = lab.server.api.submit(
        python(THIRD_FAILS), name="ddp", nodes=2, procs_per_node=2, max_retries=0
    )
    lab.do("training:open", job=job["job_id"], tab="ranks")
    failure = lab.view.get_by_role("region", name="What failed first")
    expect(failure).to_contain_text("Rank 2 of 4 failed first: exit code 1")
    expect(failure.get_by_role("region", name="Its last lines")).to_contain_text("the loss is NaN")
    second = lab.view.get_by_role("table", name="Node 1 on")
    expect(second.get_by_role("row").filter(has_text="failed first")).to_have_count(1)
    expect(second.get_by_role("row").filter(has_text="stopped")).to_have_count(1)
    assert violations(lab.page, VIEW) == []

    second.get_by_role("button", name="View log of rank 2").click()
    log = lab.view.get_by_role("log")
    expect(log).to_contain_text("begin")
    expect(log).not_to_contain_text("[rank 0]")
    lab.view.get_by_label("Rank").select_option("All ranks")
    expect(log).to_contain_text("[rank 0] begin")


def test_what_a_job_uses_is_drawn_while_somebody_looks(lab: Lab) -> None:
    held = python("import time; held = bytearray(64 << 20); time.sleep(600)")
    job = lab.server.api.submit(held, name="uses")
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.split("?")[0].endswith(f"{job['job_id']}/usage"):
            asked.append(request.url)

    lab.page.on("request", note)
    lab.do("training:open", job=job["job_id"], tab="resources")
    chart = lab.view.get_by_role("img", name="Chart of Memory, peak")
    expect(chart).to_be_visible()
    expect(lab.view.locator("figcaption").filter(has_text="Memory")).to_contain_text("limit 1.0 GB")
    expect(lab.view.locator("figure")).to_have_count(2)  # nothing of GPUs
    assert violations(lab.page, VIEW) == []
    before = len(asked)
    with lab.page.expect_request(lambda request: "/usage" in request.url):
        pass  # it goes on by itself
    lab.do("training:open", job=job["job_id"], tab="code")
    expect(lab.view.get_by_role("heading", name="Command")).to_be_visible()
    count = len(asked)
    assert count > before
    lab.server.api.post(f"api/training-jobs/{job['job_id']}/cancel")
    expect(lab.row("uses")).to_have_attribute("data-status", "cancelled")
    assert len(asked) == count  # nobody looks at it any more
    lab.page.remove_listener("request", note)


def test_in_a_page_that_is_hidden_nothing_is_asked_or_followed(lab: Lab) -> None:
    reports = python(
        "import time; from jupyter_training import report; print('begin', flush=True)\n"
        "for step in range(6000): report(step=step, loss=1 / (step + 1)); time.sleep(0.3)"
    )
    job = lab.server.api.submit(reports, name="unseen-page")
    opened: list[WebSocket] = []
    asked: list[str] = []

    def note_socket(socket: WebSocket) -> None:
        opened.append(socket)

    def note(request: Request) -> None:
        asked.append(request.url)

    lab.page.on("websocket", note_socket)
    lab.do("training:open", job=job["job_id"], tab="metrics")
    chart = lab.view.get_by_role("img", name="Chart of loss")
    expect(chart).to_be_visible()
    before = str(chart.get_attribute("aria-label"))
    expect(chart).not_to_have_attribute("aria-label", before)  # though no event tells
    assert opened == []
    with lab.page.expect_websocket(lambda socket: "/logs/stream" in socket.url) as found:
        lab.tab("Log")
    expect(lab.view.get_by_role("log")).to_contain_text("begin")  # so it is open, not being opened
    lab.page.on("request", note)
    with found.value.expect_event("close"):
        hide(lab.page, True)
    asked.clear()
    lab.server.api.post(f"api/training-jobs/{job['job_id']}/cancel")
    expect(lab.page.locator(".jp-Training-statusItem")).to_contain_text("0 running")
    assert [url for url in asked if job["job_id"] in url] == []
    hide(lab.page, False)
    expect(lab.row("unseen-page")).to_have_attribute("data-status", "cancelled")
    lab.page.remove_listener("websocket", note_socket)
    lab.page.remove_listener("request", note)


def hide(page: Page, hidden: bool) -> None:
    """Have the page believe that it is hidden, or seen again."""
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


def test_the_trials_of_a_search_are_sorted_and_its_best_one_is_marked(lab: Lab) -> None:
    tries = python(
        "import sys; from jupyter_training import report; "
        "lr, opt = float(sys.argv[1]), sys.argv[2]; "
        "report(step=1, loss=abs(lr - 0.01) + (opt == 'sgd'))"
    )
    space = {
        "lr": {"type": "loguniform", "low": 1e-4, "high": 1},
        "opt": {"type": "choice", "values": ["adam", "sgd"]},
    }
    search = {
        **{"trials": 8, "parallel": 4, "metric": "loss", "goal": "minimize", "space": space},
        **{"sampler": "random", "seed": 3},
    }
    spec = {"name": "sweep", "job_type": "hyperparameter", "search": search, **SMALL}
    answer = lab.server.api.post(
        "api/training-jobs", json={**spec, "command": [*tries, "{lr}", "{opt}"]}
    )
    assert answer.status_code == 201, answer.text
    job = lab.server.api.ended(answer.json()["job_id"])
    assert job["status"] == "completed", job["reason"]
    best = job["search"]["best"]
    lab.do("training:open", job=job["job_id"], tab="trials")
    table = lab.view.get_by_role("table", name="Trials")
    expect(table.get_by_role("row")).to_have_count(9)
    marked = table.get_by_role("row").filter(has_text="★ best")
    expect(marked.get_by_role("rowheader")).to_have_text(str(best["number"]))
    table.get_by_role("button", name="loss").click()
    expect(table.get_by_role("columnheader", name="loss")).to_have_attribute(
        "aria-sort", "ascending"
    )
    expect(table.get_by_role("row").nth(1)).to_contain_text("★ best")
    picture = lab.view.get_by_role("img", name=f"the best one is trial {best['number']}")
    expect(picture.locator("polyline")).to_have_count(8)
    expect(lab.view.get_by_role("img", name="Chart of loss over the trials")).to_be_visible()
    assert violations(lab.page, VIEW) == []
    marked.get_by_role("button").click()
    expect(lab.view.get_by_role("heading", name=f"sweep/{best['number']}")).to_be_visible()


def test_the_code_of_a_job_is_read_as_it_was_when_it_was_submitted(
    lab: Lab, tmp_path: Path
) -> None:
    api = lab.server.api
    recorded = {
        "python": {"version": "3.12.1", "implementation": "CPython", "executable": "/env/python"},
        "git": {
            **{"commit": "0123456789abcdef", "branch": "main", "dirty": True, "remote": None},
            "changes": [" M train.py"],
        },
        "packages": {"torch": "2.13.0"},
    }
    job = api.submit(
        [sys.executable, "train.py"],
        name="with-code",
        working_dir=str(tmp_path),
        snapshot=snapshot(
            api, tmp_path, {"train.py": b"print('as it was')", "model.bin": b"\xff\0"}
        ),
        environment=put(api, json.dumps(recorded).encode()),
    )
    api.ended(job["job_id"])
    lab.do("training:open", job=job["job_id"], tab="code")
    files = lab.view.get_by_role("table", name="Files")
    files.get_by_role("button", name="train.py").click()
    expect(lab.view.get_by_role("region", name="train.py")).to_have_text("print('as it was')")
    with lab.page.expect_download() as download:
        files.get_by_role("link", name="Download model.bin").click()
    assert download.value.suggested_filename == "model.bin"
    assert Path(download.value.path()).read_bytes() == b"\xff\0"
    files.get_by_role("button", name="model.bin").click()
    expect(lab.view).to_contain_text("model.bin is no text")
    software = lab.view.get_by_role("region", name="Software")
    expect(software).to_contain_text("CPython 3.12.1")
    expect(software).to_contain_text("0123456789ab · main, with 1 changes")
    software.get_by_text("1 packages").click()
    expect(software.get_by_role("region", name="Packages")).to_have_text("torch==2.13.0")
    assert violations(lab.page, VIEW) == []


def test_a_job_that_waits_says_why_and_when_it_will_start(lab: Lab) -> None:
    api = lab.server.api
    holds = api.submit(WAITS, name="holds", cpu_cores=8, time_limit_s=5400)
    api.status(holds["job_id"], "running")
    waits = api.submit(FINE, name="waits", cpu_cores=8)
    lab.do("training:open", job=waits["job_id"])
    why = lab.view.get_by_role("note")
    expect(why).to_contain_text("waits for 8 CPU cores (0 free), held by holds")
    soon = r"It will probably start: in about 1 h (30|2[0-9]) min, at .*"
    expect(why).to_contain_text(re.compile(soon))
    expect(why).to_contain_text("when holds has ended")
    expect(lab.row("waits")).to_contain_text("starts about")
    assert violations(lab.page, VIEW) == []
    for job in (waits, holds):
        api.post(f"api/training-jobs/{job['job_id']}/cancel")


def test_several_jobs_are_compared_in_one_chart(lab: Lab) -> None:
    jobs = [
        lab.server.api.submit(python(CURVE.replace("RATE", str(rate))), name=f"rate-{rate}")
        for rate in (1, 2)
    ]
    for job in jobs:
        lab.server.api.ended(job["job_id"])
    lab.do("training:compare", jobs=",".join(job["job_id"] for job in jobs))
    caption = lab.view.locator("figcaption").filter(has_text="loss")
    expect(caption).to_contain_text("rate-1 0.00387")
    expect(caption).to_contain_text("rate-2 0.00773")
    lab.view.get_by_label("Logarithmic").check()
    lab.view.get_by_label("Smoothing").fill("0.6")
    expect(lab.view.locator(".jp-TrainingChart-settings")).to_contain_text("0.60")
    expect(lab.view.locator("figure canvas")).to_have_count(1)
    assert violations(lab.page, VIEW) == []
