"""Which GPUs may be given out. There is none here: the library under the real pynvml is a fake."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyter_training.engine.gpus import GpuInventory, Snapshot, schedulable
from jupyter_training.engine.nvml import LOST
from jupyter_training.scheduling.resources import Gpu
from tests import fake_nvml
from tests.fake_nvml import GB, FakeGpus, uuid
from tests.patience import PATIENCE_S

A100 = "NVIDIA A100-SXM4-80GB"
ME = Path("/proc/self/comm").read_text().strip()
FOREIGN = f"in use by {ME} (pid {os.getpid()}), not one of our jobs"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_nvml.build(tmp_path_factory.mktemp("fake_nvml"))


@pytest.fixture
def gpus(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGpus]:
    """Two healthy cards in this process."""
    fake_nvml.load(library)
    gpus = FakeGpus(tmp_path / "gpus", [A100, A100])
    monkeypatch.setenv(fake_nvml.VARIABLE, str(gpus.path))
    monkeypatch.setenv(fake_nvml.CALLS_VARIABLE, str(gpus.calls_path))
    yield gpus
    gpus.let_threads_end()


@pytest.fixture
def inventory(gpus: FakeGpus) -> Iterator[GpuInventory]:
    inventory = GpuInventory(patience_s=PATIENCE_S)
    yield inventory
    inventory.close()


def is_open() -> bool:
    import pynvml

    try:
        return bool(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return False


def troubles(snapshot: Snapshot) -> list[str | None]:
    return [reading.trouble for reading in snapshot.gpus]


def uses(snapshot: Snapshot) -> list[str | None]:
    return [reading.in_use for reading in snapshot.gpus]


def test_everything_that_the_driver_tells_is_read(gpus: FakeGpus, inventory: GpuInventory) -> None:
    gpus.card(1, utilization=97, temperature=64, power=312_250, memory_used=12 * GB)
    gpus.uses(1, (os.getpid(), 11 * GB))
    one = inventory.read().gpus[1]
    assert (one.uuid, one.index, one.model) == (uuid(1), 1, A100)
    assert (one.memory_gb, one.memory_used_gb) == (80, 12)
    assert (one.utilization_percent, one.temperature_c) == (97, 64)
    assert (one.power_w, one.power_limit_w) == (312.25, 400)
    assert one.processes is not None
    assert [(of.pid, of.name, of.memory_gb) for of in one.processes] == [(os.getpid(), ME, 11)]
    assert one.sentence == ""


def test_what_a_card_does_not_tell_is_none(gpus: FakeGpus, inventory: GpuInventory) -> None:
    gpus.cards[0] = {"uuid": uuid(0)}
    for kind in ("Compute", "MPSCompute", "Graphics"):
        gpus.fail(f"nvmlDeviceGet{kind}RunningProcesses_v3", fake_nvml.NO_PERMISSION, card=0)
    one = inventory.read().gpus[0]
    assert (one.model, one.memory_gb, one.memory_used_gb, one.temperature_c) == ("", *[None] * 3)
    assert (one.utilization_percent, one.power_w, one.power_limit_w) == (None, None, None)
    assert (one.processes, one.trouble, one.in_use) == (None, None, None)
    assert schedulable([one]) == (Gpu(uuid(0)),)


@pytest.mark.parametrize(
    ("state", "trouble"),
    [
        ({"ecc_uncorrected": 1}, "reports uncorrectable ECC errors"),
        ({"retired_pages_pending": 1}, "has bad memory pages to retire at the next reset"),
        ({"remap_failure": 1}, "could not remap bad rows of its memory"),
        ({"recovery_action": 1}, "needs a reset or a restart, says the driver"),
        ({"mig": 1}, "is divided by MIG, which is not supported yet"),
        (
            {"ecc_uncorrected": 2, "recovery_action": 4},
            "reports uncorrectable ECC errors and needs a reset or a restart, says the driver",
        ),
    ],
)
def test_a_card_in_trouble_is_drained_while_it_lasts(
    gpus: FakeGpus, inventory: GpuInventory, state: dict[str, int], trouble: str
) -> None:
    gpus.card(0, **state)
    snapshot = inventory.read()
    assert troubles(snapshot) == [trouble, None]
    assert snapshot.gpus[0].sentence == (
        f"{uuid(0)} {trouble}; it gets no new job until the driver says otherwise"
    )
    drained, well = schedulable(snapshot.gpus)
    assert drained == Gpu(uuid(0), A100, 80.0, f"drained: {trouble}")
    assert well == Gpu(uuid(1), A100, 80.0)
    gpus.card(0, **dict.fromkeys(state, 0))
    assert troubles(inventory.read()) == [None, None]


def test_a_row_that_is_only_to_be_remapped_drains_nothing(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    gpus.card(0, remap_pending=1)
    assert troubles(inventory.read()) == [None, None]


def test_a_card_that_falls_off_the_bus_is_still_known(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    inventory.read()
    gpus.fail("*", fake_nvml.GPU_IS_LOST, card=0)
    snapshot = inventory.read()
    assert troubles(snapshot) == [LOST, None]
    assert (snapshot.gpus[0].uuid, snapshot.gpus[0].model) == (uuid(0), A100)
    gpus.fail("*", None, card=0)
    assert troubles(inventory.read()) == [None, None]


def test_a_card_may_be_lost_between_two_questions(gpus: FakeGpus, inventory: GpuInventory) -> None:
    gpus.fail("nvmlDeviceGetUtilizationRates", fake_nvml.GPU_IS_LOST, card=1)
    snapshot = inventory.read()
    assert troubles(snapshot) == [None, LOST]
    assert snapshot.gpus[1].uuid == uuid(1)


def test_a_card_that_vanishes_from_the_list_is_still_known(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    inventory.read()
    gpus.vanish()
    for _ in range(2):
        assert troubles(inventory.read()) == [None, LOST]
    gpus.come_back()
    assert troubles(inventory.read()) == [None, None]


def test_a_card_that_never_answered_is_told_of(gpus: FakeGpus, inventory: GpuInventory) -> None:
    gpus.fail("*", fake_nvml.UNKNOWN, card=0)
    snapshot = inventory.read()
    assert [reading.uuid for reading in snapshot.gpus] == [uuid(1)]
    assert snapshot.trouble == "GPU 0 of the driver's list cannot be read (Unknown Error)"


def test_a_card_whose_health_cannot_be_read_is_not_taken_for_well(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    gpus.fail("nvmlDeviceGetTotalEccErrors", fake_nvml.UNKNOWN, card=0)
    assert troubles(inventory.read()) == ["cannot be read (Unknown Error)", None]


def test_the_driver_may_be_unloaded_and_loaded_again(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    inventory.read()
    gpus.fail("*", fake_nvml.DRIVER_NOT_LOADED)
    snapshot = inventory.read()
    assert snapshot.trouble == "the NVIDIA driver is not loaded"
    assert troubles(snapshot) == ["cannot be used: the NVIDIA driver is not loaded"] * 2
    gpus.fail("*", None)
    again = inventory.read()
    assert (troubles(again), again.trouble) == ([None, None], None)


def test_a_machine_without_a_loaded_driver_has_no_gpus(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    gpus.fail("nvmlInitWithFlags", fake_nvml.DRIVER_NOT_LOADED)
    assert inventory.read() == Snapshot((), "the NVIDIA driver is not loaded")
    gpus.fail("nvmlInitWithFlags", 18)
    assert "after an update, restart the machine" in str(inventory.read().trouble)


def test_a_machine_without_the_library_has_no_gpus() -> None:
    # In a process of its own, because this one has the fake library.
    code = "from jupyter_training.engine.gpus import GpuInventory; print(GpuInventory().read())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "gpus=(), trouble='there is no NVIDIA driver (no libnvidia-ml.so.1)'" in told.stdout


def test_nothing_is_opened_before_it_is_asked_for() -> None:
    code = "import sys, jupyter_training.engine.gpus; print('pynvml' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_a_critical_xid_drains_until_the_card_was_away(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    inventory.read()
    gpus.xid(1, 119)
    for _ in range(3):  # it is remembered
        assert troubles(inventory.read()) == [
            None,
            "reported Xid 119 (its firmware does not answer)",
        ]
    gpus.fail("*", fake_nvml.GPU_IS_LOST, card=1)
    assert troubles(inventory.read()) == [None, LOST]
    gpus.fail("*", None, card=1)
    assert troubles(inventory.read()) == [None, None]


def test_a_critical_xid_drains_until_the_driver_wants_no_reset_any_more(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    inventory.read()
    gpus.card(0, recovery_action=1)
    gpus.xid(0, 95)
    assert troubles(inventory.read())[0] == (
        "needs a reset or a restart, says the driver and reported Xid 95 (uncontained ECC error)"
    )
    gpus.card(0, recovery_action=0)
    assert troubles(inventory.read()) == [None, None]


@pytest.mark.parametrize("code", [13, 31, 43, 45, 63, 94])
def test_an_xid_of_an_application_or_of_a_repair_drains_nothing(
    gpus: FakeGpus, inventory: GpuInventory, code: int
) -> None:
    inventory.read()
    gpus.xid(0, code)
    assert troubles(inventory.read()) == [None, None]


def test_the_driver_is_let_go_of_while_a_card_has_to_be_reset(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    inventory.read()
    assert is_open()
    gpus.card(0, recovery_action=1)
    inventory.read()
    assert not is_open()


def test_a_card_that_somebody_else_uses_is_not_given_out(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    gpus.uses(0, (os.getpid(), 2 * GB))
    snapshot = inventory.read()
    assert uses(snapshot) == [FOREIGN, None]
    assert [gpu.unavailable for gpu in schedulable(snapshot.gpus)] == [FOREIGN, ""]
    assert [gpu.unavailable for gpu in schedulable(snapshot.gpus, give_out_used=True)] == ["", ""]
    gpus.uses(0)
    assert uses(inventory.read()) == [None, None]


def test_a_drained_card_is_not_given_out_even_where_used_ones_are(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    gpus.card(0, ecc_uncorrected=1)
    told = schedulable(inventory.read().gpus, give_out_used=True)[0].unavailable
    assert told == "drained: reports uncorrectable ECC errors"


def test_several_others_are_told_in_one_sentence(gpus: FakeGpus, inventory: GpuInventory) -> None:
    gpus.uses(1, (4_000_001, GB), (4_000_002, GB))  # no such processes: above the highest pid
    gpus.uses(1, (4_000_003, GB), kind="mps")
    assert uses(inventory.read())[1] == "in use by pid 4000001 and 2 more, not our jobs"


def _fails(pid: int) -> bool:
    raise PermissionError(pid)


@pytest.mark.parametrize(
    ("is_ours", "in_use"),
    [(lambda pid: pid == os.getpid(), None), (_fails, FOREIGN)],
    ids=["ours", "unknowable"],
)
def test_a_process_of_a_job_is_ours_and_an_unknowable_one_is_not(
    gpus: FakeGpus, is_ours: Callable[[int], bool], in_use: str | None
) -> None:
    inventory = GpuInventory(is_ours, patience_s=PATIENCE_S)
    gpus.card(0, memory_used=3 * GB)
    gpus.uses(0, (os.getpid(), 3 * GB))
    assert uses(inventory.read())[0] == in_use
    inventory.close()


def test_a_desktop_on_a_card_does_not_count(gpus: FakeGpus, inventory: GpuInventory) -> None:
    gpus.card(0, memory_used=2 * GB)
    gpus.uses(0, (os.getpid(), 2 * GB), kind="graphics")
    assert uses(inventory.read()) == [None, None]


def test_memory_without_a_visible_process_is_somebody(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    gpus.card(0, memory_used=5 * GB)
    told = "in use: 5.0 GB of its memory are taken by a process that is not visible"
    assert uses(inventory.read()) == [told, None]
    # Or a job of ours, whose processes are as little visible from here.
    assert uses(inventory.read(held={uuid(0)})) == [None, None]


def test_what_an_older_driver_keeps_for_itself_is_nobody(
    gpus: FakeGpus, inventory: GpuInventory
) -> None:
    gpus.fail("nvmlDeviceGetMemoryInfo_v2", 13)
    one = inventory.read().gpus[0]
    assert one.memory_used_gb == pytest.approx(604 / 1024)
    assert (one.memory_reserved_gb, one.in_use) == (None, None)


def test_a_change_is_logged_once(
    gpus: FakeGpus, inventory: GpuInventory, caplog: pytest.LogCaptureFixture
) -> None:
    inventory.read()
    gpus.card(1, ecc_uncorrected=1)
    inventory.read()
    inventory.read()
    gpus.card(1, ecc_uncorrected=0)
    inventory.read()
    assert caplog.messages == [
        f"{uuid(1)} reports uncorrectable ECC errors; it gets no new job until the driver says "
        "otherwise",
        f"{uuid(1)} is well again and gets new jobs",
    ]


def test_another_process_sees_the_cards_by_its_environment(gpus: FakeGpus, library: Path) -> None:
    code = (
        "from jupyter_training.engine.gpus import GpuInventory\n"
        "for reading in GpuInventory().read().gpus: print(reading.uuid, reading.trouble)"
    )
    gpus.card(1, mig=1)
    environment = os.environ | gpus.environment(library)
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == [
        f"{uuid(0)} None",
        f"{uuid(1)} is divided by MIG, which is not supported yet",
    ]


def test_a_driver_that_hangs_drains_its_cards_until_it_answers(
    gpus: FakeGpus, caplog: pytest.LogCaptureFixture
) -> None:
    inventory = GpuInventory(patience_s=0.1)
    while inventory.read().trouble is not None:
        pass  # a machine may be slow
    caplog.clear()
    gpus.hang("nvmlDeviceGetTotalEccErrors", card=0)
    for _ in range(2):
        snapshot = inventory.read()
        assert snapshot.trouble == "the NVIDIA driver does not answer"
        assert troubles(snapshot) == ["cannot be used: the NVIDIA driver does not answer"] * 2
    inventory.close()  # it does not hang, either
    assert len(caplog.messages) == 1
    gpus.answer()
    while (snapshot := inventory.read()).trouble is not None:
        pass
    assert troubles(snapshot) == [None, None]
    inventory.close()


def test_a_reading_that_hangs_ends_with_the_inventory(gpus: FakeGpus) -> None:
    inventory = GpuInventory(patience_s=3600)
    gpus.hang("nvmlInitWithFlags")
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(inventory.read)
        while not gpus.calls("nvmlInitWithFlags"):
            pass
        inventory.close()
        assert reading.result().trouble == "the NVIDIA driver does not answer"
    gpus.let_threads_end()
    assert not is_open()  # it was let go of when it answered
