"""Images that are pulled from a registry, or can't be."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_training.jobs.lifecycle import Cause
from tests.executors import image_registry
from tests.executors.container_jobs import IN_CONTAINERS, executor, launch, log_of, python
from tests.executors.docker_engine import Engine, archive_of_this_python

PORT = 5000
REGISTRY = f"127.0.0.1:{PORT}"
pytestmark = IN_CONTAINERS


@pytest.fixture(scope="module")
def registry(engine: Engine) -> Iterator[str]:
    layer = engine.directory / "layer.tar"
    layer.write_bytes(archive_of_this_python())
    program = [sys.executable, image_registry.__file__, str(PORT), str(layer)]
    with subprocess.Popen([*engine.in_its_network, *program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield REGISTRY
        process.terminate()


def test_an_image_is_pulled_and_its_progress_is_in_the_log(
    engine: Engine, tmp_path: Path, registry: str
) -> None:
    image = f"{registry}/python:test"
    code = "import os; print(os.environ['FROM_THE_IMAGE'], os.environ['PYTHONPATH'])"

    told: list[str] = []

    async def go() -> None:
        async with executor(engine) as docker:
            wanted = python(tmp_path / "one", code, image=image, python_path="/work")
            docker.hear(wanted.token, told.append)
            found = await docker.start(wanted)
            assert (await docker.wait(found)).exit.exit_code == 0
            begin, *progress, here, printed = log_of(found).decode().splitlines()
            assert begin == f"[jupyter-training: pulling the image {image}]"
            assert "1 of 1 layers" in progress[-1]
            assert here == f"[jupyter-training: the image {image} is here]"
            assert told[0] == f"pulling the image {image}"
            assert told[1].startswith(f"pulling the image {image}: ")
            assert "1 of 1 layers" in told[-2]
            assert told[-1] == f"the image {image} is here"
            assert printed == "yes /work:/image"
            again = await docker.start(python(tmp_path / "two", "print(2)", image=image))
            await docker.wait(again)
            assert log_of(again) == b"2\n"

    asyncio.run(go())


@pytest.mark.filterwarnings("ignore:docker-credential-gone not installed")
def test_credentials_that_cannot_be_had_are_no_reason_not_to_pull_what_everybody_may(
    engine: Engine, tmp_path: Path, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text('{"credsStore": "gone"}')
    told = "docker-credential-gone not installed or not available in PATH"

    async def go() -> None:
        async with executor(engine) as docker:
            image = f"{registry}/python:for-everybody"
            found = await docker.start(python(tmp_path / "one", "print(1)", image=image))
            assert (await docker.wait(found)).exit.exit_code == 0
            log = log_of(found).decode()
            assert f"no credentials for it, so it is pulled without: {told}]" in log
            wanted = launch(tmp_path / "two", "true", image=f"{registry}/private")
            found = await docker.start(wanted)
            assert found.ended is not None
            assert found.ended.exit.cause is Cause.IMAGE_UNAVAILABLE
            assert found.ended.exit.detail.endswith(f" (asked without credentials: {told})")

    asyncio.run(go())


def test_settings_of_docker_that_are_damaged_are_told(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    file = tmp_path / "config.json"

    async def go() -> None:
        for damaged in ('{"auths": {"x": {"auth": "eA=="}}}', '{"auths": {"x": 1}}', "[]"):
            file.write_text(damaged)
            async with executor(engine) as docker:
                told = await docker.why_not("python:3")
            assert told is not None
            assert told.startswith(f"no container can be run: what is in {file} cannot be under")

    asyncio.run(go())


def test_a_name_that_no_image_can_have_is_refused_before_anything_is_asked(engine: Engine) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            for name in ("https://registry.example.com/a", "../containers/x", "Not A Name"):
                assert "is not the name of an image" in (await docker.why_not(name) or "")
            assert await docker.why_not("python:3") is None

    asyncio.run(go())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("python:no-such-tag", "manifest unknown"),
        ("no-such-image", "manifest unknown"),
        ("private", "only for members of the lab"),
        ("Not A Name", "invalid reference format"),
    ],
)
def test_an_image_that_cannot_be_had_is_told_in_the_engines_words(
    engine: Engine, tmp_path: Path, registry: str, name: str, told: str
) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            found = await docker.start(launch(tmp_path / "t", "true", image=f"{registry}/{name}"))
            assert found.ended is not None
            assert found.ended.exit.cause is Cause.IMAGE_UNAVAILABLE
            assert told in found.ended.exit.detail

    asyncio.run(go())
