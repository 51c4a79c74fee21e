"""Whether jobs can run on Ray: whether it answers, is of our version, and sees our files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from jupyter_training.doctor import clusters
from jupyter_training.doctor.checks import Check, absent, problem
from jupyter_training.doctor.clusters import Size, is_asked_for, size_of
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
    wrong
        What is wrong with how it is configured; empty for nothing.
    trouble
        Why it does not answer, or cannot be used; empty if it can.
    size
        What it has.
    repair
        What to do about the trouble, where that is known.
    """

    version: str = ""
    url: str = ""
    trouble: str = ""
    size: Size = field(default_factory=Size)
    wrong: str = ""
    repair: str = ""


def look(address: str, headers: Mapping[str, str], verify: bool, data_dir: Path) -> RayFacts:
    """Ask Ray for its nodes.

    Parameters
    ----------
    address, headers, verify
        As ``c.Ray`` has them.
    """
    from jupyter_training.executors.base import ClusterAway
    from jupyter_training.executors.ray import ray_version, url_of
    from jupyter_training.executors.ray_client import Client, Repairable, headers_of
    from jupyter_training.executors.ray_jobs import nodes_of

    try:
        version = ray_version()
    except ValueError:
        return RayFacts()
    try:
        url, sent = url_of(address), headers or headers_of(os.environ)
    except ValueError as error:
        return RayFacts(version, wrong=str(error))

    async def ask() -> RayFacts:
        client = Client(url, version, sent, verify=verify)
        try:
            nodes = nodes_of(await client.nodes(), {})
        except Repairable as away:
            return RayFacts(version, url, away.found, repair=away.repair)
        except ClusterAway as away:
            return RayFacts(version, url, str(away))
        finally:
            await client.close()
        return RayFacts(version, url, "", size_of(nodes, data_dir, is_elsewhere=_is_elsewhere(url)))

    return asyncio.run(ask())


def judge(facts: RayFacts, settings: Settings) -> Check:
    """Whether jobs can run on it."""
    if not facts.version:
        if not is_asked_for(EXECUTOR, settings):
            return absent(NAME, "Ray is not installed; jobs run on this machine.")
        return problem(
            *(NAME, "Ray is not installed, but ray is one of c.TrainingApp.executors."),
            "pip install 'jupyter-training[ray]'",
            blocks_jobs=True,
        )
    if facts.wrong and is_asked_for(EXECUTOR, settings):
        repair = "Set it in jupyter_server_config.py, and start the server again."
        return problem(NAME, f"{facts.wrong}.", repair, blocks_jobs=True)
    if facts.trouble or facts.wrong:
        if not is_asked_for(EXECUTOR, settings):
            return absent(NAME, f"Ray {facts.version} is installed; no job is sent to a cluster.")
        return problem(
            *(NAME, f"{facts.trouble}."),
            facts.repair
            or f"See whether the cluster's dashboard is at {facts.url}, or set c.Ray.address.",
            blocks_jobs=settings.default_executor == EXECUTOR,
        )
    return clusters.judge(
        NAME, EXECUTOR, f"Ray {facts.version} at {facts.url}", facts.size, settings
    )


def _is_elsewhere(url: str) -> bool:
    """Whether it is on more than this machine, as far as its address tells."""
    host = urlsplit(url).hostname or ""
    return not (host == "localhost" or host.startswith("127."))
