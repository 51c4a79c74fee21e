"""A real Ray cluster of three nodes on this machine, ended with the tests.

Its nodes have loopback addresses of their own, free ports, and GPUs that are counted and handed
out, but are not there. Nothing of it is told to anybody.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from jupyter_training.executors.processes import descendants, start_time
from tests.patience import until
from tests.ports import free_ports

if TYPE_CHECKING:
    from tests.conftest import Home

NODES = {"node1": "127.0.0.2", "node2": "127.0.0.3", "node3": "127.0.0.9"}
"""The nodes and their addresses; the first one is the head."""

at_length = pytest.mark.skipif(
    os.environ.get("JUPYTER_TRAINING_CONFORMANCE") != "ray",
    reason="Ray takes minutes for it: JUPYTER_TRAINING_CONFORMANCE=ray",
)
"""For what is tried on Ray only when somebody asks for that."""

CPUS, MEMORY_GB, GPUS = 4, 4, 4
"""What each node has."""

_SETTINGS = {
    # No worker is started that no job asks for.
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_DISABLE_MEMORY_MONITOR": "1",
    "RAY_memory_monitor_refresh_ms": "0",
    # Its agents start slowly on a machine that has much else to do.
    "RAY_agent_register_timeout_ms": "150000",
    "RAY_raylet_start_wait_time_s": "150",
    "OPENBLAS_NUM_THREADS": "1",
}


_PORTS = (
    "dashboard_agent_listen_port",
    "metrics_agent_port",
    "metrics_export_port",
    "runtime_env_agent_port",
)


class RayCluster:
    """A cluster whose nodes can be killed and started again.

    Parameters
    ----------
    place
        An empty directory with a short path: there are sockets in it.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self._gcs, self._dashboard = free_ports(1, NODES["node1"])[0], free_ports(1)[0]
        self._nodes: dict[str, int] = {}
        self._starts = 0
        self._labels: dict[str, str] = {}
        self._starter = subprocess.Popen(
            [sys.executable, "-m", "tests.ray_nodes"],
            cwd=Path(__file__).parents[1],
            env={**os.environ, **_SETTINGS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def url(self) -> str:
        """Where jobs are submitted."""
        return f"http://127.0.0.1:{self._dashboard}"

    def start(self) -> None:
        """Start what does not run, and return when all nodes can be used."""
        for name in NODES:
            if name not in self._nodes:
                self.start_node(name)
                if name == "node1":
                    self.until_up()
        self.until_up()

    def stop(self) -> None:
        """End all nodes at once, as if there were no power."""
        for name in list(self._nodes):
            self.kill_node(name)

    def start_node(self, name: str, unseen: Path | None = None) -> None:
        """Start a node, which perhaps does not see what is in a directory."""
        is_head = name == "node1"
        gb = 1 << 30
        self._starts += 1
        self._labels[name] = str(self._starts)
        told: dict[str, Any] = {
            "head": is_head,
            "log": str(self.place / f"{name}.log"),
            "node_ip_address": NODES[name],
            "node_name": name,
            "num_cpus": CPUS,
            "num_gpus": GPUS,
            "memory": MEMORY_GB * gb,
            "object_store_memory": 80 << 20,
            "resources": {"accelerator_type:A100": 1, "licence" if is_head else "worker": 1},
            "labels": {"start": self._labels[name]},
            "temp_dir": str(self.place / "ray"),
            "unseen": unseen and str(unseen),
        }
        if is_head:
            told |= {"gcs_server_port": self._gcs, "include_dashboard": None}
            told |= {"dashboard_host": "127.0.0.1", "dashboard_port": self._dashboard}
        else:
            told |= {"gcs_address": f"{NODES['node1']}:{self._gcs}"}
        # Nodes that start at the same time would choose the same names.
        for kind in ("raylet", "plasma_store"):
            path = self.place / f"{name}.{kind}"
            path.unlink(missing_ok=True)
            told[f"{kind}_socket_name"] = str(path)
        # Where it chooses ports itself, Ray waits for its agents for no longer than 15 s.
        told |= dict(zip(_PORTS, free_ports(len(_PORTS), NODES[name]), strict=True))
        assert self._starter.stdin is not None
        assert self._starter.stdout is not None
        self._starter.stdin.write(json.dumps(told) + "\n")
        self._starter.stdin.flush()
        self._nodes[name] = int(self._starter.stdout.readline())

    def kill_node(self, name: str) -> None:
        """Kill a node as if its machine had lost power: all that runs there."""
        node = self._nodes.pop(name)
        os.kill(node, signal.SIGSTOP)
        while several := [pid for pid in descendants(node) if start_time(pid) is not None]:
            for number in (signal.SIGSTOP, signal.SIGKILL):  # nobody is to see another one end
                for pid in several:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
            time.sleep(0.01)
        os.kill(node, signal.SIGKILL)

    def lose_sight_of(self, name: str) -> None:
        """Cut a node off from the cluster; what runs there goes on."""
        os.kill(self._program(name, b"/raylet"), signal.SIGSTOP)

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """The job server accepts connections and says nothing."""
        pid = self._program("node1", b"/dashboard.py")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def _program(self, node: str, mark: bytes) -> int:
        """The program of Ray whose command line begins with one that ends like this."""
        (pid,) = (
            one
            for one in descendants(self._nodes[node])
            if any(word.endswith(mark) for word in _words(one)[:2])
        )
        return pid

    def until_up(self) -> None:
        """Return when all nodes that were started can be used."""
        try:
            until(self._is_up, pause_s=0.1)
        except AssertionError:
            raise AssertionError(self._said()) from None

    def _is_up(self) -> bool:
        try:
            answer = httpx.get(f"{self.url}/api/v0/nodes", timeout=10, trust_env=False)
            told = answer.raise_for_status().json()["data"]["result"]["result"]
        except httpx.HTTPError:
            told = []
        gone = [name for name, pid in self._nodes.items() if start_time(pid) is None]
        assert not gone, self._said()
        alive = {one["labels"].get("start") for one in told if one["state"] == "ALIVE"}
        return {self._labels[name] for name in self._nodes} <= alive

    def _said(self) -> str:
        return "\n".join(one.read_text()[-1500:] for one in self.place.glob("*.log"))

    def close(self) -> None:
        """End all of it."""
        self.stop()
        self._starter.kill()
        self._starter.communicate()
        shutil.rmtree(self.place, ignore_errors=True)


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []  # it has just ended


def with_ray(home: Home, url: str) -> Home:
    """A home whose servers send jobs to a cluster."""
    home.configure(
        'c.TrainingApp.executors = ["local", "docker", "ray"]\n'
        f'c.Ray.address = "{url}"\n'
        "c.Ray.poll_interval = 0.5\nc.Ray.sign_interval = 1.0\nc.Ray.settle_time = 0.1\n"
    )
    return home


def why_not() -> str | None:
    """Why no Ray can be started here; None if one can."""
    try:
        metadata.version("ray")
    except metadata.PackageNotFoundError:
        return "Ray is missing: pip install 'jupyter-training[ray]'"
    return None


@contextlib.contextmanager
def running() -> Iterator[RayCluster]:
    """A cluster for as long as it is wanted."""
    made = RayCluster(Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp")))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session" if "JUPYTER_TRAINING_CONFORMANCE" in os.environ else "module")
def ray_cluster() -> Iterator[RayCluster]:
    """A cluster for the tests of a file, as it takes half a core also when nobody asks it."""
    told = why_not()
    if told:
        assert "CI" not in os.environ, f"Ray is never left out there: {told}"
        pytest.skip(told)
    with running() as made:
        yield made
