"""What containers print, and servers that follow each other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.executors.container_jobs import (
    ENDLESS,
    containers_of,
    executor,
    is_counted,
    log_of,
    python,
    until,
)
from tests.executors.container_jobs import nothing_is_left as nothing_is_left
from tests.executors.docker_engine import Engine
from tests.executors.docker_engine import engine as engine

pytestmark = [
    pytest.mark.usefixtures("nothing_is_left"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket"),
]

PRINTED = {
    "long lines": "w(b'x' * 100_000 + b'\\n' + b'y' * 16384 + b'\\n' + b'z' * 16383 + b'\\n')",
    "no newline at the end": "w(b'one\\n\\n\\ntwo')",
    "a long line without an end": "w(b'one\\n' + b'x' * 70_000)",
    "binary": "w(bytes(range(256)) * 500 + b'\\n')",
    "parts of lines": "for i in range(20): w(b'%d,' % i); time.sleep(.01)",
    "unicode": "w(('训练 ' * 20_000 + '\\n').encode() + b'\\r 50%\\r100%\\n')",
    "nothing": "pass",
}


@pytest.mark.parametrize("code", PRINTED.values(), ids=list(PRINTED))
def test_the_log_is_what_was_printed_byte_for_byte(
    engine: Engine, tmp_path: Path, code: str
) -> None:
    both = "import os, time\ncopy = open('copy', 'wb')\ndef w(b): os.write(1, b); copy.write(b)\n"
    job = both + code

    async def go() -> None:
        async with executor(engine) as docker:
            found = await docker.start(python(tmp_path / "t", job))
            await docker.wait(found)
            assert log_of(found) == (found.directory / "copy").read_bytes()

    asyncio.run(go())


def test_a_large_output_is_whole(engine: Engine, tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(engine) as docker:
            code = "for i in range(200_000): print('line', i)"
            found = await docker.start(python(tmp_path / "t", code))
            await docker.wait(found)
            assert log_of(found) == b"".join(b"line %d\n" % i for i in range(200_000))

    asyncio.run(go())


def test_servers_follow_each_other_and_no_byte_is_lost_or_doubled(
    engine: Engine, tmp_path: Path
) -> None:
    async def go() -> None:
        async with executor(engine) as first:
            found = await first.start(python(tmp_path / "t", ENDLESS))
        for _ in range(5):
            before = len(log_of(found))
            async with executor(engine) as server:
                again = await server.find(found.token, found.directory)
                assert again.handle == found.handle
                assert again.started_at == found.started_at
                assert again.ended is None
                waiting = asyncio.create_task(server.wait(again))
                await until(lambda: len(log_of(found)) > before + 5000)  # noqa: B023
                waiting.cancel()
                await asyncio.wait([waiting])
        (found.directory / "go").touch()
        async with executor(engine) as last, executor(engine) as another:
            both = [await one.find(found.token, found.directory) for one in (last, another)]
            ends = await asyncio.gather(last.wait(both[0]), another.wait(both[1]))
            assert ends[0].exit == ends[1].exit
            assert ends[0].exit.exit_code == 0
        assert is_counted(log_of(found))

    asyncio.run(go())


def test_an_end_that_nobody_saw_is_found(engine: Engine, tmp_path: Path) -> None:
    async def go() -> None:
        async with executor(engine) as first:
            found = await first.start(python(tmp_path / "t", "print('x'); raise SystemExit(7)"))
        await until(lambda: containers_of(engine)[0]["State"] == "exited")
        async with executor(engine) as second:
            again = await second.find(found.token, found.directory)
            assert again.ended is not None
            assert again.ended.exit.exit_code == 7
            assert log_of(found) == b"x\n"
            await until(lambda: containers_of(engine) == [])
            third = await second.find(found.token, found.directory)
            assert third.ended is not None
            assert third.ended.exit.exit_code == 7

    asyncio.run(go())
