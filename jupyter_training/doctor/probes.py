"""Look at this machine. Each function blocks, may raise, and is called by `isolation.Look`.

Nothing is changed: what is written on the way is gone at the end.
"""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import secrets
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from jupyter_training.doctor.facts import (
    DockerFacts,
    DockerTrouble,
    DriverFacts,
    DriverTrouble,
    GpuFacts,
    MachineFacts,
    MemoryFacts,
    PlaceFacts,
    ServerFacts,
    TrialFacts,
)

_TRIAL_S = 60.0
_ANSWER_S = 15.0
_PIECE = 64 * 1024


def machine() -> MachineFacts:
    """The system, and what a server may use of it."""
    from jupyter_training.engine.inventory import detect_cpu_cores, detect_memory_gb

    version = sys.version_info
    return MachineFacts(
        sys.platform,
        platform.release(),
        (version.major, version.minor, version.micro),
        detect_cpu_cores(),
        detect_memory_gb(),
    )


def place(path: Path) -> PlaceFacts:
    """Whether a directory can be written, or be made, and how much room there is."""
    from jupyter_training.store.filesystem import network_file_system

    here = _innermost(path)
    trouble, is_full = None, False
    try:
        # Permissions do not tell all: a file system may be read-only, or a quota used up. The
        # file has no name, or loses it at once.
        with tempfile.TemporaryFile(dir=here) as file:
            file.write(b"x" * _PIECE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        trouble = error.strerror or str(error)
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    told, device = _disk(here)
    return PlaceFacts(
        str(path),
        str(here),
        free=told.f_bavail * told.f_frsize,
        size=told.f_blocks * told.f_frsize,
        free_inodes=told.f_favail,
        inodes=told.f_files,
        device=device,
        trouble=trouble,
        is_full=is_full,
        network=network_file_system(path),
    )


def _innermost(path: Path) -> Path:
    """The path itself, or what there is of the way to it; what may not be seen is taken for it."""
    while True:
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            path = path.parent
        except OSError:
            return path
        else:
            return path


def _disk(path: Path) -> tuple[os.statvfs_result, int]:
    """The disk of a path, or of the innermost directory above it that may be seen."""
    while True:
        try:
            return os.statvfs(path), path.stat().st_dev
        except PermissionError:
            path = path.parent


def trial(data_dir: Path) -> TrialFacts:
    """Run a small job as a server would: in the data directory, if it is there."""
    try:
        made = tempfile.TemporaryDirectory(prefix=".doctor-", dir=data_dir)
    except OSError:  # what is wrong with it is told by `place`
        made = tempfile.TemporaryDirectory(prefix="jupyter-training-doctor-")
    with made as directory:
        began = time.monotonic()
        trouble = asyncio.run(_run_small_job(Path(directory)))
        return TrialFacts(str(Path(directory).parent), time.monotonic() - began, trouble)


async def _run_small_job(directory: Path) -> str | None:
    from jupyter_training.executors.base import Launch
    from jupyter_training.executors.local import LocalExecutor
    from jupyter_training.executors.records import LOG

    word = secrets.token_hex(8)
    launch = Launch(
        token=f"doctor-{word}",
        directory=directory,
        argv=(sys.executable, "-I", "-S", "-c", f"print({word!r})"),
        cwd=str(directory),
        env={},
        python_path=None,
        cpu_cores=1,
        memory_gb=1,
        gpus=(),
        time_limit_s=None,
    )
    executor = LocalExecutor(grace_s=1)
    try:
        found = await executor.start(launch)
        try:
            ended = await asyncio.wait_for(executor.wait(found), _TRIAL_S)
        except asyncio.TimeoutError:
            await executor.stop(found)
            await asyncio.wait_for(executor.wait(found), _ANSWER_S)
            return f"it had not ended after {_TRIAL_S:g} s"
    finally:
        await executor.close()
    if ended.exit.detail:
        return ended.exit.detail
    if ended.exit.exit_code != 0:
        return f"it ended with exit code {ended.exit.exit_code}, signal {ended.exit.signal}"
    if word not in (directory / LOG).read_text(errors="replace"):
        return "what it printed is not in its log"
    return None


def memory() -> MemoryFacts:
    """Whether a control group can be made for a job; tried out, because no file says it."""
    from jupyter_training.executors.guard import is_usable
    from jupyter_training.executors.memory import homes
    from jupyter_training.executors.processes import ON_LINUX

    if not ON_LINUX:
        return MemoryFacts(on_linux=False)
    cgroup, mounts = (
        Path(f"/proc/self/{name}").read_text(errors="replace") for name in ("cgroup", "mountinfo")
    )
    seen = homes(cgroup, mounts)
    for version, directory in seen:
        if is_usable((version, directory)):
            return MemoryFacts(True, version, directory, is_usable=True)
    if not seen:
        return MemoryFacts(True)
    version, directory = seen[0]
    try:
        is_read_only = bool(os.statvfs(directory).f_flag & os.ST_RDONLY)
    except OSError:
        is_read_only = False
    return MemoryFacts(True, version, directory, is_read_only=is_read_only)


def docker(url: str | None, network: str) -> DockerFacts:
    """Ask the engine for its version, and for what it has."""
    from jupyter_training.executors.docker_engine import (
        DockerEngine,
        EngineAway,
        Forbidden,
        Refused,
        Unusable,
    )

    engine = DockerEngine(url)
    socket = engine.url.partition("://")[2] if engine.is_local else ""
    programs = ("docker", "dockerd")
    is_installed = os.path.exists(socket) or any(shutil.which(one) for one in programs)
    own = Path(os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")) / "docker.sock"
    found = DockerFacts(
        engine.url,
        engine.is_local,
        is_installed,
        rootless_url=f"unix://{own}" if os.path.exists(own) and str(own) != socket else None,
    )
    try:
        client = engine.client()
        with engine.translated():
            version, info = client.version(), client.info()
            there = {one["Name"] for one in client.networks()}
    except EngineAway as error:
        return replace(found, trouble=DockerTrouble.AWAY, words=str(error))
    except Forbidden as error:
        return replace(found, trouble=DockerTrouble.FORBIDDEN, words=str(error))
    except Unusable as error:
        return replace(found, trouble=DockerTrouble.UNUSABLE, words=str(error))
    except Refused as error:
        return replace(found, trouble=DockerTrouble.REFUSED, words=str(error))
    finally:
        engine.close()
    devices = [str(one.get("ID", "")) for one in info.get("DiscoveredDevices") or ()]
    return replace(
        found,
        version=str(version.get("Version", "")),
        api=str(version.get("ApiVersion", "")),
        storage=str(info.get("Driver", "")),
        cgroup=str(info.get("CgroupVersion", "")),
        runtimes=tuple(sorted(info.get("Runtimes") or ())),
        has_hook=engine.is_local and shutil.which("nvidia-container-runtime-hook") is not None,
        has_cdi=any(one.startswith("nvidia.com/gpu=") for one in devices),
        is_rootless=any("rootless" in one for one in info.get("SecurityOptions") or ()),
        limits_memory=bool(info.get("MemoryLimit", True)),
        network_missing=network not in there,
    )


def driver() -> DriverFacts:
    """Ask the NVIDIA driver for its cards."""
    import pynvml

    from jupyter_training.engine.gpus import GpuInventory
    from jupyter_training.engine.live_gpus import token_of
    from jupyter_training.engine.nvml import Nvml, of_driver

    on_bus = _nvidia_cards()
    try:
        nvml = Nvml()
    except pynvml.NVMLError as error:
        kinds = {
            pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: DriverTrouble.NO_LIBRARY,
            pynvml.NVML_ERROR_DRIVER_NOT_LOADED: DriverTrouble.NOT_LOADED,
            pynvml.NVML_ERROR_NO_PERMISSION: DriverTrouble.FORBIDDEN,
            pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: DriverTrouble.MISMATCH,
        }
        trouble = kinds.get(error.value, DriverTrouble.OTHER)
        return DriverFacts(on_bus=on_bus, trouble=trouble, words=of_driver(error))
    try:
        version = _text(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        version = None
    inventory = GpuInventory(lambda pid: token_of(pid) is not None)
    try:
        snapshot = inventory.read()
    finally:
        inventory.close()
        nvml.close()
    gpus = tuple(
        GpuFacts(one.uuid, one.index, one.model, one.memory_gb, one.trouble, one.in_use)
        for one in snapshot.gpus
    )
    failed = DriverTrouble.OTHER if snapshot.trouble and not gpus else None
    return DriverFacts(version, gpus, on_bus, failed, snapshot.trouble or "")


def _nvidia_cards(devices: Path = Path("/sys/bus/pci/devices")) -> int:
    """How many display controllers of NVIDIA are on the bus."""
    found = 0
    for device in devices.glob("*"):
        try:
            vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
        except OSError:
            continue
        found += vendor == "0x10de" and kind.startswith("0x03")
    return found


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def servers() -> list[ServerFacts]:
    """Ask the servers of this user who they are, and whether they take jobs."""
    from jupyter_training.servers import live

    return [_server(one.url, one.token, one.pid, one.embedded) for one in live()]


def _server(url: str, token: str, pid: int, is_embedded: bool) -> ServerFacts:
    import httpx

    headers = {"Authorization": f"token {token}"}
    try:
        # A proxy is for the network and not for this machine.
        with httpx.Client(
            base_url=url, headers=headers, timeout=_ANSWER_S, trust_env=False
        ) as client:
            version = str(client.get("api/training-openapi.json").json()["info"]["version"])
            answer = client.get("api/training-jobs", params={"limit": 1})
            trouble = None if answer.is_success else str(answer.json()["message"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        words = str(error) or type(error).__name__
        return ServerFacts(url, pid, is_embedded, trouble=f"it does not answer ({words})")
    return ServerFacts(url, pid, is_embedded, version, trouble)
