"""Every setting of the server, with its meaning: what ``jupyter training serve --help-all`` says.

Jupyter's own ``--help-all`` knows nothing of the settings of extensions.
"""

from __future__ import annotations

from typing import Any

from traitlets import TraitType
from traitlets.config import Configurable

from jupyter_training.executors.ray import Ray
from jupyter_training.executors.slurm import Slurm
from jupyter_training.server.extension import TrainingApp
from jupyter_training.server.settings import TrainingSettings

_WITHOUT = ("embedded", "ready_fd", "idle_timeout")
"""Those that only this package sets."""


def described() -> str:
    """All of them, as a text."""
    ours = _of_class(TrainingApp, TrainingSettings.class_traits(config=True))
    clusters = (_of_class(one, one.class_traits(config=True)) for one in (Slurm, Ray))
    return "\n".join([ours, *clusters])


def _of_class(configurable: type[Configurable], traits: dict[str, TraitType[Any, Any]]) -> str:
    said = [f"{configurable.__name__} options", "-" * len(f"{configurable.__name__} options")]
    for name, trait in sorted(traits.items()):
        if name not in _WITHOUT:
            said.append(configurable.class_get_trait_help(trait))
    return "\n".join([*said, ""])
