"""A real Docker engine of our own, on a socket in a temporary directory, with an image to run.

It needs root, and Debian's ``docker.io``, ``containerd``, ``runc`` and ``iptables``. It has a
network namespace of its own, so that it leaves an engine that runs on this machine alone, and its
containerd is a process of its own, as where a system starts it, so that the engine can be killed
without it.

GPUs are faked at the very bottom: the engine accepts requests for them if there is a program with
the name of NVIDIA's hook, and ours does nothing.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import APIClient
from docker.errors import DockerException

from tests.patience import PATIENCE_S

IMAGE = "jupyter-training-test-python"

_FAKE_GPU_RUNTIME_HOOK = """#!/bin/sh
# fake_gpu_runtime: stands in for the hook of the NVIDIA Container Toolkit, and does nothing.
exit 0
"""

_WITH_LOOPBACK = """
import fcntl, os, socket, struct, sys
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(probe, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS, up and running
os.execvp(sys.argv[1], sys.argv[1:])
"""

_CONTAINERD = """
version = 2
root = "{0}/containerd/root"
state = "{0}/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{0}/containerd.sock"
"""

_NOT_IN_THE_IMAGE = frozenset(
    {"site-packages", "test", "idlelib", "tkinter", "lib2to3", "ensurepip", "turtledemo"}
)


class Engine:
    """An engine that can be stopped, killed and started again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = f"unix://{directory}/docker.sock"
        self.gpus = True
        self._containerd: subprocess.Popen[bytes] | None = None
        self._dockerd: subprocess.Popen[bytes] | None = None
        self._hooks = directory / "fake_gpu_runtime"
        self._hooks.mkdir()
        hook = self._hooks / "nvidia-container-runtime-hook"
        hook.write_text(_FAKE_GPU_RUNTIME_HOOK)
        hook.chmod(0o755)
        (directory / "containerd.toml").write_text(_CONTAINERD.format(directory))

    @property
    def client(self) -> APIClient:
        """A new client."""
        return APIClient(self.url, timeout=int(PATIENCE_S))

    def start(self, *flags: str) -> None:
        """Start it, and return when it answers."""
        if self._containerd is None:
            command = ["containerd", "--config", str(self.directory / "containerd.toml")]
            alone = ["unshare", "--net", sys.executable, "-c", _WITH_LOOPBACK]
            self._containerd = self._run([*alone, *command])
            self._until(lambda: (self.directory / "containerd.sock").exists())
        (self.directory / "docker.pid").unlink(missing_ok=True)
        self._dockerd = self._run(
            [
                *self.in_its_network,
                "dockerd",
                *("--containerd", str(self.directory / "containerd.sock")),
                *("--data-root", str(self.directory / "data")),
                *("--exec-root", str(self.directory / "exec")),
                *("--pidfile", str(self.directory / "docker.pid")),
                *("--host", self.url),
                *flags,
            ]
        )
        self._until(self._answers)

    @property
    def in_its_network(self) -> list[str]:
        """What runs a command where the engine's own loopback is."""
        assert self._containerd is not None
        return ["nsenter", f"--net=/proc/{self._containerd.pid}/ns/net"]

    def stop(self) -> None:
        """Stop it, as an administrator does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self._end(signal.SIGKILL)

    def restart(self, *flags: str) -> None:
        """Stop it and start it with other flags."""
        self.stop()
        self.start(*flags)

    def close(self) -> None:
        """Remove all of it."""
        with contextlib.suppress(DockerException, OSError):
            client = self.client
            for container in client.containers(all=True):
                client.remove_container(container["Id"], force=True)
            client.close()
        self.stop()
        if self._containerd is not None:
            self._containerd.terminate()
            self._containerd.wait(PATIENCE_S)
        mounted = Path("/proc/mounts").read_text()
        for place in re.findall(rf"^\S+ ({re.escape(str(self.directory))}\S*)", mounted, re.M):
            subprocess.run(["umount", "--lazy", place], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        paths = [*([str(self._hooks)] if self.gpus else []), os.environ["PATH"], "/usr/sbin"]
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                env={**os.environ, "PATH": os.pathsep.join(paths)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _end(self, number: int) -> None:
        if self._dockerd is not None:
            self._dockerd.send_signal(number)
            self._dockerd.wait(PATIENCE_S)
            self._dockerd = None

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.directory / "docker.sock"))
            except OSError:
                return False
        client = self.client
        client.ping()
        client.close()
        return True

    def _until(self, condition: object) -> None:
        assert callable(condition)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.05)  # another program has no event for us
        raise AssertionError((self.directory / "log").read_text()[-3000:])


def archive_of_this_python() -> bytes:
    """A file system with this interpreter, its standard library, a shell and what they need."""
    program, library = os.path.realpath(sys.executable), sysconfig.get_paths()["stdlib"]
    files = {program, "/bin/sh"}
    for one in (program, "/bin/sh"):
        told = subprocess.run(["ldd", one], capture_output=True, text=True, check=True).stdout
        files.update(re.findall(r"(/[^\s:]+) \(0x", told))

    def readable(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        name = os.path.basename(entry.name)
        if name in _NOT_IN_THE_IMAGE or name == "__pycache__" or name.startswith("config-"):
            return None
        entry.uid = entry.gid = 0
        entry.mode |= 0o555 if entry.isdir() else 0o444
        return entry

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in sorted(files):
            archive.add(os.path.realpath(file), file, filter=readable)
        archive.add(library, filter=readable)
        link = tarfile.TarInfo("usr/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, program
        archive.addfile(link)
        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(temporary)
    return buffer.getvalue()


class Proxy:
    """A way to an engine that can be cut: a socket that passes everything on to another one."""

    def __init__(self, path: Path, engine: Path) -> None:
        self.url = f"unix://{path}"
        self._path, self._engine = path, engine
        self._both: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.open()

    def open(self) -> None:
        """Let connections through."""
        listener = self._listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._path))
        listener.listen(64)
        threading.Thread(target=self._accept, args=[listener], daemon=True).start()

    def close(self) -> None:
        """Let none through, and cut those there are."""
        assert self._listener is not None
        self._path.unlink()
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Cut the connections there are."""
        with self._lock:
            for one in self._both:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._both.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                inner, _ = listener.accept()
                outer = socket.socket(socket.AF_UNIX)
                try:
                    outer.connect(str(self._engine))
                except OSError:
                    inner.close()
                    outer.close()
                    continue
                with self._lock:
                    self._both += [inner, outer]
                threading.Thread(target=self._serve, args=[inner, outer], daemon=True).start()

    def _serve(self, inner: socket.socket, outer: socket.socket) -> None:
        back = threading.Thread(target=self._pass_on, args=[outer, inner], daemon=True)
        with inner, outer:
            back.start()
            self._pass_on(inner, outer)
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def why_not() -> str | None:
    """Why no engine can be started here; None if one can."""
    if os.geteuid() != 0:
        return "a Docker engine of our own needs root"
    paths = os.environ["PATH"] + os.pathsep + "/usr/sbin"
    programs = ("dockerd", "containerd", "runc", "iptables", "unshare", "nsenter")
    missing = [name for name in programs if shutil.which(name, path=paths) is None]
    return f"{', '.join(missing)} missing: install docker.io" if missing else None


@contextlib.contextmanager
def running() -> Iterator[Engine]:
    """An engine that runs, and has the image."""
    # A short path: that of a socket may not have more than about 100 characters.
    made = Engine(Path(tempfile.mkdtemp(prefix="docker-", dir="/tmp")))
    try:
        made.start()
        client = made.client
        client.import_image_from_data(archive_of_this_python(), repository=IMAGE)
        client.close()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine that runs, for the whole session."""
    told = why_not()
    if told:
        assert "CI" not in os.environ, f"the engine is never left out there: {told}"
        pytest.skip(told)
    with running() as made:
        yield made
