"""The places of mounts within mounts are made by us, so that they are no root's."""

from __future__ import annotations

from pathlib import Path

from jupyter_training.executors.containers import Mount
from jupyter_training.executors.mount_places import make_places


def test_what_is_missing_is_made_in_the_innermost_directory_and_no_link_is_followed(
    tmp_path: Path,
) -> None:
    work, code, data, elsewhere = (tmp_path / name for name in ("work", "code", "data", "else"))
    for one in (work, code, data, elsewhere):
        one.mkdir()
    (tmp_path / "file").touch()
    (work / "link").symlink_to(elsewhere)
    (work / "here").write_text("mine")
    make_places(
        [
            Mount(str(work), "/workspace", False),
            Mount(str(code), "/workspace/project", False),
            Mount(str(data), "/data", True),
            Mount(str(tmp_path), "/workspace/project/../project/results/of today", False),
            Mount(str(tmp_path), "/workspace/link/inner", False),
            Mount(str(tmp_path), "/workspace/here", False),
            Mount(str(tmp_path), "/data/inner", False),
            Mount(str(tmp_path), "/elsewhere/inner", False),
            Mount(str(tmp_path / "file"), "/workspace/a/file", False),
        ]
    )
    assert sorted(path.name for path in work.iterdir()) == ["a", "here", "link", "project"]
    assert (work / "a" / "file").read_text() == ""
    assert (work / "here").read_text() == "mine"
    assert not any((work / "project").iterdir())
    assert (code / "results" / "of today").is_dir()
    assert not any(elsewhere.iterdir())
    assert not any(data.iterdir())
