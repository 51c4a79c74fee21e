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
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from traitlets import Bool, Dict, Float, Unicode
from traitlets.config import Configurable

from jupyter_training.executors.base import ClusterAway, Found, Launch
from jupyter_training.executors.cluster import ClusterExecutor
from jupyter_training.executors.cluster_dialect import gpu_name
from jupyter_training.executors.local import PACKAGES
from jupyter_training.executors.ray_client import Client, headers_of
from jupyter_training.executors.ray_jobs import (
    OPTIONS,
    RayJob,
    Site,
    accelerator,
    again,
    amounts,
    end_of,
    jobs_of,
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

    Attributes
    ----------
    models
        The accelerator types that there are, as Ray calls them.
    """

    name = "Ray"
    own = ("RAY_",)

    def __init__(self, site: Site, client: Client, grace_s: float) -> None:
        self.site, self.client, self._grace_s = site, client, grace_s
        self.models: frozenset[str] = frozenset()

    @property
    def program(self) -> list[str]:
        """What runs on a node, without its arguments."""
        return self.site.program

    def request(self, launch: Launch) -> dict[str, Any]:
        """What is to be submitted for an attempt."""
        return submission(launch, self.site, self._grace_s, self.models)

    def more(self, launch: Launch) -> dict[str, Any]:
        """What else our program on the nodes is to know: of what the parts of a group consist."""
        return {"bundle": amounts(launch, self.site, self.models)}

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

    async def cancel(self, job: str) -> None:
        """Have Ray stop a job; one that waits ends as soon as it begins."""
        await self.client.stop(job)

    async def ask_to_end(self, job: str) -> None:
        """Our program sees the file that asks it; Ray would leave it too little time."""

    def reason(self, job: RayJob) -> str:
        """Why a job waits."""
        return reason(job)

    def end_of(
        self, told: Exit, job: RayJob | None, *, asked: bool, revoked: bool, left_s: float
    ) -> Exit:
        """The end of an attempt; see `Dialect`."""
        return end_of(told, job, asked=asked, revoked=revoked)

    def lost(self, job: RayJob | None, *, revoked: bool) -> Exit:
        """How an attempt ended that has written nothing of its end."""
        return lost(job)

    async def not_begun(self, job: RayJob, directory: Path) -> Exit:
        """How an attempt ended that Ray has let go of before it ran."""
        return not_begun(job, directory, self.site.python)


async def _is_taken(job: RayJob) -> bool:
    """Whether the attempt of a job has begun, or was given up."""
    return await asyncio.to_thread((Path(job.directory) / STARTED).exists)


class RayExecutor(ClusterExecutor[RayJob, dict[str, Any]]):
    """Submitted jobs of a Ray cluster; a `Cluster`.

    Parameters
    ----------
    site
        What is particular to the cluster.
    client
        Its job server.
    told, grace_s, log_limit, poll_s, alive_s, settle_s
        See `ClusterExecutor`.
    """

    def __init__(
        self,
        site: Site,
        client: Client,
        told: Path,
        grace_s: float,
        *,
        log_limit: int = 0,
        poll_s: float = 5.0,
        alive_s: float = 10.0,
        settle_s: float = 3.0,
    ) -> None:
        self._ray = RayDialect(site, client, grace_s)
        self._names: dict[str, str] = {}
        super().__init__(
            self._ray,
            told,
            grace_s,
            log_limit=log_limit,
            poll_s=poll_s,
            alive_s=alive_s,
            settle_s=settle_s,
        )

    def problems(self, spec: JobSpec) -> Sequence[FieldError]:
        """What is wrong with a job for Ray; see `Cluster`."""
        wrong = []
        for name in OPTIONS.keys() & spec.executor_options.keys():
            try:
                found = pairs(str(spec.executor_options[name]))
                if name == "resources":
                    [float(much) for much in found.values()]
            except ValueError as error:
                wrong.append(FieldError(f"executor_options.{name}", str(error)))
        if spec.nodes > 1 and "labels" in spec.executor_options:
            told = "Ray finds nodes by labels only for jobs of one node"
            wrong.append(FieldError("executor_options.labels", told))
        if spec.min_nodes is not None and spec.min_nodes != spec.nodes:
            told = "Ray starts all nodes of a job or none; leave it out"
            wrong.append(FieldError("min_nodes", told))
        asked, known = spec.gpu_type, self._ray.models
        if asked and known and accelerator(asked, self._ray.site.gpu_types, known) is None:
            there = ", ".join(sorted(known))
            told = f"no node of the cluster has a GPU of type {asked} (there are: {there})"
            wrong.append(FieldError("gpu_type", told))
        return wrong

    async def inventory(self) -> Sequence[ClusterNode]:
        """The nodes of the cluster; see `Cluster`."""
        told = await self._ray.client.nodes()
        found = nodes_of(told, usage_of(await self._ray.client.usage()))
        self._ray.models = frozenset(
            gpu.model for one in found for gpu in one.node.gpus if gpu.model
        )
        return found

    async def close(self) -> None:
        """Let go of everything but the jobs."""
        await super().close()
        await self._ray.client.close()

    async def _placed(self, found: Found) -> Found:
        """With the names of the nodes instead of Ray's ids."""
        try:
            several = [await self._place(found.token, one) for one in found.placements]
        except ClusterAway:
            several = []
        return replace(found, placements=tuple(one for one in several if one is not None))

    async def _place(self, token: str, place: Placement) -> Placement | None:
        # The program of a job of one node has no way to know where it is, but Ray has.
        id_ = place.node or await self._ray.client.node_of(token)
        if id_ and id_ not in self._names:
            self._names |= names_of(await self._ray.client.nodes())
        name = self._names.get(id_)
        if name is None:
            return None
        gpus = (gpu and gpu_name(name, gpu.rpartition(":")[2]) for gpu in place.gpus)
        return replace(place, node=name, gpus=tuple(gpus))


class Ray(Configurable):
    """How jobs run on Ray: ``c.Ray.address = "http://head:8265"``."""

    address = Unicode(
        help="""Where Ray's dashboard and job server is, as http://head:8265. Default: RAY_ADDRESS
        in the server's environment if that is such a URL, else http://127.0.0.1:8265.""",
    ).tag(config=True)

    headers = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="""What each request to it carries, such as {"Authorization": "Bearer …"}. Default:
        as of Ray's own client, by RAY_JOB_HEADERS, RAY_AUTH_TOKEN and RAY_AUTH_TOKEN_PATH.""",
    ).tag(config=True)

    verify = Bool(True, help="Whether its certificate is checked.").tag(config=True)

    gpu_types = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="""What GPU types are called among the accelerator types of the cluster, where that is
        not what people write: {"A100 80GB": "A100-80G"}.""",
    ).tag(config=True)

    python = Unicode(
        help="""The Python that starts jobs on the nodes, 3.10 or later; for distributed jobs it has
        the Ray of the cluster. Default: that of this server, which the nodes then have to see at
        the same path.""",
    ).tag(config=True)

    poll_interval = Float(
        5.0,
        min=0.1,
        help="""Seconds between two questions to Ray, each for all jobs at once. That a job begins
        or ends is mostly known before, by files.""",
    ).tag(config=True)

    sign_interval = Float(
        10.0,
        min=0.1,
        help="""Seconds between two signs of life of a job. One of which Ray has lost sight is
        believed dead after four times that.""",
    ).tag(config=True)

    settle_time = Float(
        3.0,
        min=0.0,
        help="Seconds that the shared file system may take to show what a node has written.",
    ).tag(config=True)


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
    said = os.environ.get("RAY_ADDRESS", "")
    url = address or (said if said.startswith(schemes) else "http://127.0.0.1:8265")
    if not url.startswith(schemes):
        raise ValueError(f"c.Ray.address should be like http://head:8265, not {url}")
    return url


def _make(setting: Setting) -> RayExecutor:
    it = Ray(parent=setting.app)
    version = ray_version()
    client = Client(
        url_of(it.address), version, it.headers or headers_of(os.environ), verify=it.verify
    )
    site = Site(setting.installation, it.python or sys.executable, PACKAGES, it.gpu_types)
    return RayExecutor(
        site,
        client,
        setting.data_dir / "ray",
        setting.grace_s,
        log_limit=setting.log_limit,
        poll_s=it.poll_interval,
        alive_s=it.sign_interval,
        settle_s=it.settle_time,
    )


PLUGIN = Plugin(_make, Offer(options=OPTIONS))
"""For the registry."""
