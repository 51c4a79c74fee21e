"""What looks at the use of attempts, and goes on whatever is wrong with one of them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from pathlib import Path

from jupyter_training.engine import usage_files
from jupyter_training.engine.meter import Meter
from jupyter_training.executors.base import Found
from jupyter_training.executors.gauges import Gauge
from jupyter_training.executors.local import LocalExecutor
from jupyter_training.executors.processes import Processes
from jupyter_training.jobs.children import parse
from jupyter_training.jobs.usage import Consumption
from jupyter_training.scheduling.resources import Placement
from jupyter_training.store.records import Attempt
from tests.patience import until


class Shown(Gauge):
    """Tells the use of one attempt, and nothing that makes sense of all others."""

    def __init__(self, token: str) -> None:
        self._token = token

    def read(self, processes: Processes) -> Consumption | None:
        if self._token != "well":
            raise OverflowError("cannot convert float infinity to integer")
        return Consumption(1.5, 1000)


class Executor(LocalExecutor):
    """Has such gauges."""

    async def gauge(self, found: Found) -> Gauge | None:
        return Shown(found.token)


def test_an_attempt_whose_use_makes_no_sense_hides_that_of_no_other(tmp_path: Path) -> None:
    async def go() -> None:
        executor, meter = Executor(1.0), Meter(lambda _: None)
        looking = asyncio.create_task(meter.run())
        spec, place = parse({"name": "j", "command": "true"}), (Placement("a", 1, 1),)
        for number, token in enumerate(("ill", "well")):
            (tmp_path / token).mkdir()
            attempt = Attempt(number, token, 1, token, "local", place, None, spec, None)
            now = datetime.now(timezone.utc)
            meter.follow(attempt, executor, Found(token, tmp_path / token, {}, now))
        await asyncio.to_thread(until, lambda: list(usage_files.samples(tmp_path / "well")))
        assert not looking.done()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)

    asyncio.run(go())
    sample = next(usage_files.samples(tmp_path / "well"))
    assert sample.used == Consumption(1.5, 1000)
