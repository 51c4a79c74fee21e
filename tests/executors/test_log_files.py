"""The files that a job's output goes to."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_training.engine import logs
from jupyter_training.engine.log_times import bursts, times
from jupyter_training.executors import log_files
from jupyter_training.executors.log_files import TIME, LogFile, log_name, times_name

MB = 1 << 20


def numbered(begin: int, end: int) -> bytes:
    return b"".join(b"%015d\n" % number for number in range(begin, end))


def test_ranks_have_logs_of_their_own() -> None:
    assert [log_name(rank) for rank in (None, 0, 3)] == [
        "output.log",
        "output-0.log",
        "output-3.log",
    ]
    assert times_name(log_name(3)) == "output-3.times"


def test_a_full_disk_leaves_a_notice_and_the_job_goes_on(tmp_path: Path) -> None:
    (tmp_path / "output.log").symlink_to("/dev/full")
    log = LogFile(str(tmp_path / "output.log"))
    log.write(b"x" * 100)
    ours = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(ours, log._file)
    os.close(ours)
    log.write(b"more\n")
    log.close()
    text = (tmp_path / "log").read_text()
    assert "100 bytes of output lost" in text
    assert text.endswith("more\n")


def test_beyond_its_limit_a_log_keeps_its_beginning_and_its_end_where_they_were(
    tmp_path: Path,
) -> None:
    path, whole = tmp_path / "output.log", numbered(0, 2_000_000)
    log = LogFile(str(path), 4 * MB)
    held = 0
    for at in range(0, len(whole), 65_536):
        log.write(whole[at : at + 65_536])
        held = max(held, path.stat().st_blocks * 512)
    log.close()
    assert path.stat().st_size == len(whole)
    assert held <= 4 * MB + 65_536 + 8192
    first = logs.read(path, 0, 10 * MB)
    assert first.content == whole[: len(first.content)]
    assert len(first.content) >= 2 * MB
    last = logs.read(path, first.end, 10 * MB)
    assert last.content == whole[last.offset :]
    assert len(last.content) >= 3 * MB // 2
    assert logs.tail(path, 2).lines == [f"{number:015}" for number in (1_999_998, 1_999_999)]


def test_where_there_can_be_no_hole_the_log_ends_at_its_limit_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    log = LogFile(str(path), MB)
    log._limit.broken = True  # as the kernel says on some network file systems
    for _ in range(20):
        log.write(b"x" * 65_536)
    log.close()
    content = path.read_bytes()
    assert content[:MB] == b"x" * MB
    assert f"the last {20 * 65_536 - MB} bytes of output left out".encode() in content[MB:]


def test_times_are_known_to_a_tenth_of_a_second_and_cost_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"old\n")
    log = LogFile(str(path))
    moments = [1000 + at / 64 for at in range(24)]  # for three eighths of a second
    clock = iter(moments)
    monkeypatch.setattr(log_files, "time", SimpleNamespace(time=lambda: next(clock)))
    log.write(b"one\n")
    for _ in moments[1:]:
        log.write(b"more\n")
    log.close()
    monkeypatch.undo()
    assert next(clock, None) is None
    beside = path.with_name("output.times")
    assert beside.stat().st_size / TIME.size == 4
    found = times(path, [0, 4, *range(8, 8 + 5 * 23, 5)])
    assert found[0] is None
    for written_at, told in zip(moments, found[1:], strict=True):
        assert told is not None
        assert written_at - 0.11 < told <= written_at


def test_a_record_of_a_time_that_a_kill_has_torn_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"one\ntwo\nthree\n")
    beside = path.with_name("output.times")
    beside.write_bytes(TIME.pack(0, 1.0) + TIME.pack(4, 2.0)[:9])
    assert times(path, [0, 4, 8]) == [1.0, 1.0, 1.0]
    log, began = LogFile(str(path)), time.time()
    log.write(b"four\n")
    log.close()
    assert beside.stat().st_size == 2 * TIME.size
    found = times(path, [0, 4, 14])
    assert found[:2] == [1.0, 1.0]
    assert found[2] is not None
    assert began - 1 <= found[2] <= time.time() + 1


def test_there_are_no_times_where_nobody_wrote_them(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"one\n")
    assert times(path, [0]) == [None]
    path.with_name("output.times").write_bytes(b"junk" * 3)
    assert times(path, [0]) == [None]
    assert times(path, []) == []


def test_what_a_job_puts_in_the_place_of_the_times_is_neither_waited_for_nor_followed(
    tmp_path: Path,
) -> None:
    path, elsewhere = tmp_path / "output.log", tmp_path / "elsewhere"
    beside = path.with_name("output.times")
    os.mkfifo(beside)
    assert times(path, [0]) == [None]
    assert bursts(path, 0, 4) == []
    beside.unlink()
    elsewhere.write_bytes(TIME.pack(0, 1.0))
    beside.symlink_to(elsewhere)
    assert times(path, [0]) == [None]
    assert bursts(path, 0, 4) == []


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_times_are_found_among_many(tmp_path: Path, count: int) -> None:
    path = tmp_path / "output.log"
    records = b"".join(TIME.pack(number * 10, float(number)) for number in range(count))
    path.with_name("output.times").write_bytes(records)
    starts = [0, 5, 10 * (count - 1), 10 * count + 7]
    assert times(path, sorted(starts)) == [
        float(min(start // 10, count - 1)) for start in sorted(starts)
    ]
