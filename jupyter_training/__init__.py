"""Queue, run and watch training jobs from a notebook.

Importing this package costs next to nothing, because training scripts import it for `report`. What
needs more is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_training._version import __version__
from jupyter_training.report import parameters, report

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_training.notebook.datasets import list_datasets as list_datasets
    from jupyter_training.notebook.datasets import register_dataset as register_dataset
    from jupyter_training.notebook.datasets import remove_dataset as remove_dataset
    from jupyter_training.notebook.functions import train as train
    from jupyter_training.notebook.job import Job as Job
    from jupyter_training.notebook.jobs import get_job as get_job
    from jupyter_training.notebook.jobs import list_jobs as list_jobs
    from jupyter_training.notebook.jobs import submit as submit
    from jupyter_training.notebook.pipelines import Pipeline as Pipeline
    from jupyter_training.notebook.waiting import as_completed as as_completed
    from jupyter_training.notebook.waiting import wait_all as wait_all

__all__ = [
    "Job",
    "Pipeline",
    "__version__",
    "as_completed",
    "get_job",
    "list_datasets",
    "list_jobs",
    "parameters",
    "register_dataset",
    "remove_dataset",
    "report",
    "submit",
    "train",
    "wait_all",
]

_JOBS = {"get_job", "list_jobs", "submit"}
_DATASETS = {"list_datasets", "register_dataset", "remove_dataset"}


def __getattr__(name: str) -> Any:
    if name in _JOBS:
        from jupyter_training.notebook import jobs

        return getattr(jobs, name)
    if name == "Job":
        from jupyter_training.notebook.job import Job

        return Job
    if name == "Pipeline":
        from jupyter_training.notebook.pipelines import Pipeline

        return Pipeline
    if name in ("as_completed", "wait_all"):
        from jupyter_training.notebook import waiting

        return getattr(waiting, name)
    if name == "train":
        from jupyter_training.notebook.functions import train

        return train
    if name in _DATASETS:
        from jupyter_training.notebook import datasets

        return getattr(datasets, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from jupyter_training.server.extension import TrainingApp

    return [{"module": "jupyter_training", "app": TrainingApp}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-training"}]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """``%load_ext jupyter_training``: register the magics."""
    from jupyter_training.notebook.magics import load

    load(shell)
