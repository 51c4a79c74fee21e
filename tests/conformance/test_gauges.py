"""What an executor tells of what a job uses: memory that it holds, CPU time that it takes."""

from __future__ import annotations

import asyncio

from jupyter_training.executors.processes import Processes
from jupyter_training.jobs.usage import Consumption
from tests.conformance.backends import Backend
from tests.conformance.jobs import HOLD, go, has_printed, opened

MB = 1024**2

USES = (
    HOLD
    + """
import subprocess, resource
block = bytearray(os.urandom(1 << 20) * 150)
burn = 'import time\\nwhile time.process_time() < 0.4: pass'
subprocess.run([sys.executable, '-c', burn], check=True)
sleeper = os.fork()
if sleeper == 0:
    wait_for('go')
    os._exit(0)
print('used', flush=True)
wait_for('go')
os.waitpid(sleeper, 0)
"""
)
"""Holds 150 MB, has had a child that took 0.4 s, and has one that shares all of the memory."""


def test_a_gauge_tells_what_all_processes_of_a_job_use_together(backend: Backend) -> None:
    async def use() -> tuple[Consumption | None, Consumption | None]:
        async with opened(backend) as executor:
            launch = backend.python(USES)
            found = await executor.start(launch)
            gauge = await executor.gauge(found)
            assert gauge is not None
            await has_printed(launch, b"used\n")
            used = gauge.read(Processes())
            again = gauge.read(Processes())
            go(launch)
            await executor.wait(found)
            assert gauge.read(Processes()) is None
            return used, again

    used, again = asyncio.run(use())
    for one in (used, again):
        assert one is not None
        assert one.memory_bytes is not None
        assert 150 * MB < one.memory_bytes < 250 * MB
        assert one.cpu_seconds is not None
        assert 0.4 < one.cpu_seconds < 20


def test_the_next_server_reads_on_where_the_first_one_was(backend: Backend) -> None:
    async def use() -> tuple[Consumption | None, Consumption | None]:
        launch = backend.python(USES)
        async with opened(backend) as executor:
            found = await executor.start(launch)
            first_gauge = await executor.gauge(found)
            assert first_gauge is not None
            await has_printed(launch, b"used\n")
            first = first_gauge.read(Processes())
        async with opened(backend) as executor:
            found = await executor.find(launch.token, launch.directory)
            next_gauge = await executor.gauge(found)
            assert next_gauge is not None
            second = next_gauge.read(Processes())
            go(launch)
            await executor.wait(found)
            return first, second

    first, second = asyncio.run(use())
    assert first is not None
    assert second is not None
    assert first.cpu_seconds is not None
    assert second.cpu_seconds is not None
    assert second.cpu_seconds >= first.cpu_seconds
