"""What it costs to look at what jobs use: ``python -m benchmarks.usage``.

Quiet jobs of this machine, each a process below a supervisor, and the meter of a server that does
nothing else. Printed is the CPU time of this process as a share of one core, and that of one look.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

from jupyter_training.engine.meter import Meter
from jupyter_training.executors.base import Launch
from jupyter_training.executors.local import LocalExecutor
from jupyter_training.executors.processes import Processes
from jupyter_training.jobs.children import parse
from jupyter_training.scheduling.resources import Placement
from jupyter_training.store.records import Attempt


async def measure(count: int, age_s: float, seconds: float, root: Path) -> None:
    """Start the jobs, let them grow older, and measure."""
    executor = LocalExecutor(grace_s=1)
    await executor.open()
    meter = Meter(lambda report: None)
    spec = parse({"name": "quiet", "command": ["sleep", "600"]})
    running = []
    for number in range(count):
        directory = root / str(number)
        directory.mkdir()
        token = f"benchmark-{os.getpid()}-{number}"
        launch = Launch(token, directory, ("sleep", "600"), "/", {}, None, 1, 1, (), None)
        found = await executor.start(launch)
        placement = Placement("here", 1, 1, ())
        attempt = Attempt(number, token, 1, token, "local", (placement,), None, spec, None)
        meter.follow(attempt, executor, found)
        running.append(found)
    looking = asyncio.create_task(meter.run())
    await asyncio.sleep(age_s)
    cpu_s, wall_s = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    share = (time.process_time() - cpu_s) / (time.monotonic() - wall_s)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    began = time.thread_time()
    Processes().below(os.getpid())
    listed_s = time.thread_time() - began
    processes = sum(name.isdigit() for name in os.listdir("/proc"))
    print(f"{count} quiet jobs, {age_s:g} s old: {100 * share:.2f} % of a core")
    print(f"a list of all {processes} processes: {1000 * listed_s:.1f} ms")
    for found in running:
        await executor.stop(found)
    await asyncio.gather(*(executor.wait(found) for found in running))
    await executor.close()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description="Measure what the meter costs.")
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--age", type=float, default=45, help="how old the jobs are (s)")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure(options.jobs, options.age, options.seconds, Path(name)))


if __name__ == "__main__":
    main()
