"""Values that a job runs with, and how they reach what it runs. Pure: texts in, texts out.

A job finds each of its parameters as a variable of its cell, as ``{lr}`` in its command, and in its
environment.
"""

from __future__ import annotations

import ast
import json
import keyword
import math
import re
from collections.abc import Iterable, Mapping

from jupyter_training.jobs.requests import as_text

Parameters = Mapping[str, str | int | float | bool | None]

VARIABLE = "JUPYTER_TRAINING_PARAMETERS"
"""In a job: all its parameters, as a JSON object."""

PREFIX = "JUPYTER_TRAINING_PARAM_"
"""In a job: what the variable of one parameter begins with; its name in capitals follows."""

MAX_NAME = 64

_FIELD = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|\{([A-Za-z_]\w*)\}")


def wrong_name(name: str) -> str | None:
    """Why this cannot be the name of a parameter; None if it can."""
    if not name.isidentifier() or keyword.iskeyword(name):
        return f"{name!r} is not the name of a variable, such as lr or batch_size"
    if not name.isascii() or len(name) > MAX_NAME:
        return f"{name!r} should have at most {MAX_NAME} letters, digits and _, without accents"
    if name == "script":
        return "script stands for the stored script in a command; choose another name"
    return None


def wrong_names(names: Iterable[str]) -> str | None:
    """Why these cannot be the names of parameters of one job; None if they can."""
    seen: dict[str, str] = {}
    for name in names:
        if told := wrong_name(name):
            return told
        if other := seen.get(name.upper()):
            both = f"{PREFIX}{name.upper()}"
            return f"{other} and {name} would both be {both} in the environment; rename one"
        seen[name.upper()] = name
    return None


def wrong_value(value: object) -> str | None:
    """Why this cannot be the value of a parameter; None if it can."""
    if isinstance(value, str):
        try:
            as_text(value)
        except ValueError as error:
            return str(error)
    if value is None or isinstance(value, str | bool | int):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value} is not a number that JSON can have"
    return f"a {type(value).__name__} is neither a number, a text, true, false nor null"


def named_in(word: str) -> list[str]:
    """The names that stand in braces in a word of a command."""
    return [found[2] for found in _FIELD.finditer(word) if found[2] and found[2] != "script"]


def filled(word: str, parameters: Parameters) -> str:
    """A word of a command with the values in the place of ``{lr}``.

    What is no parameter stays as it is, and ``{{lr}}`` becomes ``{lr}``.
    """

    def put(found: re.Match[str]) -> str:
        if found[1] in parameters:
            return f"{{{found[1]}}}"
        return str(parameters[found[2]]) if found[2] in parameters else found[0]

    return _FIELD.sub(put, word)


def variables(parameters: Parameters) -> dict[str, str]:
    """What a job finds of its parameters in its environment."""
    if not parameters:
        return {}
    each = {f"{PREFIX}{name.upper()}": str(value) for name, value in parameters.items()}
    return {VARIABLE: json.dumps(dict(parameters)), **each}


def assigned(text: str, parameters: Parameters) -> str:
    """A Python script with the values as its variables.

    Where the script itself assigns such a variable at its top level, as in ``lr = 0.1``, the first
    of these assignments is of the given value instead. The others stand before its first
    statement, behind what has to be at the beginning of a script.

    Raises
    ------
    SyntaxError
        If it is not Python.
    """
    if not parameters:
        return text
    tree = ast.parse(text)
    places = _assignments(tree, parameters)
    data = text.encode()
    starts = _starts_of_lines(data)
    for name, node in sorted(places.items(), key=lambda one: _position(one[1]), reverse=True):
        start = starts[node.lineno - 1] + node.col_offset
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        end = starts[node.end_lineno - 1] + node.end_col_offset
        kept = b"\n" * data.count(b"\n", start, end)  # the lines below keep their numbers
        value = repr(parameters[name]).encode()
        data = data[:start] + (b"(" + value + kept + b")" if kept else value) + data[end:]
    text = data.decode()
    others = [name for name in parameters if name not in places]
    if not others:
        return text
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    at = _first_line(tree, len(lines))
    added = "".join(f"{name} = {parameters[name]!r}\n" for name in others)
    before = "".join(lines[:at])
    if before and not before.endswith("\n"):
        before += "\n"
    return before + added + "".join(lines[at:])


def _assignments(tree: ast.Module, parameters: Parameters) -> dict[str, ast.expr]:
    """The value of the first assignment to each of these variables at the top level."""
    found: dict[str, ast.expr] = {}
    for statement in tree.body:
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            pairs = _pairs(statement.target, statement.value)
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            pairs = _pairs(statement.targets[0], statement.value)
        else:
            continue
        for target, value in pairs:
            if isinstance(target, ast.Name) and target.id in parameters:
                found.setdefault(target.id, value)
    return found


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """What is assigned to what, in ``lr = 0.1`` and in ``lr, batch = 0.1, 32``."""
    several = (ast.Tuple, ast.List)
    if not isinstance(target, several):
        return [(target, value)]
    starred = [*target.elts, *(value.elts if isinstance(value, several) else ())]
    if not isinstance(value, several) or any(isinstance(one, ast.Starred) for one in starred):
        return []
    return list(zip(target.elts, value.elts, strict=False))


def _position(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _starts_of_lines(data: bytes) -> list[int]:
    """Where the lines begin, as the parser counts them (in bytes)."""
    starts = [0]
    for line in re.split(rb"(?<=\n)|(?<=\r)(?!\n)", data):
        starts.append(starts[-1] + len(line))
    return starts


def _first_line(tree: ast.Module, count: int) -> int:
    """How many lines stand before the first statement that may be anywhere."""
    behind: int = 0
    for place, statement in enumerate(tree.body):
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        is_future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        if is_future or (place == 0 and is_text):
            behind = statement.end_lineno or statement.lineno
            continue
        decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
        first = min([statement.lineno, *(one.lineno for one in decorators)])
        return max(first - 1, behind)
    return count
