"""Logs page by page over REST."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from tests.conftest import Api, Home, python
from tests.streams import stream

MB = 1 << 20


def test_pages_go_backwards_and_tell_the_size(api: Api) -> None:
    job_id = api.submit(python("for i in range(100): print('line', i)"))["job_id"]
    api.ended(job_id)
    path = f"api/training-jobs/{job_id}/logs"
    page = api.get(path, params={"tail": 30}).json()
    found = page["logs"]
    while page["offset"]:
        page = api.get(path, params={"before": page["offset"], "lines": 30}).json()
        found = page["logs"] + found
    assert found == [f"line {number}" for number in range(100)]
    assert page["size"] == len("".join(f"{line}\n" for line in found))
    first = api.get(path, params={"offset": 0, "lines": 3}).json()
    assert first["logs"] == found[:3]
    second = api.get(path, params={"offset": first["next_offset"], "lines": 2}).json()
    assert second["logs"] == found[3:5]
    for wrong in ({"before": 1, "offset": 1}, {"lines": 0}, {"rank": -1}, {"timestamps": "so"}):
        assert api.get(path, params=wrong).status_code == 400, wrong
    assert api.get(path, params={"rank": 1}).status_code == 404


def test_lines_have_times(api: Api, tmp_path: Path) -> None:
    began, go = time.time(), tmp_path / "go"
    os.mkfifo(go)
    code = f"print('one'); open({str(go)!r}).read(); print('two'); print('three', end='')"
    job_id = api.submit(python(code))["job_id"]
    api.printed(job_id, "one")
    time.sleep(0.25)  # times are known to a tenth of a second
    between = time.time()
    go.open("w").close()
    api.ended(job_id)
    ended = time.time()
    path = f"api/training-jobs/{job_id}/logs"
    told = api.get(path, params={"timestamps": "true"}).json()
    assert told["logs"] == ["one", "two", "three"]
    first, second, third = (_seconds(moment) for moment in told["times"])
    assert began - 0.01 <= first <= between - 0.25 < between - 0.01 <= second <= third <= ended
    assert "times" not in api.get(path).json()
    with stream(api, job_id, timestamps="true") as it:
        assert it.to_the_end().times == told["times"]


def test_a_log_beyond_its_limit_has_its_beginning_and_its_end(home: Home) -> None:
    api = home.start(log_limit_mb=1).api
    code = "for i in range(400_000): print(f'{i:015}')"
    job_id = api.submit(python(f"import sys; sys.stdout.reconfigure(line_buffering=False)\n{code}"))
    job_id = job_id["job_id"]
    assert api.ended(job_id)["status"] == "completed"
    log = home.data_dir / "jobs" / job_id / "attempt-1" / "output.log"
    assert log.stat().st_size == 400_000 * 16
    assert log.stat().st_blocks * 512 <= MB + 8192
    with stream(api, job_id) as it, stream(api, job_id, format="bytes") as raw:
        it.to_the_end()
        raw.to_the_end()
    ((begin, end, kept),) = it.skipped
    assert not kept
    assert raw.skipped == it.skipped
    assert begin >= MB // 2
    assert it.lines == [f"{number:015}" for number in _numbers(0, begin, end)]
    assert len(raw.content) == begin + log.stat().st_size - end
    answer = api.get(f"api/training-jobs/{job_id}/logs", params={"offset": begin}).json()
    assert (answer["offset"], answer["logs"][0]) == (end, f"{end // 16:015}")
    assert api.log(job_id, tail=1) == [f"{399_999:015}"]
    command = [sys.executable, "-m", "jupyter_training", "logs", "--tail", "400000", job_id]
    told = subprocess.run(command, env=home.env, cwd=home.path, capture_output=True, text=True)
    lines = told.stdout.splitlines()
    expected = [f"{number:015}" for number in _numbers(0, begin, end)]
    (hole,) = set(lines) - set(expected)
    assert "left out" in hole
    assert [line for line in lines if line != hole] == expected
    page = api.get(f"api/training-jobs/{job_id}/logs", params={"before": end, "lines": 9}).json()
    assert (page["next_offset"], page["logs"][-1]) == (begin, f"{begin // 16 - 1:015}")


def test_the_end_of_ten_gigabytes_is_there_at_once(api: Api, shared_home: Home) -> None:
    job_id = api.submit(python("print('first')"))["job_id"]
    api.ended(job_id)
    _grow(shared_home.data_dir / "jobs" / job_id / "attempt-1" / "output.log")
    assert api.log(job_id, tail=3) == ["line 97", "line 98", "line 99"]
    with stream(api, job_id) as it:
        it.to_the_end()
    assert it.lines == ["first", *(f"line {number}" for number in range(100))]
    assert [kept for _, _, kept in it.skipped] == [False]


def _grow(log: Path) -> None:
    with log.open("r+b") as file:
        file.seek(10 << 30)
        file.write(b"".join(b"line %d\n" % number for number in range(100)))


def _numbers(begin: int, hole: int, behind: int) -> list[int]:
    return [*range(begin, hole // 16), *range(behind // 16, 400_000)]


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment.removesuffix("Z")).replace(tzinfo=timezone.utc).timestamp()
