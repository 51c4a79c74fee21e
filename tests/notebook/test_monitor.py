"""What a job handle shows in a kernel: a picture that stays, and a widget with buttons."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from tests.conftest import Home, Server
from tests.notebook.conftest import Cell, Kernel
from tests.patience import PATIENCE_S
from tests.postgres import Postgres

VIEW = "application/vnd.jupyter.widget-view+json"


class Page:
    """A kernel as a front end with widgets sees it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def models(self) -> dict[str, dict[str, Any]]:
        """The states of the widgets by their ids, as far as they were told by now."""
        found: dict[str, dict[str, Any]] = {}
        for message in self.kernel.messages:
            content = message["content"]
            if message["msg_type"] == "comm_open":
                found[content["comm_id"]] = dict(content["data"]["state"])
            elif message["msg_type"] == "comm_msg" and content["comm_id"] in found:
                found[content["comm_id"]].update(content["data"].get("state", {}))
        return found

    def model(self, **state: Any) -> str:
        """The id of the latest widget that is like this."""
        ids = [
            comm_id
            for comm_id, told in self.models().items()
            if all(told.get(name) == value for name, value in state.items())
        ]
        return ids[-1]

    def read(self, enough: Callable[[], bool]) -> None:
        """Read what the kernel says, until it is enough."""
        deadline = time.monotonic() + PATIENCE_S
        while not enough():
            left = deadline - time.monotonic()
            self.kernel.messages.append(self.kernel.client.get_iopub_msg(timeout=left))

    def look(self, enough: Callable[[], bool]) -> None:
        """Read what the kernel says, and say again and again, as a browser does, that one looks."""
        deadline = time.monotonic() + PATIENCE_S
        while not enough():
            assert time.monotonic() < deadline, self.text()
            self.send(self.model(_view_name="AnyView"), {"type": "looks"})
            with suppress(Empty):
                while not enough():
                    message = self.kernel.client.get_iopub_msg(timeout=0.5)
                    self.kernel.messages.append(message)

    def send(self, model: str, content: dict[str, Any]) -> None:
        """Tell a widget what was done with it."""
        data = {"method": "custom", "content": content}
        session = self.kernel.client.session
        message = session.msg("comm_msg", {"comm_id": model, "data": data})
        self.kernel.client.shell_channel.send(message)

    def custom(self) -> list[dict[str, Any]]:
        """What was told to widgets besides their states."""
        told = [one["content"]["data"] for one in self.kernel.messages if is_told(one)]
        return [one["content"] for one in told if one.get("method") == "custom"]

    def changes(self) -> int:
        """How often what a widget shows as HTML was changed."""
        told = [one["content"]["data"] for one in self.kernel.messages if is_told(one)]
        return sum("value" in one.get("state", {}) for one in told)

    def text(self) -> str:
        """All that the widgets show as HTML."""
        return "".join(str(told.get("value", "")) for told in self.models().values())

    def pictures(self, cell: Cell) -> list[str]:
        """What the picture of a cell was told to be, after it was first shown."""
        return [
            one["content"]["data"]["text/plain"]
            for one in self.kernel.messages
            if one["msg_type"] == "update_display_data"
            and one["content"]["transient"]["display_id"] == cell.display_id
        ]


def is_told(message: dict[str, Any]) -> bool:
    return bool(message["msg_type"] == "comm_msg")


@pytest.fixture
def page(kernel: Kernel) -> Page:
    """A page that was opened just now."""
    kernel.messages.clear()
    return Page(kernel)


def test_a_button_acts_while_a_cell_runs_whose_output_stays_as_it_is(
    page: Page, server: Server, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    kernel = page.kernel
    cell = kernel.run(
        "%%train --name held --cpus 1 --memory 1\n"
        "import itertools, time\n"
        "for i in itertools.count(): print('line', i); time.sleep(0.05)"
    )
    assert VIEW in str(cell.messages)
    assert "jt-picture" in cell.html
    job = server.api.get("api/training-jobs?q=held&limit=1").json()[0]
    request = kernel.client.execute(f"open({str(go)!r}).read()", allow_stdin=False)
    # The widget goes on, and so does the cell.
    page.read(lambda: "line 3" in page.text())
    page.send(page.model(description="Cancel"), {"event": "click"})
    assert server.api.ended(job["job_id"])["status"] == "cancelled"
    page.read(lambda: "cancelled" in page.text())
    go.open("w").close()
    done = [one for one in kernel.messages if one["parent_header"].get("msg_id") == request]
    said = {one["msg_type"] for one in done}
    assert not said & {"stream", "display_data", "error"}
    reply = kernel.client.get_shell_msg(timeout=PATIENCE_S)
    assert reply["content"]["status"] == "ok"


def test_beside_a_widget_the_picture_changes_only_when_it_matters(
    page: Page, server: Server, tmp_path: Path
) -> None:
    go, enough = tmp_path / "go", tmp_path / "enough"
    os.mkfifo(go)
    cell = page.kernel.run(
        "%%train --name lively --cpus 1 --memory 1\n"
        "import os, time\n"
        "from jupyter_training import report\n"
        f"open({str(go)!r}).read()\n"
        "step = 0\n"
        f"while not os.path.exists({str(enough)!r}):\n"
        "    report(step=step, loss=1 / (step + 1)); print(step); step += 1; time.sleep(0.05)\n"
        "report(step=step, loss=0.025)\n"
    )
    page.look(lambda: "running" in page.text())
    # Whatever it says after this was said by somebody who knows that a browser looks.
    page.kernel.run("pass")
    before = len(page.pictures(cell))
    go.open("w").close()
    # What the widget shows changes again and again, and the picture with it does not.
    page.look(lambda: page.changes() > 20)
    enough.touch()
    page.look(lambda: any("completed" in text for text in page.pictures(cell)))
    assert "loss 0.025" in page.pictures(cell)[-1]
    assert len(page.pictures(cell)) - before <= 4
    # What it measured is sent to the chart, and only what is new each time.
    points = [one for one in page.custom() if one.get("type") == "points"]
    sent = [curve for one in points for curve in one["curves"]]
    assert {curve["name"] for curve in sent} == {"loss"}
    job_id = server.api.get("api/training-jobs?q=lively&limit=1").json()[0]["job_id"]
    (loss,) = server.api.get(f"api/training-jobs/{job_id}/metrics").json()["series"]
    assert sent[-1]["x"][-1] == loss["steps"][-1]
    assert sum(len(curve["x"]) for curve in sent) <= len(loss["steps"]) + len(sent)
    # The picture has it as a curve.
    shown = page.kernel.run("%train_monitor lively")
    assert "<path" in shown.html
    assert "completed" in shown.text


def test_nothing_is_asked_when_nobody_looks_and_it_goes_on_when_somebody_does(
    page: Page, server: Server, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    page.kernel.run("import threading, jupyter_training.notebook.looking as looking")
    page.kernel.run("import jupyter_training.notebook.watch as watch; watch.WAIT_S = 1")
    page.kernel.run("looking.Looking.__init__.__defaults__ = (0.5,)")
    cell = page.kernel.run(
        f"%%train --name unseen --cpus 1 --memory 1\nprint('begun'); open({str(go)!r}).read()"
    )
    page.kernel.run("looking.Looking.__init__.__defaults__ = (looking.GONE_S,)")
    page.read(lambda: "begun" in page.text())
    page.send(page.model(_view_name="AnyView"), {"type": "looks"})
    job_id = server.api.get("api/training-jobs?q=unseen&limit=1").json()[0]["job_id"]
    page.kernel.run(
        "for one in threading.enumerate():\n"
        f"    if one.name == 'log of {job_id}': one.join({PATIENCE_S})\n"
    )
    alive = f"[t.name for t in threading.enumerate() if '{job_id}' in t.name]"
    assert page.kernel.value(alive) == [f"follow {job_id}"]
    go.open("w").close()
    server.api.ended(job_id)
    page.kernel.run("looking.GONE_S")
    assert not any("completed" in text for text in page.pictures(cell))
    page.look(lambda: any("completed" in text for text in page.pictures(cell)))


def test_while_the_database_is_away_it_says_so_and_goes_on_afterwards(
    own_postgres: Postgres, home: Home, kernel_of: Callable[[Server], Kernel], tmp_path: Path
) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    page = Page(kernel_of(home.start(database_url=own_postgres.new_database())))
    page.kernel.run("%load_ext jupyter_training")
    page.kernel.run("from jupyter_training.notebook import monitor, watch")
    page.kernel.run("monitor.WAIT_S = watch.WAIT_S = 1")
    table = page.kernel.run("%train_monitor")
    cell = page.kernel.run(
        f"%%train --name patient --cpus 1 --memory 1\nprint('begun'); open({str(go)!r}).read()"
    )
    page.read(lambda: "begun" in page.text())
    own_postgres.stop()
    page.read(lambda: page.text().count("cannot be used at the moment") == 2)
    own_postgres.start()
    page.read(lambda: "cannot be used at the moment" not in page.text())
    go.open("w").close()
    page.read(
        lambda: all(
            any("completed" in text for text in page.pictures(shown)) for shown in (table, cell)
        )
    )


def test_all_jobs_are_a_table_that_changes_with_them(page: Page, server: Server) -> None:
    cell = page.kernel.run("%train_monitor")
    job = server.api.submit("true", name="listed")
    page.read(lambda: any("listed" in text for text in page.pictures(cell)))
    server.api.ended(job["job_id"])
    page.read(
        lambda: any(
            job["job_id"] in line and "completed" in line
            for line in page.pictures(cell)[-1].splitlines()
        )
    )


def test_without_widgets_the_picture_moves_and_one_sentence_says_why(
    page: Page, server: Server
) -> None:
    page.kernel.run(
        "import sys\n"
        "names = 'anywidget', 'jupyter_training.notebook.widgets'\n"
        "was = {name: sys.modules.pop(name) for name in names if name in sys.modules}\n"
        "sys.modules['anywidget'] = None"
    )
    cell = page.kernel.run("%%train --name plain --cpus 1 --memory 1\nprint('one')")
    assert "Install ipywidgets and anywidget" in cell.text
    assert VIEW not in str(cell.messages)
    assert "jt-picture" not in cell.html
    shown = page.kernel.updated(cell.display_id, lambda data: "completed" in data["text/plain"])
    assert "one" in shown["text/plain"]
    again = page.kernel.run("%train_monitor plain")
    assert "Install" not in again.text
    page.kernel.run("del sys.modules['anywidget']; sys.modules.update(was)")
