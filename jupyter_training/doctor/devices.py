"""Docker and GPUs, judged: optional unless somebody has asked for them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_training.doctor import clusters
from jupyter_training.doctor.checks import Check, absent, ok, problem
from jupyter_training.doctor.facts import (
    DockerFacts,
    DockerTrouble,
    DriverFacts,
    DriverTrouble,
    GpuFacts,
)
from jupyter_training.doctor.settings import Settings
from jupyter_training.engine.inventory import configured_gpus

DOCKER, GPUS, DOCKER_GPUS = "Docker", "GPUs", "GPUs in Docker"

_CDI_SINCE = 29
"""The major version of the engines that give GPUs by CDI alone."""


def docker(facts: DockerFacts, settings: Settings) -> Check:
    """Whether jobs with an image can run."""
    if not clusters.is_asked_for("docker", settings):
        return absent(
            DOCKER,
            "No job is sent to Docker, so none has an image.",
            'For jobs with an image, add "docker" to c.TrainingApp.executors.',
        )
    is_default = settings.default_executor == "docker"
    is_named = is_default or settings.docker_url is not None
    if facts.trouble is None:
        return _engine(facts, settings)
    is_away = facts.trouble is DockerTrouble.AWAY
    if is_away and not facts.is_installed and facts.is_local and not is_named:
        return absent(
            DOCKER,
            "There is no Docker engine here; jobs run as local processes, and none with an image.",
            "For jobs with an image install one (docs.docker.com/engine/install), or name one with "
            "c.TrainingApp.docker_url.",
        )
    found, repair = _without_answer(facts)
    if is_default:
        repair += ' Or set c.TrainingApp.default_executor to "local".'
    return problem(DOCKER, found, repair, blocks_jobs=is_default)


def _without_answer(facts: DockerFacts) -> tuple[str, str]:
    if facts.trouble is DockerTrouble.FORBIDDEN:
        return (
            f"The Docker engine at {facts.url} is there, but this user may not use it.",
            "sudo usermod -aG docker $USER; then log in again and start the server again.",
        )
    if facts.trouble is DockerTrouble.REFUSED:
        return (
            f"The Docker engine at {facts.url} refuses to tell about itself ({facts.words}).",
            "Look into its log: journalctl -u docker.",
        )
    # What `DockerEngine` says ends with what to do, of which there is more to say here.
    words, _, repair = facts.words.partition("; ")
    found = _sentence(words)
    if facts.trouble is DockerTrouble.UNUSABLE:
        return found, _sentence(repair)
    if facts.rootless_url is not None:
        return found, f'Set c.TrainingApp.docker_url to "{facts.rootless_url}", which is your own.'
    if not facts.is_local:
        return found, "Start it on its machine, or correct DOCKER_HOST or c.TrainingApp.docker_url."
    if not facts.is_installed:
        return found, "Install one: docs.docker.com/engine/install."
    return found, "sudo systemctl start docker (on macOS: start Docker Desktop)."


def _engine(facts: DockerFacts, settings: Settings) -> Check:
    kind = ", rootless" if facts.is_rootless else ""
    cgroup = f", cgroups of version {facts.cgroup}" if facts.cgroup else ""
    told = (
        f"Docker {facts.version} (API {facts.api}{kind}) at {facts.url}, "
        f"storage driver {facts.storage}{cgroup}"
    )
    if facts.network_missing:
        name = settings.docker_network
        return problem(
            *(DOCKER, f"{told}; it has no network {name}, which jobs are to be in."),
            f"docker network create {name}; or set c.TrainingApp.docker_network to another one.",
            blocks_jobs=settings.default_executor == "docker",
        )
    if not facts.limits_memory:
        return problem(
            *(DOCKER, f"{told}; it cannot limit the memory of containers."),
            "Give the engine the memory cgroup: a rootless one needs Delegate=memory for its user, "
            "some kernels need cgroup_enable=memory at the start.",
        )
    return ok(DOCKER, f"{told}.")


def gpus(facts: DriverFacts, settings: Settings) -> Check:
    """Whether the GPUs that jobs may reserve are there."""
    wanted = settings.gpus
    if wanted != "auto" and not wanted:
        return ok(GPUS, "None are for jobs: c.TrainingApp.gpus says so.")
    is_asked_for = wanted != "auto"
    if facts.trouble is not None and not facts.gpus:
        return _without_driver(facts, is_asked_for=is_asked_for)
    told = f"NVIDIA driver {facts.version}" if facts.version else "NVIDIA driver"
    told = f"{told}, {len(facts.gpus)} GPU{'s' * (len(facts.gpus) != 1)}: {_cards(facts.gpus)}"
    missing = _missing(facts.gpus, settings)
    if missing:
        return problem(
            *(GPUS, f"{told}; jobs may reserve {missing}, which this driver does not have."),
            'Set c.TrainingApp.gpus to "auto", or to what `nvidia-smi -L` lists.',
            blocks_jobs=True,
        )
    if not facts.gpus:
        return absent(GPUS, "There is an NVIDIA driver, but no GPU.")
    ill = [one for one in facts.gpus if one.trouble is not None]
    if ill or facts.words:
        why = "; ".join(
            [*(f"{one.uuid} {one.trouble}" for one in ill), *filter(None, [facts.words])]
        )
        return problem(
            *(GPUS, f"{told}; not all can be given to jobs: {why}."),
            "nvidia-smi -q -i UUID tells more. Reset the card (sudo nvidia-smi --gpu-reset -i "
            "UUID) or restart the machine; jobs get the others meanwhile.",
            blocks_jobs=is_asked_for and len(ill) == len(facts.gpus),
        )
    return ok(GPUS, f"{told}.")


def _without_driver(facts: DriverFacts, *, is_asked_for: bool) -> Check:
    cards = f"{facts.on_bus} NVIDIA card{'s' * (facts.on_bus != 1)}"
    if facts.trouble is DriverTrouble.NO_LIBRARY:
        if is_asked_for:
            found = "c.TrainingApp.gpus names GPUs, but there is no NVIDIA driver here."
        elif facts.on_bus:
            found = f"This machine has {cards}, but no NVIDIA driver (no libnvidia-ml.so.1)."
        else:
            return absent(GPUS, "There is no NVIDIA GPU here, and no driver for one.")
        repair = (
            "Install the driver (on Debian: sudo apt install nvidia-driver; on Ubuntu: sudo "
            "ubuntu-drivers install) and restart the machine; in a container, start it with "
            "--gpus all."
        )
    elif facts.trouble is DriverTrouble.NOT_LOADED:
        found = "The library of the NVIDIA driver is here, but the driver is not loaded."
        if not facts.on_bus:
            found = f"{found.rstrip('.')}; this machine shows no NVIDIA card either."
        repair = (
            "sudo modprobe nvidia; if that fails, install the driver for this kernel again, and "
            "see whether Secure Boot keeps it out (dmesg | grep -i nvidia)."
        )
    elif facts.trouble is DriverTrouble.FORBIDDEN:
        found = "There is an NVIDIA driver, but this user may not use it."
        repair = "Let the user at /dev/nvidia*: sudo usermod -aG video,render $USER, and log in."
    elif facts.trouble is DriverTrouble.MISMATCH:
        found = "The NVIDIA driver and its library are of different versions."
        repair = "Restart the machine: the driver was updated and the old one is still loaded."
    else:
        found = _sentence(facts.words)
        repair = "nvidia-smi tells more; if it fails as well, restart the machine."
    return problem(GPUS, found, repair, blocks_jobs=is_asked_for)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _missing(there: Iterable[GpuFacts], settings: Settings) -> str:
    """Which of the configured GPUs the driver does not have, in words."""
    known = {name for one in there for name in (one.uuid, str(one.index))}
    if settings.gpus == "auto":
        return ""
    # A part of a card is not in the driver's list of cards.
    asked = [one.uuid for one in configured_gpus(_listed(settings)) if one.uuid[:4] != "MIG-"]
    return ", ".join(uuid for uuid in asked if uuid not in known)


def _listed(settings: Settings) -> str | int | list[str]:
    return list(settings.gpus) if isinstance(settings.gpus, tuple) else settings.gpus


def _cards(there: Iterable[GpuFacts]) -> str:
    told = []
    for one in there:
        memory = "" if one.memory_gb is None else f", {one.memory_gb:.0f} GB"
        use = "" if one.in_use is None else f", {one.in_use}"
        told.append(f"{one.index}: {one.model or one.uuid}{memory}{use}")
    return "; ".join(told) or "none"


def docker_gpus(facts: DockerFacts, driver: DriverFacts | None, settings: Settings) -> Check:
    """Whether containers can be given GPUs; for an engine that answers."""
    runtimes = ", ".join(facts.runtimes) or "none"
    if "nvidia" in facts.runtimes:
        return ok(DOCKER_GPUS, f"The engine has the NVIDIA runtime (runtimes: {runtimes}).")
    if facts.has_hook:
        hook = "nvidia-container-runtime-hook"
        return ok(DOCKER_GPUS, f"The engine gives GPUs by {hook}, which is installed.")
    major = facts.version.partition(".")[0]
    if facts.has_cdi and major.isdecimal() and int(major) >= _CDI_SINCE:
        return ok(DOCKER_GPUS, "The engine gives GPUs by CDI (nvidia.com/gpu).")
    lacks = f"The engine has no NVIDIA runtime (runtimes: {runtimes})"
    if facts.has_cdi:
        lacks += f" but CDI, by which version {facts.version} gives none to jobs"
    is_asked_for = settings.gpus != "auto" and bool(settings.gpus)
    none_here = driver is None or not driver.gpus
    if settings.gpus != "auto" and not settings.gpus:
        return absent(DOCKER_GPUS, f"{lacks}, and none is needed: no GPUs are for jobs.")
    if none_here and facts.is_local and not is_asked_for:
        return absent(DOCKER_GPUS, f"{lacks}, and there is no GPU for it.")
    return problem(
        *(DOCKER_GPUS, f"{lacks}, so jobs with an image get no GPU."),
        "Install the NVIDIA Container Toolkit on the engine's machine; then sudo nvidia-ctk "
        "runtime configure --runtime=docker, and sudo systemctl restart docker.",
        blocks_jobs=is_asked_for and settings.default_executor == "docker",
    )
