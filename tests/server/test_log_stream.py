"""Following a log over a WebSocket, of real jobs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import websocket

from tests.conftest import Api, Home, Server, python
from tests.streams import Stream, stream


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Jobs wait there; open it for writing to let one go on."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def waits(gate: Path) -> str:
    return f"open({str(gate)!r}).read()"


def let_go(gate: Path) -> None:
    gate.open("w").close()


def test_it_tells_what_was_printed_and_what_comes_and_how_the_job_ended(
    api: Api, gate: Path
) -> None:
    code = f"print('one'); {waits(gate)}; print('two'); raise SystemExit(3)"
    job_id = api.submit(python(code), max_retries=0)["job_id"]
    with stream(api, job_id, offset=0) as it:
        it.until(lambda it: it.lines == ["one"])
        let_go(gate)
        it.to_the_end()
    assert it.lines == ["one", "two"]
    assert it.code == 1000
    assert (it.end["status"], it.end["cause"], it.end["exit_code"]) == ("failed", "user_error", 3)
    assert it.end["next_offset"] == len("one\ntwo\n")
    assert it.told[0] == {
        "type": "attempt", "attempt": 1, "offset": 0, "next_offset": 0, "size": it.told[0]["size"]
    }  # fmt: skip


def test_one_that_has_ended_is_told_at_once_from_any_offset(api: Api) -> None:
    job_id = api.submit(python("print('one\\ntwo\\nthree', end='')"))["job_id"]
    api.ended(job_id)
    for query, lines in (
        ({}, ["one", "two", "three"]),
        ({"offset": 4}, ["two", "three"]),
        ({"tail": 2}, ["two", "three"]),
        ({"tail": 0}, ["three"]),  # it has no end yet
        ({"offset": 13}, []),
        ({"offset": 99}, []),
    ):
        with stream(api, job_id, **query) as it:
            assert it.to_the_end().lines == lines, query
            assert it.end["status"] == "completed"


def test_what_has_no_newline_yet_is_partial_and_a_bar_moves(api: Api, gate: Path) -> None:
    code = (
        "import sys; p = lambda t: (sys.stdout.write(t), sys.stdout.flush())\n"
        f"p('start\\r\\n 10%|#   ')\n{waits(gate)}\np('\\r 50%|##  ')\n{waits(gate)}\n"
        f"p('\\r\\x1b[K 99%')\n{waits(gate)}\np('\\rdone\\x1b[K\\nend\\n')"
    )
    job_id = api.submit(python(code))["job_id"]
    with stream(api, job_id) as it:
        for partial in (" 10%|#   ", " 50%|##  ", " 99%"):
            it.until(lambda it: it.partial == [partial])  # noqa: B023
            assert it.lines == ["start"]
            assert it.at == len("start\r\n")
            let_go(gate)
        it.to_the_end()
    assert it.lines == ["start", "done", "end"]


def test_bars_below_each_other_stay_in_their_lines(api: Api, gate: Path) -> None:
    code = (
        "import sys; p = lambda t: (sys.stdout.write(t), sys.stdout.flush())\n"
        "p('\\repoch 1')\n"
        "for i in range(300): p(f'\\n\\rbatch {i}\\x1b[A\\repoch {i // 100}')\n"
        f"{waits(gate)}\np('\\n\\n'); print('end')"
    )
    job_id = api.submit(python(code))["job_id"]
    with stream(api, job_id) as it:
        it.until(lambda it: it.partial == ["epoch 2", "batch 299"])
        let_go(gate)
        it.to_the_end()
    assert it.lines == ["epoch 2", "batch 299", "end"]


def test_split_characters_colours_and_junk_are_no_error(api: Api, gate: Path) -> None:
    code = (
        "import os, time\n"
        "for byte in '训练 🙂\\n'.encode(): os.write(1, bytes([byte])); time.sleep(.03)\n"
        "os.write(1, b'\\x1b[31mred\\x1b[0m\\n' + bytes(range(256)) * 200 + b'\\nend\\n')\n"
    )
    job_id = api.submit(python(code))["job_id"]
    with (
        stream(api, job_id) as it,
        stream(api, job_id, format="bytes") as raw,
        ThreadPoolExecutor() as threads,  # whoever does not read does not answer pings either
    ):
        list(threads.map(Stream.to_the_end, (it, raw)))
    assert it.lines[:2] == ["训练 🙂", "\x1b[31mred\x1b[0m"]
    assert it.lines[-1] == "end"
    printed = "训练 🙂\n".encode() + b"\x1b[31mred\x1b[0m\n" + bytes(range(256)) * 200 + b"\nend\n"
    assert raw.content == printed


def test_a_retry_begins_a_new_attempt_in_the_same_stream(api: Api, tmp_path: Path) -> None:
    mark = str(tmp_path / "mark")
    code = (
        "import os, sys\n"
        f"again = os.path.exists({mark!r}); open({mark!r}, 'w').close()\n"
        "print('second' if again else 'first'); sys.exit(0 if again else 1)"
    )
    job_id = api.submit(python(code), max_retries=1)["job_id"]
    with stream(api, job_id) as it:
        it.to_the_end()
    assert it.lines == ["first", "second"]
    assert [one["attempt"] for one in it.told if one["type"] == "attempt"] == [1, 2]
    assert it.end["status"] == "completed"
    with stream(api, job_id) as latest, stream(api, job_id, attempt=1) as all_of_them:
        assert latest.to_the_end().lines == ["second"]
        assert all_of_them.to_the_end().lines == ["first", "second"]


def test_one_that_never_ran_just_ends(api: Api, gate: Path) -> None:
    holder = api.submit(python(waits(gate)), cpu_cores=2)["job_id"]
    api.status(holder, "running")
    job_id = api.submit(python("pass"))["job_id"]
    with stream(api, job_id) as it:
        api.post(f"api/training-jobs/{job_id}/cancel")
        it.to_the_end()
    assert (it.end["status"], it.end["attempt"]) == ("cancelled", 0)
    let_go(gate)


def test_others_and_wrong_requests_are_refused_before_the_upgrade(server: Server, api: Api) -> None:
    job_id = api.submit(python("print('mine')"))["job_id"]
    api.ended(job_id)
    for who, query, status in (
        (server.api_of("somebody-else"), {}, 404),
        (server.api_with("wrong"), {}, 403),
        (api, {"attempt": 7}, 404),
        (api, {"rank": 3}, 404),
        (api, {"offset": -1}, 400),
        (api, {"offset": 1, "tail": 1}, 400),
        (api, {"format": "xml"}, 400),
        (api, {"complete": "perhaps"}, 400),
    ):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            Stream(who, job_id, **query)
        assert refused.value.status_code == status, query
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Stream(api, "job-none")
    assert refused.value.status_code == 404


def test_a_page_of_another_site_cannot_follow(server: Server, api: Api) -> None:
    job_id = api.submit(python("print('mine')"))["job_id"]
    url = server.url.replace("http", "ws", 1)
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(
            f"{url}api/training-jobs/{job_id}/logs/stream", origin="https://elsewhere.example"
        )
    assert refused.value.status_code in (403, 404)


def test_no_byte_is_lost_or_repeated_when_the_server_is_killed(home: Home, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    code = (
        "import itertools, os, time\n"
        "for i in itertools.count():\n"
        "    print('line', i, 'x' * (i % 300))\n"
        "    if i % 20 == 0: time.sleep(.01)\n"
        f"    if os.path.exists({str(stop)!r}): break\n"
    )
    server = home.start()
    job_id = server.api.submit(python(code))["job_id"]
    lines, content = Stream(server.api, job_id, complete="true"), b""
    raw, shown = Stream(server.api, job_id, format="bytes"), list[str]()
    for _ in range(2):
        lines.until(lambda it: len(it.lines) > 500)
        raw.until(lambda it: len(it.content) > 50_000)
        server.kill()
        for one in (lines, raw):
            one.to_the_break()
        content += raw.content
        shown += lines.lines
        server = home.start()
        lines = Stream(server.api, job_id, attempt=1, offset=lines.at, complete="true")
        raw = Stream(server.api, job_id, attempt=1, offset=len(content), format="bytes")
    stop.touch()
    with ThreadPoolExecutor() as threads:  # whoever does not read does not answer pings either
        list(threads.map(Stream.to_the_end, (lines, raw)))
    content += raw.content
    shown += lines.lines
    log = (home.data_dir / "jobs" / job_id / "attempt-1" / "output.log").read_bytes()
    assert content == log
    assert shown == log.decode().splitlines()
    assert lines.end["status"] == "completed"
