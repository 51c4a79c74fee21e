"""What containers are made of and what becomes of their ends, as values; no engine."""

from __future__ import annotations

import os
import struct
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from jupyter_training.engine.log_times import times
from jupyter_training.executors.confinement import Confinement, confinement_of_this_server
from jupyter_training.executors.container_logs import ContainerLog, Full, Records
from jupyter_training.executors.container_states import (
    Container,
    end_of,
    ended_without_engine,
    launch_failure,
    time_of,
)
from jupyter_training.executors.containers import (
    ATTEMPT,
    INSTALLATION,
    JOB,
    TIME_LIMIT,
    ContainerLaunch,
    Mount,
    configuration,
    environment,
    name_of,
    place_on_host,
    whole_seconds,
)
from jupyter_training.executors.image import PullProgress
from jupyter_training.executors.supervisor import TOKEN_VARIABLE
from jupyter_training.jobs.lifecycle import Cause

GB = 1024**3
USER = Confinement("1000:1000", ("44",), "ada")
START = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)


def launch(**changes: Any) -> ContainerLaunch:
    values: dict[str, Any] = {
        "token": "t0",
        "directory": Path("/data/jobs/job-1/attempt-1"),
        "argv": ("python", "train.py", "--lr", "1e-3; rm -rf /"),
        "cwd": "/code",
        "env": {"JUPYTER_TRAINING_JOB_ID": "job-1", "LR": "a=b"},
        "python_path": None,
        "cpu_cores": 3,
        "memory_gb": 8,
        "gpus": (),
        "time_limit_s": None,
        "image": "pytorch:2",
        "mounts": (Mount("/srv/data", "/data", True), Mount("/home/ada", "/code", False)),
    }
    return ContainerLaunch(**{**values, **changes})


def configured(**changes: Any) -> dict[str, Any]:
    return configuration(
        launch(**changes),
        installation="here",
        confinement=USER,
        image_env=["PATH=/bin", "PYTHONPATH=/opt/lib"],
        log_offset=17,
        grace_s=2.5,
    )


def container(**changes: Any) -> Container:
    values: dict[str, Any] = {
        "id": "c1",
        "name": "n",
        "status": "exited",
        "started_at": START,
        "finished_at": START + timedelta(minutes=1),
        "memory": 8 * GB,
    }
    return Container(**{**values, **changes})


def test_a_container_gets_what_the_job_was_given_and_no_more() -> None:
    config = configured()
    host = config["HostConfig"]
    assert config["Entrypoint"] == ["python", "train.py", "--lr", "1e-3; rm -rf /"]
    assert (config["Cmd"], config["WorkingDir"], config["Image"]) == ([], "/code", "pytorch:2")
    assert (config["User"], host["GroupAdd"]) == ("1000:1000", ["44"])
    assert host["NanoCpus"] == 3_000_000_000
    assert (host["Memory"], host["MemorySwap"], host["ShmSize"]) == (8 * GB, 8 * GB, 4 * GB)
    assert (host["CapDrop"], host["CapAdd"], host["Privileged"]) == (["ALL"], [], False)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert [(m["Source"], m["Target"], m["ReadOnly"]) for m in host["Mounts"]] == [
        ("/srv/data", "/data", True),
        ("/home/ada", "/code", False),
    ]
    assert (config["StopSignal"], config["StopTimeout"]) == ("SIGTERM", 3)


def test_its_labels_tell_whose_it_is() -> None:
    labels = configured(time_limit_s=1.5)["Labels"]
    assert (labels[INSTALLATION], labels[JOB], labels[ATTEMPT]) == ("here", "job-1", "t0")
    described = container(labels=labels)
    assert described.belongs_to("here", "t0")
    assert not described.belongs_to("elsewhere", "t0")
    assert not described.belongs_to("here", "t1")
    assert described.log_offset == 17
    assert described.deadline == START + timedelta(seconds=1.5)


def test_its_log_is_kept_whole_whatever_the_engine_does_with_others() -> None:
    driver = configured()["HostConfig"]["LogConfig"]
    assert driver["Type"] == "local"
    assert driver["Config"]["max-file"] == "1"


def test_gpus_are_asked_for_by_uuid() -> None:
    (request,) = configured(gpus=("GPU-a", "GPU-b"))["HostConfig"]["DeviceRequests"]
    assert request["DeviceIDs"] == ["GPU-a", "GPU-b"]
    assert request["Capabilities"] == [["gpu"]]
    assert configured()["HostConfig"]["DeviceRequests"] == []


def test_the_environment_of_a_job() -> None:
    wanted = launch(gpus=("GPU-a", "GPU-b"), python_path="/code")
    assert environment(wanted, USER, ["PYTHONPATH=/opt/lib"]) == {
        "OMP_NUM_THREADS": "3",
        "PYTHONUNBUFFERED": "1",
        "USER": "ada",
        "LOGNAME": "ada",
        "HOME": "/tmp",
        "JUPYTER_TRAINING_JOB_ID": "job-1",
        "LR": "a=b",
        "PYTHONPATH": "/code:/opt/lib",
        "CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b",
        "NVIDIA_VISIBLE_DEVICES": "GPU-a,GPU-b",
        TOKEN_VARIABLE: "t0",
    }


def test_a_job_without_gpus_sees_none_even_if_its_image_wants_all() -> None:
    env = environment(launch(), USER, ["NVIDIA_VISIBLE_DEVICES=all"])
    assert (env["CUDA_VISIBLE_DEVICES"], env["NVIDIA_VISIBLE_DEVICES"]) == ("", "void")


def test_root_keeps_the_home_of_the_image() -> None:
    assert "HOME" not in environment(launch(), Confinement("0:0"), [])


def test_jobs_are_the_servers_own_user() -> None:
    assert confinement_of_this_server().user == f"{os.getuid()}:{os.getgid()}"


def test_on_a_rootless_engine_the_servers_user_is_uid_0_without_any_capability() -> None:
    there = configuration(
        launch(),
        installation="here",
        confinement=USER.of_rootless_engine(),
        image_env=[],
        log_offset=0,
        grace_s=1,
    )
    assert (there["User"], there["HostConfig"]["GroupAdd"]) == ("0:0", [])
    assert (there["HostConfig"]["CapDrop"], there["HostConfig"]["CapAdd"]) == (["ALL"], [])


def test_the_name_is_made_of_the_token() -> None:
    assert name_of("t0") == "jupyter-training-t0"


@pytest.mark.parametrize(("seconds", "whole"), [(0.2, 1), (1, 1), (1.1, 2), (0, 1), (10.0, 10)])
def test_grace_is_rounded_up(seconds: float, whole: int) -> None:
    assert whole_seconds(seconds) == whole


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01T12:00:00.266554786Z", START + timedelta(microseconds=266554)),
        ("2026-05-01T12:00:00.5Z", START + timedelta(milliseconds=500)),
        ("2026-05-01T12:00:00Z", START),
        ("2026-05-01T14:00:00.5+02:00", START + timedelta(milliseconds=500)),
        ("0001-01-01T00:00:00+00:00", None),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_times_of_the_engine(text: str, moment: datetime | None) -> None:
    assert time_of(text) == moment


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/code", ("/home/me", ".")),
        ("/code/a/./b/../c", ("/home/me", "a/c")),
        ("/code/data/x", ("/data", "x")),
        ("/code/../opt", None),
        ("/codebook", None),
        ("/", None),
    ],
)
def test_where_on_the_host_a_path_is(path: str, expected: tuple[str, str] | None) -> None:
    mounts = (Mount("/home/me", "/code", False), Mount("/data", "/code/data", True))
    assert place_on_host(path, mounts) == expected


LIMIT = {TIME_LIMIT: "60.0"}
TOO_LARGE = b"exec /sbin/docker-init: argument list too long\n"


@pytest.mark.parametrize(
    ("state", "known", "code", "number", "cause"),
    [
        ({"exit_code": 0}, {}, 0, None, None),
        ({"exit_code": 3}, {}, 3, None, None),
        ({"exit_code": 137}, {}, None, 9, None),
        ({"exit_code": 143}, {}, None, 15, None),
        ({"exit_code": 255}, {}, 255, None, None),
        ({"exit_code": 137, "oom_killed": True}, {}, None, 9, Cause.OUT_OF_MEMORY),
        # Only a child was killed: the script ended because of that, or did without it.
        ({"exit_code": 3, "oom_killed": True}, {}, 3, None, Cause.OUT_OF_MEMORY),
        ({"exit_code": 0, "oom_killed": True}, {}, 0, None, None),
        ({"exit_code": 143, "labels": LIMIT}, {"limit_reached": True}, None, 15, Cause.TIMED_OUT),
        ({"exit_code": 0, "labels": LIMIT}, {"limit_reached": True}, 0, None, Cause.TIMED_OUT),
        ({"exit_code": 143}, {"engine_was_away": True}, None, 15, Cause.NODE_LOST),
        ({"exit_code": 255}, {"engine_was_away": True}, 255, None, Cause.NODE_LOST),
        ({"exit_code": 0}, {"engine_was_away": True}, 0, None, None),
        ({"exit_code": 1}, {"engine_was_away": True}, 1, None, None),
        (
            {"exit_code": 255},
            {"booted_at": START + timedelta(seconds=30)},
            255,
            None,
            Cause.NODE_LOST,
        ),
        ({"exit_code": 255}, {"booted_at": START - timedelta(days=1)}, 255, None, None),
        (
            {"exit_code": 127},
            {"log_start": b"[FATAL tini (7)] exec nope failed: No such file or directory\n"},
            127,
            None,
            Cause.LAUNCH_FAILED,
        ),
        ({"exit_code": 127}, {"log_start": b"sh: 1: nope: not found\n"}, 127, None, None),
        ({"exit_code": 1}, {"log_start": TOO_LARGE}, 1, None, Cause.LAUNCH_FAILED),
        ({"exit_code": 255}, {"log_start": TOO_LARGE}, 255, None, Cause.LAUNCH_FAILED),
        ({"exit_code": 1}, {"log_start": b"hello\n" + TOO_LARGE}, 1, None, None),
    ],
)
def test_how_a_container_ended(
    state: dict[str, Any],
    known: dict[str, Any],
    code: int | None,
    number: int | None,
    cause: Cause | None,
) -> None:
    ended = end_of(container(**state), START, **known)
    assert (ended.exit.exit_code, ended.exit.signal, ended.exit.cause) == (code, number, cause)
    assert ended.at == START + timedelta(minutes=1)


def test_whether_the_engine_was_started_after_a_container_had_ended() -> None:
    end = container().finished_at
    assert end is not None
    assert ended_without_engine(container(), end + timedelta(seconds=1))
    assert not ended_without_engine(container(), end)
    assert not ended_without_engine(container(), None)


def test_what_is_said_of_an_end_helps() -> None:
    oom = end_of(container(exit_code=137, oom_killed=True), START)
    assert oom.exit.detail == "killed at 8.0 of 8 GB"
    late = end_of(container(exit_code=143, labels=LIMIT), START, limit_reached=True)
    assert late.exit.detail == "it ran for its time limit of 60 s"
    words = 'could not select device driver "" with capabilities: [[gpu]]'
    assert "install the NVIDIA Container Toolkit" in launch_failure(words, ("GPU-a",))
    assert launch_failure("no space left on device", ()) == "no space left on device"


def frame(text: bytes, stream: int = 1) -> bytes:
    payload = b"2026-05-01T12:00:00.000000000Z " + text
    return struct.pack(">BxxxL", stream, len(payload)) + payload


FULL = b"x" * 16384


@pytest.mark.parametrize(
    ("frames", "printed"),
    [
        ([], b""),
        ([frame(b"one\n"), frame(b"\n"), frame(b"two")], b"one\n\ntwo"),
        ([frame(b"a b  c\n", 2)], b"a b  c\n"),
        # Parts of one line, and the newline that some engines lose after the last one.
        ([frame(FULL), frame(b"end\n"), frame(b"next\n")], FULL + b"end\nnext\n"),
        ([frame(FULL), frame(b"end"), frame(b"next\n")], FULL + b"end\nnext\n"),
        ([frame(FULL), frame(b""), frame(b"next\n")], FULL + b"\nnext\n"),
        ([frame(FULL), frame(FULL), frame(b"end")], FULL + FULL + b"end"),
        # The streams do not mind each other.
        ([frame(FULL), frame(b"err\n", 2), frame(b"end\n")], FULL + b"err\nend\n"),
        # A part that a restart of the engine made is not the end of a line.
        ([frame(b"one, "), frame(b"two\n")], b"one, two\n"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 40_000])
def test_records_of_the_engine_become_what_was_printed(
    frames: list[bytes], printed: bytes, size: int
) -> None:
    whole, records = b"".join(frames), Records()
    parts = [records.feed(whole[at : at + size]) for at in range(0, len(whole), size)]
    assert b"".join(parts) == printed
    assert records.last == (frames[-1][8:] if frames else b"")


def test_what_is_in_the_log_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"pulled\nabc")
    log = ContainerLog(path, len(b"pulled\n"), threading.Event(), None)
    for part in (b"a", b"bcd", b"ef"):
        log.write(part)
    log.close()
    assert path.read_bytes() == b"pulled\nabcdef"


def test_two_that_write_the_same_log_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "log"
    one, other = (ContainerLog(path, 0, threading.Event(), None) for _ in range(2))
    one.write(b"abcd")
    other.write(b"ab")
    one.write(b"ef")
    other.write(b"cd")
    one.close()
    other.close()
    assert path.read_bytes() == b"abcdef"


def test_the_times_of_the_engine_are_kept_beside_the_log(tmp_path: Path) -> None:
    def at(second: int, tenth: int, text: bytes) -> bytes:
        record = b"2026-01-01T00:00:%02d.%d00000000Z %s" % (second, tenth, text)
        return b"\1\0\0\0" + len(record).to_bytes(4, "big") + record

    path, records = tmp_path / "output.log", Records()
    path.write_bytes(b"pulled\n")
    for again in range(2):  # a server that is followed by another one
        log, records = ContainerLog(path, len(b"pulled\n"), threading.Event(), None), Records()
        for chunk in (at(1, 0, b"one\n"), at(1, 0, b"two\n") + at(2, 5, b"three\n"))[: 1 + again]:
            log.write(records.feed(chunk), records.stamps)
        log.close()
    assert path.read_bytes() == b"pulled\none\ntwo\nthree\n"
    new_year = datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp()
    assert times(path, [0, 7, 11, 15]) == [None, new_year + 1, new_year + 1, new_year + 2.5]


def test_a_full_disk_is_waited_for_and_then_not_any_more(tmp_path: Path) -> None:
    (tmp_path / "output.log").symlink_to("/dev/full")
    log = ContainerLog(tmp_path / "output.log", 0, threading.Event(), patience_s=0.1)
    with pytest.raises(Full, match="No space left"):
        log.write(b"x")
    log.close()


def test_the_progress_of_a_pull() -> None:
    progress = PullProgress()
    for event in (
        {"status": "Pulling from library/pytorch", "id": "2"},
        {"status": "Already exists", "id": "a"},
        {"status": "Pulling fs layer", "id": "b"},
        {
            "status": "Downloading",
            "id": "b",
            "progressDetail": {"current": 2_000_000, "total": 8_000_000},
        },
        {"status": "Digest: sha256:0"},
    ):
        progress.feed(event)
    assert str(progress) == "1 of 2 layers, 2 of 8 MB downloaded"
    progress.feed({"status": "Pull complete", "id": "b", "progressDetail": {}})
    assert str(progress) == "2 of 2 layers, 8 of 8 MB downloaded"
