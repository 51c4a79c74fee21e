"""Run jobs on a Ray cluster: each attempt is a submitted job, and our supervisor its entrypoint.

What it has in common with other clusters is in `cluster`. A job is submitted under the token of its
attempt, so that Ray itself takes it only once. A distributed job is one submitted driver, which
holds a placement group: see `ray_gang`. When the head of Ray is restarted it forgets its jobs, and
when it loses a node it says so: both end attempts as lost, after whatever of them still runs.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from traitlets import Bool, Dict, Unicode

from jupyter_training.executors import cluster_records as records
from jupyter_training.executors.base import GangLaunch, Launch
from jupyter_training.executors.cluster import ClusterExecutor
from jupyter_training.executors.cluster_dialect import gpu_name
from jupyter_training.executors.cluster_node import WAITS
from jupyter_training.executors.cluster_settings import ClusterSettings
from jupyter_training.executors.local import PACKAGES
from jupyter_training.executors.ray_client import Client, headers_of
from jupyter_training.executors.ray_jobs import (
    OPTIONS,
    SAID,
    RayJob,
    Site,
    accelerator,
    again,
    amounts,
    end_of,
    jobs_of,
    labels,
    lost,
    names_of,
    nodes_of,
    not_begun,
    pairs,
    reason,
    submission,
    usage_of,
)
from jupyter_training.executors.records import STARTED
from jupyter_training.executors.registry import Plugin, Setting
from jupyter_training.executors.supervised import read_record
from jupyter_training.jobs.lifecycle import Exit
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.scheduling.choice import Offer
from jupyter_training.scheduling.resources import ClusterNode, Placement


class RayDialect:
    """How Ray is spoken to; see `Dialect`.

    Parameters
    ----------
    site
        What is particular to the cluster.
    client
        Its job server.
    grace_s
        How long a job may take to end after it was asked to (s).

    """

    name = "Ray"
    own = ("RAY_",)

    def __init__(self, site: Site, client: Client, grace_s: float) -> None:
        self.site, self.client, self._grace_s = site, client, grace_s
        self.models: frozenset[str] = frozenset()
        self._nodes: Sequence[Mapping[str, Any]] = ()
        self._names: dict[str, str] = {}

    @property
    def program(self) -> list[str]:
        """What runs on a node, without its arguments."""
        return self.site.program

    def problems(self, spec: JobSpec) -> list[FieldError]:
        """What is wrong with a job for Ray."""
        wrong = []
        for name in OPTIONS.keys() & spec.executor_options.keys():
            try:
                found = pairs(str(spec.executor_options[name]))
                if name == "resources":
                    [float(much) for much in found.values()]
            except ValueError as error:
                wrong.append(FieldError(f"executor_options.{name}", str(error)))
        return wrong

    def gpu_type(self, asked: str) -> str | None:
        """Which accelerator type a person means; None if it is not there."""
        return accelerator(asked, self.site.gpu_types, self.models)

    async def nodes(self) -> Sequence[ClusterNode]:
        """The nodes of the cluster; see `Dialect`."""
        self._nodes = await self.client.nodes()
        return nodes_of(self._nodes, usage_of(await self.client.usage()))

    def request(self, launch: Launch) -> dict[str, Any]:
        """What is to be submitted for an attempt."""
        return submission(launch, self.site, self._grace_s, self.models)

    def more(self, launch: Launch) -> dict[str, Any]:
        """What else our program on the nodes is to know: of what the parts of a group consist."""
        return {
            "bundle": amounts(launch, self.site, self.models),
            "labels": labels(launch),
            "min_nodes": launch.min_nodes if isinstance(launch, GangLaunch) else None,
        }

    async def submit(self, request: dict[str, Any]) -> str:
        """Submit it, and return its id; see `Dialect`."""
        return await self.client.submit(request)

    async def jobs(self) -> Sequence[RayJob]:
        """All jobs of this installation that Ray knows; see `Dialect`."""
        found = jobs_of(await self.client.jobs(), self.site.installation)
        for job in found:
            # Ray's patience with jobs that wait has an end, and ours has none.
            if job.waits and job.is_forgotten and not await _is_taken(job):
                await self.client.forget(job.id)
                await self.client.submit(again(job))
        return found

    async def recall(self, job: str, directory: Path) -> RayJob | None:
        """Nothing: what Ray forgets, it keeps nowhere."""
        return None

    async def cancel(self, job: str) -> None:
        """Have Ray stop a job; one that waits ends as soon as it begins."""
        await self.client.stop(job)

    async def ask_to_end(self, job: str) -> None:
        """Our program sees the file that asks it; Ray would leave it too little time."""

    async def placed(self, token: str, place: Placement) -> Placement | None:
        """Where an attempt runs. Our program has at most Ray's id of the node, and Ray its name."""
        id_ = place.node or await self.client.node_of(token)
        if id_ and id_ not in self._names:
            self._names |= names_of(await self.client.nodes())
        name = self._names.get(id_)
        if name is None:
            return None
        gpus = (gpu and gpu_name(name, gpu.rpartition(":")[2]) for gpu in place.gpus)
        return replace(place, node=name, gpus=tuple(gpus))

    def reason(self, job: RayJob) -> str:
        """Why a job waits."""
        return reason(job, self._nodes)

    def end_of(
        self, told: Exit, job: RayJob | None, *, asked: bool, revoked: bool, left_s: float
    ) -> Exit:
        """The end of an attempt; see `Dialect`."""
        return end_of(told, job, asked=asked, revoked=revoked)

    def lost(self, job: RayJob | None, *, revoked: bool, asked: bool) -> Exit:
        """How an attempt ended that has written nothing of its end."""
        return lost(job, by_us=revoked or asked)

    async def not_begun(self, job: RayJob, directory: Path) -> Exit:
        """How an attempt ended that Ray has let go of before it ran."""
        told = await asyncio.to_thread(read_record, directory / WAITS)
        where = (told or {}).get("where") or self._names.get(job.node_id) or "the node"
        said = await asyncio.to_thread(records.last_said, directory / SAID)
        return not_begun(job, directory, self.site.python, str(where), said)

    async def close(self) -> None:
        """Let go of the connections."""
        await self.client.close()


async def _is_taken(job: RayJob) -> bool:
    """Whether the attempt of a job has begun, or was given up."""
    return await asyncio.to_thread((Path(job.directory) / STARTED).exists)


class Ray(ClusterSettings):
    """How jobs run on Ray: ``c.Ray.address = "http://head:8265"``."""

    address = Unicode(
        help="""Where Ray's dashboard and job server is, as http://head:8265. Default:
        RAY_API_SERVER_ADDRESS or RAY_ADDRESS in the server's environment, the first that is such a
        URL, else http://127.0.0.1:8265.""",
    ).tag(config=True)

    headers = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="""What each request to it carries, such as {"Authorization": "Bearer …"}. Default:
        as of Ray's own client, by RAY_JOB_HEADERS, RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or
        ~/.ray/auth_token.""",
    ).tag(config=True)

    verify = Bool(True, help="Whether its certificate is checked.").tag(config=True)


def ray_version() -> str:
    """The version of Ray that is installed here.

    Raises
    ------
    ValueError
        If there is none.
    """
    try:
        return metadata.version("ray")
    except metadata.PackageNotFoundError:
        raise ValueError("Ray is not installed: pip install 'jupyter-training[ray]'") from None


def url_of(address: str) -> str:
    """Where the job server is.

    Parameters
    ----------
    address
        As it is configured; empty if it is not.

    Raises
    ------
    ValueError
        If that is no URL.
    """
    schemes = ("http://", "https://")
    said = (os.environ.get(name, "") for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"))
    found = (one for one in said if one.startswith(schemes))
    url = address or next(found, "http://127.0.0.1:8265")
    if not url.startswith(schemes):
        raise ValueError(f"c.Ray.address should be like http://head:8265, not {url}")
    return url


def _make(setting: Setting) -> ClusterExecutor[RayJob, dict[str, Any]]:
    it = Ray(parent=setting.app)
    version = ray_version()
    client = Client(
        url_of(it.address), version, it.headers or headers_of(os.environ), verify=it.verify
    )
    site = Site(setting.installation, it.python or sys.executable, PACKAGES, it.gpu_types)
    return ClusterExecutor(
        RayDialect(site, client, setting.grace_s),
        setting.data_dir / "ray",
        setting.grace_s,
        log_limit=setting.log_limit,
        pace=it.pace,
    )


PLUGIN = Plugin(_make, Offer(options=OPTIONS))
"""For the registry."""
