"""Help where one is: completions, help texts, and errors without a trace unless it is asked for."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Home, Server
from tests.notebook.conftest import Kernel
from tests.patience import PATIENCE_S


def completions(kernel: Kernel, code: str) -> list[str]:
    """What the Tab key offers at the end of a cell's first line."""
    position = len(code.partition("\n")[0])
    reply = kernel.client.complete(code, position, reply=True, timeout=PATIENCE_S)
    matches: list[str] = reply["content"]["matches"]
    return matches


def test_options_are_completed_with_what_the_magic_takes(kernel: Kernel) -> None:
    offered = completions(kernel, "%%train --gp\nprint(1)")
    assert offered == ["--gpu-hours", "--gpu-type", "--gpus"]
    offered = completions(kernel, "%%train --gpus 1 --\nprint(1)")
    assert "--memory" in offered
    assert "--gpus" not in offered
    assert "--nodes" in offered or "--time-limit" in offered
    assert completions(kernel, "%train_logs --f") == ["--follow"]
    assert "--notebook" in completions(kernel, "%train --no")
    assert "--notebook" not in completions(kernel, "%%train --no\n1")


def test_values_are_completed_with_what_there_is(kernel: Kernel, server: Server) -> None:
    work = server.home.path / "work"
    (work / "digits").mkdir(exist_ok=True)
    server.api.post("api/training-datasets", json={"name": "mnist-3", "path": str(work / "digits")})
    job = server.api.submit("true", name="my model")
    kernel.run("my_data = 1; my_config = 2")
    # Who presses Tab waits for a moment at most, and the server may take longer on a busy machine.
    kernel.run(f"import jupyter_training.notebook.completion as it; it._PATIENCE_S = {PATIENCE_S}")
    assert completions(kernel, "%%train --dataset mni\n1") == ["mnist-3"]
    assert completions(kernel, "%%train --in my_\n1") == ["my_config", "my_data"]
    assert completions(kernel, "%%train --in my_data,my_c\n1") == ["my_config"]
    assert completions(kernel, "%%train --executor d\n1") == ["docker"]
    assert completions(kernel, "%%train --executor r\n1") == ["ray"]
    assert completions(kernel, f"%train_logs {job['job_id'][:12]}") == [job["job_id"]]
    assert "'my model'" in completions(kernel, "%train_cancel ")
    assert "completed" in completions(kernel, "%train_jobs --status com")


def test_other_lines_are_completed_as_always(kernel: Kernel) -> None:
    kernel.run("a_value = 1")
    assert completions(kernel, "print(a_va") == ["a_value"]
    assert completions(kernel, "a_value.bit_c") == ["bit_count"]


def test_a_tab_starts_no_server_and_shows_no_error(
    home: Home, lone_kernel: Callable[[], Kernel]
) -> None:
    kernel = lone_kernel()
    kernel.run("%load_ext jupyter_training")
    assert not [one for one in completions(kernel, "%train_logs job-") if one.startswith("job-")]
    assert "--gpus" in completions(kernel, "%%train --g\n1")
    assert not list((home.path / "runtime").glob("training-servers/*.json"))


def test_the_question_mark_shows_all_options(kernel: Kernel) -> None:
    reply = kernel.client.inspect("%%train", reply=True, timeout=PATIENCE_S)
    shown = reply["content"]["data"]["text/plain"]
    assert "--gpus N" in shown
    assert "--notebook" in shown


def test_an_error_is_a_sentence_and_the_trace_is_there_on_request(kernel: Kernel) -> None:
    for code, sentence in (
        ("%train_logs nothing", "There is no job nothing"),
        ("from jupyter_training import get_job; get_job('nothing')", "There is no job nothing"),
    ):
        cell = kernel.run(code)
        assert sentence in cell.error
        assert len(cell.reply["traceback"]) <= 1
        assert "Traceback" not in "".join(cell.reply["traceback"])
        trace = kernel.run("%train_traceback").text
        assert "Traceback (most recent call last)" in trace
        assert sentence in trace
        assert "jobs.py" in trace
