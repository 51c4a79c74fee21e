"""What the options of a job become."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_training.notebook.options import Parser, UsageError, add_job_options, job_fields, words


def fields(line: str) -> dict[str, Any]:
    parser = Parser(prog="%%train")
    add_job_options(parser)
    return job_fields(parser.parse_args(words(line)))


def test_who_is_told_is_given_by_name_or_url() -> None:
    assert fields("--notify team --notify 'tgram://TOKEN/CHAT'") == {
        "notify": ["team", "tgram://TOKEN/CHAT"]
    }
    assert fields("") == {}


def test_on_which_occasions_holds_for_all_of_them() -> None:
    on = ["failed", "retrying"]
    assert fields("--notify a --notify b --notify-on failed,retrying") == {
        "notify": [{"to": "a", "on": on}, {"to": "b", "on": on}]
    }
    with pytest.raises(UsageError, match="--notify-on needs --notify"):
        fields("--notify-on failed")
