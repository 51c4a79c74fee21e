"""The settings that a server of this user would have, read as a server reads them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_training.executors.slurm_transport import Way

NAMES = (
    "data_dir",
    "database_url",
    "default_executor",
    "executors",
    "docker_url",
    "docker_network",
    "cpu_cores",
    "memory_gb",
    "gpus",
)
"""Of `TrainingApp`: those that the doctor looks at."""


@dataclass(frozen=True)
class Settings:
    """What a server would use.

    Attributes
    ----------
    slurm
        How Slurm is reached.
    ray_address, ray_headers, ray_verify
        How Ray is asked; the address is empty if it is not set.
    docker_url
        None if it is not set.
    notification_receivers
        Names and URLs.
    files
        The files that they are from.
    ignored
        What is wrong with the files that a server would leave out because of it.
    is_enabled
        Whether Jupyter servers load the extension.
    """

    data_dir: Path
    database_url: str
    default_executor: str = "local"
    executors: tuple[str, ...] = ("local", "docker")
    slurm: Way = field(default_factory=Way, repr=False)
    ray_address: str = ""
    ray_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ray_verify: bool = True
    docker_url: str | None = None
    docker_network: str = "bridge"
    cpu_cores: int | None = None
    memory_gb: int | None = None
    gpus: str | int | tuple[str, ...] = "auto"
    notification_receivers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    notification_urls: tuple[str, ...] = field(default=(), repr=False)
    files: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    is_enabled: bool = True


@dataclass(frozen=True)
class Unreadable:
    """A configuration with which training jobs are not available.

    Attributes
    ----------
    words
        What is wrong with it.
    """

    words: str


def read(arguments: Sequence[str]) -> Settings | Unreadable:
    """Read the configuration.

    This runs the user's configuration files, as a server does.

    Parameters
    ----------
    arguments
        Of the command line of the server.
    """
    # These are most of Jupyter, and whoever only wants the values has no need of them.
    from jupyter_training.server.quick_imports import without_iris

    without_iris()
    from jupyter_server.extension.config import ExtensionConfigManager
    from jupyter_server.serverapp import ServerApp
    from traitlets import TraitError

    from jupyter_training.executors.ray import Ray
    from jupyter_training.executors.slurm import Slurm
    from jupyter_training.server.extension import TrainingApp

    log = logging.getLogger(f"{__name__}.read")
    log.propagate = False  # what a server would log is said by us
    heard = _Errors()
    log.addHandler(heard)
    try:
        server = ServerApp(log=log)
        server.parse_command_line(list(arguments))
        server.load_config_file()
        app = TrainingApp(log=log)
        app._link_jupyter_server_extension(server)
    except TraitError as error:
        return Unreadable(_one_line(str(error)))
    except SystemExit:
        return Unreadable(_one_line(" ".join(heard.told)) or "a server would not start with it")
    manager = ExtensionConfigManager(read_config_path=server.config_file_paths)
    found = manager.get_jpserver_extensions()  # type: ignore[no-untyped-call]
    enabled = {**found, **server.jpserver_extensions}
    return Settings(
        Path(app.data_dir).expanduser().absolute(),
        app.database_url,
        default_executor=app.default_executor,
        executors=tuple(app.executors),
        slurm=Slurm(parent=app).way,
        ray_address=Ray(parent=app).address,
        ray_headers=Ray(parent=app).headers,
        ray_verify=Ray(parent=app).verify,
        docker_url=app.docker_url or None,
        docker_network=app.docker_network,
        cpu_cores=app.cpu_cores,
        memory_gb=app.memory_gb,
        gpus=tuple(app.gpus) if isinstance(app.gpus, list) else app.gpus,
        notification_receivers=tuple(sorted(app.notification_receivers.items())),
        notification_urls=tuple(app.notification_urls),
        files=tuple(dict.fromkeys([*server.loaded_config_files, *app.loaded_config_files])),
        ignored=tuple(dict.fromkeys(heard.told)),
        is_enabled=bool(enabled.get("jupyter_training", False)),
    )


class _Errors(logging.Handler):
    """Keeps what a server would log of its configuration."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        self.told.append(words if error is None else f"{words} ({_one_line(repr(error))})")


def _one_line(text: str) -> str:
    return " ".join(text.split())
