"""Which executors there are, by name: those of this package, and those that others install.

Another package adds one by an entry point in the group ``jupyter_training.executors``, whose name
is that of the executor and whose value is a `Plugin`::

    [project.entry-points."jupyter_training.executors"]
    kubernetes = "my_package:PLUGIN"

A server has those that it is configured for, ``c.TrainingApp.executors``. Only those are imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from jupyter_training.executors.base import Executor
from jupyter_training.scheduling.choice import Offer

GROUP = "jupyter_training.executors"

BUILT_IN: dict[str, str] = {
    "local": "jupyter_training.executors.local:PLUGIN",
    "docker": "jupyter_training.executors.docker:PLUGIN",
    "slurm": "jupyter_training.executors.slurm:PLUGIN",
    "ray": "jupyter_training.executors.ray:PLUGIN",
}
"""Those of this package, which nobody else can replace."""


@dataclass(frozen=True)
class Setting:
    """What an executor is made for.

    Attributes
    ----------
    installation
        The id of this installation, by which what runs elsewhere is known as its own.
    data_dir
        The installation's directory; below it are those of the attempts.
    root_dir
        The server's root directory.
    grace_s
        How long a job may take to end after it was asked to (s).
    log_limit
        How much of what a job prints is kept (bytes); 0 for all.
    app
        The configured application: traitlets' `Configurable` takes it as its ``parent``, and so
        reads ``c.NameOfTheClass.trait``.
    """

    installation: str
    data_dir: Path
    root_dir: Path
    grace_s: float
    log_limit: int
    app: Any


@dataclass(frozen=True)
class Plugin:
    """An executor as it is found by its name.

    Attributes
    ----------
    make
        Makes it. It may raise ValueError, with a text for whoever has configured it.
    offer
        What jobs can ask it for.
    """

    make: Callable[[Setting], Executor]
    offer: Offer = field(default_factory=Offer)


class NoSuchExecutor(ValueError):
    """There is no executor of a name, or it cannot be used; the text says so to a person."""


def names() -> list[str]:
    """The names of all executors that could be configured."""
    return sorted({*BUILT_IN, *(found.name for found in entry_points(group=GROUP))})


def find(name: str) -> Plugin:
    """The executor of a name.

    Raises
    ------
    NoSuchExecutor
        If there is none, or it cannot be imported.
    """
    if name in BUILT_IN:
        found = EntryPoint(name, BUILT_IN[name], GROUP)
    else:
        several = list(entry_points(group=GROUP, name=name))
        if not several:
            told = f"there is no executor {name!r}; there are: {', '.join(names())}"
            raise NoSuchExecutor(told)
        found = several[0]
    try:
        plugin = found.load()
    except Exception as error:  # it is somebody else's code
        raise NoSuchExecutor(f"the executor {name} cannot be used: {error}") from error
    if not isinstance(plugin, Plugin):
        raise NoSuchExecutor(f"the executor {name} cannot be used: {found.value} is no Plugin")
    return plugin


def make(
    wanted: Iterable[str], setting: Setting
) -> tuple[Mapping[str, Executor], Mapping[str, Offer]]:
    """The executors of these names, and what each offers, in this order.

    Raises
    ------
    NoSuchExecutor
        If one of them cannot be had.
    """
    executors: dict[str, Executor] = {}
    offers: dict[str, Offer] = {}
    for name in dict.fromkeys(wanted):
        plugin = find(name)
        try:
            executors[name] = plugin.make(setting)
        except ValueError as error:
            raise NoSuchExecutor(f"the executor {name} cannot be used: {error}") from error
        offers[name] = plugin.offer
    return executors, offers
