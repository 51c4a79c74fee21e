"""What is to be run, as the fields of a job: a cell, a script, a program, a notebook."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_training.jobs.contents import digest
from jupyter_training.jobs.placeholders import SCRIPT_PLACEHOLDER
from jupyter_training.notebook.client import Client, TrainingError
from jupyter_training.notebook.environment import environment
from jupyter_training.notebook.options import words


def recorded(
    client: Client,
    spec: dict[str, Any],
    *,
    snapshot: bool,
    say: Callable[[str], None],
    limit_mb: int | None = None,
) -> dict[str, Any]:
    """The fields of a job that tell what there is here and now; it is uploaded.

    Parameters
    ----------
    snapshot
        Whether the files of its directory belong to that.
    say
        Told what a person should know.
    limit_mb
        How large they may be together (MB); by default what the environment or the server says.
    """
    parts = [one for one in _with_stages(spec) if one.get("working_dir")]
    places = [Path(one["working_dir"]) for one in parts]
    if not places or not all(place.is_absolute() and place.is_dir() for place in places):
        return {}  # they are directories of the server, or of the image
    places = [place.resolve() for place in places]
    content = json.dumps(environment(places[0], spec.get("image"))).encode()
    fields: dict[str, Any] = {"environment": digest(content)}
    if client.missing_contents([fields["environment"]]):
        client.put_content(fields["environment"], content, len(content))
    if not snapshot:
        return fields
    scripts = [
        script
        for one, place in zip(parts, places, strict=True)
        for script in _scripts_in(one.get("command"), place)
    ]
    # Only who submits needs it, and it takes a tenth of a second.
    from jupyter_training.notebook.snapshot_upload import upload

    directories = [*places, *(path.parent for path in scripts)]
    fields["snapshot"] = upload(client, list(dict.fromkeys(directories)), scripts, say, limit_mb)
    # The names that a job finds in its copy are those without links.
    if spec.get("working_dir"):
        fields["working_dir"] = str(places[0])
    if spec.get("stages"):
        fields["stages"] = _without_links(spec["stages"])
    return fields


def _with_stages(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A job and its stages, which may have stages themselves."""
    yield spec
    stages = spec.get("stages")
    for one in stages if isinstance(stages, list) else ():  # else the server tells what is wrong
        if isinstance(one, dict):
            yield from _with_stages(one)


def _without_links(stages: Any) -> Any:
    """Stages with the real names of their directories."""
    if not isinstance(stages, list):
        return stages
    found = []
    for one in stages:
        if isinstance(one, dict):
            one = {**one, "stages": _without_links(one["stages"])} if "stages" in one else one
            if one.get("working_dir"):
                one = {**one, "working_dir": str(Path(one["working_dir"]).resolve())}
        found.append(one)
    return found


def _scripts_in(command: object, directory: Path) -> list[Path]:
    """The Python files and notebooks that a command names."""
    argv = words(command) if isinstance(command, str) else command
    found = []
    for word in argv if isinstance(argv, list) else ():
        if isinstance(word, str) and word.endswith((".py", ".ipynb")):
            with contextlib.suppress(OSError, ValueError):  # it may be anything but a name
                if (directory / word).is_file():
                    found.append((directory / word).resolve())
    return found


def working_dir(asked: str | None, image: str | None = None) -> str:
    """The directory in which a job is to run: this one, or what was asked for, as seen from here.

    Parameters
    ----------
    image
        The container image that it runs in; then it may be a directory that only the image has.

    Raises
    ------
    TrainingError
        If there is no such directory.
    """
    found = os.path.abspath(Path(asked or "").expanduser())
    if os.path.isdir(found):
        return found
    if asked and image is not None:
        return asked
    raise TrainingError(f"There is no directory {found}.")


def of_command(
    argv: Sequence[str], image: str | None = None, cwd: str | None = None
) -> dict[str, Any]:
    """The fields of a job that runs a program, or a Python script, here.

    Parameters
    ----------
    image
        The container image that it runs in, if it does: with that image's own Python.
    cwd
        Where it runs, and what the path of a script is relative to; by default the current
        directory.
    """
    argv, where = list(argv), working_dir(cwd, image)
    if not argv or not argv[0]:
        raise TrainingError("What should be run? Name a script or a program.")
    if argv[0].endswith(".ipynb"):
        if cwd is not None:
            raise TrainingError(
                f"{argv[0]} runs in its own directory; name it by its path, and no other directory."
            )
        if len(argv) > 1:
            told = f"{argv[0]} takes no arguments, but parameters: -p NAME VALUE before its name"
            raise TrainingError(f"{told}, not {argv[1]!r} after it.")
        return of_notebook(argv[0], (), image)
    if argv[0].endswith(".py"):
        script = Path(argv[0]).expanduser()
        if os.path.isdir(where):
            if not (where / script).is_file():
                raise TrainingError(f"There is no script {where / script}.")
            argv[0] = _path_from(where, script)
        python = sys.executable if image is None else "python3"
        name, argv = script.stem, [python, *argv]
    else:
        scripts = [Path(word).stem for word in argv[1:] if word.endswith(".py")]
        name = (scripts or [Path(argv[0]).name])[0]
        argv[0] = argv[0] if image is not None else _program(argv[0])
    return {"name": name, "command": argv, "working_dir": where}


def of_fields(argv: Sequence[str], fields: Mapping[str, Any], image: object) -> dict[str, Any]:
    """The fields of a job that runs a program, with what is said of it besides.

    A ``working_dir`` that is a directory here is where its script is, too.
    """
    place = fields.get("working_dir")
    is_here = isinstance(place, str) and os.path.isdir(Path(place).expanduser())
    image = image if isinstance(image, str) else None
    spec = {**of_command(argv, image, place if is_here else None), **fields}
    return {**spec, "working_dir": working_dir(place)} if is_here else spec


def of_notebook(
    path: str | os.PathLike[str], parameters: Sequence[Sequence[str]], image: str | None = None
) -> dict[str, Any]:
    """The fields of a job that runs a notebook from its first cell to its last.

    Parameters
    ----------
    path
        The notebook. It runs in its own directory.
    parameters
        Names and values.
    """
    notebook = Path(path).expanduser().absolute()
    if not notebook.is_file():
        raise TrainingError(f"There is no notebook {notebook}.")
    if image is None and importlib.util.find_spec("papermill") is None:
        raise TrainingError(
            "To run a notebook as a job, install papermill in this environment: pip install "
            "'jupyter-training[notebook]'"
        )
    for name, _ in parameters:
        if not name.isidentifier():
            raise TrainingError(f"-p {name}: {name!r} is not the name of a variable.")
    given = [word for name, value in parameters for word in ("-p", name, value)]
    python = sys.executable if image is None else "python3"
    runner = [python, "-m", "jupyter_training.run_notebook"]
    return {
        "name": notebook.stem,
        "command": [*runner, notebook.name, *given],
        "working_dir": str(notebook.parent),
    }


def _path_from(directory: str, script: Path) -> str:
    """The path of a script from a directory, whose copy has another path."""
    real, place = (directory / script).resolve(), Path(directory).resolve()
    if script.is_absolute() or not real.is_relative_to(place):
        return os.path.relpath(real, place)
    return str(script)


def of_cell(
    text: str, name: str | None, image: str | None = None, cwd: str | None = None
) -> dict[str, Any]:
    """The fields of a job that runs the text of a cell in this Python environment, or an image's.

    Raises
    ------
    TrainingError
        If the text is not Python.
    """
    try:
        compile(text, "cell.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        where = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise TrainingError(
            f"This cell is not a Python script: {where}{said}. A job runs outside of the "
            "notebook, so lines with % or ! cannot be in it."
        ) from None
    return {
        "name": name or notebook_name() or "cell",
        "command": ["python3" if image is not None else sys.executable, SCRIPT_PLACEHOLDER],
        "script": {"name": "cell.py", "text": text},
        "working_dir": working_dir(cwd, image),
    }


def notebook_name() -> str:
    """The name of this kernel's notebook; empty if that is not known."""
    name = Path(os.environ.get("JPY_SESSION_NAME", "")).name
    return Path(name.removeprefix("RTC:")).stem


def with_values(
    spec: dict[str, Any], inputs: dict[str, str], outs: Sequence[str]
) -> dict[str, Any]:
    """The fields of a job that runs a Python script with variables, and gives some back.

    Parameters
    ----------
    inputs
        By the names of the variables, what was uploaded.
    outs
        The names of those that are given back.
    """
    python, *script = spec["command"]
    runner = [python, "-m", "jupyter_training.values", "script", ",".join(outs)]
    return {**spec, "command": [*runner, *script], "variables": inputs}


def _program(word: str) -> str:
    if re.fullmatch(r"python[\d.]*", word):
        return sys.executable
    # The search path of this kernel or terminal is not that of the server.
    return shutil.which(word) or word
