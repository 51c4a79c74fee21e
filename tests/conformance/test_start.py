"""What a job is given, and how it is told that it could not be started."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from typing import Any

import pytest

from jupyter_training.executors.base import Launch
from jupyter_training.jobs.lifecycle import Cause, diagnose
from tests.conformance.backends import Backend
from tests.conformance.jobs import UNTIL_GO, go, has_printed, log_of, opened, run, run_all, work_of

SHOW = """
import json, os, signal, sys
told = {
    'arguments': sys.argv[1:],
    'env': dict(os.environ),
    'cwd': os.getcwd(),
    'input': sys.stdin.read(),
    'path': sys.path,
    'blocked': [line.split()[1] for line in open('/proc/self/status') if line.startswith('SigBlk')],
    'default': [signal.getsignal(one) == 0 for one in (signal.SIGTERM, signal.SIGHUP)],
}
json.dump(told, open('shown', 'w'))
"""

AWKWARD = [
    "",
    "two words",
    "'single' and \"double\"",
    "back\\slash \\n \\",
    "a\nnewline\r\n\ttab",
    "$HOME ${HOME} $(id) `id`",
    "* ? [a-z] {a,b} ~",
    "; & | > < # !",
    "%s %(name)s {name}",
    "-x",
    "--",
    "a=b=c",
    "训练 é 🙂",
    "\x01\x1b[0m",
    "x" * 100_000,
]
"""Whatever a shell, a format string or a parser on the way would make something else of."""


def show(backend: Backend, *arguments: str, **changes: Any) -> tuple[Launch, dict[str, Any]]:
    job = backend.python(SHOW, *arguments, **changes)
    assert run(backend, job).exit.exit_code == 0, log_of(job)
    told: dict[str, Any] = json.loads((work_of(job) / "shown").read_text())
    return job, told


def test_a_job_is_seen_while_it_runs_and_when_it_has_ended(backend: Backend) -> None:
    job = backend.python(UNTIL_GO)

    async def watch() -> None:
        async with opened(backend) as executor:
            assert await executor.why_not(None) is None
            found = await executor.start(job)
            assert (found.token, found.directory) == (job.token, job.directory)
            assert found.started_at is not None
            assert found.ended is None
            await has_printed(job, b"ready\n")
            assert log_of(job) == b"ready\n"
            again = await executor.find(job.token, job.directory)
            assert (again.handle, again.ended) == (found.handle, None)
            json.dumps(found.handle)
            go(job)
            ended = await executor.wait(found)
            assert (ended.exit.exit_code, ended.exit.signal, ended.exit.cause) == (0, None, None)
            assert ended.at >= found.started_at
            assert log_of(job) == b"ready\ndone\n"

    asyncio.run(watch())


def test_arguments_and_environment_come_as_they_are(backend: Backend) -> None:
    env = {f"V{number}": value for number, value in enumerate(AWKWARD)}
    job, told = show(backend, *AWKWARD, env=env, cpu_cores=1)
    assert told["arguments"] == AWKWARD
    assert {name: told["env"].get(name) for name in env} == env
    assert told["cwd"] == job.cwd
    assert told["input"] == ""
    assert told["env"]["OMP_NUM_THREADS"] == "1"
    assert told["env"]["CUDA_VISIBLE_DEVICES"] == ""


def test_a_job_gets_the_signals_that_it_would_get_from_a_shell(backend: Backend) -> None:
    _, told = show(backend)
    assert told["blocked"] == ["0" * 16]
    assert told["default"] == [True, True]


def test_a_job_finds_no_secret_of_the_server(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = ("JUPYTER_TOKEN", "JPY_API_TOKEN", "JUPYTERHUB_API_TOKEN")
    for name in secrets:
        monkeypatch.setenv(name, "secret")
    _, told = show(backend)
    assert not set(secrets) & set(told["env"])


def test_gpus_are_exactly_those_that_were_given(backend: Backend) -> None:
    gpus = (
        "GPU-11111111-2222-3333-4444-555555555555",
        "GPU-66666666-7777-8888-9999-000000000000",
    )
    more = {"CUDA_VISIBLE_DEVICES": "all"}
    _, told = show(backend, gpus=gpus, env=more)
    assert told["env"]["CUDA_VISIBLE_DEVICES"] == backend.devices(gpus)
    _, told = show(backend, env=more)
    assert told["env"]["CUDA_VISIBLE_DEVICES"] == ""


def test_what_a_person_sets_wins_over_what_is_usual(backend: Backend) -> None:
    _, told = show(backend, env={"OMP_NUM_THREADS": "7", "PYTHONUNBUFFERED": ""})
    assert (told["env"]["OMP_NUM_THREADS"], told["env"]["PYTHONUNBUFFERED"]) == ("7", "")


def test_code_is_imported_from_where_it_is(backend: Backend) -> None:
    _, told = show(backend, python_path="/of/the/notebook", env={"PYTHONPATH": "/of/the/person"})
    at = [told["path"].index(one) for one in ("/of/the/notebook", "/of/the/person")]
    assert at == sorted(at)


def test_results_belong_to_the_user_of_the_server(backend: Backend) -> None:
    job, _ = show(backend)
    assert (work_of(job) / "shown").stat().st_uid == os.getuid()


def test_a_program_that_cannot_be_run_is_named(backend: Backend) -> None:
    wrong = {
        "no-such-program-here": "No such file or directory",
        "/no/such/program": "No such file or directory",
        "/tmp": "Permission denied",
    }
    ends = run_all(backend, [backend.launch(program, "x") for program in wrong])
    for (program, why), ended in zip(wrong.items(), ends, strict=True):
        cause, sentence = diagnose(ended.exit)
        assert cause is Cause.LAUNCH_FAILED
        assert sentence.startswith(f"could not be started: {program}: {why}")


def test_an_environment_that_is_too_large_is_told(backend: Backend) -> None:
    # Linux takes no single text of more than 128 KB.
    wanted = backend.python("print('ran')", env={"LARGE": "x" * 140_000})
    cause, sentence = diagnose(run(backend, wanted).exit)
    assert cause is Cause.LAUNCH_FAILED
    assert "Argument list too long" in sentence


def test_a_directory_that_is_not_there_is_named_and_not_made(backend: Backend) -> None:
    job = backend.python("print('ran')")
    missing = work_of(job) / "none" / "of these"
    wanted = replace(job, cwd=str(missing))

    async def start() -> None:
        async with opened(backend) as executor:
            found = await executor.start(wanted)
            ended = await executor.wait(found)  # a node of a cluster may only be about to tell
            assert ended.exit.cause is Cause.LAUNCH_FAILED
            assert ended.exit.detail == f"{missing}: No such file or directory"
            again = await executor.find(job.token, job.directory)
            assert (again.started_at, again.ended) == (None, ended)

    asyncio.run(start())
    assert not missing.exists()
    assert log_of(job) == b""
