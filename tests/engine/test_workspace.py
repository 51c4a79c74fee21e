"""The directories of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_training.engine.workspace import Workspace
from jupyter_training.executors.containers import ContainerLaunch
from jupyter_training.jobs.spec import InvalidJob, parse
from jupyter_training.scheduling.resources import Placement
from jupyter_training.store.records import Attempt


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "root").mkdir()
    return Workspace(tmp_path / "data", tmp_path / "root")


def attempt(number: int = 1, **fields: Any) -> Attempt:
    spec = parse({"name": "x", "command": "true", **fields})
    placement = Placement("a", 2, 1, ("g0", "g1"))
    return Attempt(1, "job-1", number, "token", "local", (placement,), None, spec, None)


def test_a_launch_says_all_that_an_executor_needs(workspace: Workspace) -> None:
    launch = workspace.prepare(attempt(env_vars={"A": "b"}, time_limit_s=5))
    assert (launch.argv, launch.cwd) == (("true",), str(workspace.root_dir))
    assert (launch.cpu_cores, launch.gpus, launch.time_limit_s) == (2, ("g0", "g1"), 5)
    assert launch.env["A"] == "b"
    for name in ("OUTPUT", "CHECKPOINT"):
        assert Path(launch.env[f"JUPYTER_TRAINING_{name}_DIR"]).is_dir()
    assert launch.directory.stat().st_mode & 0o777 == 0o700


def test_it_may_be_prepared_twice_and_attempts_share_only_checkpoints(
    workspace: Workspace,
) -> None:
    first, again = workspace.prepare(attempt()), workspace.prepare(attempt())
    assert first == again
    second = workspace.prepare(attempt(2))
    assert second.directory != first.directory
    shared = "JUPYTER_TRAINING_CHECKPOINT_DIR"
    assert second.env[shared] == first.env[shared]


def test_a_script_is_written_and_can_import_from_the_working_directory(
    workspace: Workspace,
) -> None:
    script = {"name": "cell.py", "text": "print('é')\n"}
    launch = workspace.prepare(attempt(command=["python", "{script}"], script=script))
    assert Path(launch.argv[1]).read_text(encoding="utf-8") == "print('é')\n"
    assert launch.python_path == launch.cwd
    assert [path.name for path in Path(launch.argv[1]).parent.iterdir()] == ["cell.py"]


def test_results_go_where_the_job_wants_them(workspace: Workspace, tmp_path: Path) -> None:
    launch = workspace.prepare(attempt(output_path="results/a"))
    assert launch.env["JUPYTER_TRAINING_OUTPUT_DIR"] == str(workspace.root_dir / "results" / "a")
    elsewhere = str(tmp_path / "elsewhere")
    launch = workspace.prepare(attempt(2, output_path=elsewhere))
    assert launch.env["JUPYTER_TRAINING_OUTPUT_DIR"] == elsewhere
    workspace.remove("job-1")
    assert Path(elsewhere).is_dir()
    assert not workspace.job("job-1").exists()


def test_a_working_directory_has_to_be_there(workspace: Workspace) -> None:
    workspace.check(attempt().spec)
    with pytest.raises(InvalidJob, match="working_dir: there is no directory"):
        workspace.check(attempt(working_dir="nowhere").spec)


def test_what_is_the_servers_own_is_hidden_where_it_really_is(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("real", "runtime"):
        (root / name).mkdir(parents=True)
    (tmp_path / "data").symlink_to(root / "real")
    workspace = Workspace(tmp_path / "data", root, hidden=[root / "runtime", root / "nothing"])
    launch = workspace.prepare(attempt(image="some/image"))
    assert isinstance(launch, ContainerLaunch)
    assert launch.hidden == ("/workspace/real", "/workspace/runtime")
