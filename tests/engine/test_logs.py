"""Reading a log by its last lines, or on from an offset."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_training.engine import logs
from jupyter_training.engine.logs import Page


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


def test_one_that_is_not_there_yet_is_empty(log: Path) -> None:
    assert logs.tail(log, 10) == Page([], 0, 0)
    assert logs.page(log, 7, complete=False) == Page([], 7, 7)


@pytest.mark.parametrize(
    ("content", "count", "lines"),
    [
        (b"", 3, []),
        (b"a\nb\nc\n", 2, ["b", "c"]),
        (b"a\nb\nc", 2, ["b", "c"]),
        (b"a\nb\n", 9, ["a", "b"]),
        (b"a\n\n\n", 2, ["", ""]),
        (b"a\nb\n", 0, []),
        (b" 10%|#\r 20%|##\r", 1, [" 20%|##"]),
        (b"caf\xe9\n", 1, ["caf\N{REPLACEMENT CHARACTER}"]),
    ],
)
def test_the_last_lines(log: Path, content: bytes, count: int, lines: list[str]) -> None:
    log.write_bytes(content)
    assert logs.tail(log, count).lines == lines


def test_the_last_lines_of_a_long_log_are_far_from_its_beginning(log: Path) -> None:
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(300_000)))
    page = logs.tail(log, 2)
    assert page.lines == ["line 299998", "line 299999"]
    assert page.next_offset == log.stat().st_size


def test_a_line_of_many_megabytes_is_bounded(log: Path) -> None:
    log.write_bytes(b"x" * (3 * logs.PAGE_BYTES))
    assert len(logs.tail(log, 5).lines[0]) <= logs.PAGE_BYTES
    page = logs.page(log, 0, complete=False)
    assert page.next_offset == logs.PAGE_BYTES


def test_a_line_that_is_still_printed_comes_later_and_whole(log: Path) -> None:
    log.write_bytes(b"one\ntw")
    assert logs.tail(log, 9) == Page(["one", "tw"], 0, 4, 6, [0, 4])
    assert logs.page(log, 4, complete=False) == Page([], 4, 4, 6)
    assert logs.page(log, 4, complete=True) == Page(["tw"], 4, 6, 6, [4])
    log.write_bytes(b"one\ntwo\n")
    assert logs.page(log, 4, complete=False) == Page(["two"], 4, 8, 8, [4])


def test_pages_backwards_have_every_line_once(log: Path) -> None:
    told = [f"line {number}" for number in range(1000)]
    log.write_text("".join(f"{line}\n" for line in told))
    found: list[str] = []
    at: int | None = None
    while at != 0:
        page = logs.before(log, at, 7)
        assert page.size == log.stat().st_size
        found, at = page.lines + found, page.offset
    assert found == told
    assert logs.page(log, page.next_offset, complete=True, count=3).lines == told[6:9]


def test_the_end_of_ten_gigabytes_and_what_is_behind_a_hole_are_found_at_once(log: Path) -> None:
    size = 10_000_000_000
    with log.open("wb") as file:
        file.write(b"first\n" + b"x" * 10_000)
        file.seek(size)
        file.write(b"".join(b"line %d\n" % number for number in range(50)))
    began = time.process_time()
    assert logs.tail(log, 2).lines == ["line 48", "line 49"]
    assert len(logs.tail(log, 1000).lines) == 50
    first = logs.page(log, 0, complete=False)
    assert first.lines[0] == "first"
    rest = logs.page(log, first.next_offset, complete=False)  # a line without an end
    behind = logs.page(log, rest.next_offset, complete=False)
    assert (behind.offset, behind.lines[0]) == (size, "line 0")
    assert logs.before(log, 6, 5).lines == ["first"]
    assert time.process_time() - began < 1


def test_who_follows_can_begin_with_more_than_a_page(log: Path) -> None:
    line = b"%063d\n"
    log.write_bytes(b"".join(line % number for number in range(60_000)))
    assert logs.start_of_tail(log, 50_000) == 10_000 * 64
    log.write_bytes(b"x" * (3 * logs.PAGE_BYTES))
    assert logs.start_of_tail(log, 100) == 2 * logs.PAGE_BYTES


def test_pages_backwards_jump_over_a_hole_to_what_is_before_it(log: Path) -> None:
    head = "".join(f"head {number:04}\n" for number in range(4096)).encode()
    behind = 5_000_000_000 // 65_536 * 65_536
    with log.open("wb") as file:
        file.write(head)
        file.seek(behind)
        file.write(b"".join(b"end %d\n" % number for number in range(9)))
    last = logs.tail(log, 9)
    assert (last.offset, len(last.lines)) == (behind, 9)
    hole = logs.read(log, 0, 1 << 20).end
    # At the end of the hole, and within it.
    for at in (behind, behind - 1, 1_000_000_000, hole + 1):
        page = logs.before(log, at, 2)
        assert (page.lines, page.next_offset) == (["head 4094", "head 4095"], hole)
    assert logs.before(log, page.offset, 1).lines == ["head 4093"]
    with log.open("r+b") as file:
        file.truncate(0)
        file.seek(behind)
        file.write(b"end\n")
    assert logs.before(log, behind, 2) == Page([], 0, 0, behind + 4)


@given(st.lists(st.text("ab\r ", max_size=5)), st.lists(st.integers(1, 9)))
def test_however_it_grows_every_line_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], sizes: list[int]
) -> None:
    log = tmp_path_factory.mktemp("log") / "output.log"
    content = "".join(f"{line}\n" for line in lines).encode()
    whole: list[str] = []
    offset = written = 0
    for size in [*sizes, len(content)]:
        written = min(written + size, len(content))
        log.write_bytes(content[:written])
        page = logs.page(log, offset, complete=written == len(content))
        whole += page.lines
        offset = page.next_offset
    assert len(whole) == len(lines)
    assert offset == len(content)
