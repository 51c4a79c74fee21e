"""What jobs use, through a real server: real memory, real CPU time, and GPUs of a fake driver."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import fake_nvml
from tests.conftest import Api, Home, Server, python
from tests.executors.docker_engine import IMAGE, Engine
from tests.fake_nvml import FakeGpus
from tests.patience import until
from tests.server.receiver import webhook

MB = 1024**2
GB = 1024**3

HOLDS = "block = bytearray(b'x' * (120 << 20)); print('held', flush=True); "


def test_a_short_job_tells_what_it_has_used_though_nobody_looked(api: Api) -> None:
    code = "import time\nx = b'x' * (60 << 20)\nwhile time.process_time() < 0.1: pass"
    told = api.ended(api.submit(python(code))["job_id"])
    assert 60 * MB < told["peak_memory_bytes"] < 120 * MB
    assert 0.1 <= told["cpu_seconds"] < 5
    assert 0 < told["mean_cpu_cores"] <= 2
    assert told["usage"].startswith("used at most ")
    assert " MB of 1 GB of memory, " in told["usage"]
    assert told["peak_gpu_memory_bytes"] is told["mean_gpu_utilization_percent"] is None


def test_a_job_that_had_too_little_memory_tells_how_much_it_had(api: Api) -> None:
    code = "keep = [bytearray(b'x' * (50 << 20)) for _ in range(40)]"
    told = api.ended(api.submit(python(code), max_retries=0)["job_id"])
    assert told["cause"] == "out_of_memory"
    assert told["peak_memory_bytes"] > 0.9 * GB
    assert told["usage"].startswith("used at most 1.0 of 1 GB of memory")


def test_peaks_outlive_the_server_that_has_seen_them(home: Home, tmp_path: Path) -> None:
    code = f"{HOLDS} del block; print('let go', flush=True); import time; time.sleep(600)"
    first = home.start()
    job_id = first.api.submit(python(code))["job_id"]
    first.api.printed(job_id, "let go")
    first.kill()
    second = home.start()
    second.api.status(job_id, "running")
    told = second.api.cancel(job_id)
    assert told["peak_memory_bytes"] > 120 * MB


@pytest.fixture
def cards(home: Home, tmp_path: Path) -> FakeGpus:
    """Two cards of a fake driver, since no machine here has a real one."""
    fake = FakeGpus(tmp_path / "cards", ["NVIDIA A100-SXM4-80GB"] * 2)
    home.variables |= fake.environment(fake_nvml.build(tmp_path))
    return fake


def test_a_job_whose_gpus_do_nothing_is_marked_until_they_work(home: Home, cards: FakeGpus) -> None:
    api = home.start(gpus=None, idle_gpu_minutes=1 / 60).api
    code = f"{HOLDS} import time; time.sleep(600)"
    job_id = api.submit(python(code), gpu_count=2)["job_id"]
    told = api.until(job_id, lambda told: told["idle_since"] is not None)
    assert told["reason"].startswith("its GPUs have done nothing since ")
    cards.card(0, utilization=97, memory_used=71 * GB)
    told = api.until(job_id, lambda told: told["idle_since"] is None)
    assert told["status"] == "running"
    events = api.get(f"api/training-jobs/{job_id}/events").json()
    assert [one["kind"] for one in events if one["kind"] in ("idle", "busy")] == ["idle", "busy"]
    told = api.cancel(job_id)
    assert told["peak_gpu_memory_bytes"] == 71 * GB
    assert 0 < told["mean_gpu_utilization_percent"] < 97
    assert "its 2 GPUs " in told["usage"]


def test_a_job_without_gpus_or_where_it_is_switched_off_is_never_idle(
    home: Home, cards: FakeGpus
) -> None:
    api = home.start(gpus=None, idle_gpu_minutes=0).api
    code = python("import time; time.sleep(2.5)")
    several = [api.submit(code, gpu_count=count)["job_id"] for count in (0, 1)]
    for job_id in several:
        api.ended(job_id)
        events = api.get(f"api/training-jobs/{job_id}/events").json()
        assert "idle" not in [one["kind"] for one in events]


def test_a_driver_that_hangs_delays_no_sample_of_the_rest(home: Home, cards: FakeGpus) -> None:
    home.configure(f"c.TrainingApp.gpus = [{fake_nvml.uuid(0)!r}]")
    api = home.start(gpus=None).api
    cards.hang("nvmlDeviceGetUtilizationRates")
    code = f"{HOLDS} import time; time.sleep(600)"
    job_id = api.submit(python(code), gpu_count=1)["job_id"]
    usage_with(api, job_id, lambda told: max(told["memory_bytes"], default=0) > 120 * MB)
    told = api.cancel(job_id)
    cards.answer()
    assert told["peak_memory_bytes"] > 120 * MB
    assert told["mean_gpu_utilization_percent"] is None


def test_what_a_job_uses_over_time_can_be_read_while_it_runs_and_afterwards(
    home: Home, cards: FakeGpus, tmp_path: Path
) -> None:
    api = home.start(gpus=None).api
    seen = tmp_path / "seen"
    burn = f"import os, time\nwhile not os.path.exists({str(seen)!r}): pass\n"
    code = f"block = b'x' * (120 << 20)\nprint('held', flush=True)\n{burn}time.sleep(600)"
    job_id = api.submit(python(code), gpu_count=1, memory_gb=2)["job_id"]
    api.printed(job_id, "held")
    cards.card(0, utilization=80, memory_used=40 * GB)

    def works(told: dict[str, Any]) -> bool:
        worked = max((one or 0 for one in told["cpu_cores"]), default=0) > 0.1
        # A sample may have been taken just when the card changed.
        card = told["gpus"][0] if told["gpus"] else {"utilization_percent": (), "memory_bytes": ()}
        is_read = 80 in card["utilization_percent"] and 40 * GB in card["memory_bytes"]
        return worked and is_read

    told = usage_with(api, job_id, works)
    seen.touch()
    assert told["requested"] == {"cpu_cores": 1, "memory_bytes": 2 * GB, "gpu_count": 1}
    assert max(one or 0 for one in told["memory_bytes"]) > 120 * MB
    assert max(one or 0 for one in told["cpu_cores"]) > 0.1
    (gpu,) = told["gpus"]
    assert gpu["uuid"] == fake_nvml.uuid(0)
    assert set(gpu["utilization_percent"]) <= {0, 80, None}
    assert 80 in gpu["utilization_percent"]
    assert 40 * GB in gpu["memory_bytes"]
    assert told["ended_at"] is None
    home.servers[-1].kill()
    api = home.start(gpus=None).api
    again = usage_with(api, job_id, lambda now: now["samples"] > told["samples"])
    assert again["time"][: told["samples"]] == told["time"]
    assert again["cpu_seconds"] >= told["cpu_seconds"]
    api.cancel(job_id)
    ended = api.get(f"api/training-jobs/{job_id}/usage").json()
    assert ended["peaks"]["memory_bytes"] == api.job(job_id)["peak_memory_bytes"]
    assert ended["usage"] == api.job(job_id)["usage"]
    assert ended["ended_at"] is not None
    few = api.get(f"api/training-jobs/{job_id}/usage?max_points=10").json()
    assert few["samples"] == ended["samples"]
    assert api.get(f"api/training-jobs/{job_id}/usage?attempt=2").status_code == 404
    assert api.get(f"api/training-jobs/{job_id}/usage?max_points=9").status_code == 400


def usage_with(api: Api, job_id: str, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What a job used, as soon as that is as wanted; while it is looked at, it is sampled."""
    told: dict[str, Any] = {}

    def look() -> bool:
        told.update(api.get(f"api/training-jobs/{job_id}/usage").json())
        return enough(told)

    until(look, pause_s=0.2)  # of a sample nobody is told
    return told


def test_gpu_hours_are_read_per_job_and_per_customer(server: Server, api: Api, me: str) -> None:
    other = server.api_of("grace")
    mine = api.submit(python("pass"), name="mine", cpu_cores=2)["job_id"]
    theirs = other.submit(python("pass"), name="secret plans")["job_id"]
    api.ended(mine)
    other.ended(theirs)
    told = api.get("api/training-usage").json()
    (row,) = [one for one in told["usage"] if one["job_id"] == mine]
    assert (row["name"], row["username"], row["attempts"], row["jobs"]) == ("mine", me, 1, 1)
    assert 0 < row["core_hours"] < 1
    assert row["gpu_hours"] == 0
    assert "secret plans" not in str(told)
    assert theirs not in str(told)
    assert api.ask("DELETE", f"api/training-jobs/{mine}").status_code == 204
    told = api.get("api/training-usage?by=customer").json()
    names = [one["username"] for one in told["usage"]]
    assert len(names) == len(set(names))
    assert {me, "grace"} <= set(names)
    assert {one["name"] for one in told["usage"]} == {None}
    (row,) = [one for one in api.get("api/training-usage").json()["usage"] if one["job_id"] == mine]
    assert row["name"] is None  # it was deleted, and has held what it held all the same
    assert api.get("api/training-usage?until=2020-01-01").json()["usage"] == []
    for wrong in ("since=yesterday", "by=week", "since=2030-01-01"):
        assert api.get(f"api/training-usage?{wrong}").status_code == 400


def test_a_container_tells_what_it_uses(engine: Engine, home: Home) -> None:
    api = home.start(docker_url=engine.url).api
    code = "x = b'x' * (90 << 20); import time; time.sleep(600)"
    job_id = api.submit(["python3", "-c", code], image=IMAGE)["job_id"]
    api.status(job_id, "running")

    def works(told: dict[str, Any]) -> bool:
        peaks = told["peaks"]
        return (peaks["memory_bytes"] or 0) > 90 * MB and (peaks["cpu_cores"] or 0) > 0

    usage_with(api, job_id, works)
    told = api.cancel(job_id)
    assert told["peak_memory_bytes"] > 90 * MB
    assert told["cpu_seconds"] > 0


def test_what_was_idle_before_a_restart_is_idle_after_it_and_told_once(
    home: Home, cards: FakeGpus
) -> None:
    first = home.start(gpus=None, idle_gpu_minutes=1 / 60)
    nap = python("import time; time.sleep(600)")
    with webhook() as owner:
        job_id = first.api.submit(nap, gpu_count=1, notify=[owner.url("hook")])["job_id"]
        marked = first.api.until(job_id, lambda told: told["idle_since"] is not None)
        message = owner.next()
    assert message.title == "test leaves its GPUs idle"
    assert message.body.startswith("Its GPU has done nothing since ")
    samples = first.api.get(f"api/training-jobs/{job_id}/usage").json()["samples"]
    first.kill()
    api = home.start(gpus=None, idle_gpu_minutes=1 / 60).api
    again = usage_with(api, job_id, lambda told: told["samples"] >= samples + 3)
    assert again["idle_since"] == marked["idle_since"]
    events = api.get(f"api/training-jobs/{job_id}/events").json()
    assert [one["kind"] for one in events if one["kind"] in ("idle", "busy")] == ["idle"]
