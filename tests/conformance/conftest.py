"""One suite for every executor: a test that asks for `backend` is run on each of them.

``JUPYTER_TRAINING_CONFORMANCE=ray`` adds Ray, whose cluster takes seven minutes for the suite, and
``slurmrestd`` the other way to Slurm. ``JUPYTER_TRAINING_CONFORMANCE=NAME=MODULE:FUNCTION`` adds
one that is not of this repository: a function like `local` below.
"""

from __future__ import annotations

import asyncio
import os
import pkgutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_training.executors.slurm_transport import Way
from tests.conformance.backends import MARK, Backend, Docker, Local, OnRay, OnSlurm
from tests.conformance.jobs import opened, until
from tests.executors.container_jobs import let_threads_end
from tests.patience import PATIENCE_S
from tests.slurm import Slurm


def local(request: pytest.FixtureRequest, root: Path, mark: str) -> Backend:
    return Local(root, mark)


def docker(request: pytest.FixtureRequest, root: Path, mark: str) -> Backend:
    return Docker(root, mark, request.getfixturevalue("engine").url)


def slurm(request: pytest.FixtureRequest, root: Path, mark: str) -> Backend:
    cluster: Slurm = request.getfixturevalue("slurm")
    os.environ["SLURM_CONF"] = str(cluster.config)  # also for the servers of this test
    return OnSlurm(root, mark)


def slurmrestd(request: pytest.FixtureRequest, root: Path, mark: str) -> Backend:
    made = slurm(request, root, mark)
    assert isinstance(made, OnSlurm)
    return replace(made, way=Way(rest_url=request.getfixturevalue("slurm_rest")))


def ray(request: pytest.FixtureRequest, root: Path, mark: str) -> Backend:
    return OnRay(root, mark, request.getfixturevalue("ray_cluster").url)


BACKENDS: dict[str, Callable[[pytest.FixtureRequest, Path, str], Backend]] = {
    "local": local,
    "docker": docker,
    "slurm": slurm,
}
ASKED_FOR = {"ray": ray, "slurmrestd": slurmrestd}
added = os.environ.get("JUPYTER_TRAINING_CONFORMANCE", "")
if added in ASKED_FOR:
    BACKENDS[added] = ASKED_FOR[added]
elif added:
    BACKENDS[added.partition("=")[0]] = pkgutil.resolve_name(added.partition("=")[2])


@pytest.fixture(params=BACKENDS)
def backend(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Backend]:
    """Each executor in turn. Nothing may be left of a test, wherever it ended."""
    mark = f"test-{uuid.uuid4().hex}"
    made = BACKENDS[request.param](request, tmp_path, mark)
    monkeypatch.setenv(MARK, mark)  # now: an engine that is started for all tests has none
    yield made
    monkeypatch.delenv(MARK)
    asyncio.run(_nothing_is_left(made))
    let_threads_end()


async def _nothing_is_left(backend: Backend) -> None:
    # A server that closes does not wait until all is tidied up; the next one sees to it.
    async with opened(backend):
        try:
            await asyncio.wait_for(until(lambda: not backend.left()), PATIENCE_S)
        except asyncio.TimeoutError:
            raise AssertionError(f"left of this test: {backend.left()}") from None
