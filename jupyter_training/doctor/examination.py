"""All that is looked at, side by side, and judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from jupyter_training.doctor import (
    basics,
    clusters,
    database,
    devices,
    notifications,
    probes,
    ray,
    slurm,
)
from jupyter_training.doctor import settings as configuration
from jupyter_training.doctor.checks import Check
from jupyter_training.doctor.facts import PlaceFacts
from jupyter_training.doctor.isolation import Look, NoAnswer
from jupyter_training.doctor.settings import Settings, Unreadable

T = TypeVar("T")

_CONFIGURATION_S, _LOOK_S, _TRIAL_S = 60.0, 60.0, 120.0
"""How long each may take (s).

Most take less than one; a driver that nobody uses takes several, and everything much longer on a
machine that trains: to be slow is no trouble that anybody should be told to repair.
"""


def examine(arguments: Sequence[str] = ()) -> list[Check]:
    """Look at everything. Nothing is changed, and nothing that hangs or crashes is waited for long.

    Parameters
    ----------
    arguments
        Settings as on the command line of a server, such as ``--TrainingApp.gpus=0``.
    """
    # What does not depend on the configuration need not wait for it.
    machine = Look(probes.machine, timeout_s=_LOOK_S)
    settings = Look(configuration.read, list(arguments), timeout_s=_CONFIGURATION_S).result()
    if isinstance(settings, (Unreadable, NoAnswer)):
        checks = [_judged(basics.PLATFORM, machine, lambda facts: basics.platform(facts, None))]
        if isinstance(settings, Unreadable):
            checks.append(basics.configuration(settings))
        else:
            hint = "Look for what never ends in jupyter_server_config.py."
            checks.append(basics.not_seen(basics.CONFIGURATION, settings, hint, blocks_jobs=True))
        names = (basics.DATABASE, basics.DATA_DIR, devices.DOCKER, devices.GPUS)
        return [*checks, *map(basics.not_looked_at, names)]
    return [
        _judged(basics.PLATFORM, machine, lambda facts: basics.platform(facts, settings)),
        basics.configuration(settings),
        *_with(settings),
    ]


def _with(settings: Settings) -> list[Check]:
    data = Look(probes.place, settings.data_dir, timeout_s=_LOOK_S)
    base = Look(database.look, settings.database_url, timeout_s=_LOOK_S)
    file = _sqlite_directory(settings)
    beside = None if file is None else Look(probes.place, file, timeout_s=_LOOK_S)
    trial = Look(probes.trial, settings.data_dir, timeout_s=_TRIAL_S)
    memory = Look(probes.memory, timeout_s=_LOOK_S)
    docker = Look(probes.docker, settings.docker_url, settings.docker_network, timeout_s=_LOOK_S)
    driver = Look(probes.driver, timeout_s=_LOOK_S)
    cluster = Look(slurm.look, settings.slurm, settings.data_dir, timeout_s=_LOOK_S)
    on_ray = Look(
        *(ray.look, settings.ray_address, settings.ray_headers, settings.ray_verify),
        settings.data_dir,
        timeout_s=_LOOK_S,
    )
    servers = Look(probes.servers, timeout_s=_LOOK_S)
    notify = Look(
        notifications.look,
        settings.notification_receivers,
        settings.notification_urls,
        timeout_s=_LOOK_S,
    )

    places = [one.result() for one in (data, beside) if one is not None]
    seen = [one for one in places if isinstance(one, PlaceFacts)]
    by_default = settings.default_executor == "docker"
    engine, cards = docker.result(), driver.result()
    checks = [
        _judged(
            *(basics.DATABASE, base, basics.database),
            hint="See whether the database's machine or disk hangs, and start it again.",
            blocks_jobs=True,
        ),
        _judged(
            *(basics.DATA_DIR, data, basics.data_dir),
            hint=f"See whether the file system of {settings.data_dir} is away (mount, dmesg).",
            blocks_jobs=True,
        ),
    ]
    if seen:
        checks.append(basics.space(seen))
    checks += [
        _judged(
            *(basics.TRIAL, trial, basics.trial),
            hint="See whether this machine is overloaded, or its disk hangs (uptime, dmesg).",
            blocks_jobs=True,
        ),
        _judged(basics.MEMORY, memory, basics.memory),
    ]
    if isinstance(engine, NoAnswer):
        hint = "The engine hangs: sudo systemctl restart docker."
        checks.append(basics.not_seen(devices.DOCKER, engine, hint, blocks_jobs=by_default))
    else:
        checks.append(devices.docker(engine, settings))
    if isinstance(cards, NoAnswer):
        is_asked_for = settings.gpus != "auto" and bool(settings.gpus)
        hint = "The NVIDIA driver hangs or crashes; see nvidia-smi and dmesg, restart the machine."
        checks.append(basics.not_seen(devices.GPUS, cards, hint, blocks_jobs=is_asked_for))
    else:
        checks.append(devices.gpus(cards, settings))
    sends = clusters.is_asked_for("docker", settings)
    if sends and not isinstance(engine, NoAnswer) and engine.trouble is None:
        known = None if isinstance(cards, NoAnswer) else cards
        checks.append(devices.docker_gpus(engine, known, settings))
    checks.append(
        _judged(
            *(slurm.NAME, cluster, lambda facts: slurm.judge(facts, settings)),
            hint="See whether slurmctld answers: scontrol ping.",
            blocks_jobs=settings.default_executor == slurm.EXECUTOR,
        )
    )
    checks.append(
        _judged(
            *(ray.NAME, on_ray, lambda facts: ray.judge(facts, settings)),
            hint="See whether the head of Ray is well: ray status.",
            blocks_jobs=settings.default_executor == ray.EXECUTOR,
        )
    )
    checks.append(_judged(notifications.NAME, notify, notifications.judge))
    checks.append(_judged(basics.SERVERS, servers, basics.servers))
    return checks


def _judged(
    name: str,
    look: Look[T],
    judge: Callable[[T], Check],
    *,
    hint: str = "Look again; if it stays so, see what the machine is busy with (uptime, dmesg).",
    blocks_jobs: bool = False,
) -> Check:
    facts = look.result()
    if isinstance(facts, NoAnswer):
        return basics.not_seen(name, facts, hint, blocks_jobs=blocks_jobs)
    return judge(facts)


def _sqlite_directory(settings: Settings) -> Path | None:
    """Where an SQLite database is, if that is not the data directory."""
    try:
        url = make_url(settings.database_url)
    except ArgumentError:
        return None
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    directory = Path(url.database).absolute().parent
    return None if directory == settings.data_dir else directory
