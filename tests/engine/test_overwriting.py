"""What a terminal would show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_training.engine.overwriting import Screen, lines

SHOWN = {
    "lines": (b"one\ntwo\n", ["one", "two"]),
    "no newline at the end": (b"one\ntwo", ["one", "two"]),
    "empty lines": (b"\n\none\n\n", ["", "", "one", ""]),
    "lines of Windows": (b"one\r\ntwo\r\n", ["one", "two"]),
    "a bar": (b" 10%|# |\r 50%|##|\r100%|##|\nend\n", ["100%|##|", "end"]),
    "a bar that ends in front": (b" 10%|#\r 20%|##\r", [" 20%|##"]),
    "a shorter text over a longer one": (b"loading data\rdone\n", ["doneing data"]),
    "erased to the end": (b"loading data\rdone\x1b[K\n", ["done"]),
    "erased as a whole": (b"loading\x1b[2K\rdone\n", ["done"]),
    "erased to the start": (b"abcdef\x1b[4G\x1b[1K\n", ["    ef"]),
    "backspace": (b"12%\b\b\b34%\n", ["34%"]),
    "colours": (b"\x1b[31mred\x1b[0m plain\n", ["\x1b[31mred\x1b[0m plain"]),
    "a bar with colours": (b"\x1b[32m#\x1b[0m 1\r\x1b[32m##\x1b[0m 2\n", ["\x1b[32m##\x1b[0m 2"]),
    "cursor hidden, title set": (b"\x1b[?25l\x1b]0;title\x07one\x1b[?25h\n", ["one"]),
    "two bars": (b"\ra 1\n\rb 1\x1b[A\ra 2\n\rb 2\x1b[A\ra 3\n\n", ["a 3", "b 2"]),
    "up further than there is": (b"a\n\x1b[99Ab\n", ["b"]),
    "not UTF-8": (b"caf\xe9 \xff\n", ["caf\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}"]),
    "half a character at the end": (b"\xe8\xae", ["\N{REPLACEMENT CHARACTER}"]),
    "half an escape sequence at the end": (b"a\x1b[3", ["a"]),
}


@pytest.mark.parametrize("what", SHOWN)
def test_it_is_shown_as_in_a_terminal(what: str) -> None:
    content, shown = SHOWN[what]
    assert lines(content) == shown


@pytest.mark.parametrize("what", SHOWN)
def test_it_is_the_same_in_single_bytes(what: str) -> None:
    content, shown = SHOWN[what]
    assert pieces([bytes([one]) for one in content]) == shown


@given(
    st.lists(
        st.one_of(
            st.sampled_from([b"\r", b"\n", b"\b", b"\x1b[A", b"\x1b[2K", b"\x1b[K", b"\x1b[5G"]),
            st.sampled_from([b"\x1b[31m", b"\x1b[3C", b"\x1b[J", b"\x1b[2B", "训".encode()]),
            st.binary(max_size=4),
        ),
        max_size=40,
    ),
    st.lists(st.integers(1, 9)),
)
def test_nothing_is_an_error_however_it_is_cut(parts: list[bytes], cuts: list[int]) -> None:
    content, chunks, at = b"".join(parts), [], 0
    for cut in [*cuts, len(content)]:
        chunks.append(content[at : at + cut])
        at += cut
    assert pieces(chunks) == lines(content)


def test_lines_of_plain_text_are_told_once_and_with_the_bytes_at_which_they_began() -> None:
    screen = Screen(100, starts=True)
    first = screen.feed("één\ntw".encode())
    assert (first.lines, first.starts, screen.partial, screen.resume) == (
        ["één"],
        [100],
        ["tw"],
        106,
    )
    second = screen.feed(b"o\nthree\n")
    assert (second.lines, second.starts, second.replaces) == (["two", "three"], [106, 110], 0)
    assert (screen.partial, screen.resume, screen.at) == ([], 116, 116)


def test_a_bar_of_hours_need_not_be_read_again_from_its_start() -> None:
    screen = Screen()
    for number in range(100_000):
        screen.feed(b"\r%6d" % number)
    assert screen.partial == [" 99999"]
    assert screen.at - screen.resume < 100
    again = Screen(screen.resume)
    again.feed(b"\r 99999")
    assert again.partial == screen.partial


def test_a_line_without_an_end_is_cut() -> None:
    screen, found = Screen(), []
    for _ in range(50):
        found += screen.feed(b"x" * 100_000).lines
    assert 1_000_000 < len(found[0]) < 1_300_000
    assert len(found) == 4


def pieces(chunks: list[bytes]) -> list[str]:
    screen, shown = Screen(starts=True), list[str]()
    updates = [screen.feed(chunk) for chunk in chunks]
    # The rest is only known at the end.
    for update in [*updates, screen.end()]:
        assert len(update.starts) == len(update.lines)
        del shown[max(0, len(shown) - update.replaces) :]
        shown += update.lines
    return shown
