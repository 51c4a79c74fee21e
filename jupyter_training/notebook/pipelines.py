"""Pipelines, put together in Python, in cells of a notebook, or in a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from jupyter_training.notebook import jobs, specs
from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.job import Job
from jupyter_training.notebook.options import UsageError, words
from jupyter_training.notebook.tables import PlanTable


class Pipeline:
    """Jobs of which some go after others, and find what those have left.

    Each stage finds the results of those that it goes after in ``JUPYTER_TRAINING_INPUTS``, under
    their names. Stages that do not wait for each other run side by side.

    Parameters
    ----------
    name
        What you call it.
    **fields
        What holds for each stage that says nothing else, such as ``cpu_cores``, ``env_vars`` or
        ``cache=True``; and ``priority``.

    Examples
    --------
    >>> pipeline = (  # doctest: +SKIP
    ...     Pipeline("digits", cpu_cores=2)
    ...     .stage("prepare", "python prepare.py")
    ...     .stage("fit", "python fit.py", after="prepare", gpu_count=1)
    ... )
    >>> job = pipeline.submit()  # doctest: +SKIP
    """

    def __init__(self, name: str, **fields: Any) -> None:
        self.name, self._fields = name, fields
        self._stages: dict[str, dict[str, Any]] = {}

    def stage(
        self,
        name: str,
        command: str | Sequence[str],
        *,
        after: str | Iterable[str] = (),
        **fields: Any,
    ) -> Pipeline:
        """Add a stage, or put it in the place of an earlier one of this name.

        Parameters
        ----------
        name
            What the others call it.
        command
            As for `submit`.
        after
            The name of the stage that has to complete before it, or the names of several.
        **fields
            The other fields of a job, such as ``gpu_count``.

        Returns
        -------
        Pipeline
            This one, for the next stage.
        """
        argv = words(command) if isinstance(command, str) else list(command)
        image = fields.get("image", self._fields.get("image"))
        return self.add(name, specs.of_fields(argv, fields, image), after)

    def add(self, name: str, spec: dict[str, Any], after: str | Iterable[str] = ()) -> Pipeline:
        """Add a stage that is described as a JobSpec is."""
        names = [after] if isinstance(after, str) else list(after)
        self._stages[name] = {**spec, "name": name, "depends_on": names}
        return self

    @property
    def stages(self) -> frozenset[str]:
        """The names of its stages."""
        return frozenset(self._stages)

    @property
    def spec(self) -> dict[str, Any]:
        """What the REST interface is asked for."""
        stages = list(self._stages.values())
        return {"job_type": "pipeline", **self._fields, "name": self.name, "stages": stages}

    def submit(self) -> Job:
        """Submit it.

        Raises
        ------
        TrainingError
            If it cannot be run; the text names every field and every stage that is wrong.
        """
        return jobs.send(self.spec)

    def __repr__(self) -> str:
        return f"{self.name}\n{self.table!r}"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()

    @property
    def table(self) -> PlanTable:
        """Its stages, as a table."""
        return PlanTable(list(self._stages.values()))


def of_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a file asks for: a pipeline, or another job, in YAML or JSON, as in the REST interface.

    Paths and scripts in it are relative to its directory, and ``python`` is the Python of this
    kernel or terminal.

    Raises
    ------
    TrainingError
        If it cannot be read, or holds something else.
    """
    file = Path(path).expanduser().absolute()
    try:
        spec = yaml.safe_load(file.read_text(encoding="utf-8"))  # JSON is YAML
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise TrainingError(f"{file} cannot be read: {told}.") from None
    except yaml.YAMLError as error:
        raise TrainingError(f"{file} is neither YAML nor JSON: {error}") from None
    if not isinstance(spec, dict):
        raise TrainingError(f"{file} does not describe a job: it should have at least a name.")
    return _located({"name": file.stem, **spec}, file.parent, None)


def _located(spec: dict[str, Any], where: Path, image: object) -> dict[str, Any]:
    """A job with its paths as this machine knows them."""
    image = spec.get("image", image)
    place = spec.get("working_dir")
    if isinstance(place, str):
        where = where / Path(place).expanduser()
    found = {**spec, "working_dir": str(where)}
    command = spec.get("command")
    try:
        argv = words(command) if isinstance(command, str) else command
    except UsageError:
        argv = None  # the server tells what is wrong with it
    if isinstance(argv, list) and argv and all(isinstance(word, str) for word in argv):
        found.update(_run(argv, where, image if isinstance(image, str) else None))
    stages = spec.get("stages")
    if isinstance(stages, list):
        found["stages"] = [
            _located(stage, where, image) if isinstance(stage, dict) else stage for stage in stages
        ]
    return found


def _run(argv: list[str], where: Path, image: str | None) -> dict[str, Any]:
    """How to run a program, a script or a notebook in a directory."""
    if argv[0].endswith(".ipynb") and len(argv) == 1:
        notebook = specs.of_notebook(where / argv[0], (), image)
        return {name: notebook[name] for name in ("command", "working_dir")}
    if not argv[0].endswith(".py"):
        return {"command": specs.of_command(argv, image)["command"]}
    if not (where / argv[0]).is_file():
        raise TrainingError(f"There is no script {where / argv[0]}.")
    return {"command": [sys.executable if image is None else "python3", *argv]}


class Collected:
    """The pipelines that the cells of a notebook have described so far, by name."""

    def __init__(self) -> None:
        self._pipelines: dict[str, Pipeline] = {}
        self.latest: str | None = None

    def add(self, pipeline: str, stage: str, spec: dict[str, Any], after: list[str]) -> Pipeline:
        """Take the stage of a cell; a cell that is run again takes the place of what it was."""
        found = self._pipelines.setdefault(pipeline, Pipeline(pipeline))
        self.latest = pipeline
        return found.add(stage, spec, after)

    def having(self, after: Iterable[str], default: str) -> str:
        """The name of the pipeline that a stage belongs to which does not say so itself.

        It is the one of this name, unless what it goes after is only in one that has another name.
        """
        names = [default, *reversed(self._pipelines)]
        wanted = frozenset(after)
        return next((name for name in names if wanted & self.stages_of(name)), default)

    def stages_of(self, name: str) -> frozenset[str]:
        """The names of the stages of a pipeline, if it is there."""
        found = self._pipelines.get(name)
        return frozenset() if found is None else found.stages

    def get(self, name: str | None) -> Pipeline:
        """A pipeline, by default the one of which a stage was described last.

        Raises
        ------
        UsageError
            If there is none.
        """
        wanted = name or self.latest
        if wanted in self._pipelines:
            return self._pipelines[wanted]
        there = f"; there is {', '.join(self._pipelines)}" if self._pipelines else ""
        called = f" {name}" if name else ""
        raise UsageError(
            f"%train_pipeline: no cell has described a stage of a pipeline{called} yet{there}. "
            "%%train --stage NAME above a cell does"
        )

    def forget(self, pipeline: Pipeline) -> None:
        """Begin anew with a pipeline of this name."""
        del self._pipelines[pipeline.name]
        self.latest = next(reversed(self._pipelines), None)
