"""Contents by their hashes, and the jobs that run with them."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.engine.snapshots import SnapshotStore
from jupyter_training.jobs.contents import digest
from jupyter_training.jobs.snapshots import File, Manifest
from tests.conftest import Api, Home, Server
from tests.patience import until


def put(api: Api, content: bytes) -> str:
    """Upload a content."""
    name = digest(content)
    answer = api.ask("PUT", f"api/training-snapshots/{name}", content=content)
    assert answer.status_code in (200, 201), answer.text
    return name


def snapshot(api: Api, root: Path, files: dict[str, bytes], **more: Any) -> str:
    """Upload a snapshot."""
    listed = [
        File(path=path, sha256=put(api, content), size=len(content))
        for path, content in files.items()
    ]
    return put(api, Manifest(root=str(root), files=listed, **more).encoded())


def test_a_content_is_stored_under_its_hash_and_nothing_else_is(api: Api, server: Server) -> None:
    content = b"x" * 3_000_000
    name = digest(content)
    path = f"api/training-snapshots/{name}"
    assert api.get(path).status_code == 404
    assert api.post("api/training-snapshots", json={"digests": [name, name]}).json() == {
        "missing": [name]
    }
    assert api.ask("PUT", path, content=content).status_code == 201
    assert api.ask("PUT", path, content=content).json() == {"sha256": name, "size": 3_000_000}
    assert api.get(path).content == content
    assert api.post("api/training-snapshots", json={"digests": [name]}).json() == {"missing": []}
    wrong = api.ask("PUT", f"api/training-snapshots/{digest(b'other')}", content=content)
    assert (wrong.status_code, wrong.json()["reason"]) == (400, "wrong_content")
    assert api.ask("PUT", "api/training-snapshots/..%2f..%2fx", content=b"").status_code == 404
    assert api.post("api/training-snapshots", json={"digests": ["x"]}).status_code == 400
    assert not list((server.home.data_dir / "snapshots").glob("*/drafts/*"))


def test_a_content_is_its_users_own(api: Api, server: Server) -> None:
    name = put(api, b"secret")
    other = server.api_of("eve")
    assert other.get(f"api/training-snapshots/{name}").status_code == 404
    asked = other.post("api/training-snapshots", json={"digests": [name]})
    assert asked.json() == {"missing": [name]}
    spec = {"name": "x", "command": "true", "snapshot": snapshot(api, Path("/x"), {})}
    refused = other.post("api/training-jobs", json=spec)
    assert refused.status_code == 400
    assert refused.json()["errors"] == [
        {"field": "snapshot", "message": "has to be uploaded first"}
    ]
    nobody = server.api_with("nothing")
    assert nobody.ask("PUT", f"api/training-snapshots/{name}", content=b"x").status_code == 403


def test_a_job_runs_with_what_was_uploaded_whatever_becomes_of_the_original(
    api: Api, server: Server, tmp_path: Path
) -> None:
    work = tmp_path / "project" / "notebooks"
    (work / "data").mkdir(parents=True)
    (tmp_path / "project" / "shared.txt").write_text("shared")
    (tmp_path / "above.txt").write_text("above")
    (work / "data" / "train.csv").write_text("1,2")
    (work / "helper.py").write_text("WORD = 'edited'")
    name = snapshot(
        api,
        work,
        {"helper.py": b"WORD = 'as it was'", "pkg/__init__.py": b""},
        symlinks={"alias.py": "helper.py"},
        links=["data"],
        directories=["empty"],
    )
    code = (
        "import alias, helper, os, pkg; print(helper.WORD, alias.WORD)\n"
        "print(open('data/train.csv').read(), open('../shared.txt').read())\n"
        "print(open('../../above.txt').read(), os.listdir('empty'))\n"
        "open('helper.py', 'w').write('WORD = 3')\n"
        "print(os.path.basename(os.getcwd()), os.path.exists('helper.py'))\n"
        "raise SystemExit(3 if os.environ['JUPYTER_TRAINING_ATTEMPT'] == '1' else 0)"
    )
    job = api.submit(
        [sys.executable, "-c", code], working_dir=str(work), snapshot=name, max_retries=1
    )
    assert api.ended(job["job_id"])["status"] == "completed", api.log(job["job_id"])
    expected = ["as it was as it was", "1,2 shared", "above []", "notebooks True"]
    assert api.log(job["job_id"], attempt=1) == api.log(job["job_id"], attempt=2) == expected
    assert (work / "helper.py").read_text() == "WORD = 'edited'"
    code_of = api.get(f"api/training-jobs/{job['job_id']}/code").json()
    assert [file["path"] for file in code_of["manifest"]["files"]] == [
        "helper.py",
        "pkg/__init__.py",
    ]
    assert server.api_of("eve").get(f"api/training-jobs/{job['job_id']}/code").status_code == 404


def test_results_are_found_where_the_job_asked_for_them(api: Api, tmp_path: Path) -> None:
    name = snapshot(api, tmp_path, {"results/old.txt": b"old"})
    code = "import os; open('results/new.txt', 'w').write('new')"
    job = api.submit(
        [sys.executable, "-c", code],
        working_dir=str(tmp_path),
        output_path="results",
        snapshot=name,
    )
    assert api.ended(job["job_id"])["status"] == "completed"
    assert (tmp_path / "results" / "new.txt").read_text() == "new"


def test_results_that_are_no_part_of_the_snapshot_stay_when_new_ones_join_them(
    api: Api, tmp_path: Path
) -> None:
    results = tmp_path / "runs" / "first"
    results.mkdir(parents=True)
    (results / "old.txt").write_text("old")
    code = "import os; open('runs/first/new.txt', 'w').write('new')"
    job = api.submit(
        [sys.executable, "-c", code],
        working_dir=str(tmp_path),
        output_path="runs/first",
        snapshot=snapshot(api, tmp_path, {}, links=["runs"]),
    )
    assert api.ended(job["job_id"])["status"] == "completed"
    assert not results.is_symlink()
    assert (results / "old.txt").read_text() == "old"
    assert (results / "new.txt").read_text() == "new"


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({"root": "relative"}, "root"),
        ({"root": "/x", "links": ["../up"]}, "is not a path below"),
        ({"root": "/x", "links": ["/etc"]}, "is not a path below"),
        ({"root": "/x", "symlinks": {"a": "../b"}}, "leads out"),
        ({"root": "/x", "symlinks": {"a": "/etc"}}, "leads out"),
        ({"root": "/x", "links": ["a"], "directories": ["a/b"]}, "which is no directory"),
        ({"root": "/x", "links": ["a", "a"]}, "twice"),
        ({"root": "/x", "files": [{"path": "a", "sha256": "b" * 64, "size": 1}]}, "uploaded first"),
        ([], "valid dictionary"),
    ],
)
def test_a_manifest_that_leads_out_or_is_not_whole_is_refused(
    api: Api, manifest: object, told: str
) -> None:
    name = put(api, json.dumps(manifest).encode())
    spec = {"name": "x", "command": "true", "snapshot": name}
    answer = api.post("api/training-jobs", json=spec)
    assert answer.status_code == 400
    assert told in answer.json()["errors"][0]["message"]


def test_a_damaged_content_is_told_and_can_be_uploaded_again(
    api: Api, server: Server, me: str, tmp_path: Path
) -> None:
    content = b"print('whole')"
    name = snapshot(api, tmp_path, {"x.py": content})
    path = SnapshotStore(server.home.data_dir, me).path(digest(content))
    path.chmod(0o600)
    path.write_bytes(b"print('hello')")
    fields = {"working_dir": str(tmp_path), "snapshot": name, "max_retries": 0}
    told = api.ended(api.submit([sys.executable, "x.py"], **fields)["job_id"])
    assert told["cause"] == "launch_failed"
    assert "x.py of its snapshot was damaged" in told["reason"]
    put(api, content)
    assert api.ended(api.submit([sys.executable, "x.py"], **fields)["job_id"])["exit_code"] == 0


def test_an_upload_that_breaks_off_leaves_nothing(server: Server) -> None:
    host, port = server.url.split("//")[1].strip("/").split(":")
    name = digest(b"x" * 5_000_000)
    drafts = server.home.data_dir / "snapshots"
    with socket.create_connection((host, int(port))) as connection:
        head = (
            f"PUT /api/training-snapshots/{name} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            "Authorization: token the-servers-own\r\nContent-Length: 5000000\r\n\r\n"
        )
        connection.sendall(head.encode() + b"x" * 2_000_000)
        until(lambda: any(path.stat().st_size for path in drafts.glob("*/drafts/*")))
    until(lambda: not list(drafts.glob("*/drafts/*")))


def test_larger_contents_and_snapshots_than_allowed_are_refused(home: Home) -> None:
    server = home.start(snapshot_limit_mb=1, snapshot_limit_files=2)
    api = server.api
    assert api.get("api/training-snapshots").json()["max_snapshot_bytes"] == 1024**2
    large = {"a.bin": b"a" * 900_000, "b.bin": b"b" * 200_000}
    spec = {"name": "x", "command": "true", "snapshot": snapshot(api, home.path, large)}
    refused = api.post("api/training-jobs", json=spec).json()["errors"][0]["message"]
    assert "has 1.0 MB; at most 1.0 MB are taken. The largest: a.bin (878.9 KB), b.bin" in refused
    many = {f"{number}": b"" for number in range(3)}
    spec["snapshot"] = snapshot(api, home.path, many)
    refused = api.post("api/training-jobs", json=spec).json()["errors"][0]["message"]
    assert refused == "has 3 files; at most 2 are taken"
