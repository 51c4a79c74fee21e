"""What another attempt cannot cure is told from what can."""

from __future__ import annotations

import pytest

from jupyter_training.jobs.lifecycle import Cause
from jupyter_training.jobs.refusals import raised, refusal

ARGPARSE = [
    "usage: train.py [-h] [--epochs EPOCHS]",
    "train.py: error: unrecognized arguments: --epoch 3",
]
RAISED = ["Traceback (most recent call last):", '  File "/w/train.py", line 3, in <module>']


@pytest.mark.parametrize(
    ("exit_code", "lines", "cause", "told"),
    [
        (127, ["sh: 1: pyhton: not found"], Cause.LAUNCH_FAILED, "pyhton: not found"),
        (127, ["bash: line 1: pyhton: command not found"], Cause.LAUNCH_FAILED, "command not"),
        (126, ["sh: 1: ./train.sh: Permission denied"], Cause.LAUNCH_FAILED, "Permission denied"),
        (2, ARGPARSE, Cause.INVALID_ARGUMENTS, "unrecognized arguments: --epoch 3"),
        (2, ["Error: No such option: --epoch"], Cause.INVALID_ARGUMENTS, "No such option"),
        (2, ["grep: invalid option -- 'y'", "usage: grep ..."], Cause.INVALID_ARGUMENTS, "-- 'y'"),
        (
            2,
            ["python: can't open file '/w/trian.py': [Errno 2] No such file or directory"],
            Cause.LAUNCH_FAILED,
            "trian.py",
        ),
        (1, [*RAISED, "ModuleNotFoundError: No module named 'torhc'"], Cause.NOT_RUNNABLE, "torhc"),
        (1, [*RAISED, "NameError: name 'lr' is not defined"], Cause.NOT_RUNNABLE, "'lr'"),
        (
            1,
            [*RAISED, "    x = (", "        ^", "SyntaxError: '(' was never closed"],
            Cause.NOT_RUNNABLE,
            "(",
        ),
    ],
)
def test_a_refusal(exit_code: int, lines: list[str], cause: Cause, told: str) -> None:
    found = refusal(exit_code, lines)
    assert found is not None
    assert found[0] is cause
    assert told in found[1]


@pytest.mark.parametrize(
    ("exit_code", "lines"),
    [
        (1, ARGPARSE),
        (2, []),
        (2, ["Epoch 3/10 - loss: 0.12", "error: lost the connection"]),
        (127, ["Epoch 3/10 - loss: 0.12"]),
        (None, ["sh: 1: x: not found"]),
        (2, [*ARGPARSE, *["step"] * 30]),
        (1, [*RAISED, "ImportError: libcuda.so.1: cannot open shared object file"]),
        (1, [*RAISED, "KeyError: 'lr'"]),
        (1, ["SyntaxError: '(' was never closed"]),
        (3, [*RAISED, "NameError: name 'lr' is not defined"]),
    ],
)
def test_what_a_retry_may_cure_is_none(exit_code: int | None, lines: list[str]) -> None:
    assert refusal(exit_code, lines) is None


def test_what_a_script_raised_is_the_last_line_of_a_traceback() -> None:
    for last in ("KeyError: 'lr'", "my_model.errors.Diverged: loss is nan", "KeyboardInterrupt"):
        assert raised([*RAISED, "    fit()", last, ""]) == last
    assert raised([*RAISED, "\x1b[1;35mKeyError\x1b[0m: \x1b[35m'lr'\x1b[0m"]) == "KeyError: 'lr'"
    assert raised([*RAISED, "KeyError: '\x1b]0;title\x07'"]) == ""
    assert raised(["KeyError: 'lr'"]) == ""
    assert raised([*RAISED, "ValueError: several", "lines of it"]) == ""
    assert raised([*RAISED, "Epoch 3/10 - loss: 0.1"]) == ""
    assert raised([]) == ""
