"""Whatever the arguments of a script are, they arrive as they were written."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_training.cli import _parser
from jupyter_training.jobs.children import parse
from jupyter_training.notebook.magic_options import script_parser
from jupyter_training.notebook.options import words
from tests.conftest import Server
from tests.notebook.conftest import Kernel

NASTY = [
    *("--lr", "-1e-3", "--name=my job", "two words", "", " ", "--", "-", "---", "-h", "--help"),
    *("--gpus", "--json", "--wait", "--notebook", "-p", "$HOME", "${x}", "{x}", "{script}", "{{}}"),
    *("# no comment", "a'b", 'a"b', "a\\b", "\\", "`id`", "$(id)", "*", "~", "!ls", "%time", "a?"),
    *("é", "漢字", "🙂", "\t", ";", "&&", "|", ">out", "a=b=c", "@file", "train.py", "%%train"),
]

# What a line of a notebook cannot hold: it would be two of them, or no text.
in_a_line = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=20)
anything = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
options = st.lists(
    st.sampled_from([["--gpus", "1"], ["--name=x y"], ["--wait"], ["-e", "A=--b"], ["-d", "1"]]),
    max_size=3,
)


@given(st.lists(st.sampled_from(NASTY) | in_a_line, max_size=8), options)
@example(["--"], [])
@example(["--", "--gpus", "1", "--"], [["--wait"]])
def test_arguments_survive_the_line_of_a_magic(
    arguments: list[str], before: list[list[str]]
) -> None:
    line = shlex.join([*(word for several in before for word in several), "train.py", *arguments])
    parsed = script_parser().parse_args(words(line))
    assert (parsed.script, parsed.arguments) == ("train.py", arguments)
    assert parsed.wait is (["--wait"] in before)


@given(st.lists(st.sampled_from(NASTY) | anything, max_size=8), options)
@example(["--"], [])
@example(["--", "--gpus", "1", "--"], [])
def test_arguments_survive_the_command_line(arguments: list[str], before: list[list[str]]) -> None:
    given_options = [word for several in before for word in several if word != "--wait"]
    parsed = _parser().parse_args(["run", *given_options, "train.py", *arguments])
    assert (parsed.script, parsed.arguments) == ("train.py", arguments)


@given(st.lists(st.sampled_from(NASTY) | anything, max_size=8))
def test_arguments_survive_the_rest_interface(arguments: list[str]) -> None:
    command = ["python", "train.py", *arguments]
    for given_command in (command, shlex.join(command)):
        spec = parse({"name": "x", "command": given_command})
        assert spec.argv(None) == command


def test_they_are_what_the_script_finds(
    server: Server, kernel_of: Callable[[Server], Kernel]
) -> None:
    work = server.home.path / "work"
    (work / "argv.py").write_text("import json, sys; print(json.dumps(sys.argv[1:]))\n")
    kernel = kernel_of(server)
    kernel.run("%load_ext jupyter_training\nx = HOME = 'expanded'")
    small = ["--cpus", "1", "--memory", "1"]
    in_line = [word for word in NASTY if word != "\t"]
    kernel.run(f"%train {shlex.join([*small, '--name', 'by magic', 'argv.py', *in_line])}")
    # The variables of the notebook go with it, on another way to the same script.
    kernel.run(
        f"%train {shlex.join([*small, '--in', 'x', '--name', 'with values', 'argv.py', *in_line])}"
    )
    by_terminal = subprocess.run(
        [
            *(sys.executable, "-m", "jupyter_training", "submit", *small),
            *("--name", "by terminal", "argv.py", *NASTY, "a\nb"),
        ],
        env=server.home.env,
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    assert by_terminal.returncode == 0, by_terminal.stderr
    command = [sys.executable, "argv.py", *NASTY, "a\nb"]
    server.api.submit(command, name="by REST")
    server.api.submit(shlex.join(command), name="by REST as a text")
    for name, expected in (
        ("by magic", in_line),
        ("with values", in_line),
        ("by terminal", [*NASTY, "a\nb"]),
        ("by REST", [*NASTY, "a\nb"]),
        ("by REST as a text", [*NASTY, "a\nb"]),
    ):
        (job,) = [
            one
            for one in server.api.get(f"api/training-jobs?q={name}").json()
            if one["name"] == name
        ]
        assert server.api.ended(job["job_id"])["status"] == "completed", name
        assert json.loads(server.api.log(job["job_id"])[-1]) == expected, name
