"""``jupyter training`` as a person uses it in a terminal, with a server and without one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Home, Server
from tests.notebook.conftest import end
from tests.patience import PATIENCE_S, until
from tests.shells import Shell, shell

TRAINING = [sys.executable, "-m", "jupyter_training"]
SMALL = ["--cpus", "1", "--memory", "1"]


class Terminal:
    """A terminal of a user."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.work = home.path / "work"
        self.work.mkdir(exist_ok=True)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*TRAINING, *words],
            env=self.home.env,
            cwd=self.work,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    @contextmanager
    def open(self) -> Iterator[Shell]:
        """Run many commands in one process."""
        with shell(self.home.env, self.work) as opened:
            yield opened

    def script(self, name: str, code: str) -> str:
        (self.work / name).write_text(code)
        return name

    @property
    def servers(self) -> list[int]:
        """The servers that run for training jobs."""
        place = self.home.path / "runtime" / "training-servers"
        return [int(path.stem) for path in place.glob("*.json")]


@pytest.fixture
def terminal(home: Home) -> Iterator[Terminal]:
    terminal = Terminal(home)
    yield terminal
    for server in terminal.servers:
        end(server)


def processes_of(home: Home) -> list[str]:
    """What still runs with this home in its environment."""
    mark = f"HOME={home.path}".encode()
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and mark in (path / "environ").read_bytes().split(b"\0"):
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_run_shows_the_job_and_leaves_nothing_behind(terminal: Terminal) -> None:
    script = terminal.script(
        "train.py", "import sys\nfor i in (1, 2): print(f'Epoch {i}/2 - loss: 1')\nprint(sys.argv)"
    )
    terminal.home.configure("c.TrainingApp.idle_timeout = 600")  # it is not to end by itself
    done = terminal.run("run", *SMALL, script, "--lr", "-1e-3", "two words")
    assert done.returncode == 0, done.stderr
    assert "starting one in the background" in done.stderr
    assert "Epoch 1/2 - loss: 1\nEpoch 2/2 - loss: 1\n" in done.stdout
    assert str([script, "--lr", "-1e-3", "two words"]) in done.stdout
    assert "100 %" in done.stdout
    assert "completed: train (job-" in done.stdout
    assert "exit code 0" in done.stdout
    until(lambda: terminal.servers == [])
    until(lambda: processes_of(terminal.home) == [])


@pytest.mark.parametrize(
    ("code", "expected", "said"),
    [
        ("raise SystemExit(3)", 3, "failed: train"),
        ("import os; os.kill(os.getpid(), 15)", 143, "SIGTERM"),
    ],
)
def test_run_ends_with_the_exit_code_of_the_job(
    server: Server, code: str, expected: int, said: str
) -> None:
    terminal = Terminal(server.home)
    done = terminal.run("run", *SMALL, "--retries", "1", terminal.script("train.py", code))
    assert done.returncode == expected
    assert said in done.stdout
    assert "retrying: " in done.stdout


def test_a_program_that_cannot_be_started(server: Server) -> None:
    terminal = Terminal(server.home)
    done = terminal.run("run", *SMALL, "no-such-program")
    assert done.returncode == 1
    assert "could not be started" in done.stdout
    assert terminal.run("run", "nowhere.py").stderr.startswith("jupyter training: There is no")


def test_ctrl_c_leaves_the_job_running(terminal: Terminal) -> None:
    script = terminal.script("long.py", "import time\nprint('up', flush=True)\ntime.sleep(600)")
    process = subprocess.Popen(
        [*TRAINING, "run", *SMALL, script],
        env=terminal.home.env,
        cwd=terminal.work,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line == "up\n":
            break
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait(PATIENCE_S) == 130
    assert "goes on without this terminal" in rest
    assert len(terminal.servers) == 1
    (job,) = json.loads(terminal.run("list", "--json").stdout)
    assert job["status"] == "running"
    assert terminal.run("cancel", "long").stdout == f"long ({job['job_id']}) is cancelled.\n"


def test_every_setting_of_the_server_is_told(terminal: Terminal) -> None:
    told = terminal.run("serve", "--help-all").stdout
    for name in ("TrainingApp.data_dir", "TrainingApp.executors", "Slurm.partition", "Ray.address"):
        assert f"--{name}=" in told
    assert "ready_fd" not in told


def test_the_other_commands(home: Home) -> None:
    home.start()
    terminal = Terminal(home)
    with terminal.open() as opened:
        run_the_other_commands(terminal, opened)


def run_the_other_commands(terminal: Terminal, opened: Shell) -> None:
    script = terminal.script("talk.py", "for i in range(5): print('line', i)")
    submitted = terminal.run("submit", *SMALL, "--name", "my job", script)
    job_id = submitted.stdout.strip()
    assert job_id.startswith("job-")
    assert opened.run("logs", "-f", "my job").stdout == "".join(f"line {i}\n" for i in range(5))
    assert opened.run("logs", "--tail", "1", job_id).stdout == "line 4\n"
    listed = opened.run("list").stdout
    assert "my job" in listed
    assert "completed" in listed
    shown = opened.run("show", job_id).stdout
    assert shown.startswith(f"my job  {job_id}  completed\n\nstarted ")
    assert "runs with 1 CPU core, 1 GB on" in shown
    assert f"jupyter training retry {job_id}" in shown.splitlines()[-1]
    shown_as_json = opened.run("show", job_id, "--json").stdout
    assert json.loads(shown_as_json)["events"]
    (terminal.work / "talk.py").write_text("edited")
    assert "talk.py" in opened.run("code", job_id).stdout
    assert json.loads(opened.run("code", job_id, "--json").stdout)["command"].endswith("talk.py")
    assert opened.run("code", job_id, "--to", "again").returncode == 0
    assert "print('line', i)" in (terminal.work / "again" / "talk.py").read_text()
    assert json.loads(opened.run("environment", job_id, "--json").stdout)["packages"]["ipython"]
    assert opened.run("list", "--status", "failed,queued").stdout.startswith("You have no")
    assert opened.run("retry", job_id).stdout == f"my job ({job_id}) is queued.\n"
    assert opened.run("logs", "-f", job_id, "--tail", "1").returncode == 0
    like = opened.run("duplicate", job_id, "--name", "your job", "--retries", "0", "--json")
    duplicate = json.loads(like.stdout)
    assert (duplicate["name"], duplicate["max_retries"]) == ("your job", 0)
    assert duplicate["snapshot"] == json.loads(shown_as_json)["snapshot"]
    fails = terminal.script("fails.py", "raise SystemExit(3)")
    waited = terminal.run("submit", *SMALL, "--retries", "0", "--wait", fails)
    assert waited.returncode == 3
    failed, end, *_ = waited.stdout.splitlines()
    assert end == f"failed: fails ({failed}), exit code 3"
    both = opened.run("wait", "your job", failed, "--json")
    assert both.returncode == 3
    ended = [(one["name"], one["status"]) for one in json.loads(both.stdout)]
    assert ended == [("your job", "completed"), ("fails", "failed")]
    assert opened.run("logs", "your job", "--tail", "1").stdout == "line 4\n"
    assert "CPU cores free" in opened.run("resources").stdout
    for words, key in (
        (["submit", *SMALL, script], "job_id"),
        (["retry", job_id], "job_id"),
        (["logs", job_id], "logs"),
        (["resources"], "nodes"),
        (["run", *SMALL, "--cwd", "again", script], "exit_code"),
    ):
        done = (
            opened.run(*words, "--json")
            if len(words) < 3
            else opened.run(words[0], "--json", *words[1:])
        )
        assert key in json.loads(done.stdout), done.stdout
    assert opened.run("logs", "-f", job_id, "--tail", "1").returncode == 0
    refused = opened.run("cancel", job_id)
    assert refused.returncode == 1
    assert "already completed" in refused.stderr
    assert terminal.run("delete", job_id).stdout.startswith(f"my job ({job_id}) is deleted")
    assert f"There is no job {job_id}" in terminal.run("delete", job_id).stderr


def test_what_is_not_understood_is_told_and_help_and_version_are_there(home: Home) -> None:
    with Terminal(home).open() as opened:
        for words, said in (
            (["runn"], "invalid choice: 'runn'"),
            (["run", "--gpu", "1", "x.py"], "there is no option --gpu; did you mean --gpus"),
            (["run"], "script"),
            ([], "COMMAND"),
        ):
            done = opened.run(*words)
            assert done.returncode == 2
            assert said in done.stderr
            assert "Traceback" not in done.stderr
        assert "--gpus" in opened.run("run", "-h").stdout
        assert opened.run("--version").stdout.strip()


def test_a_jupyter_server_of_the_same_user_is_used(server: Server) -> None:
    done = Terminal(server.home).run("run", *SMALL, "--name", "from outside", "true")
    assert done.returncode == 0, done.stderr
    assert "starting" not in done.stderr
    assert server.api.get("api/training-jobs").json()[0]["name"] == "from outside"
    assert server.process.poll() is None


def test_attempts_that_were_over_before_they_could_be_seen_are_told(server: Server) -> None:
    told = server.api.submit("sh -c 'exit 3'", name="quick", max_retries=2)
    server.api.ended(told["job_id"])
    watching = subprocess.run(
        [
            sys.executable,
            "-c",
            "import json, sys\n"
            "from jupyter_training.notebook.job import Job\n"
            "from jupyter_training.terminal import watch\n"
            "watch(Job(json.loads(sys.argv[1])), to_stderr=False)",
            json.dumps(told),
        ],
        env=server.home.env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert watching.stdout.count("retrying: the script ended with exit code 3") == 2, (
        watching.stdout
    )
    assert "failed: quick" in watching.stdout


def test_stages_of_stages_run_in_copies_of_their_directories_too(server: Server) -> None:
    terminal = Terminal(server.home)
    for name in ("own", "other"):
        (terminal.work / name).mkdir()
        terminal.script(f"{name}/work.py", "print(__file__)")
    (terminal.work / "linked").symlink_to("own")
    inner = "{name: x, command: work.py}, {name: y, command: work.py, working_dir: ../other}"
    pipeline = f"cpu_cores: 1\nmemory_gb: 1\nstages:\n  - {{name: in, stages: [{inner}]}}\n"
    terminal.script("own/deep.yaml", pipeline)
    with terminal.open() as opened:
        ran = opened.run("run", "--file", "linked/deep.yaml")
        assert ran.returncode == 0, ran.stdout
        for stage, place in (("x", "own"), ("y", "other")):
            printed = opened.run("logs", f"deep/in/{stage}").stdout
            assert "/snapshot/" in printed
            assert printed.endswith(f"/{place}/work.py\n")


def test_a_pipeline_of_a_file_is_run_and_shown_with_its_stages(server: Server) -> None:
    terminal = Terminal(server.home)
    terminal.script("work.py", "print('at work')")
    terminal.script(
        "pipe.yaml",
        "name: from-a-file\ncpu_cores: 1\nmemory_gb: 1\nstages:\n"
        "  - {name: prepare, command: work.py}\n"
        "  - {name: fit, command: python work.py, depends_on: [prepare]}\n",
    )
    with terminal.open() as opened:
        ran = opened.run("run", "--file", "pipe.yaml")
        assert ran.returncode == 0, ran.stderr
        assert "completed: prepare" in ran.stdout
        assert "completed: from-a-file" in ran.stdout
        shown = opened.run("show", "from-a-file").stdout
        assert re.search(r"fit +completed +100 % +[\d.]+ (s|min) +prepare", shown)
        told = json.loads(opened.run("show", "from-a-file", "--json").stdout)
        assert [stage["child_key"] for stage in told["stages"]] == ["prepare", "fit"]
        assert f"jupyter training show {told['stages'][1]['job_id']}" in shown
        assert opened.run("logs", "from-a-file/fit").stdout == "at work\n"
        instead = "nothing itself, but its stages may have: from-a-file/prepare, from-a-file/fit\n"
        for command, did in (("logs", "printed"), ("metrics", "measured")):
            assert opened.run(command, "from-a-file").stdout == f"from-a-file has {did} {instead}"
        small = ("--cpus", "1", "--memory", "1")
        assert opened.run("run", "--nodes", "2", *small, "--name", "two", "work.py").returncode == 0
        of_one = opened.run("logs", "two", "--rank", "1", "--json").stdout
        assert json.loads(of_one)["logs"] == ["at work"]
        assert server.api.get("api/training-jobs").json()[1]["children"] == {"completed": 2}
        both = opened.run("submit", "--file", "pipe.yaml", "work.py")
        assert both.returncode == 2
        assert "is one word too many" in both.stderr
        assert opened.run("submit").returncode == 2
        for wrong, said in (
            ("stages:\n", "stages: should be an array of objects"),
            (
                "stages: [{name: a, command: true}]\n",
                "stages.0.command: stage a: should be a string",
            ),
        ):
            terminal.script("pipe.yaml", wrong)
            assert said in opened.run("submit", "--file", "pipe.yaml").stderr
