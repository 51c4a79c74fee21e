"""What belongs to a snapshot, and what becomes of it."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_training.jobs.contents import digest
from jupyter_training.notebook import snapshot
from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.environment import environment, without_password
from jupyter_training.notebook.snapshot import Tree, look, take
from tests.conftest import Server
from tests.notebook.conftest import Kernel

LIMITS = {"max_snapshot_bytes": 10**6, "max_snapshot_files": 1000, "own_directories": []}


def write(root: Path, **files: str) -> None:
    """Write files; a double underscore stands for a slash, and ``dot_`` for a dot."""
    for name, text in files.items():
        path = root / name.replace("dot_", ".").replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def paths(tree: Tree) -> list[str]:
    return [found.path for found in tree.files]


def test_ignore_files_are_obeyed_as_git_obeys_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        dot_gitignore="*.log\ndata/\n!keep.log\nsecret.env\n",
        dot_trainignore="/big.bin\n!secret.env\n",
    )
    for name in ("train.py", "a.log", "keep.log", "secret.env", "big.bin", "sub/big.bin"):
        write(tmp_path, **{name.replace("/", "__"): name})
    write(tmp_path, data__x="x", sub__deep__x="x", sub__dot_gitignore="deep/\n!*.log\n")
    write(tmp_path, sub__b="b")
    (tmp_path / "sub" / "c.log").write_text("c")
    tree = look([tmp_path])
    assert paths(tree) == [
        ".gitignore",
        ".trainignore",
        "keep.log",
        "secret.env",
        "sub/.gitignore",
        "sub/b",
        "sub/big.bin",
        "sub/c.log",
        "train.py",
    ]
    assert tree.links == ["a.log", "big.bin", "data", "sub/deep"]


def test_what_a_repository_says_above_the_directory_counts_too(tmp_path: Path) -> None:
    (tmp_path / ".git" / "info").mkdir(parents=True)
    write(tmp_path, dot_gitignore="*.csv\n/notebooks/weights\n")
    (tmp_path / ".git" / "info" / "exclude").write_text("mine\n")
    for name in ("a.csv", "weights", "mine", "train.py"):
        write(tmp_path / "notebooks", **{name: name})
    tree = look([tmp_path / "notebooks"])
    assert (paths(tree), tree.links) == (["train.py"], ["a.csv", "mine", "weights"])


def test_what_is_none_of_a_persons_work_stays_where_it_is(tmp_path: Path) -> None:
    write(tmp_path, dot_git__HEAD="x", env__pyvenv="x", a__b="b", node_modules__x="x")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    write(tmp_path, __pycache____x="x", dot_ipynb_checkpoints__x="x", dot_config="x")
    (tmp_path / "__pycache__").mkdir(exist_ok=True)
    (tmp_path / "__pycache__" / "x.pyc").touch()
    (tmp_path / "empty").mkdir()
    tree = look([tmp_path], own=[tmp_path / "a"])
    assert paths(tree) == [".config"]
    assert tree.links == [".git", "a", "env", "node_modules"]
    assert tree.directories == ["empty"]


def test_links_that_lead_out_and_special_files_are_not_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, sub__x="x")
    (root / "inside").symlink_to("sub/x")
    (root / "sub" / "up").symlink_to("../sub/x")
    (root / "out").symlink_to("../secret")
    (root / "absolute").symlink_to("/etc/passwd")
    (root / "round").symlink_to(root)
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(root / "socket"))
        tree = look([root])
    assert paths(tree) == ["sub/x"]
    assert tree.symlinks == {"inside": "sub/x", "sub/up": "../sub/x"}
    assert tree.links == ["absolute", "out", "pipe", "round", "socket"]


def test_a_script_elsewhere_brings_its_own_directory(tmp_path: Path) -> None:
    write(tmp_path, exp__config="c", proj__src__train="t", proj__other="o", data__x="x")
    script = tmp_path / "proj" / "src" / "train"
    tree = look([tmp_path / "exp", script.parent], [script])
    assert tree.root == tmp_path
    assert paths(tree) == ["exp/config", "proj/src/train"]
    assert tree.links == ["data", "proj/other"]


def test_a_script_belongs_to_it_whatever_ignore_files_say(tmp_path: Path) -> None:
    write(tmp_path, dot_gitignore="scratch/\n", scratch__train="t", scratch__data="d")
    tree = look([tmp_path], [tmp_path / "scratch" / "train"])
    assert "scratch/train" in paths(tree)
    assert tree.links == ["scratch/data"]


def test_what_is_too_large_is_told_with_the_largest_files(tmp_path: Path) -> None:
    write(tmp_path, data__train="x" * 900_000, data__test="x" * 200_000, a="a")
    with pytest.raises(TrainingError) as told:
        take([tmp_path], [], LIMITS)
    assert "has 1.0 MB in 3 files, and a snapshot may have 976.6 KB" in str(told.value)
    assert "The largest: data/train (878.9 KB), data/test (195.3 KB)" in str(told.value)
    assert str(tmp_path / ".trainignore") in str(told.value)
    for number in range(20):
        write(tmp_path, **{f"images__{number}": "x"})
    with pytest.raises(TrainingError, match=r"more than 10 files.*: images/ \(\d+\)"):
        take([tmp_path], [], {**LIMITS, "max_snapshot_files": 10})


def test_a_file_that_changes_while_it_is_read_is_read_again_or_left_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, calm="calm", restless="x")
    restless = tmp_path / "restless"

    class Hash:
        """Somebody writes to the file whenever a piece of one was read."""

        def __init__(self) -> None:
            self._hash = hashlib.sha256()

        def update(self, piece: bytes) -> None:
            self._hash.update(piece)
            with restless.open("ab") as file:
                file.write(b"x")

        def hexdigest(self) -> str:
            return self._hash.hexdigest()

    with monkeypatch.context() as patched:
        patched.setattr(snapshot, "hashlib", SimpleNamespace(sha256=Hash))
        taken = take([tmp_path], [], LIMITS)
    assert [file.path for file in taken.manifest.files] == ["calm"]
    assert taken.manifest.links == ["restless"]
    assert "restless changes all the time" in taken.notes[0]
    (again,) = [
        file for file in take([tmp_path], [], LIMITS).manifest.files if file.path == "restless"
    ]
    assert again.sha256 == digest(restless.read_bytes())


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("lr = 1")
    os.utime(path, (1, 1))
    before = take([tmp_path], [], LIMITS)
    path.write_text("lr = 2")
    os.utime(path, (1, 1))
    after = take([tmp_path], [], LIMITS)
    assert before.manifest.files[0].sha256 != after.manifest.files[0].sha256


def test_the_environment_tells_the_commit_and_whether_there_were_changes(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        name = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", tmp_path, *name, *words], check=True, capture_output=True)

    assert environment(tmp_path)["git"] is None
    write(tmp_path, train="x")
    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "first")
    git("remote", "add", "origin", "https://me:secret@example.com/x.git")
    told = environment(tmp_path)
    assert (told["git"]["branch"], told["git"]["dirty"]) == ("main", False)
    assert told["git"]["remote"] == "https://example.com/x.git"
    write(tmp_path, train="y")
    assert environment(tmp_path)["git"]["changes"] == [" M train"]
    assert told["packages"]["pathspec"]
    assert told["python"]["version"]
    assert environment(tmp_path, "some/image").keys() == {"image", "platform", "git"}
    assert without_password("git@example.com:x.git") == "git@example.com:x.git"


def test_editing_afterwards_changes_nothing_and_the_code_can_be_had_again(
    server: Server, kernel: Kernel, tmp_path: Path
) -> None:
    work = tmp_path / "project"
    write(work, data__x="data", dot_trainignore="data/\n")
    (work / "helper.py").write_text("WORD = 'as it was'\n")
    (work / "run.sh").write_text("#!/bin/sh\n")
    (work / "run.sh").chmod(0o755)
    go = tmp_path / "go"
    os.mkfifo(go)
    kernel.run(f"import os; os.chdir({str(work)!r})")
    kernel.run(
        "%%train --name frozen --cpus 1 --memory 1\n"
        f"open({str(go)!r}).read()\n"
        "import helper; print(helper.WORD, open('data/x').read())\n"
    )
    (work / "helper.py").write_text("WORD = 'edited'\n")
    go.open("w").close()
    told = server.api.ended(server.api.get("api/training-jobs?q=frozen").json()[0]["job_id"])
    assert server.api.log(told["job_id"]) == ["as it was data"]
    kernel.run("from jupyter_training import get_job; job = get_job('frozen')")
    shown = kernel.run("job.code()").text
    assert "helper.py" in shown
    assert "import helper; print" in shown
    kernel.run(f"job.code(to={str(tmp_path / 'again')!r})")
    again = tmp_path / "again"
    assert (again / "helper.py").read_text() == "WORD = 'as it was'\n"
    assert stat.S_IMODE((again / "run.sh").stat().st_mode) & stat.S_IXUSR
    assert sorted(path.name for path in again.iterdir()) == [
        ".trainignore",
        "cell.py",
        "helper.py",
        "run.sh",
    ]
    assert "is not empty" in kernel.run(f"job.code(to={str(again)!r})").error
    assert kernel.value("job.environment()['packages']['jupyter-training']")
    assert "python" in kernel.run("job.environment()").text


def test_without_a_snapshot_a_job_runs_in_the_directory_itself(
    server: Server, kernel: Kernel, tmp_path: Path
) -> None:
    kernel.run(f"import os; os.chdir({str(tmp_path)!r})")
    kernel.run(
        "%%train --name in-place --no-snapshot --cpus 1 --memory 1\nopen('here', 'w').write('x')"
    )
    job: dict[str, Any] = server.api.get("api/training-jobs?q=in-place").json()[0]
    assert server.api.ended(job["job_id"])["status"] == "completed"
    assert (tmp_path / "here").exists()
    kernel.run("from jupyter_training import get_job")
    assert "as it is" in kernel.run("get_job('in-place').code()").text


def test_only_new_content_is_uploaded(server: Server, kernel: Kernel, tmp_path: Path) -> None:
    write(tmp_path, a="aaa", b="bbb")
    kernel.run(f"import os; os.chdir({str(tmp_path)!r})")
    kernel.run(
        "from jupyter_training.notebook.client import Client; sent = []\n"
        "put = Client.put_content\n"
        "def noted(self, *args): sent.append(args[-1]); put(self, *args)\n"
        "Client.put_content = noted\n"
        "from jupyter_training import submit"
    )
    kernel.run("submit('true', cpu_cores=1, memory_gb=1)")
    assert kernel.value("sorted(sent)[:2]") == [3, 3]
    kernel.run("sent.clear(); submit('true', cpu_cores=1, memory_gb=1)")
    assert kernel.value("sent") == []
    write(tmp_path, b="changed")
    kernel.run("submit('true', cpu_cores=1, memory_gb=1)")
    assert kernel.value("sorted(sent)[0], len(sent)") == (7, 2)
    (tmp_path / "large").write_bytes(b"\0" * 34 * 1024**2)
    told = str(kernel.run("submit('true', cpu_cores=1, memory_gb=1)").messages)
    bar = "Uploading 34.0 MB of new files, 1 of them"
    assert f"{bar}: 0 bytes" in told
    assert 'role="progressbar"' in told
    assert "34.0 MB of new files, 1 of them: uploaded after" in str(kernel.messages)
    # A limit of one's own, for once and for all.
    refused = kernel.run("submit('true', cpu_cores=1, memory_gb=1, snapshot_limit_mb=33)")
    assert "34.0 MB in 3 files, and a snapshot may have 33.0 MB" in refused.error
    assert "The largest: large (34.0 MB)" in refused.error
    function = "train(cpus=1, memory=1, snapshot_limit_mb=33)(lambda: 1)"
    refused = kernel.run(f"from jupyter_training import train; {function}.submit()")
    assert "a snapshot may have 33.0 MB" in refused.error
    kernel.run("os.environ['JUPYTER_TRAINING_SNAPSHOT_LIMIT_MB'] = '33'")
    refused = kernel.run("%train --cpus 1 --memory 1 true")
    assert "--snapshot-limit 2GB" in refused.error
    kernel.run("%train --name allowed --cpus 1 --memory 1 --snapshot-limit 1GB true")
    assert server.api.get("api/training-jobs?q=allowed").json()
    refused = kernel.run("%train --cpus 1 --memory 1 --snapshot-limit 20GB true")
    assert "this server takes at most 16.0 GB" in refused.error
