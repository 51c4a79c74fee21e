"""How parameters reach what a job runs."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_training.jobs import parameters

SCRIPT = '''"""What it does."""

from __future__ import annotations

import os

# parameters
lr = float(
    "0.1"
)  # the rate
batch, layers = 32, [1, 2]
wide: bool = False
lr = lr * 2
'''


def values_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(compile(text, "cell.py", "exec"), found)
    return found


def test_the_first_assignment_of_a_script_is_replaced_and_the_lines_stay_where_they_were() -> None:
    text = parameters.assigned(SCRIPT, {"lr": 0.25, "layers": 7, "wide": True})
    found = values_of(text)
    assert (found["lr"], found["batch"], found["layers"], found["wide"]) == (0.5, 32, 7, True)
    lines, before = text.splitlines(), SCRIPT.splitlines()
    assert len(lines) == len(before)
    assert lines.index("lr = lr * 2") == before.index("lr = lr * 2")


def test_what_a_script_does_not_assign_stands_before_its_first_statement() -> None:
    text = parameters.assigned(SCRIPT, {"opt": 'it\'s "adam"', "none": None})
    lines = text.splitlines()
    assert lines[:3] == SCRIPT.splitlines()[:3]
    assert lines[4:6] == ["""opt = 'it\\'s "adam"'""", "none = None"]
    assert values_of(text)["opt"] == 'it\'s "adam"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "@staticmethod\ndef f(): pass",
        "ä = 'é'; lr = 2; print(lr)",
        "lr = 1\r\nprint(lr)\r\n",
        "s = '\u2028'\nlr = 2",
        "from __future__ import annotations; x = 1",
        "if True:\n    lr2 = 1",
        "a = lr = 3",
        "first, *rest = 1, 2",
        "(lr, b), c = (1, 2), 3",
    ],
)
def test_whatever_a_script_looks_like_it_stays_one(text: str) -> None:
    found = values_of(parameters.assigned(text, {"lr": 0.5, "q": 1}))
    assert found["q"] == 1
    if text not in ("a = lr = 3", "(lr, b), c = (1, 2), 3"):
        assert found["lr"] == 0.5


def test_what_stands_in_braces_is_filled_in() -> None:
    given: dict[str, Any] = {"lr": 1e-5, "opt": "adam"}
    words = ["--lr={lr}", "{opt}-{lr}", "{{lr}}", "{x}", "{{x}}", '{"a": {"b": 1}}', "{script}"]
    assert [parameters.filled(word, given) for word in words] == [
        *("--lr=1e-05", "adam-1e-05", "{lr}", "{x}", "{{x}}", '{"a": {"b": 1}}', "{script}")
    ]
    assert parameters.named_in("{lr}{{no}} {script} {1x} {b}") == ["lr", "b"]


def test_the_environment_has_each_and_all() -> None:
    assert parameters.variables({}) == {}
    assert parameters.variables({"lr": 0.5, "Wide": True}) == {
        "JUPYTER_TRAINING_PARAMETERS": '{"lr": 0.5, "Wide": true}',
        "JUPYTER_TRAINING_PARAM_LR": "0.5",
        "JUPYTER_TRAINING_PARAM_WIDE": "True",
    }
