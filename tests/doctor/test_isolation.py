"""What is looked at may hang, crash or fail, and that is an answer too."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_training.doctor.isolation import Look, NoAnswer
from tests.patience import PATIENCE_S

ENOUGH_S = PATIENCE_S


def test_what_is_found_comes_back() -> None:
    looks = [Look(divmod, number, 3, timeout_s=ENOUGH_S) for number in range(3)]
    assert [look.result() for look in looks] == [(0, 0), (0, 1), (0, 2)]


def test_it_is_a_process_of_its_own_and_what_it_prints_is_no_answer() -> None:
    pid = Look(os.getpid, timeout_s=ENOUGH_S).result()
    assert isinstance(pid, int)
    assert pid != os.getpid()
    assert Look(print, "loud", timeout_s=ENOUGH_S).result() is None


@pytest.mark.parametrize(
    ("function", "argument", "words"),
    [
        (int, "three", "failed (ValueError: invalid literal for int() with base 10: 'three')"),
        (os._exit, 3, "ended without an answer (exit code 3)"),
        (os.abort, None, "ended without an answer (SIGABRT)"),
        (os.fdopen, 0, "failed (TypeError: "),  # what pickle does not know
        (exit, 1, "failed (SystemExit: 1)"),
    ],
)
def test_what_fails_or_crashes_is_told(
    function: Callable[..., Any], argument: Any, words: str
) -> None:
    arguments = () if argument is None else (argument,)
    answer = Look(function, *arguments, timeout_s=ENOUGH_S).result()
    assert isinstance(answer, NoAnswer)
    assert answer.words.startswith(words)
    assert not answer.is_silent


def test_what_hangs_is_not_waited_for() -> None:
    looks = [Look(time.sleep, 600, timeout_s=0.5) for _ in range(2)]
    for look in looks:
        assert look.result() == NoAnswer("gave no answer within 0.5 s", is_silent=True)
        assert look._process.poll() is not None
