"""Notebooks that run as jobs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_training.notebook.this_notebook import Journal, Ran, has_parameters
from jupyter_training.run_notebook import value_of
from tests.conftest import Server
from tests.notebook.conftest import Kernel

SMALL = "--cpus 1 --memory 2 --retries 0"


def notebook(path: Path, *cells: str, tags: dict[int, str] | None = None) -> Path:
    """Write a notebook."""
    v4: Any = nbformat.v4
    made = v4.new_notebook(cells=[v4.new_code_cell(text) for text in cells])
    for number, tag in (tags or {}).items():
        made.cells[number].metadata["tags"] = [tag]
    if tags:
        made.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "x"}
    nbformat.write(made, path)  # type: ignore[no-untyped-call]
    return path


def outputs(job: dict[str, Any], name: str) -> str:
    """What the cells of an executed notebook have put out."""
    executed = json.loads((Path(job["output_dir"]) / name).read_text())
    return json.dumps([cell.get("outputs") for cell in executed["cells"]])


def test_this_notebook_runs_as_it_was_saved_with_other_parameters(
    server: Server, kernel: Kernel
) -> None:
    work = server.home.path / "work" / "nb"
    work.mkdir()
    (work / "helper.py").write_text("WORD = 'helped'")
    path = notebook(
        work / "my {notebook}.ipynb",
        "lr = 1",
        "%load_ext jupyter_training",
        "%train --notebook",
        "import helper; print('with', repr(lr), helper.WORD)",
        tags={0: "parameters"},
    )
    kernel.run(f"import os\nos.environ['JPY_SESSION_NAME'] = {str(path)!r}")
    os.utime(path, (1, 1))
    number = kernel.run("print('never saved')").reply["execution_count"]
    cell = kernel.run(f"%train {SMALL} --name headless --notebook -p lr -1e-3")
    assert "Unsaved edits: my {notebook}.ipynb was last saved at" in cell.text
    assert f"[{number}]" in cell.text
    job = server.api.ended(server.api.get("api/training-jobs?q=headless").json()[0]["job_id"])
    log = server.api.log(job["job_id"])
    assert job["status"] == "completed", log
    assert "with -0.001 helped" in log
    assert "Cell 5 of 5 is done" in log
    shown = outputs(job, path.name)
    assert "with -0.001 helped" in shown
    assert "not submitted again" in shown
    assert len(server.api.get("api/training-jobs?q=headless").json()) == 1


def test_what_a_notebook_has_done_is_kept_when_it_fails(
    server: Server, kernel: Kernel, tmp_path: Path
) -> None:
    path = notebook(tmp_path / "fails.ipynb", "print('first')", "1 / 0", "print('never')")
    kernel.run(f"%train {SMALL} {path}")
    told = server.api.get("api/training-jobs?q=fails").json()[0]
    job = server.api.ended(told["job_id"])
    assert (job["status"], job["exit_code"], job["progress"]) == ("failed", 1, 33)
    assert "ZeroDivisionError" in "\n".join(server.api.log(job["job_id"]))
    assert "first" in outputs(job, "fails.ipynb")
    assert "ZeroDivisionError" in outputs(job, "fails.ipynb")
    assert "never" not in outputs(job, "fails.ipynb")


def test_what_is_wrong_with_a_notebook_is_told(
    server: Server, kernel: Kernel, tmp_path: Path
) -> None:
    kernel.run("import os; os.environ.pop('JPY_SESSION_NAME', None)")
    assert "does not know which notebook" in kernel.run("%train --notebook").error
    kernel.run("os.environ['JPY_SESSION_NAME'] = '/nowhere/x.ipynb'")
    assert "There is no notebook /nowhere/x.ipynb any more" in kernel.run("%train --notebook").error
    assert "There is no notebook" in kernel.run("%train nowhere.ipynb").error
    (tmp_path / "x.ipynb").write_text("{}")
    assert "is not a notebook" in kernel.run(f"%train -p a 1 {tmp_path / 'x.ipynb'}").error
    assert "-p is for notebooks" in kernel.run("%train -p a 1 x.py").error
    plain = notebook(tmp_path / "plain.ipynb", "a = 1")
    told = kernel.run(f"%train --dry-run {SMALL} -p a 1 {plain}").text
    assert "No cell of plain.ipynb has the tag 'parameters'" in told


def test_only_what_was_run_after_it_was_saved_and_is_not_in_it_is_unsaved(tmp_path: Path) -> None:
    path = notebook(tmp_path / "x.ipynb", "a = 1", "b = 2")
    ids = [cell["id"] for cell in json.loads(path.read_text())["cells"]]
    os.utime(path, (100, 100))
    ran = [
        Ran(1, ids[0], "a = 1\n", 200),
        Ran(2, ids[1], "b = 'edited afterwards and saved'", 50),
        Ran(3, ids[1], "b = 3", 200),
        Ran(4, None, "b = 2", 200),
        Ran(5, "new", "c = 3", 200),
        Ran(6, "self", "%train --notebook", 200),
    ]
    journal = Journal({one.number: one for one in ran})
    assert [one.number for one in journal.unsaved(path, besides=6)] == [3, 5]
    assert not has_parameters(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1e-3", -0.001),
        ("true", True),
        ("None", None),
        ("[1, 2]", [1, 2]),
        ('"1"', "1"),
        ("adam", "adam"),
        ("[half", "[half"),
        ("", ""),
    ],
)
def test_a_parameter_is_what_it_looks_like(text: str, value: object) -> None:
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)
