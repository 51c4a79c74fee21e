"""Run a notebook as a job: ``python -m jupyter_training.run_notebook NOTEBOOK [-p NAME VALUE]…``.

It runs in the environment of the job, and papermill does the work. The executed notebook is among
the results after each cell, also when the job fails or is cancelled, and whoever reads it there
never sees half of one. The progress is how many of its cells with code are done.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from jupyter_training import report

VARIABLE = "JUPYTER_TRAINING_NOTEBOOK"
"""In the notebook that runs as a job: which one it is."""

_SCHEME = "whole://"

_START_S, _OUTPUT_S = 600, 60
"""How long a kernel may take until it is ready, and until what a cell has put out has come (s).

Usually that is a moment; on a machine that trains it may be long.
"""


def value_of(text: str) -> Any:
    """A parameter as it was written: a number, true, false, none, or else a text.

    It is JSON where that can be: ``[1, 2]`` is a list.
    """
    words: dict[str, Any] = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    if text[:1] in ("[", "{", '"'):
        try:
            return json.loads(text)
        except ValueError:
            pass
    return text


def main(argv: list[str]) -> int:
    """Run it.

    Returns
    -------
    int
        The exit code.
    """
    notebook, parameters = _words(argv)
    try:
        import papermill
        from papermill.exceptions import PapermillExecutionError
    except ImportError as error:
        # As a shell says it, whose word for it is that another attempt is of no use.
        print(
            f"{error}\n"
            "to run a notebook there have to be papermill and ipykernel where the job runs, in a "
            "container in its image (pip install papermill ipykernel), and "
            f"{error.name or 'papermill'} was not found",
            file=sys.stderr,
        )
        return 127
    _register()
    directory = os.environ.get("JUPYTER_TRAINING_OUTPUT_DIR", ".")
    target = os.path.join(directory, os.path.basename(notebook))
    os.environ[VARIABLE] = notebook
    kernel, language = _kernel_of(notebook)
    try:
        papermill.execute_notebook(
            _literal(notebook),
            _SCHEME + _literal(target),
            # What a search tries counts more than what was written for all of its trials.
            parameters={**parameters, **_of_this_job()},
            engine_name="jupyter_training",
            kernel_name=kernel,
            language=language,
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            start_timeout=_START_S,
            iopub_timeout=_OUTPUT_S,
        )
    except PapermillExecutionError as error:
        print(error, file=sys.stderr)
        print(f"The notebook as far as it came: {target}", file=sys.stderr)
        return 1
    print(f"The executed notebook: {target}")
    return 0


def _words(argv: list[str]) -> tuple[str, dict[str, Any]]:
    notebook, rest = argv[0], argv[1:]
    parameters = {}
    while rest:
        option, name, value, *rest = rest
        assert option == "-p"
        parameters[name] = value_of(value)
    return notebook, parameters


def _of_this_job() -> dict[str, Any]:
    """The parameters of this job, as those of a trial."""
    given = os.environ.get("JUPYTER_TRAINING_PARAMETERS")
    found: dict[str, Any] = json.loads(given) if given else {}
    return found


def _literal(path: str) -> str:
    """A path in which papermill replaces nothing."""
    return path.replace("{", "{{").replace("}", "}}")


def _kernel_of(notebook: str) -> tuple[str, str]:
    """Which kernel it is to have, and its language: for Python, that of this environment.

    One that nobody has opened yet, as programs write them, says nothing and is of Python.
    """
    metadata = json.loads(Path(notebook).read_text(encoding="utf-8")).get("metadata", {})
    spec = metadata.get("kernelspec", {})
    language = metadata.get("language_info", {}).get("name")
    language = str(spec.get("language") or language or "python").lower()
    return ("python3" if language == "python" else str(spec.get("name", language))), language


class _WholeFiles:
    """Writes files that are whole whenever somebody looks."""

    def write(self, text: str, path: str) -> None:
        """Write one."""
        target = path[len(_SCHEME) :]
        draft = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.draft")
        with open(draft, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(draft, target)

    def pretty_path(self, path: str) -> str:
        """What it is called."""
        return path[len(_SCHEME) :]


def _register() -> None:
    """Tell papermill how to write, and what to do after each cell."""
    from papermill.engines import NBClientEngine, papermill_engines
    from papermill.iorw import papermill_io

    class Engine(NBClientEngine):  # type: ignore[misc]
        """Reports which cells are done."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
            total = max(1, sum(cell.cell_type == "code" for cell in nb_man.nb.cells))
            completed, failed, done = nb_man.cell_complete, nb_man.cell_exception, 0
            has_failed = False

            def fail(cell: Any, **more: Any) -> None:
                nonlocal has_failed
                has_failed = True  # it is said to be complete all the same
                failed(cell, **more)

            def complete(cell: Any, cell_index: Any = None, **more: Any) -> None:
                nonlocal done
                completed(cell, cell_index=cell_index, **more)
                if cell.cell_type == "code" and not has_failed:
                    done += 1
                    print(f"Cell {done} of {total} is done", flush=True)
                    report(progress=done / total)  # type: ignore[operator]

            nb_man.cell_complete, nb_man.cell_exception = complete, fail
            return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)

    papermill_io.register(_SCHEME, _WholeFiles())
    papermill_engines.register("jupyter_training", Engine)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
