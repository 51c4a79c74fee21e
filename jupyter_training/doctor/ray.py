"""Whether jobs can run on Ray: whether it answers, is of our version, and sees our files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jupyter_training.doctor.checks import Check, absent, ok, problem
from jupyter_training.doctor.settings import Settings

NAME = "Ray"
EXECUTOR = "ray"


@dataclass(frozen=True)
class RayFacts:
    """What there is of Ray.

    Attributes
    ----------
    version
        Of the package here; empty if it is not installed.
    url
        Where the cluster is asked for.
    trouble
        Why it does not answer, or cannot be used; empty if it can.
    nodes, cpu_cores, gpus
        What it has in all.
    is_shared
        Whether the data directory is on a network file system, as far as that can be seen.
    """

    version: str = ""
    url: str = ""
    trouble: str = ""
    nodes: int = 0
    cpu_cores: int = 0
    gpus: int = 0
    is_shared: bool = False

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is on more than this machine, as far as its address tells."""
        host = urlsplit(self.url).hostname or ""
        return not (host == "localhost" or host.startswith("127."))


def look(address: str, headers: Mapping[str, str], verify: bool, data_dir: Path) -> RayFacts:
    """Ask Ray for its nodes.

    Parameters
    ----------
    address, headers, verify
        As ``c.Ray`` has them.
    """
    from jupyter_training.executors.base import ClusterAway
    from jupyter_training.executors.ray import ray_version, url_of
    from jupyter_training.executors.ray_client import Client, headers_of
    from jupyter_training.executors.ray_jobs import nodes_of
    from jupyter_training.store.filesystem import network_file_system

    try:
        version, url = ray_version(), url_of(address)
    except ValueError:
        return RayFacts()

    async def ask() -> RayFacts:
        client = Client(url, version, headers or headers_of(os.environ), verify=verify)
        try:
            nodes = [one.node for one in nodes_of(await client.nodes(), {})]
        except ClusterAway as away:
            return RayFacts(version, url, str(away))
        finally:
            await client.close()
        return RayFacts(
            version,
            url,
            "",
            len(nodes),
            sum(one.cpu_cores for one in nodes),
            sum(len(one.gpus) for one in nodes),
            network_file_system(data_dir) is not None,
        )

    return asyncio.run(ask())


def judge(facts: RayFacts, settings: Settings) -> Check:
    """Whether jobs can run on it."""
    is_default = settings.default_executor == EXECUTOR
    is_asked_for = EXECUTOR in settings.executors or is_default
    if not facts.version:
        if not is_asked_for:
            return absent(NAME, "Ray is not installed; jobs run on this machine.")
        return problem(
            *(NAME, "Ray is not installed, but ray is one of c.TrainingApp.executors."),
            "pip install 'jupyter-training[ray]'",
            blocks_jobs=True,
        )
    if facts.trouble:
        if not is_asked_for:
            return absent(NAME, f"Ray {facts.version} is installed; no job is sent to a cluster.")
        return problem(
            *(NAME, f"{facts.trouble}."),
            f"See whether the cluster's dashboard is at {facts.url}, or set c.Ray.address.",
            blocks_jobs=is_default,
        )
    told = (
        f"Ray {facts.version} at {facts.url}, {facts.nodes} node{'s' * (facts.nodes != 1)} with "
        f"{facts.cpu_cores} CPU cores and {facts.gpus} GPU{'s' * (facts.gpus != 1)}"
    )
    if not is_asked_for:
        return absent(
            *(NAME, f"{told}; no job is sent there."),
            'To send jobs there: c.TrainingApp.executors = ["local", "docker", "ray"].',
        )
    if facts.is_elsewhere and not facts.is_shared:
        return problem(
            *(NAME, f"{told}; {settings.data_dir} seems to be on a disk of this machine."),
            "Set c.TrainingApp.data_dir to a directory that all nodes share at the same path.",
        )
    return ok(NAME, f"{told}.")
