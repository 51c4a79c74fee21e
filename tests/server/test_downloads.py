"""Results of jobs as downloads: ranges, large files, files that change, and rude clients."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from tests.conftest import Api, Home, Server
from tests.patience import until
from tests.server.test_outputs import SECRET, connected, done, job

GB = 1 << 30


def settled(api: Api, path: str) -> httpx.Response:
    """The headers of a file as soon as its tag stands for its content for good."""
    until(lambda: not api.http.head(path).headers["ETag"].startswith("W/"))
    return api.http.head(path)


def test_ranges_and_tags(api: Api) -> None:
    place = done(api, "(out / 'file').write_bytes(b'0123456789'); (out / 'empty').touch()")
    path = f"{place}/file"
    head = settled(api, path)
    assert (head.status_code, head.content) == (200, b"")
    assert (head.headers["Content-Length"], head.headers["Accept-Ranges"]) == ("10", "bytes")
    tag, modified = head.headers["ETag"], head.headers["Last-Modified"]
    for asked, status, content, told in (
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=0-99999999999999999999", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=0-2,5-6", 200, b"0123456789", None),
        ("bytes=5-2", 200, b"0123456789", None),
        ("bytes=a-b", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ):
        answer = api.http.get(path, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (status, content), asked
        assert answer.headers.get("Content-Range") == told
        assert int(answer.headers["Content-Length"]) == len(content)
    for asked in ("bytes=10-", "bytes=-0", "bytes=99999999999999999999-"):
        answer = api.http.get(path, headers={"Range": asked})
        assert answer.status_code == 416
        assert answer.headers["Content-Range"] == "bytes */10"
        assert answer.json()["reason"] == "no_such_range"
        assert "Content-Disposition" not in answer.headers
    assert api.http.get(f"{place}/empty").content == b""
    assert api.http.get(f"{place}/empty", headers={"Range": "bytes=0-"}).status_code == 416
    for method in ("GET", "HEAD"):
        for headers, status in (
            ({"If-None-Match": tag}, 304),
            ({"If-None-Match": f'"x", W/{tag}'}, 304),
            ({"If-None-Match": '"x"'}, 200),
            ({"If-None-Match": '"x"', "If-Modified-Since": modified}, 200),
            ({"If-Modified-Since": modified}, 304),
            ({"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 200),
            ({"If-Modified-Since": "yesterday"}, 200),
            ({"If-Modified-Since": f"Thu, 01 Jan 1970 00:00:00 +{'9' * 20}"}, 200),
        ):
            answer = api.http.request(method, path, headers=headers)
            assert answer.status_code == status, headers
            assert answer.headers["ETag"] == tag
            assert len(answer.content) == (10 if (method, status) == ("GET", 200) else 0)
    for known, status in ((tag, 206), (f"W/{tag}", 200), ('"x"', 200), (modified, 200)):
        answer = api.http.get(path, headers={"Range": "bytes=2-4", "If-Range": known})
        assert answer.status_code == status, known


def test_a_running_job_that_writes_on(api: Api, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    code = f"""
with open(out / "log", "wb", buffering=0) as file:
    for piece in (b"one ", b"two ", b"three"):
        file.write(piece)
        print("wrote", piece.decode().strip(), flush=True)
        open({str(go)!r}).read()
"""
    job_id = api.submit(job(code))["job_id"]
    path = f"api/training-jobs/{job_id}/outputs/log"
    api.printed(job_id, "wrote one")
    written = Path(api.job(job_id)["output_dir"], "log")
    several: list[httpx.Response] = []

    def is_weak() -> bool:
        written.chmod(0o600)  # as if it had been written just now, however long ago that was
        several.append(api.http.get(path))
        return several[-1].headers["ETag"].startswith("W/")

    until(is_weak)  # for nobody can know yet whether the beginning stays as it is
    first = several[-1]
    assert first.text == "one "
    again = {"Range": "bytes=1-", "If-Range": first.headers["ETag"]}
    assert api.http.get(path, headers=again).text == "one "
    go.open("w").close()
    api.printed(job_id, "wrote two")
    assert api.http.get(path, headers={"Range": "bytes=4-"}).text == "two "
    again = {"Range": "bytes=4-", "If-Range": first.headers["ETag"]}
    assert api.http.get(path, headers=again).text == "one two "
    go.open("w").close()
    api.printed(job_id, "wrote three")  # two signals through the same pipe could come as one
    go.open("w").close()
    assert api.ended(job_id)["status"] == "completed"
    assert api.http.get(path).text == "one two three"


@pytest.fixture(scope="module")
def large(server: Server) -> str:
    """The results of a job with a file of 2 GB, of which only the ends are written."""
    return done(
        server.api,
        f"""
with open(out / "model.pt", "wb") as file:
    file.write(b"first")
    file.seek({2 * GB} - 4)
    file.write(b"last")
""",
    )


def memory(server: Server, name: str) -> int:
    """What a server holds, VmRSS or VmHWM, in bytes."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def open_files(server: Server, name: str) -> int:
    """How often a server has a file of this name open."""
    count = 0
    for one in Path(f"/proc/{server.process.pid}/fd").iterdir():
        try:
            count += Path(os.readlink(one)).name.startswith(name)
        except OSError:
            continue
    return count


def test_a_file_of_2_gb_costs_no_memory_and_delays_nobody(server: Server, large: str) -> None:
    api, path = server.api, f"{large}/model.pt"
    assert api.http.get(path, headers={"Range": "bytes=-6"}).content == b"\0\0last"
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # forget the peak so far
    before, size, tail = memory(server, "VmRSS"), 0, b""
    with api.http.stream("GET", path) as answer:
        assert int(answer.headers["Content-Length"]) == 2 * GB
        for piece in answer.iter_raw():
            if size == 0:
                assert piece.startswith(b"first")
            size, tail = size + len(piece), piece[-4:]
            if size % (256 << 20) < len(piece):
                # It is answered, though nobody takes the rest of the file meanwhile.
                assert api.get("api/training-jobs?limit=1").status_code == 200
    assert (size, tail) == (2 * GB, b"last")
    assert memory(server, "VmHWM") - before < 32 << 20
    until(lambda: open_files(server, "model.pt") == 0)


def test_clients_that_read_nothing_or_go_away(server: Server, large: str) -> None:
    api, target = server.api, f"/{large}/model.pt".encode()
    log = server.home.path / "server.log"
    before, logged = memory(server, "VmRSS"), log.stat().st_size
    with connected(server, target) as one, connected(server, target) as other:
        for connection in (one, other):
            assert connection.recv(4) == b"HTTP"
        # They stand still, and the server has no more than a piece for each of them.
        assert api.get(large).status_code == 200
        assert open_files(server, "model.pt") == 2
        assert memory(server, "VmRSS") - before < 16 << 20
    until(lambda: open_files(server, "model.pt") == 0)
    assert b"Traceback" not in log.read_bytes()[logged:]


def test_what_happens_to_a_file_while_it_is_downloaded(
    shared_home: Home, server: Server, api: Api
) -> None:
    secret = shared_home.path / "secret"
    secret.write_text(SECRET)
    size = 64 << 20
    place = done(
        api,
        f"""
for name in ("deleted", "swapped", "shortened"):
    with open(out / name, "wb") as file:
        file.truncate({size})
""",
    )
    output = Path(api.job(place.split("/")[2])["output_dir"])

    def swap(path: Path) -> None:
        path.unlink()
        path.symlink_to(secret)

    for name, happens in (
        ("deleted", Path.unlink),
        ("swapped", swap),
        ("shortened", lambda path: os.truncate(path, 10)),
    ):
        with connected(server, f"/{place}/{name}".encode()) as connection:
            content = connection.recv(1 << 16)
            happens(output / name)
            content += b"".join(iter(lambda: connection.recv(1 << 20), b""))
        head, _, body = content.partition(b"\r\n\r\n")
        assert f"Content-Length: {size}".encode() in head
        assert not body.strip(b"\0")
        if name == "shortened":
            assert len(body) < size  # and so it is not taken for the whole
        else:
            assert len(body) == size


def test_another_site_cannot_use_the_cookie_of_a_browser(server: Server, api: Api) -> None:
    place = done(api, "(out / 'a.js').write_text('x')")
    with httpx.Client(base_url=server.url, trust_env=False) as browser:
        browser.get("api/status?token=the-servers-own")
        assert browser.cookies
        here, there = server.url, "http://evil.example/"
        for referer, status in ((here, 200), (there, 403), (None, 403)):
            headers = {} if referer is None else {"Referer": referer}
            assert browser.get(f"{place}/a.js", headers=headers).status_code == status
        assert browser.get(f"{place}/a.js").headers["Content-Type"] == "application/json"


def test_where_answers_are_compressed_files_are_what_they_are(home: Home) -> None:
    home.configure("c.ServerApp.tornado_settings = {'compress_response': True}")
    here = home.start()
    place = done(here.api, "(out / 'a.txt').write_text('x' * 100_000)")
    answer = here.api.http.get(f"{place}/a.txt", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Length"] == "100000"
    assert "Content-Encoding" not in answer.headers
    assert answer.text == "x" * 100_000
