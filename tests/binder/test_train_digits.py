"""The example that a stranger runs first, run as a stranger or as a job runs it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import joblib
import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

BINDER = Path(__file__).parents[2] / "binder"
EPOCHS = 12
KILLED = f"""
import os, signal, sys
sys.path.insert(0, {str(BINDER)!r})
import train_digits
as_ever = train_digits.report
def killed(step, **told):
    as_ever(step, **told)
    if step == 2:
        os.kill(os.getpid(), signal.SIGKILL)
train_digits.report = killed
train_digits.main()
"""
"""The example, and its end after two epochs."""

LINE = re.compile(r"Epoch (\d+)/(\d+) - loss: \d+\.\d{4} - accuracy: [01]\.\d{4}")


class Job:
    """A directory with what a job's environment would name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = directory / "out"
        self.checkpoint = directory / "checkpoints" / "digits.joblib"
        self.reports = directory / "metrics.jsonl"

    def start(self, program: Sequence[str], *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "JUPYTER_TRAINING_OUTPUT_DIR": str(self.output),
            "JUPYTER_TRAINING_CHECKPOINT_DIR": str(self.checkpoint.parent),
            "JUPYTER_TRAINING_METRICS_FILE": str(self.reports),
        }
        return subprocess.run(
            [sys.executable, *program, *arguments],
            cwd=self.directory,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def run(self, *arguments: str) -> list[str]:
        done = self.start([str(BINDER / "train_digits.py")], *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout.splitlines()

    def go_on(self, *arguments: str) -> list[str]:
        """Run it as a later attempt, in this process: to import all that it needs takes long."""
        printed = io.StringIO()
        told = {
            "JUPYTER_TRAINING_OUTPUT_DIR": str(self.output),
            "JUPYTER_TRAINING_CHECKPOINT_DIR": str(self.checkpoint.parent),
        }
        with pytest.MonkeyPatch.context() as patched, redirect_stdout(printed):
            for name, value in told.items():
                patched.setenv(name, value)
            patched.delenv("JUPYTER_TRAINING_METRICS_FILE", raising=False)
            patched.syspath_prepend(str(BINDER))
            with threadpool_limits(1):  # another number of threads adds up in another order
                import_module("train_digits").main(arguments)
        return printed.getvalue().splitlines()

    @property
    def metrics(self) -> dict[str, Any]:
        metrics: dict[str, Any] = json.loads((self.output / "metrics.json").read_text())
        return metrics


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, list[str]]:
    """A run that nothing interrupted, and what it printed."""
    job = Job(tmp_path_factory.mktemp("whole"))
    return job, job.run("--epochs", str(EPOCHS))


def test_it_learns_and_saves_what_it_says(whole: tuple[Job, list[str]]) -> None:
    job, printed = whole
    accuracy = job.metrics["accuracy"]
    assert accuracy >= 0.95

    images, digits = load_digits(return_X_y=True)
    _, images, _, digits = train_test_split(
        images / 16, digits, test_size=0.2, stratify=digits, random_state=0
    )
    model = joblib.load(job.output / "model.joblib")
    assert (model.predict(images) == digits).mean() == accuracy
    assert printed[-1] == f"Held-out accuracy {accuracy:.4f}, model saved in {job.output}"


def test_every_epoch_is_printed_and_reported(whole: tuple[Job, list[str]]) -> None:
    job, printed = whole
    matches = [LINE.fullmatch(line) for line in printed[:-1]]
    assert [match and match.groups() for match in matches] == [
        (str(epoch), str(EPOCHS)) for epoch in range(1, EPOCHS + 1)
    ]
    reports = [json.loads(line) for line in job.reports.read_text().splitlines()]
    assert [(line["step"], line["progress"], line["metrics"]) for line in reports] == [
        (row["epoch"], row["epoch"] / EPOCHS, {name: row[name] for name in ("loss", "accuracy")})
        for row in job.metrics["history"]
    ]


def test_a_killed_run_is_resumed_to_the_same_result(
    whole: tuple[Job, list[str]], tmp_path: Path
) -> None:
    job = Job(tmp_path)
    killed = job.start(["-c", KILLED], "--epochs", str(EPOCHS))
    assert killed.returncode == -signal.SIGKILL, killed.stdout
    assert killed.stdout.splitlines()[-1].startswith(f"Epoch 2/{EPOCHS} ")
    assert not job.output.exists()

    printed = job.run("--epochs", str(EPOCHS))
    assert printed[0] == "Resuming after epoch 2"
    assert printed[1].startswith(f"Epoch 3/{EPOCHS} ")
    assert job.metrics == whole[0].metrics
    assert [path.name for path in job.checkpoint.parent.iterdir()] == [job.checkpoint.name]


def test_a_finished_run_is_not_trained_again(whole: tuple[Job, list[str]], tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.checkpoint.parent.mkdir()
    job.checkpoint.write_bytes(whole[0].checkpoint.read_bytes())
    printed = job.go_on("--epochs", str(EPOCHS))
    assert printed[0] == f"Resuming after epoch {EPOCHS}"
    assert len(printed) == 2
    assert job.metrics == whole[0].metrics


def garbage(path: Path, _: bytes) -> None:
    path.write_bytes(b"not a checkpoint\n")


def empty(path: Path, _: bytes) -> None:
    path.write_bytes(b"")


def cut_off(path: Path, checkpoint: bytes) -> None:
    path.write_bytes(checkpoint[: len(checkpoint) // 2])


def another_thing(path: Path, _: bytes) -> None:
    joblib.dump(["weights"], path)


def other_arguments(path: Path, checkpoint: bytes) -> None:
    path.write_bytes(checkpoint)


@pytest.mark.parametrize("leave", [garbage, empty, cut_off, another_thing, other_arguments])
def test_an_unusable_checkpoint_is_ignored(
    leave: Callable[[Path, bytes], None], whole: tuple[Job, list[str]], tmp_path: Path
) -> None:
    job = Job(tmp_path)
    job.checkpoint.parent.mkdir()
    leave(job.checkpoint, whole[0].checkpoint.read_bytes())
    printed = job.go_on("--epochs", "1")
    assert printed[0].startswith(f"Ignoring the checkpoint {job.checkpoint}, which ")
    assert printed[1].startswith("Epoch 1/1 - ")
    # The seed is the same, so is the first epoch; and the next attempt finds its own checkpoint.
    assert job.metrics["history"] == whole[0].metrics["history"][:1]
    if leave is garbage:
        assert job.go_on("--epochs", "1")[0] == "Resuming after epoch 1"


def test_it_runs_outside_a_job_and_without_the_package(tmp_path: Path) -> None:
    # None in sys.modules makes the import fail as it does where the package is not installed.
    code = (
        "import runpy, sys; sys.modules['jupyter_training'] = None; "
        "sys.argv[1:] = ['--epochs', '1']; "
        f"runpy.run_path({str(BINDER / 'train_digits.py')!r}, run_name='__main__')"
    )
    env = {name: value for name, value in os.environ.items() if "JUPYTER_TRAINING" not in name}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, check=True)
    assert {path.name for path in tmp_path.iterdir()} == {"output"}
    assert {path.name for path in (tmp_path / "output").iterdir()} == {
        "metrics.json",
        "model.joblib",
    }


def test_the_notebook_is_clean_and_compiles() -> None:
    text = (BINDER / "quickstart.ipynb").read_text(encoding="utf-8")
    notebook: Any = nbformat.reads(text, as_version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    for cell in cells:
        assert cell.outputs == []
        assert cell.execution_count is None
        source = cell.source
        if source.startswith("%%train"):
            _, source = source.split("\n", 1)
        elif "%" in source:
            manager = TransformerManager()  # type: ignore[no-untyped-call]
            source = manager.transform_cell(source)
        compile(source, cell.id, "exec")


def test_post_build_can_be_executed() -> None:
    assert os.access(BINDER / "postBuild", os.X_OK)
