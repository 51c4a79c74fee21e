"""The magics, in a kernel that a server started and in one that nobody knows."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Home, Server
from tests.notebook.conftest import Kernel, end
from tests.patience import PATIENCE_S, until

LOAD = "%load_ext jupyter_training"


def test_a_cell_becomes_a_job_and_its_output_follows_it(kernel: Kernel, server: Server) -> None:
    (server.home.path / "work" / "beside.py").write_text("WORD = 'from beside'\n")
    cell = kernel.run(
        "%%train --name digits --cpus 1 --memory 1\n"
        "import beside, sys\n"
        "print('Epoch 1/1 - loss: <b>0.1</b>')\n"
        "print(beside.WORD, sys.executable)\n"
    )
    # Its own server, so there is nothing to say about another.
    assert "starting" not in cell.text
    assert "digits" in cell.html
    shown = kernel.updated(cell.display_id, lambda data: "completed" in data["text/plain"])
    assert f"from beside {sys.executable}" in shown["text/plain"]
    assert "&lt;b&gt;0.1" in shown["text/html"]
    assert "<b>0.1" not in shown["text/html"]
    job = server.api.get("api/training-jobs?q=digits&limit=1").json()[0]
    assert job["working_dir"] == str(server.home.path / "work")


def test_the_handle_tells_and_does(kernel: Kernel, server: Server) -> None:
    kernel.run("%%train --name handle --cpus 1 --memory 1\nprint('a'); print('b')")
    kernel.run("from jupyter_training import get_job, list_jobs, submit; job = get_job('handle')")
    assert kernel.value("job.wait(300).status") == "completed"
    assert kernel.value("(job.progress, job.reason, job.exit_code)") == (100, "finished", 0)
    assert kernel.value("job.logs(tail=1)") == "b"
    assert kernel.value("[j.name for j in list_jobs(limit=1)]") == ["handle"]
    kernel.run(
        "long = submit(['python', '-c', 'import time; time.sleep(600)'], cpu_cores=1, memory_gb=1)"
    )
    assert kernel.value("long.cancel().status") == "cancelled"
    assert "TrainingError: cpu_cores" not in kernel.run("submit('true', cpu_cores=0)").error
    assert "--cpus: should be" in kernel.run("submit('true', cpu_cores=0)").error
    assert "There is no job nothing" in kernel.run("get_job('nothing')").error


def test_a_script_runs_with_its_arguments(kernel: Kernel, server: Server) -> None:
    script = server.home.path / "work" / "script.py"
    script.write_text("import sys; print(sys.argv, __file__)\n")
    kernel.run("%train --cpus 1 --memory 1 --name 'my job' script.py --name x '{a} $HOME'")
    kernel.run("from jupyter_training import get_job")
    kernel.run("get_job('my job').wait(300)")
    printed = kernel.value("get_job('my job').logs()")
    argv, _, file = printed.rpartition(" ")
    assert argv == str(["script.py", "--name", "x", "{a} $HOME"])
    assert file.endswith("/script.py")


def test_nothing_is_expanded_behind_the_users_back(kernel: Kernel, server: Server) -> None:
    kernel.run("x = 'expanded'; HOME = 'expanded'")
    kernel.run(
        '%%train --name "{x} $HOME # no" --env LR=-1e-3 --env "P=$HOME {x}" --cpus 1 --memory 1\n'
        "import os; print(os.environ['LR'], os.environ['P'], '{x} $x')"
    )
    told = server.api.get("api/training-jobs?limit=1").json()[0]
    assert told["name"] == "{x} $HOME # no"
    assert told["env_vars"] == {"LR": "-1e-3", "P": "$HOME {x}"}
    server.api.ended(told["job_id"])
    assert server.api.log(told["job_id"]) == ["-1e-3 $HOME {x} {x} $x"]


def test_the_other_magics(kernel: Kernel, server: Server) -> None:
    kernel.run("%%train --name talker --cpus 1 --memory 1\nfor i in range(9): print('line', i)")
    job = server.api.get("api/training-jobs?q=talker&limit=1").json()[0]
    server.api.ended(job["job_id"])
    assert kernel.run("%train_logs talker --tail 2").text == "line 7\nline 8\n"
    assert kernel.run(f"%train_logs {job['id']} --follow --tail 1").text == "line 8\n"
    listed = kernel.run("%train_jobs --limit 1")
    assert "talker" in listed.text
    assert "completed" in listed.html
    kernel.run("%%train --name sleeper --cpus 1 --memory 1\nimport time; time.sleep(600)")
    sleeper = server.api.get("api/training-jobs?q=sleeper&limit=1").json()[0]
    server.api.status(sleeper["job_id"], "running")
    assert "sleeper" in kernel.run("%train_resources").text
    assert "is cancelled" in kernel.run("%train_cancel sleeper").text
    assert "already completed" in kernel.run("%train_cancel talker").error
    assert "where it would run" in kernel.run("%%train -h").text
    dry = kernel.run("%%train --dry-run --name dry --cpus 1 --memory 1\npass").text
    assert "would be started at once" in dry
    assert not server.api.get("api/training-jobs?q=dry").json()


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("%%train --gpu 2\npass", "there is no option --gpu; did you mean --gpus"),
        ("%%train --cpus two\npass", "--cpus"),
        ("%%train --name 'x\npass", "no closing quotation in: --name 'x"),
        ("%%train --time-limit soon\npass", "'soon' is not a time such as 90s"),
        ("%%train --env LR\npass", "'LR' is not NAME=VALUE"),
        ("%%train stray\npass", "'stray' is one word too many"),
        ("%%train --cpus 0\npass", "--cpus: should be greater than or equal to 1"),
        ("%%train --type hyperparameter\npass", "--type hyperparameter needs --search"),
        ("%%train\n!pip install x", "line 1: invalid syntax"),
        ("%train", "name a script"),
        ("%train nowhere.py", "There is no script"),
        ("%train_logs", "JOB"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    kernel: Kernel, server: Server, cell: str, told: str
) -> None:
    before = ids(server)
    error = kernel.run(cell).error
    assert error.startswith("UsageError")
    assert told in error
    assert ids(server) == before


def ids(server: Server) -> list[str]:
    """The jobs that there are, whatever becomes of them meanwhile."""
    return [job["job_id"] for job in server.api.get("api/training-jobs").json()]


def test_the_server_of_a_kernel_is_found_by_its_process(
    kernel_of: Callable[[Server], Kernel], server: Server
) -> None:
    kernel = kernel_of(server)
    kernel.run(LOAD)
    kernel.run("import os; del os.environ['JUPYTER_TRAINING_URL']")
    cell = kernel.run("%train_jobs")
    assert "starting" not in cell.text
    assert kernel.value("__import__('jupyter_training').notebook.asking.connection.place.url") == (
        server.url
    )


def test_the_server_of_a_kernel_is_found_under_jupyterhub(
    server: Server, lone_kernel: Callable[[], Kernel]
) -> None:
    kernel = lone_kernel()
    kernel.run(
        "import os\n"
        f"os.environ['JUPYTERHUB_SERVICE_URL'] = {server.url!r}\n"
        "os.environ['JUPYTERHUB_API_TOKEN'] = 'the-servers-own'"
    )
    kernel.run(LOAD)
    assert "starting" not in kernel.run("%train_jobs").text
    assert kernel.value("__import__('jupyter_training').notebook.asking.connection.place.url") == (
        server.url
    )


def test_a_job_outlives_its_kernel(
    server: Server, kernel_of: Callable[[Server], Kernel], tmp_path: Path
) -> None:
    kernel = kernel_of(server)
    go = tmp_path / "go"
    os.mkfifo(go)
    kernel.run(LOAD)
    kernel.run(f"%%train --name survivor --cpus 1 --memory 1\nopen({str(go)!r}).read(); print(1)")
    job = server.api.get("api/training-jobs?q=survivor").json()[0]
    server.api.status(job["job_id"], "running")
    pid = kernel.value("__import__('os').getpid()")
    os.kill(pid, 9)
    go.open("w").close()
    assert server.api.ended(job["job_id"])["status"] == "completed"


LET_GO = """
import sys, threading, time
def let_go(pipe):
    def waits():
        frame = sys._current_frames()[threading.main_thread().ident]
        while frame is not None and frame.f_code.co_name != "ask":
            frame = frame.f_back
        return frame is not None
    def run():
        while not waits():
            time.sleep(0.01)
        open(pipe, "w").close()
    threading.Thread(target=run).start()
"""


def test_without_a_server_one_is_started_once_and_ends_when_nobody_needs_it(
    home: Home, lone_kernel: Callable[[], Kernel], tmp_path: Path
) -> None:
    home.configure("c.TrainingApp.idle_timeout = 1")
    go = tmp_path / "go"
    os.mkfifo(go)
    first, second = lone_kernel(), lone_kernel()
    first.run(LOAD)
    cell = first.run(f"%%train --name lone --cpus 1 --memory 1\nopen({str(go)!r}).read(); print(1)")
    assert "starting one in the background" in cell.text
    second.run(LOAD)
    listed = second.run("%train_jobs").text
    assert "starting" not in listed
    assert "lone" in listed
    (entry,) = (home.path / "runtime" / "training-servers").glob("*.json")
    assert entry.stat().st_mode & 0o777 == 0o600
    # The job and its server outlive the kernel that asked for them.
    os.kill(first.value("__import__('os').getpid()"), 9)
    server = os.pidfd_open(int(entry.stem))
    second.run("from jupyter_training import get_job; job = get_job('lone')")
    # Opened when it is waited for: nobody needs the server any more when the job has ended.
    second.run(LET_GO)
    assert second.run(f"let_go({str(go)!r})\njob.wait(300).status").text == "'completed'"
    assert select.select([server], [], [], PATIENCE_S)[0], "the embedded server did not end"
    os.close(server)
    assert not entry.exists()
    until(lambda: not list(entry.parent.glob("*.json")))
    # The next one knows what was before.
    home.configure("")
    assert "starting one in the background" in second.run("%train_jobs").text
    (entry,) = (home.path / "runtime" / "training-servers").glob("*.json")
    end(int(entry.stem))
