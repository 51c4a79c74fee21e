"""GPUs are given exactly: those that are configured, and those that a fake driver tells of."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests import fake_nvml, patience
from tests.conftest import Api, Home, python
from tests.fake_nvml import FakeGpus

SHOW = "import os; print('sees', os.environ['CUDA_VISIBLE_DEVICES'], flush=True); "


def printed(api: Api, job_id: str, count: int) -> list[str]:
    """The first lines that a job prints, as soon as there are so many."""
    lines: list[str] = []

    def has_printed() -> bool:
        lines[:] = api.log(job_id)
        return len(lines) >= count

    patience.until(has_printed)
    return lines


def sees(api: Api, job_id: str) -> list[str]:
    """The GPUs that a job finds in its environment, once it has printed them."""
    return printed(api, job_id, 1)[0].removeprefix("sees ").split(",")


def test_two_jobs_never_see_the_same_gpu_and_a_third_one_waits(home: Home, tmp_path: Path) -> None:
    go, go_too = tmp_path / "go", tmp_path / "go-too"
    os.mkfifo(go)
    os.mkfifo(go_too)
    home.configure(
        "c.TrainingApp.gpus = "
        "['GPU-a=NVIDIA A100', 'GPU-b=NVIDIA A100', 'GPU-c=NVIDIA GeForce RTX 4090']"
    )
    api = home.start(cpu_cores=8, gpus=None).api
    waits = [f"{SHOW} open({str(fifo)!r}).read()" for fifo in (go, go_too)]
    first = api.submit(python(waits[0]), name="first", gpu_count=1, gpu_type="A100")["job_id"]
    second = api.submit(python(waits[1]), name="second", gpu_count=1)["job_id"]
    for job_id in (first, second):
        api.status(job_id, "running")
    held = {uuid for job_id in (first, second) for uuid in api.job(job_id)["gpus"]}
    assert len(held) == 2
    third = api.submit(python(SHOW), name="third", gpu_count=2)["job_id"]
    told = api.until(third, lambda told: told["reason"] is not None)
    assert (told["status"], told["reason"]) == (
        "pending",
        "waits for 2 GPUs (1 free), held by first, second",
    )
    never = api.submit(python(SHOW), gpu_count=2, gpu_type="RTX 4090")["job_id"]
    assert "asks for 2 GPUs of type RTX 4090" in str(
        api.until(never, lambda told: told["reason"] is not None)["reason"]
    )
    go.open("w").close()
    go_too.open("w").close()
    assert api.ended(third)["status"] == "completed"
    seen = {job_id: sees(api, job_id) for job_id in (first, second, third)}
    assert all(seen[job_id] == api.job(job_id)["gpus"] for job_id in seen)
    assert not set(seen[first]) & set(seen[second])
    assert len(seen[third]) == 2


@pytest.fixture
def cards(home: Home, tmp_path: Path) -> FakeGpus:
    """Two cards of a fake driver, since no machine here has a real one."""
    fake = FakeGpus(tmp_path / "cards", ["NVIDIA A100-SXM4-80GB"] * 2)
    home.variables |= fake.environment(fake_nvml.build(tmp_path))
    return fake


def start(home: Home) -> Api:
    return home.start(cpu_cores=8, gpus=None, monitor_interval=0.2, schedule_interval=0.2).api


def gpus(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("api/training-resources").json()["nodes"][0]["gpus"]
    return found


def test_a_card_in_trouble_is_drained_says_why_and_comes_back(home: Home, cards: FakeGpus) -> None:
    cards.card(0, ecc_uncorrected=2)
    api = start(home)
    assert [gpu["model"] for gpu in gpus(api)] == ["NVIDIA A100-SXM4-80GB"] * 2
    assert "ECC" in gpus(api)[0]["unavailable"]
    assert gpus(api)[1]["unavailable"] is None
    one = api.submit(python(f"{SHOW} pass"), gpu_count=1, gpu_type="A100")["job_id"]
    assert api.ended(one)["gpus"] == sees(api, one) == [fake_nvml.uuid(1)]
    both = api.submit(python(f"{SHOW} pass"), gpu_count=2)["job_id"]
    told = api.until(both, lambda told: "ECC" in (told["reason"] or ""))
    assert told["status"] == "pending"
    cards.card(0, ecc_uncorrected=0)
    assert api.ended(both)["status"] == "completed"
    assert sees(api, both) == [fake_nvml.uuid(0), fake_nvml.uuid(1)]


def test_cards_that_are_named_are_looked_at_too(home: Home, cards: FakeGpus) -> None:
    cards.card(0, ecc_uncorrected=2)
    named = [fake_nvml.uuid(0), f"{fake_nvml.uuid(1)}=NVIDIA A100", "GPU-misspelt"]
    home.configure(f"c.TrainingApp.gpus = {named}")
    api = start(home)
    assert [(gpu["model"], gpu["unavailable"]) for gpu in gpus(api)] == [
        ("NVIDIA A100-SXM4-80GB", "drained: reports uncorrectable ECC errors"),
        ("NVIDIA A100", None),
        ("", "drained: is not known to the driver"),
    ]
    one = api.submit(python(f"{SHOW} pass"), gpu_count=1)["job_id"]
    assert api.ended(one)["gpus"] == sees(api, one) == [fake_nvml.uuid(1)]


def test_a_card_that_others_use_is_not_given_out_and_one_of_a_job_is_no_others(
    home: Home, cards: FakeGpus
) -> None:
    cards.uses(0, (os.getpid(), 1 << 30))
    api = start(home)
    not_ours = f"(pid {os.getpid()}), not one of our jobs"
    until(api, lambda told: not_ours in (told[0]["unavailable"] or ""))
    code = f"{SHOW} print(os.getpid(), flush=True); import time; time.sleep(600)"
    job_id = api.submit(python(code), gpu_count=1)["job_id"]
    assert sees(api, job_id) == [fake_nvml.uuid(1)]
    cards.uses(1, (int(printed(api, job_id, 2)[1]), 1 << 30))
    waiting = api.submit(python(f"{SHOW} pass"), gpu_count=1)["job_id"]
    cards.uses(0)
    assert api.ended(waiting)["gpus"] == [fake_nvml.uuid(0)]
    # It was read again since, and the job's own process is no reason to drain its card.
    assert [gpu["unavailable"] for gpu in gpus(api)] == [None, None]
    assert gpus(api)[1]["held_by"] == "test"


def test_a_driver_that_fails_never_breaks_the_server(home: Home, cards: FakeGpus) -> None:
    api = start(home)
    assert len(gpus(api)) == 2
    cards.fail("*", 999)
    job_id = api.submit(python("pass"), gpu_count=0)["job_id"]
    assert api.ended(job_id)["status"] == "completed"
    until(api, lambda told: all(gpu["unavailable"] for gpu in told))
    waits = api.submit(python("pass"), gpu_count=1)["job_id"]
    api.until(waits, lambda told: "drained" in (told["reason"] or ""))
    cards.fail("*", None)
    assert api.ended(waits)["status"] == "completed"


RATES = "nvmlDeviceGetUtilizationRates"
FIGURES = ("utilization_percent", "memory_used_gb", "temperature_c", "power_w", "power_limit_w")


def until(api: Api, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """The cards as soon as they are as wanted."""
    found: list[dict[str, Any]] = []

    def are() -> bool:
        found[:] = gpus(api)
        return enough(found)

    patience.until(are)
    return found


def test_each_card_tells_its_figures_and_who_is_on_it(home: Home, cards: FakeGpus) -> None:
    cards.card(0, utilization=12, memory_used=1 << 27, temperature=44, power=101_500)
    cards.card(1, power=None, power_limit=None, utilization=None)
    server = home.start(cpu_cores=8, gpus=None, monitor_interval=0.2, schedule_interval=0.2)
    api = server.api
    first, second = until(api, lambda told: all(gpu["read_at"] for gpu in told))
    assert [first["index"], second["index"]] == [0, 1]
    assert [first[name] for name in FIGURES] == [12, 0.125, 44, 101.5, 400]
    # What a card does not tell is null, and the rest is there.
    assert [second[name] for name in FIGURES] == [None, 0.004, 31, None, None]
    assert (first["state"], first["processes"], first["memory_gb"]) == ("free", [], 80)

    code = f"{SHOW} print(os.getpid(), flush=True); import time; time.sleep(600)"
    job = api.submit(python(code), name="trains", gpu_count=1)
    pid = int(printed(api, job["job_id"], 2)[1])
    cards.uses(0, (pid, 3 << 30))
    cards.uses(1, (os.getpid(), 1 << 30))
    first, second = until(api, lambda told: bool(told[0]["processes"] and told[1]["processes"]))
    ours = {"pid": pid, "user": getpass.getuser(), "memory_gb": 3}
    assert first["processes"] == [{**ours, "id": job["id"], "held_by": "trains"}]
    assert (first["state"], first["held_by"]) == ("held", "trains")
    foreign = {"pid": os.getpid(), "user": getpass.getuser(), "memory_gb": 1}
    assert second["processes"] == [{**foreign, "id": None, "held_by": None}]
    assert until(api, lambda told: told[1]["state"] == "in_use")[1]["held_by"] is None
    # Another user learns whose it is, and no more.
    theirs = gpus(server.api_of("another"))[0]["processes"][0]["held_by"]
    assert theirs.startswith("a job of ")
    cards.card(0, ecc_uncorrected=1, utilization=99)
    first, _ = until(api, lambda told: told[0]["state"] == "drained")
    assert first["held_by"] == "trains"
    until(api, lambda told: told[0]["utilization_percent"] == 99)
    cards.fail("*", fake_nvml.GPU_IS_LOST, card=0)
    first, second = until(api, lambda told: told[0]["read_at"] is None)
    assert [first[name] for name in (*FIGURES, "processes", "index")] == [None] * 7
    assert second["temperature_c"] == 31


def test_a_terminal_shows_each_card(home: Home, cards: FakeGpus) -> None:
    cards.card(0, utilization=37, memory_used=24 << 30, temperature=61, power=250_000)
    cards.uses(0, (os.getpid(), 24 << 30))
    cards.card(1, power=None, utilization=None, ecc_uncorrected=1)
    api = start(home)
    until(api, lambda told: all(gpu["read_at"] for gpu in told))

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "jupyter_training", *words]
        done = subprocess.run(command, env=home.env, capture_output=True, text=True, check=True)
        return done.stdout

    head, first, second = run("gpus").splitlines()
    assert re.split("  +", head) == [
        *("GPU", "model", "state", "busy", "memory", "temp.", "power", "held by", "notes")
    ]
    model = "NVIDIA A100-SXM4-80GB"
    assert re.split("  +", first)[:8] == [
        *("0", "GPU-fa4e0000", model, "in use", "37 %", "24.0 of 80 GB", "61 °C", "250 of 400 W")
    ]
    assert f"pid {os.getpid()} of {getpass.getuser()} (24.0 GB)" in first
    assert re.split("  +", second) == [
        *("1", "GPU-fa4e0000", model, "drained", "0.0 of 80 GB", "31 °C", "400 W"),
        "reports uncorrectable ECC errors",
    ]
    assert run("resources").endswith(f"\n\n{run('gpus')}")
    one, other = json.loads(run("gpus", "--json"))
    assert (one["node"], one["utilization_percent"]) == (socket.gethostname(), 37)
    assert (other["state"], other["utilization_percent"]) == ("drained", None)


def test_figures_are_read_once_for_all_who_look_and_never_written(
    home: Home, cards: FakeGpus
) -> None:
    # No turn and no look at the machine comes in between.
    api = home.start(cpu_cores=8, gpus=None, monitor_interval=3600, schedule_interval=3600).api
    until(api, lambda told: all(gpu["read_at"] for gpu in told))
    before, began = cards.calls(RATES), time.monotonic()
    written = database_of(home)
    with ThreadPoolExecutor(20) as threads:
        several = list(threads.map(lambda _: gpus(api), range(100)))
    took_s = time.monotonic() - began
    assert all(gpu["temperature_c"] == 31 for told in several for gpu in told)
    # Two cards, and once a second at most.
    assert cards.calls(RATES) - before <= 2 * (took_s + 2)
    assert database_of(home) == written


def database_of(home: Home) -> list[tuple[Any, ...]]:
    """What is written of machines."""
    with contextlib.closing(sqlite3.connect(home.data_dir / "training.db")) as database:
        return list(database.execute("SELECT * FROM nodes"))


def test_a_driver_that_hangs_delays_no_answer(home: Home, cards: FakeGpus) -> None:
    api = start(home)
    until(api, lambda told: all(gpu["read_at"] for gpu in told))
    cards.hang(RATES)
    calls = cards.calls(RATES)
    until(api, lambda _: cards.calls(RATES) > calls)
    stuck_at = gpus(api)[0]["read_at"]
    for _ in range(20):
        told = gpus(api)  # without an answer of the driver, which hangs for ever
    assert told[0]["read_at"] == stuck_at
    assert (told[0]["temperature_c"], told[0]["state"]) == (31, "free")
    # Jobs go on, and so does the end of the server.
    job_id = api.submit(python("pass"))["job_id"]
    assert api.ended(job_id)["status"] == "completed"
    home.servers[-1].stop()
