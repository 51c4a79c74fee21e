"""The directories of a job."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from jupyter_training.engine.launches import prepare
from jupyter_training.engine.workspace import Workspace
from jupyter_training.executors.containers import ContainerLaunch
from jupyter_training.jobs.children import parse
from jupyter_training.jobs.spec import InvalidJob
from jupyter_training.scheduling.resources import Placement
from jupyter_training.store.records import Attempt, UpstreamJob


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "root").mkdir()
    return Workspace(tmp_path / "data", tmp_path / "root")


def attempt(number: int = 1, **fields: Any) -> Attempt:
    spec = parse({"name": "x", "command": "true", **fields})
    placement = Placement("a", 2, 1, ("g0", "g1"))
    return Attempt(1, "job-1", number, "token", "local", (placement,), None, spec, None)


def test_a_launch_says_all_that_an_executor_needs(workspace: Workspace) -> None:
    launch = prepare(workspace, attempt(env_vars={"A": "b"}, time_limit_s=5))
    assert (launch.argv, launch.cwd) == (("true",), str(workspace.root_dir))
    assert (launch.cpu_cores, launch.gpus, launch.time_limit_s) == (2, ("g0", "g1"), 5)
    assert launch.env["A"] == "b"
    for name in ("OUTPUT", "CHECKPOINT"):
        assert Path(launch.env[f"JUPYTER_TRAINING_{name}_DIR"]).is_dir()
    assert launch.directory.stat().st_mode & 0o777 == 0o700


def test_it_may_be_prepared_twice_and_attempts_share_only_checkpoints(
    workspace: Workspace,
) -> None:
    first, again = prepare(workspace, attempt()), prepare(workspace, attempt())
    assert first == again
    second = prepare(workspace, attempt(2))
    assert second.directory != first.directory
    shared = "JUPYTER_TRAINING_CHECKPOINT_DIR"
    assert second.env[shared] == first.env[shared]


def test_a_script_is_written_and_can_import_from_the_working_directory(
    workspace: Workspace,
) -> None:
    script = {"name": "cell.py", "text": "print('é')\n"}
    launch = prepare(workspace, attempt(command=["python", "{script}"], script=script))
    assert Path(launch.argv[1]).read_text(encoding="utf-8") == "print('é')\n"
    assert launch.python_path == launch.cwd
    assert [path.name for path in Path(launch.argv[1]).parent.iterdir()] == ["cell.py"]


def test_results_go_where_the_job_wants_them(workspace: Workspace, tmp_path: Path) -> None:
    launch = prepare(workspace, attempt(output_path="results/a"))
    assert launch.env["JUPYTER_TRAINING_OUTPUT_DIR"] == str(workspace.root_dir / "results" / "a")
    elsewhere = str(tmp_path / "elsewhere")
    launch = prepare(workspace, attempt(2, output_path=elsewhere))
    assert launch.env["JUPYTER_TRAINING_OUTPUT_DIR"] == elsewhere
    workspace.remove("job-1")
    assert Path(elsewhere).is_dir()
    assert not workspace.job("job-1").exists()


def test_what_a_job_has_made_read_only_is_deleted_with_it_and_no_link_is_followed() -> None:
    is_root = os.getuid() == 0  # whom permissions do not hold back
    with TemporaryDirectory() as directory:
        data, others = Path(directory, "data"), Path(directory, "others")
        for one in (data / "jobs" / "job-1" / "output" / "a" / "b", others / "c"):
            one.mkdir(parents=True)
        output = data / "jobs" / "job-1" / "output"
        (output / "a" / "b" / "file").touch()
        (output / "a" / "link").symlink_to(others)
        for path in (Path(directory), data, *data.rglob("*")) if is_root else ():
            os.lchown(path, 65534, 65534)
        for path, mode in ((output / "a" / "b", 0o000), (output / "a", 0o500), (others, 0o500)):
            path.chmod(mode)
        os.seteuid(65534 if is_root else os.getuid())
        try:
            Workspace(data, data).remove("job-1")
            assert not any((data / "jobs").iterdir())
        finally:
            os.seteuid(os.getuid())
        assert stat.S_IMODE(others.stat().st_mode) == 0o500
        others.chmod(0o700)


def test_a_working_directory_has_to_be_there(workspace: Workspace) -> None:
    workspace.check(attempt().spec)
    for asked, told in (
        ("nowhere", "there is no directory"),
        ("~nobody-of-this-name", "there is no directory"),
        ("x" * 300, "cannot be used: File name too long"),
    ):
        with pytest.raises(InvalidJob, match=f"working_dir: .*{told}"):
            workspace.check(attempt(working_dir=asked).spec)


def test_the_place_of_results_has_to_be_one(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.root_dir / "file").touch()
    for asked, told in (
        ("x" * 300, "cannot be used: File name too long"),
        ("file/x", "file is not a directory"),
    ):
        with pytest.raises(InvalidJob, match=f"output_path: .*{told}"):
            workspace.check(attempt(output_path=asked).spec)
    for asked in ("not/yet", str(tmp_path / "not" / "yet"), "~nobody-of-this-name/x"):
        workspace.check(attempt(output_path=asked).spec)
        assert Path(prepare(workspace, attempt(output_path=asked)).cwd).is_dir()


def test_what_is_the_servers_own_is_hidden_where_it_really_is(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("real", "runtime"):
        (root / name).mkdir(parents=True)
    (tmp_path / "data").symlink_to(root / "real")
    workspace = Workspace(tmp_path / "data", root, hidden=[root / "runtime", root / "nothing"])
    launch = prepare(workspace, attempt(image="some/image"))
    assert isinstance(launch, ContainerLaunch)
    assert launch.hidden == ("/workspace/real", "/workspace/runtime")


@pytest.mark.parametrize(
    ("working_dir", "output_path", "told"),
    [
        (None, "output", None),
        (None, "/workspace/output", None),
        (None, "../results", None),
        ("/opt/code", "/results", None),
        (None, "/training/output", None),
        (None, ".", "the place of all that is in /workspace;"),
        ("here", "..", "the place of all that is in /workspace;"),
        ("here", "/workspace/here/", "the place of all that is in /workspace/here;"),
        (None, "/", "the place of all that is in /;"),
        ("/opt/code", "/opt", "the place of all that is in /opt;"),
        (None, "/training", "the place of all that is in /training;"),
        (None, "/training/code", "only /training/output is for results"),
    ],
)
def test_the_results_of_a_container_cover_nothing_that_it_needs(
    workspace: Workspace, working_dir: str | None, output_path: str, told: str | None
) -> None:
    (workspace.root_dir / "here").mkdir()
    spec = attempt(image="i", working_dir=working_dir, output_path=output_path).spec
    if told is None:
        workspace.check(spec)
    else:
        with pytest.raises(InvalidJob, match=f"output_path: .*{told}"):
            workspace.check(spec)
    # Elsewhere nothing is mounted.
    workspace.check(spec.model_copy(update={"image": None, "working_dir": None}))


def upstream(job_id: str | None = "job-0", **fields: Any) -> UpstreamJob:
    told: dict[str, Any] = {
        "name": "prepare",
        "number": 7,
        "job_id": job_id,
        "job_type": "single",
        "status": None,
        "cause": None,
        "attempt": 1,
        "working_dir": None,
        "output_path": None,
        "image": None,
        "origin": f"{job_id}#1",
    }
    return UpstreamJob(**{**told, **fields})


def left_by(workspace: Workspace, job_id: str = "job-0") -> Path:
    """Where a job has left a file."""
    place = workspace.job(job_id) / "output"
    place.mkdir(parents=True)
    (place / "told").write_text("42")
    return place


def test_a_job_finds_what_others_left_under_their_names(workspace: Workspace) -> None:
    left_by(workspace)
    wanted = replace(attempt(), upstreams=(upstream(name="outer/prepare"),))
    launch = prepare(workspace, wanted)
    inputs = Path(launch.env["JUPYTER_TRAINING_INPUTS"])
    assert (inputs / "outer" / "prepare" / "told").read_text() == "42"
    prepare(workspace, replace(wanted, upstreams=(upstream(),)))
    assert [path.name for path in inputs.iterdir()] == ["prepare"]
    assert "JUPYTER_TRAINING_INPUTS" not in prepare(workspace, attempt()).env


def test_a_container_has_what_others_left_mounted_read_only(workspace: Workspace) -> None:
    place = left_by(workspace)
    launch = prepare(workspace, replace(attempt(image="i"), upstreams=(upstream(),)))
    assert isinstance(launch, ContainerLaunch)
    assert launch.env["JUPYTER_TRAINING_INPUTS"] == "/training/inputs"
    (mount,) = [one for one in launch.mounts if "inputs" in one.target]
    assert (mount.source, mount.target) == (str(place), "/training/inputs/prepare")
    assert mount.read_only


def test_what_others_left_is_not_shown_if_it_is_gone_or_leads_to_what_is_the_servers(
    workspace: Workspace,
) -> None:
    def told(one: UpstreamJob) -> str:
        with pytest.raises(OSError, match="what prepare has left") as refused:
            prepare(workspace, replace(attempt(), upstreams=(one,)))
        return str(refused.value)

    assert "it was deleted" in told(upstream(None))
    assert "there is no" in told(upstream())
    place = left_by(workspace)
    (place / "told").unlink()
    place.rmdir()
    place.symlink_to(workspace.data_dir)  # as a job could do
    assert "is inside the server's own directory" in told(upstream())
    place.unlink()
    place.symlink_to("/etc")
    assert "is a directory of the system" in told(upstream())
