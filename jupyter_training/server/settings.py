"""What a person can set for the server, and what the engine is given of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir
from traitlets import (
    Bool,
    Bunch,
    Dict,
    Enum,
    Float,
    HasTraits,
    Integer,
    List,
    TraitError,
    Unicode,
    Union,
    default,
    validate,
)

from jupyter_training.engine.contents import Limits
from jupyter_training.engine.inventory import configured_gpus
from jupyter_training.engine.receivers import SCHEMES, Receivers
from jupyter_training.engine.timing import Timing
from jupyter_training.executors import registry
from jupyter_training.executors.base import Cluster, Executor
from jupyter_training.jobs.lifecycle import RetryPolicy
from jupyter_training.jobs.notifications import DEFAULT, Occasion
from jupyter_training.scheduling import choice
from jupyter_training.scheduling.choice import Rule


class _Gpus(Union):
    """What may be said of GPUs, also on a command line, where no `Union` can be a list."""

    def from_string(self, s: str) -> int | str | list[str]:
        """As one option says it."""
        return self.from_string_list([s])

    def from_string_list(self, s_list: list[str]) -> int | str | list[str]:
        """As an option says it that may be given several times."""
        if s_list == ["auto"]:
            return "auto"
        try:
            (number,) = s_list
            return int(number)
        except ValueError:  # there are several, or it is a UUID
            return [*s_list]


class TrainingSettings(HasTraits):
    """The settings of `TrainingApp`.

    They are read as ``c.TrainingApp.data_dir``: this is no `Configurable` of its own, so that there
    is one name for each of them.
    """

    data_dir = Unicode(
        help="""The directory for the logs and results of jobs, and for the default database.
        Default: "training" in Jupyter's data directory.""",
    ).tag(config=True)

    database_url = Unicode(
        help="""The database, as an SQLAlchemy URL: sqlite:////path/to/file, or
        postgresql+psycopg://user@host/name for several machines or many users. Default: an SQLite
        file in `data_dir`.""",
    ).tag(config=True)

    executors = List(
        Unicode(),
        default_value=["local", "docker"],
        help="""What can run jobs here, the preferred ones first: "local" for processes of this
        machine, "docker" for containers, "slurm" and "ray" for clusters, and what other packages
        have added.""",
    ).tag(config=True)

    default_executor = Unicode(
        "local",
        help="""What runs jobs that do not say where they want to run, and for which no rule does.
        Those with an image run in Docker containers in any case.""",
    ).tag(config=True)

    executor_rules = List(
        Dict(),
        help="""Which jobs run where unless they say it themselves: a list of rules, of which the
        first that is true decides. Each has an "executor" and what has to be so: "too_large" (true
        for what this machine could never hold), "nodes" and "gpus" (so many in all, or more),
        "gpu_type", "job_type", as in {"executor": "slurm", "nodes": 2}. Default: what is too large
        for this machine goes to the first cluster of `executors`.""",
    ).tag(config=True)

    docker_url = Unicode(
        help="""Where the Docker engine is, such as unix:///var/run/docker.sock. Default: what
        DOCKER_HOST says, or else the engine of this machine.""",
    ).tag(config=True)

    docker_network = Unicode(
        "bridge",
        help="""The Docker network that jobs in containers are in; "none" for no network.""",
    ).tag(config=True)

    docker_images = List(
        Unicode(),
        help="""The images that jobs may use, as patterns such as "pytorch/pytorch" (with any tag),
        "python:3.*" or "registry.example.com/team/*". Default: any image.""",
    ).tag(config=True)

    docker_capabilities = List(
        Unicode(),
        help="""The kernel's capabilities that jobs in containers keep, such as "SYS_PTRACE". By
        default they have none.""",
    ).tag(config=True)

    docker_pids_limit = Integer(
        4096, min=1, help="""How many processes and threads a job in a container may have."""
    ).tag(config=True)

    cpu_cores = Integer(
        None,
        allow_none=True,
        min=1,
        help="""How many CPU cores of this machine jobs may reserve. Default: all that this server
        may use.""",
    ).tag(config=True)

    memory_gb = Integer(
        None,
        allow_none=True,
        min=1,
        help="""How much memory of this machine jobs may reserve, in GB of 1024**3 bytes. Default:
        all that this server may use.""",
    ).tag(config=True)

    gpus = _Gpus(
        [Integer(min=0), Enum(("auto",)), List(Unicode())],
        default_value="auto",
        help="""The GPUs of this machine that jobs may reserve: "auto" for all that the NVIDIA
        driver knows, a number for that many with indices from 0, or a list of UUIDs, each perhaps
        with its model, as in "GPU-5a1e…=NVIDIA A100". On a command line the option is given once
        for each of a list.""",
    ).tag(config=True)

    share_used_gpus = Bool(
        False,
        help="""Whether jobs may get GPUs that somebody outside of jupyter-training uses. By default
        they wait until such a GPU is free. With a number for `gpus` this cannot be seen.""",
    ).tag(config=True)

    dataset_dirs = List(
        Unicode(),
        help="""The directories below which data sets may be registered, and so be seen by jobs in
        containers. Default: anywhere but in directories of the system, such as /etc.""",
    ).tag(config=True)

    log_limit_mb = Integer(
        1024,
        min=0,
        help="""How much of what an attempt of a job prints is kept, in MB of 1024**2 bytes; 0 for
        all. Of a longer log the first half of that and the newest part are kept, and what is
        between is given back to the file system.""",
    ).tag(config=True)

    snapshot_limit_mb = Integer(
        500,
        min=1,
        help="""How large the snapshot may be of the directory that a job is submitted from, in MB
        of 1024**2 bytes. What .gitignore and .trainignore name does not count.""",
    ).tag(config=True)

    snapshot_ceiling_mb = Integer(
        0,
        min=0,
        help="""How large a snapshot may be at most, whatever limit somebody asks for, in MB. By
        default snapshot_limit_mb if that was changed, and else as large as a value may be.""",
    ).tag(config=True)

    snapshot_limit_files = Integer(
        20_000, min=1, help="""How many files a snapshot may have."""
    ).tag(config=True)

    value_limit_gb = Integer(
        16,
        min=1,
        help="""How large a value may be that is given to a job, in GB of 1024**3 bytes.""",
    ).tag(config=True)

    schedule_interval = Float(
        10.0,
        help="""Seconds between two looks at the queue when nothing happens. A submit, an end or a
        cancel is always looked at immediately.""",
    ).tag(config=True)

    monitor_interval = Float(
        30.0, help="""Seconds between two looks for what the monitor may have missed."""
    ).tag(config=True)

    stop_grace = Float(
        10.0,
        min=0.0,
        help="""Seconds that a job has to save its work and end after SIGTERM, before SIGKILL.""",
    ).tag(config=True)

    retry_delay = Float(
        1.0,
        min=0.0,
        help="""Seconds before the first retry of a failed job; each further wait is twice as
        long.""",
    ).tag(config=True)

    max_retry_delay = Float(
        300.0, min=0.0, help="""The longest wait before a retry, in seconds."""
    ).tag(config=True)

    notification_receivers = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="""Receivers that jobs can ask for by name (--notify team): by that name, their URLs as
        Apprise writes them, such as "slack://…" or "mailto://user:password@example.com".""",
    ).tag(config=True)

    notification_urls = List(
        Unicode(),
        help="""Who is told of every job that is submitted to this server: URLs as Apprise writes
        them, or names of `notification_receivers`.""",
    ).tag(config=True)

    notify_on = List(
        Enum([one.value for one in Occasion]),
        default_value=[one.value for one in DEFAULT],
        help="""What receivers are told of unless a job says otherwise: "completed", "failed",
        "retrying", "cancelled" (by somebody else than its owner), "idle".""",
    ).tag(config=True)

    notification_schemes = List(
        Unicode(),
        default_value=list(SCHEMES),
        help="""What the URLs that users give with their jobs may begin with. Default: services that
        are asked over the network. An empty list leaves only `notification_receivers`.""",
    ).tag(config=True)

    idle_gpu_minutes = Float(
        30.0,
        min=0.0,
        help="""Minutes that the GPUs of a running job have to do nothing until the job is marked as
        idle and its owner is told. 0 for never.""",
    ).tag(config=True)

    hang_minutes = Float(
        30.0,
        min=0.0,
        help="""Minutes that a running job has to print nothing, use no CPU time and have idle GPUs
        until it is marked as hanging, with the ranks that fell silent first. It is not ended. 0 for
        never.""",
    ).tag(config=True)

    embedded = Bool(
        False,
        help="""Whether this server was started only for training jobs. If so, it ends by itself
        when no job is left and nobody asks.""",
    ).tag(config=True)

    idle_timeout = Float(
        60.0,
        min=0.1,
        help="""Seconds after which an embedded server without jobs and without requests ends.""",
    ).tag(config=True)

    ready_fd = Integer(
        -1, help="""A file descriptor that an embedded server closes when it is ready."""
    ).tag(config=True)

    @default("data_dir")
    def _default_data_dir(self) -> str:
        return str(Path(jupyter_data_dir()) / "training")

    @default("database_url")
    def _default_database_url(self) -> str:
        return f"sqlite:///{self.directory / 'training.db'}"

    @validate("gpus")
    def _each_gpu_once(self, proposal: Bunch) -> str | int | list[str]:
        value: str | int | list[str] = proposal.value
        names = [gpu.uuid for gpu in configured_gpus(value)] if isinstance(value, list) else []
        if "" in names:
            raise TraitError("gpus: one of them has no name")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise TraitError(f"gpus: {', '.join(twice)} is named more than once")
        return value

    @validate("executors")
    def _known_executors(self, proposal: Bunch) -> list[str]:
        for name in proposal.value:
            self._known_executor("executors", name)
        return list(proposal.value)

    @validate("default_executor")
    def _known_default(self, proposal: Bunch) -> str:
        return self._known_executor("default_executor", proposal.value)

    def _known_executor(self, setting: str, name: str) -> str:
        if name not in (known := registry.names()):
            there = ", ".join(known)
            raise TraitError(f"{setting}: there is no executor {name!r}; there are: {there}")
        return name

    @validate("executor_rules")
    def _rules_that_say_something(self, proposal: Bunch) -> list[dict[str, Any]]:
        try:
            for told in proposal.value:
                choice.rule(told)
        except ValueError as error:
            raise TraitError(str(error)) from None
        return list(proposal.value)

    @property
    def directory(self) -> Path:
        """`data_dir`, as an absolute path."""
        return Path(self.data_dir).expanduser().absolute()

    @property
    def timing(self) -> Timing:
        """How often and how long, for the engine."""
        return Timing(
            schedule_interval_s=self.schedule_interval,
            monitor_interval_s=self.monitor_interval,
            idle_gpu_s=60 * self.idle_gpu_minutes,
            hang_s=60 * self.hang_minutes,
            retries=RetryPolicy(self.retry_delay, self.max_retry_delay),
        )

    @property
    def log_limit(self) -> int:
        """How much of what an attempt prints is kept (bytes); 0 for all."""
        return self.log_limit_mb << 20

    @property
    def limits(self) -> Limits:
        """What may be uploaded."""
        # Whoever has set a limit before there was a ceiling meant it.
        is_default = self.snapshot_limit_mb == type(self).snapshot_limit_mb.default_value
        most = self.value_limit_gb * 1024 if is_default else self.snapshot_limit_mb
        ceiling_mb = max(self.snapshot_ceiling_mb or most, self.snapshot_limit_mb)
        return Limits(
            snapshot_bytes=self.snapshot_limit_mb * 1024**2,
            ceiling_bytes=ceiling_mb * 1024**2,
            snapshot_files=self.snapshot_limit_files,
            content_bytes=self.value_limit_gb * 1024**3,
        )

    @property
    def receivers(self) -> Receivers:
        """Who may be told of jobs."""
        return Receivers(
            self.notification_receivers,
            self.notification_urls,
            [Occasion(one) for one in self.notify_on],
            self.notification_schemes,
        )

    def rules(self, executors: Mapping[str, Executor]) -> list[Rule]:
        """Which of these executors a job runs on that does not say it itself."""
        if self.executor_rules:
            return [choice.rule(told) for told in self.executor_rules]
        clusters = [name for name, one in executors.items() if isinstance(one, Cluster)]
        return [Rule(name, too_large=True) for name in clusters[:1]]
