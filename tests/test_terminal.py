"""Tables in terminals that are too narrow for them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rich.text import Text

from jupyter_training.notebook.tables import Table
from jupyter_training.terminal import print_error, print_table

ID = "job-5f2c81d09e3a"
NAME = "bert-large-uncased-finetuned-squad-[red]"
REASON = "waits for 4 GPUs (1 free), held by resnet50, lr-sweep; starts in about 1 h 12 min"


class Jobs(Table):
    columns = ("job", "name", "status", "progress", "reason")
    below = ("reason",)
    shortened = ("name",)
    rows: Sequence[Sequence[str]] = (
        (ID, NAME, "running", "45 %, about 5 to 8 min left", ""),
        ("job-0a2c81d09e3b", "failed", "pending", "0 %", REASON),
    )


@pytest.mark.parametrize("width", [70, 80, 120])
def test_a_table_that_is_too_wide_has_its_sentences_below_the_rows(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(Jobs())
    shown = Text.from_ansi(capsys.readouterr().out).plain
    lines = [line.rstrip() for line in shown.splitlines()]
    assert max(map(len, lines)) <= width
    row = next(line for line in lines if line.startswith(ID))
    assert "running" in row
    assert "45 %, about 5 to 8 min left" in row
    assert any("failed" in line and "queued" in line for line in lines)
    assert (NAME in row) == (width == 120)
    assert " ".join(REASON.split()) in " ".join(shown.split())
    assert lines[-1].startswith("  ")


class Evil(Jobs):
    rows = ((ID, "a\x1b]0;mine\x07b", "running", "0 %", "one\n\ttwo\x1b[2J"),)


@pytest.mark.parametrize("colour", ["", "1"])
@pytest.mark.parametrize("width", [60, 200])
def test_what_others_have_written_does_nothing_to_a_terminal(
    width: int, colour: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", colour)
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(Evil())
    shown = capsys.readouterr().out
    assert r"\x1b]0;mine\x07b" in shown
    assert r"one two\x1b[2J" in " ".join(shown.split())
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert "\x07" not in shown


def test_a_table_that_fits_and_one_for_a_program_have_all_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(Jobs())
    assert capsys.readouterr().out.splitlines()[2].endswith(REASON)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    print_table(Jobs())
    shown = Text.from_ansi(capsys.readouterr().out).plain
    assert any(REASON in line and "job-0a2c81d09e3b" in line for line in shown.splitlines())


def test_of_an_error_no_word_is_torn_apart_on_a_terminal_and_no_line_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "jupyter training: there is no job " + ", ".join(["job-0a2c81d09e3b"] * 5)
    print_error(text)
    assert capsys.readouterr().err == f"{text}\n"
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    print_error(text)
    lines = Text.from_ansi(capsys.readouterr().err).plain.splitlines()
    assert len(lines) > 1
    assert " ".join(" ".join(lines).split()) == text
