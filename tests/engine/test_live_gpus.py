"""What GPUs do at the moment, from a driver that may be slow, silent or gone. It is a fake."""

from __future__ import annotations

import asyncio
import getpass
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from jupyter_training.engine.live_gpus import LiveGpu, LiveGpus
from jupyter_training.executors.supervisor import TOKEN_VARIABLE
from tests import fake_nvml
from tests.fake_nvml import GB, FakeGpus, uuid
from tests.patience import PATIENCE_S

T = TypeVar("T")

RATES = "nvmlDeviceGetUtilizationRates"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_nvml.build(tmp_path_factory.mktemp("fake_nvml"))


@pytest.fixture
def gpus(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGpus]:
    """Two healthy cards in this process."""
    fake_nvml.load(library)
    gpus = FakeGpus(tmp_path / "gpus", ["NVIDIA A100-SXM4-80GB"] * 2)
    for name, value in gpus.environment(library).items():
        if name != "LD_LIBRARY_PATH":
            monkeypatch.setenv(name, value)
    yield gpus
    gpus.let_threads_end()


def using(
    work: Callable[[LiveGpus], Awaitable[T]], *, patience_s: float = PATIENCE_S, **options: float
) -> T:
    async def run() -> T:
        live = LiveGpus(patience_s=patience_s, **options)
        try:
            return await work(live)
        finally:
            await asyncio.to_thread(live.close)

    return asyncio.run(run())


async def once(live: LiveGpus) -> dict[str, LiveGpu]:
    return dict(await live.look())


async def until(live: LiveGpus, enough: Callable[[dict[str, LiveGpu]], bool]) -> dict[str, LiveGpu]:
    while not enough(told := await once(live)):  # noqa: ASYNC110 - a file has no event for us
        await asyncio.sleep(0.01)
    return told


def test_the_figures_of_each_card_are_read(gpus: FakeGpus) -> None:
    gpus.card(1, utilization=97, temperature=64, power=312_250, memory_used=12 * GB)
    told = using(once)
    assert list(told) == [uuid(0), uuid(1)]
    one = told[uuid(1)].reading
    assert (one.index, one.memory_gb, one.memory_used_gb) == (1, 80, 12)
    assert (one.utilization_percent, one.temperature_c) == (97, 64)
    assert (one.power_w, one.power_limit_w) == (312.25, 400)
    assert told[uuid(0)].processes == ()


def test_what_a_card_does_not_tell_is_none_and_the_rest_is_there(gpus: FakeGpus) -> None:
    gpus.card(0, power=None, utilization=None)
    told = using(once)
    one = told[uuid(0)].reading
    assert (one.power_w, one.utilization_percent, one.temperature_c) == (None, None, 31)
    assert told[uuid(1)].reading.power_w == 62.5


def test_a_process_is_told_with_its_user_and_the_attempt_that_it_belongs_to(gpus: FakeGpus) -> None:
    nap = [sys.executable, "-c", "print(flush=True); import time; time.sleep(600)"]
    env = {**os.environ, TOKEN_VARIABLE: "the-token"}
    with subprocess.Popen(nap, env=env, stdout=subprocess.PIPE) as ours:
        assert ours.stdout is not None
        ours.stdout.readline()
        gone = 4_194_304  # more than any pid
        gpus.uses(0, (ours.pid, 2 * GB), (os.getpid(), 1 * GB), (gone, 0))
        told = using(once)[uuid(0)].processes
        ours.kill()
    assert told is not None
    me = getpass.getuser()
    assert [(one.pid, one.user, one.memory_gb, one.token) for one in told] == [
        (ours.pid, me, 2, "the-token"),
        (os.getpid(), me, 1, None),
        (gone, None, 0, None),
    ]
    assert "the-token" not in repr(told)


def test_however_many_look_the_driver_is_asked_once_a_while(gpus: FakeGpus) -> None:
    async def look(live: LiveGpus) -> None:
        for _ in range(3):
            several = await asyncio.gather(*(live.look() for _ in range(100)))
            assert all(len(told) == 2 for told in several)

    using(look, fresh_s=3600)
    assert gpus.calls(RATES) == 2  # once a card


def test_figures_that_are_not_new_any_more_are_read_again(gpus: FakeGpus) -> None:
    async def look(live: LiveGpus) -> None:
        before = (await once(live))[uuid(0)]
        gpus.card(0, utilization=55)
        await until(live, lambda told: told[uuid(0)].reading.utilization_percent == 55)
        assert (await once(live))[uuid(0)].at > before.at

    using(look, fresh_s=0.02)


def test_a_driver_that_hangs_delays_the_first_who_ask_a_little_and_nobody_else(
    gpus: FakeGpus,
) -> None:
    async def look(live: LiveGpus) -> None:
        await until(live, lambda told: len(told) == 2)  # the driver may be slower than we wait
        gpus.hang(RATES, card=1)
        gpus.card(0, utilization=11)
        gpus.card(1, utilization=22)
        # What was told last, with its time; the card before the one that hangs is up to date.
        stuck = await until(live, lambda told: told[uuid(0)].reading.utilization_percent == 11)
        assert stuck[uuid(1)].reading.utilization_percent != 22
        assert stuck[uuid(1)].at < stuck[uuid(0)].at
        for _ in range(1000):  # which would take 1000 times our patience
            assert (await live.look())[uuid(1)] == stuck[uuid(1)]
        gpus.answer()
        await until(live, lambda told: told[uuid(1)].reading.utilization_percent == 22)

    using(look, fresh_s=0.0, patience_s=0.1)


def test_a_driver_that_hangs_from_the_start_tells_nothing_and_is_no_reason_not_to_end(
    gpus: FakeGpus,
) -> None:
    gpus.hang("nvmlInitWithFlags")
    assert using(once, patience_s=0.1) == {}
    gpus.let_threads_end()
    assert not is_open()  # it was let go of when it answered


def test_a_card_that_falls_off_the_bus_tells_nothing_and_the_others_go_on(gpus: FakeGpus) -> None:
    async def look(live: LiveGpus) -> None:
        assert len(await once(live)) == 2
        gpus.fail("*", fake_nvml.GPU_IS_LOST, card=0)
        await until(live, lambda told: list(told) == [uuid(1)])
        gpus.fail("*", None, card=0)
        await until(live, lambda told: len(told) == 2)
        gpus.vanish()
        await until(live, lambda told: list(told) == [uuid(0)])

    using(look, fresh_s=0.0)


def test_a_driver_that_is_unloaded_and_loaded_again(gpus: FakeGpus) -> None:
    async def look(live: LiveGpus) -> None:
        gpus.fail("*", fake_nvml.DRIVER_NOT_LOADED)
        assert await once(live) == {}
        gpus.fail("*", None)
        await until(live, lambda told: len(told) == 2)

    using(look, fresh_s=0.0)


def is_open() -> bool:
    import pynvml

    try:
        pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        return False
    return True


def test_the_driver_is_let_go_of_when_nobody_looks_any_more(gpus: FakeGpus) -> None:
    async def look(live: LiveGpus) -> None:
        await live.look()
        while is_open():  # noqa: ASYNC110 - a thread closes it, which nobody is told of
            await asyncio.sleep(0.01)
        assert len(await live.look()) == 2

    using(look, fresh_s=0.0, idle_s=0.05)


def test_the_driver_is_not_kept_open_while_a_card_may_have_to_be_reset(gpus: FakeGpus) -> None:
    async def look(live: LiveGpus) -> None:
        assert len(await live.look(let_go=True)) == 2
        assert not is_open()
        await live.look(let_go=True)
        assert gpus.calls(RATES) == 2  # and it is left alone for a while
        await live.look()
        assert is_open()

    using(look, fresh_s=0.0, rest_s=3600, idle_s=3600)
    assert not is_open()
