"""The results of jobs over REST: real jobs, hostile names, large files and rude clients."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import NAP, Api, Home, Server
from tests.patience import PATIENCE_S

SECRET = "nobody is to read this"

PRELUDE = """
import os, sys
from pathlib import Path
out = Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"])
"""


def job(code: str) -> list[str]:
    """A command that does something in its output directory."""
    return [sys.executable, "-c", PRELUDE + code]


def done(api: Api, code: str, **fields: Any) -> str:
    """A job that has done it; its place among the paths."""
    told = api.ended(api.submit(job(code), **fields)["job_id"])
    assert told["status"] == "completed", api.log(told["job_id"])
    return f"api/training-jobs/{told['job_id']}/outputs"


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["path"] for entry in answer.json()["entries"]]


def raw(server: Server, target: bytes, *headers: str, method: str = "GET") -> bytes:
    """An answer to a path that no client would send."""
    with connected(server, target, *headers, method=method) as connection:
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@contextmanager
def connected(
    server: Server, target: bytes, *headers: str, method: str = "GET"
) -> Iterator[socket.socket]:
    place = urlsplit(server.url)
    assert place.hostname is not None
    with socket.create_connection((place.hostname, place.port or 80), PATIENCE_S) as connection:
        lines = [
            f"Host: {place.netloc}",
            "Authorization: token the-servers-own",
            "Connection: close",
            *headers,
        ]
        head = method.encode() + b" " + target + b" HTTP/1.1\r\n"
        connection.sendall(head + "\r\n".join([*lines, "", ""]).encode())
        yield connection


def test_what_a_job_has_left(api: Api) -> None:
    place = done(
        api,
        """
(out / "plots").mkdir()
(out / "plots" / "loss.svg").write_text("<svg><script>alert(1)</script></svg>")
(out / "model.pt").write_bytes(bytes(range(256)))
""",
    )
    told = api.get(place).json()
    assert [(one["path"], one["type"], one["size"]) for one in told["entries"]] == [
        ("model.pt", "file", 256),
        ("plots", "directory", None),
    ]
    assert told["entries"][0]["modified_at"].endswith("Z")
    assert (told["path"], told["truncated"], told["next"]) == ("", False, None)
    assert names(api.get(f"{place}/")) == ["model.pt", "plots"]
    assert names(api.get(f"{place}/plots")) == names(api.get(f"{place}/plots/"))
    assert names(api.get(f"{place}?recursive=true")) == ["model.pt", "plots", "plots/loss.svg"]
    answer = api.http.get(f"{place}/model.pt")
    assert answer.content == bytes(range(256))
    answer = api.http.get(f"{place}/plots/loss.svg")
    assert answer.text == "<svg><script>alert(1)</script></svg>"
    headers = answer.headers
    assert headers["Content-Type"].startswith("image/svg+xml")
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''loss.svg"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "sandbox allow" not in headers["Content-Security-Policy"]


def test_nothing_there_yet_is_an_empty_list(api: Api) -> None:
    holder = api.submit(NAP, cpu_cores=2)["job_id"]
    api.status(holder, "running")
    waiting = api.submit(NAP)["job_id"]
    assert names(api.get(f"api/training-jobs/{waiting}/outputs?recursive=true")) == []
    answer = api.get(f"api/training-jobs/{waiting}/outputs/model.pt")
    assert answer.status_code == 404
    assert answer.json() == {
        "message": "There is no 'model.pt' in the results of this job.",
        "reason": "no_such_output",
    }


def test_a_job_that_is_not_yours_or_not_there_any_more(server: Server, api: Api) -> None:
    place = done(api, "(out / 'a').write_text('x')")
    mallory = server.api_of("mallory")
    for rest in ("", "/a", "/nothing"):
        for who, path in ((mallory, place), (api, "api/training-jobs/job-nothing/outputs")):
            answer = who.get(path + rest)
            assert answer.status_code == 404
            assert answer.json()["reason"] == "no_such_job"
    assert server.api_with("wrong").get(f"{place}/a").status_code == 403
    assert api.http.delete(place.removesuffix("/outputs")).status_code == 204
    assert api.get(f"{place}/a").json()["reason"] == "no_such_job"


def test_a_long_list_comes_in_pages(api: Api) -> None:
    place = done(api, "[(out / f'{n:04}').touch() for n in range(2500)]")
    assert len(names(api.get(place))) == 1000
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2000}
    while True:
        page = api.get(place, params=query)
        found += names(page)
        assert page.json()["truncated"] is (page.json()["next"] is not None)
        if not page.json()["truncated"]:
            break
        query["after"] = page.json()["next"]
    assert found == [f"{n:04}" for n in range(2500)]


@pytest.mark.parametrize("query", ["limit=0", "limit=2001", "recursive=x", "after=..", "after=a//"])
def test_a_wrong_query(api: Api, query: str) -> None:
    place = done(api, "")
    answer = api.get(f"{place}?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_names_that_are_hostile(api: Api) -> None:
    place = done(
        api,
        r"""
for name in (b"\xff\xfe.bin", b"a\nb", b"%2e%2e", b"q?x=1#y", b'"; x="<b>', "caf\u00e9 1".encode()):
    with open(os.path.join(os.fsencode(out), name), "wb") as file:
        file.write(name)
""",
    )
    entries = api.get(place).json()["entries"]
    assert len(entries) == 6
    for entry in entries:
        answer = api.http.get(f"{place}/{entry['encoded_path']}")
        assert answer.status_code == 200, entry
        assert answer.content.decode("utf-8", "replace") == entry["path"]
        disposition = answer.headers["Content-Disposition"]
        assert disposition.startswith("attachment; filename*=UTF-8''")
        assert not {'"', ";", "\n", " "} & set(disposition.partition("''")[2])
    page = api.get(place, params={"limit": 5}).json()
    assert len(api.get(place, params={"after": page["next"]}).json()["entries"]) == 1


@pytest.mark.parametrize(
    "path",
    [
        b"../../../../secret",
        b"..%2f..%2f..%2f..%2fsecret",
        b"%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret",
        b"sub/../../../../../secret",
        b"/secret",
        b"%2fsecret",
        b"sub//..",
        b"%00",
        b"file%00.txt",
        b"x" * 300,
        b"x/" * 100,
        b"%ff%fe",
        b"file/..",
        b"file/",
        b"file/below",
        b"to-secret",
        b"to-home/secret",
        b"to-self/file",
        b"pipe",
        b"pipe/",
    ],
)
def test_a_path_that_leads_out_or_nowhere(
    shared_home: Home, server: Server, hostile: str, path: bytes
) -> None:
    """It answers 404 and a sentence, but for a slash too much, which does no harm."""
    (shared_home.path / "secret").write_text(SECRET)
    answer = raw(server, f"/{hostile}/".encode() + path)
    assert SECRET.encode() not in answer
    if path == b"file/":
        assert answer.endswith(b"\r\n\r\nmine")
        return
    assert answer.startswith(b"HTTP/1.1 404"), answer
    told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert told["reason"] in ("no_such_output", "not_found")
    assert told["message"]


@pytest.fixture(scope="module")
def hostile(shared_home: Home, server: Server) -> str:
    """The results of a job that wants more than its own."""
    home = str(shared_home.path)
    return done(
        server.api,
        f"""
(out / "sub").mkdir()
(out / "file").write_text("mine")
(out / "to-secret").symlink_to({home!r} + "/secret")
(out / "to-home").symlink_to({home!r})
(out / "to-self").symlink_to(".")
os.mkfifo(out / "pipe")
""",
    )


def test_links_are_told_and_not_followed(server: Server, hostile: str) -> None:
    told = server.api.get(f"{hostile}?recursive=true").json()["entries"]
    assert {one["path"]: one["type"] for one in told} == {
        "file": "file",
        "pipe": "other",
        "sub": "directory",
        "to-home": "symlink",
        "to-secret": "symlink",
        "to-self": "symlink",
    }
    answer = server.api.get(f"{hostile}/to-secret")
    assert answer.json()["message"] == (
        "'to-secret' is a symbolic link, and those are not followed; ask for what it leads to."
    )


def test_an_output_directory_that_becomes_a_link(shared_home: Home, api: Api) -> None:
    (shared_home.path / "secret").write_text(SECRET)
    place = done(api, f"out.rename(str(out) + '.aside'); out.symlink_to({str(shared_home.path)!r})")
    for rest in ("", "/secret"):
        answer = api.get(place + rest)
        assert answer.status_code == 404
        assert "is a symbolic link" in answer.json()["message"]


def test_results_at_a_place_of_the_jobs_own_choice(shared_home: Home, api: Api) -> None:
    place = done(
        api,
        "(out / 'a').write_text('x'); (out / 'up').symlink_to('..')",
        working_dir=str(shared_home.path / "work"),
        output_path="results/of mine",
    )
    assert names(api.get(place)) == ["a", "up"]
    assert api.http.get(f"{place}/a").text == "x"
    assert api.get(f"{place}/up/of mine/a").status_code == 404
    told = api.job(place.split("/")[2])
    assert told["output_dir"] == str(shared_home.path / "work" / "results" / "of mine")
    assert told["output_browser_path"] == "results/of mine"


def test_jupyters_file_browser_shows_them_where_it_can(home: Home, api: Api) -> None:
    # By default they are in the data directory of Jupyter, which is not below its root directory.
    assert api.job(api.submit(job(""))["job_id"])["output_browser_path"] is None
    here = home.start(data_dir=home.path / "work" / "training")
    place = done(here.api, "(out / 'a').write_text('x')")
    path = here.api.job(place.split("/")[2])["output_browser_path"]
    shown = here.api.http.get(f"api/contents/{path}").json()
    assert [one["name"] for one in shown["content"]] == ["a"]


def test_a_hidden_place_is_not_one_of_the_file_browser(home: Home) -> None:
    here = home.start(data_dir=home.path / "work" / ".training")
    place = done(here.api, "(out / 'a').write_text('x')")
    assert here.api.job(place.split("/")[2])["output_browser_path"] is None
    assert here.api.http.get(f"{place}/a").text == "x"
