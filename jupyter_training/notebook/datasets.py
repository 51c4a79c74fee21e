"""Data sets from Python: register, list, remove."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyter_training.notebook.asking import ask
from jupyter_training.notebook.tables import DataSetTable


def register_dataset(
    name: str, path: str | os.PathLike[str], description: str | None = None
) -> dict[str, Any]:
    """Give a file or a directory a name that jobs can ask for.

    Everybody who shares the server can use it, and you can remove it again. A job finds it as
    ``$JUPYTER_TRAINING_DATASETS/<name>``.

    Parameters
    ----------
    path
        On the machine of the server; relative to the current directory.

    Returns
    -------
    dict
        The data set: `id`, `name`, `path`, `description`, `owner`, `created_at`.

    Raises
    ------
    TrainingError
        If there is no such path, it may not be a data set, or another one has this name.
    """
    spec: dict[str, Any] = {"name": name, "path": os.path.abspath(Path(path).expanduser())}
    if description is not None:
        spec["description"] = description
    return ask(lambda client: client.register_dataset(spec))


def list_datasets() -> DataSetTable:
    """The registered data sets, by name; `.datasets` has them as dictionaries."""
    return DataSetTable(ask(lambda client: client.datasets()))


def remove_dataset(dataset: str | int) -> None:
    """Remove a data set from the registry; its files stay.

    Parameters
    ----------
    dataset
        Its name or its number.

    Raises
    ------
    TrainingError
        If there is none, it is not yours, or a job that has not ended needs it.
    """
    ask(lambda client: client.remove_dataset(str(dataset)))
