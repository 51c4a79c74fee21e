"""What containers print, and servers that follow each other."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.executors.container_jobs import (
    ENDLESS,
    IN_CONTAINERS,
    executor,
    is_counted,
    log_of,
    python,
    size_of,
    until,
)
from tests.executors.docker_engine import Engine

pytestmark = IN_CONTAINERS


def test_servers_follow_each_other_and_no_byte_is_lost_or_doubled(
    engine: Engine, tmp_path: Path
) -> None:
    async def go() -> None:
        async with executor(engine) as first:
            found = await first.start(python(tmp_path / "t", ENDLESS))
        for _ in range(5):
            before = size_of(found)
            async with executor(engine) as server:
                again = await server.find(found.token, found.directory)
                assert again.handle == found.handle
                assert again.started_at == found.started_at
                assert again.ended is None
                waiting = asyncio.create_task(server.wait(again))
                await until(lambda: size_of(found) > before + 5000)  # noqa: B023
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
