"""How jobs end, by themselves and otherwise, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import pytest

from jupyter_training.executors.base import Ended
from jupyter_training.jobs.lifecycle import Cause, Exit, diagnose
from tests.conformance.backends import GRACE_S, Backend
from tests.conformance.jobs import (
    HOLD,
    go,
    has_printed,
    lives,
    log_of,
    opened,
    run,
    run_all,
    until,
    work_of,
)


def test_an_exit_code_is_told(backend: Backend) -> None:
    codes = [0, 1, 3, 77, 126, 127, 255]
    ends = run_all(backend, [backend.launch("sh", "-c", f"exit {code}") for code in codes])
    assert [one.exit for one in ends] == [Exit(code) for code in codes]


def test_a_signal_is_told(backend: Backend) -> None:
    numbers = [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]
    code = "import os, sys; os.kill(os.getpid(), int(sys.argv[1]))"
    ends = run_all(backend, [backend.python(code, str(int(number))) for number in numbers])
    assert [one.exit for one in ends] == [Exit(signal=number) for number in numbers]
    assert {diagnose(one.exit)[0] for one in ends} == {Cause.KILLED_BY_SIGNAL}


GROW = "keep = [bytearray(b'x' * 2**24) for _ in range(200)]\n"


@pytest.mark.parametrize(
    "code",
    [GROW, f"import os\nif os.fork() == 0:\n    {GROW}\nos.wait(); raise SystemExit(1)"],
    ids=["the script", "a worker of it"],
)
def test_too_much_memory_is_told_from_a_kill(backend: Backend, code: str) -> None:
    exit_ = run(backend, backend.python(code)).exit
    cause, sentence = diagnose(exit_)
    assert cause is Cause.OUT_OF_MEMORY
    assert sentence == "killed at 1.0 of 1 GB: ask for more memory with --memory"


# ---- a job that is asked to end


SAVES = HOLD + (
    "def save(*_): print('saving'); wait_for('go'); touch('saved'); print('saved'); sys.exit(0)\n"
    "signal.signal(signal.SIGTERM, save); print('ready')\n"
    "time.sleep(600)"
)
IGNORES = HOLD + ("signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready')\ntime.sleep(600)")


def test_a_job_that_is_stopped_can_save_its_work(backend: Backend) -> None:
    job = backend.python(SAVES)

    async def stop() -> Ended:
        async with opened(backend) as executor:
            found = await executor.start(job)
            await has_printed(job, b"ready\n")
            await executor.stop(found)
            await has_printed(job, b"saving\n")
            await executor.stop(found)  # a person in a hurry does not make it shorter
            go(job)
            ended = await executor.wait(found)
            await executor.stop(await executor.find(job.token, job.directory))
            return ended

    exit_ = asyncio.run(stop()).exit
    assert (exit_.exit_code, exit_.signal) == (0, None)
    assert log_of(job) == b"ready\nsaving\nsaved\n"
    assert (work_of(job) / "saved").exists()


def test_a_job_that_does_not_end_is_killed_after_the_grace_period(backend: Backend) -> None:
    job = backend.python(IGNORES)

    async def stop() -> tuple[Ended, float]:
        async with opened(backend, grace_s=1) as executor:
            found = await executor.start(job)
            await has_printed(job, b"ready\n")
            asked = time.monotonic()
            await executor.stop(found)
            return await executor.wait(found), time.monotonic() - asked

    ended, took_s = asyncio.run(stop())
    assert ended.exit.signal == signal.SIGKILL
    assert took_s >= 1
    assert not lives(job)


@pytest.mark.parametrize(("code", "number"), [(SAVES, None), (IGNORES, signal.SIGKILL)])
def test_a_job_whose_time_is_over_is_asked_and_then_killed(
    backend: Backend, code: str, number: int | None
) -> None:
    for limit_s in (3, 12, 48, 192):
        job = backend.python(code, time_limit_s=limit_s)
        if number is None:
            go(job)
        exit_ = run(backend, job, grace_s=1 if number else GRACE_S).exit
        assert exit_.cause is Cause.TIMED_OUT
        assert exit_.detail == f"it ran for its time limit of {limit_s} s"
        if log_of(job):
            break  # else its interpreter had not yet said what it does about a signal
    assert exit_.signal == number
    assert (work_of(job) / "saved").exists() == (number is None)


# ---- what is left


PROGRAM = HOLD + "signal.signal(15, signal.SIG_IGN); touch('program'); time.sleep(600)"
TREE = HOLD + (
    "def stay(name):\n"
    "    signal.signal(15, signal.SIG_IGN); touch(name); time.sleep(600)\n"
    "if os.fork() == 0: stay('child')\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0: [os.close(file) for file in (0, 1, 2)]; stay('daemon')\n"
    "    os._exit(0)\n"
    # Not even its environment tells whose it is.
    f"import subprocess; program = [sys.executable, '-c', {PROGRAM!r}]\n"
    "subprocess.Popen(program, start_new_session=True, env={})\n"
    "wait_for('child', 'daemon', 'program'); print('ready')\n"
)
"""A job with a child, a daemon as daemons are made, and a program in a session of its own."""

ENDS: dict[str, tuple[str, dict[str, Any]]] = {
    "it returns": ("sys.exit(3)", {"exit_code": 3}),
    "it is killed": ("os.kill(os.getpid(), 9)", {"signal": 9}),
    "it is stopped": ("time.sleep(600)", {"signal": 15}),
    "it is stopped and ignores that": (
        "signal.signal(15, signal.SIG_IGN); touch('deaf'); time.sleep(600)",
        {"signal": 9},
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_no_process_of_a_job_is_left_when_it_has_ended(backend: Backend, how: str) -> None:
    code, expected = ENDS[how]
    job = backend.python(TREE + code + "\n")

    async def see() -> Ended:
        # What is left when the script has ended ignores that it is asked to end.
        async with opened(backend, grace_s=3 if how == "it is stopped" else 1) as executor:
            found = await executor.start(job)
            await has_printed(job, b"ready\n")
            if "stopped" in how:
                await until(lambda: "deaf" not in code or (work_of(job) / "deaf").exists())
                await executor.stop(found)
            return await executor.wait(found)

    ended = asyncio.run(see())
    assert not lives(job)
    told = vars(ended.exit)
    assert {name: told[name] for name in expected} == expected


def test_a_shell_that_does_not_pass_it_on_does_not_keep_a_job_from_its_end(
    backend: Backend,
) -> None:
    job = backend.launch("sh", "-c", 'python3 -c "$0"; echo over', UNTIL_KILLED)

    async def stop() -> Ended:
        async with opened(backend, grace_s=1) as executor:
            found = await executor.start(job)
            await has_printed(job, b"ready\n")
            await executor.stop(found)
            return await executor.wait(found)

    asyncio.run(stop())
    assert not lives(job)


UNTIL_KILLED = HOLD + "print('ready', flush=True); time.sleep(600)"
