"""What looks at the use of attempts, and goes on whatever is wrong with one of them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from pathlib import Path

from jupyter_training.engine import usage_files
from jupyter_training.engine.meter import Meter
from jupyter_training.executors.base import Ended, Found
from jupyter_training.executors.gauges import Gauge
from jupyter_training.executors.local import LocalExecutor
from jupyter_training.executors.processes import Processes
from jupyter_training.jobs.children import parse
from jupyter_training.jobs.lifecycle import Exit
from jupyter_training.jobs.usage import Consumption, GpuSample, Sample, Spent
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


def attempt(token: str, *gpus: str) -> Attempt:
    spec = parse({"name": "j", "command": "true"})
    return Attempt(1, token, 1, token, "local", (Placement("a", 1, 1, gpus),), None, spec, None)


def test_an_attempt_whose_use_makes_no_sense_hides_that_of_no_other(tmp_path: Path) -> None:
    async def go() -> None:
        executor, meter = Executor(1.0), Meter(lambda _: None)
        looking = asyncio.create_task(meter.run())
        for token in ("ill", "well"):
            (tmp_path / token).mkdir()
            found = Found(token, tmp_path / token, {}, datetime.now(timezone.utc))
            meter.follow(attempt(token), executor, found)
        await asyncio.to_thread(until, lambda: list(usage_files.samples(tmp_path / "well")))
        assert not looking.done()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)

    asyncio.run(go())
    sample = next(usage_files.samples(tmp_path / "well"))
    assert sample.used == Consumption(1.5, 1000)


def test_the_last_sample_is_there_if_a_server_died_while_it_wrote_the_first_one(
    tmp_path: Path,
) -> None:
    usage_files.append(tmp_path, Sample(1.0, Consumption(0.5), (GpuSample(),)))
    path = tmp_path / usage_files.USAGE
    path.write_bytes(path.read_bytes()[: -usage_files.record_of(1).size])
    began = datetime(2026, 11, 26, tzinfo=timezone.utc)
    found = Found("it", tmp_path, {}, began)
    ended = Ended(Exit(exit_code=0), began + timedelta(seconds=9), Spent(3.5, 1000))
    totals = asyncio.run(Meter(lambda _: None).end(attempt("it", "GPU-1"), found, ended))
    assert totals is not None
    assert totals.cpu_seconds == 3.5
    (last,) = usage_files.samples(tmp_path)
    assert (last.at, last.used.cpu_seconds, last.gpus) == (
        *(ended.at.timestamp(), 3.5),
        (GpuSample(),),
    )
