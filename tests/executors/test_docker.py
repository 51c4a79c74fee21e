"""Real containers of a real engine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.executors import image
from jupyter_training.executors.base import Found
from jupyter_training.executors.containers import (
    ATTEMPT,
    INSTALLATION,
    JOB,
    Mount,
)
from jupyter_training.jobs.lifecycle import Cause
from tests.executors.container_jobs import (
    IN_CONTAINERS,
    OURS,
    UNTIL_GO,
    containers_of,
    executor,
    inspection_of,
    launch,
    log_of,
    python,
    until,
)
from tests.executors.docker_engine import Engine
from tests.patience import PATIENCE_S

pytestmark = IN_CONTAINERS


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mounts": (Mount("/no/such/directory", "/data", True),)}, "/no/such/directory"),
        ({"cpu_cores": 1000}, "CPUs"),
        ({"cwd": "not-absolute"}, "not-absolute"),
    ],
)
def test_what_the_engine_refuses_is_in_its_own_words(
    engine: Engine, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            found = await docker.start(launch(tmp_path / "t", "python3", **changes))
            assert found.started_at is None
            assert found.ended is not None
            assert found.ended.exit.cause is Cause.LAUNCH_FAILED
            assert told in found.ended.exit.detail
            await until(lambda: containers_of(engine) == [])
            again = await docker.find(found.token, found.directory)
            assert again.ended == found.ended

    asyncio.run(go())


def test_an_image_that_cannot_be_had_says_why(engine: Engine, tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            wanted = launch(tmp_path / "t", "true", image="127.0.0.1:1/no-such-image")
            found = await docker.start(wanted)
            assert found.ended is not None
            assert found.ended.exit.cause is Cause.IMAGE_UNAVAILABLE
            assert "connection refused" in found.ended.exit.detail
            assert b"pulling the image 127.0.0.1:1/no-such-image" in log_of(found)

    asyncio.run(go())


def test_a_pull_can_be_cancelled(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "_PAUSE_S", PATIENCE_S)

    async def go() -> None:
        async with executor(engine) as docker:
            # An address that answers nothing: this pull would be tried again for minutes.
            wanted = launch(tmp_path / "t", "true", image="192.0.2.1:5000/no-such-image")
            starting = asyncio.create_task(docker.start(wanted))
            await until(lambda: b"pulling" in log_of(Found("", wanted.directory)))
            await docker.stop(Found(wanted.token, wanted.directory))
            found = await starting
            assert found.ended is not None
            assert found.ended.exit.cause is Cause.NODE_LOST

    asyncio.run(go())


def test_limits_and_labels_are_as_asked_for(engine: Engine, tmp_path: Path) -> None:
    code = (
        "import os\n"
        "stat = os.statvfs('/dev/shm'); print(stat.f_blocks * stat.f_frsize)\n"
        "print(os.getuid(), os.getgid(), os.getcwd(), os.environ['LR'])\n"
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "print(status['CapEff'].strip(), status['NoNewPrivs'].strip(), status['Seccomp'].strip())\n"
        "open('result', 'w').close()\n"
    ) + UNTIL_GO

    async def go() -> None:
        async with executor(engine) as docker:
            env = {"JUPYTER_TRAINING_JOB_ID": "job-7", "LR": "-1e-3 'quoted' $HOME"}
            found = await docker.start(python(tmp_path / "t", code, env=env, memory_gb=2))
            told = inspection_of(engine, found)
            (found.directory / "go").touch()
            await docker.wait(found)
        host = told["HostConfig"]
        assert (host["Memory"], host["MemorySwap"]) == (2 * 1024**3, 2 * 1024**3)
        assert host["NanoCpus"] == 10**9
        assert host["PidsLimit"] == 4096
        assert not host["DeviceRequests"]
        labels = told["Config"]["Labels"]
        assert (labels[INSTALLATION], labels[JOB]) == (OURS, "job-7")
        assert labels[ATTEMPT] == found.token
        shm, who, rights, *_ = log_of(found).decode().splitlines()
        assert int(shm) == 1024**3
        assert who == f"{os.getuid()} {os.getgid()} /work {env['LR']}"
        assert rights == "0000000000000000 1 2"
        assert (found.directory / "result").stat().st_uid == os.getuid()

    asyncio.run(go())


def test_mounts_are_read_only_where_they_are_to_be(engine: Engine, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "x").write_text("data")
    code = (
        "print(open('/data/x').read())\n"
        "try: open('/data/y', 'w')\n"
        "except OSError as error: print(error.strerror)"
    )

    async def go() -> None:
        async with executor(engine) as docker:
            wanted = python(tmp_path / "t", code, mounts=(Mount(str(data), "/data", True),))
            found = await docker.start(wanted)
            await docker.wait(found)
            assert log_of(found) == b"data\nRead-only file system\n"

    asyncio.run(go())


GPUS = ("GPU-11111111-2222-3333-4444-555555555555", "GPU-66666666-7777-8888-9999-000000000000")
SHOW_GPUS = "import os; print(*(os.environ[k + '_VISIBLE_DEVICES'] for k in ('CUDA', 'NVIDIA')))\n"


def test_exactly_the_gpus_that_were_given_are_asked_for(engine: Engine, tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            found = await docker.start(python(tmp_path / "t", SHOW_GPUS + UNTIL_GO, gpus=GPUS))
            (asked,) = inspection_of(engine, found)["HostConfig"]["DeviceRequests"]
            assert (asked["DeviceIDs"], asked["Capabilities"]) == (list(GPUS), [["gpu"]])
            (found.directory / "go").touch()
            await docker.wait(found)
            both = ",".join(GPUS).encode()
            assert log_of(found).splitlines()[0] == both + b" " + both

    asyncio.run(go())


def test_a_job_without_gpus_sees_none(engine: Engine, tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            found = await docker.start(python(tmp_path / "t", SHOW_GPUS))
            await docker.wait(found)
            assert log_of(found) == b" void\n"

    asyncio.run(go())


def test_an_engine_without_gpus_says_what_to_install(engine: Engine, tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            found = await docker.start(python(tmp_path / "t", "print(1)", gpus=GPUS))
            assert found.ended is not None
            assert found.ended.exit.cause is Cause.LAUNCH_FAILED
            assert "NVIDIA Container Toolkit" in found.ended.exit.detail
            await until(lambda: containers_of(engine) == [])

    engine.gpus = False
    engine.restart()
    try:
        asyncio.run(go())
    finally:
        engine.gpus = True
        engine.restart()


def test_a_time_limit_is_kept_by_the_next_server(engine: Engine, tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(engine) as first:
            wanted = python(tmp_path / "t", "import time; time.sleep(600)", time_limit_s=0.5)
            found = await first.start(wanted)
        async with executor(engine, grace_s=1) as second:
            again = await second.find(found.token, found.directory)
            ended = await second.wait(again)
            assert ended.exit.cause is Cause.TIMED_OUT

    asyncio.run(go())
