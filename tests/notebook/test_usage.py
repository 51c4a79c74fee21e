"""What a person sees of the use of jobs, in a notebook and in a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.error import UsageError as ShownError
from IPython.core.interactiveshell import InteractiveShell

from jupyter_training import cli
from jupyter_training.notebook import jobs
from jupyter_training.notebook.asking import connection
from jupyter_training.notebook.client import Client
from jupyter_training.notebook.magics import load
from jupyter_training.notebook.usage import JobUsage, UsageTable
from tests.conftest import Api, Server, python

GB = 1024**3


def told(**changes: Any) -> dict[str, Any]:
    return {
        "job_id": "job-1",
        "attempt": 1,
        "time": [
            "2026-01-26T10:00:00.000Z",
            "2026-01-26T10:00:05.000Z",
            "2026-01-26T10:00:10.000Z",
        ],
        "cpu_cores": [4.0, None, 2.0],
        "memory_bytes": [8 * GB, None, 16 * GB],
        "gpus": [],
        "requested": {"cpu_cores": 4, "memory_bytes": 16 * GB, "gpu_count": 0},
        "usage": "used at most 16.0 of 16 GB of memory",
        "idle_since": None,
        **changes,
    }


def test_in_a_terminal_each_series_is_a_line_that_shows_gaps() -> None:
    lines = repr(JobUsage(told())).splitlines()
    assert lines[0] == "job-1  attempt 1: used at most 16.0 of 16 GB of memory"
    assert lines[1] == "CPU     █ ▅  0 to 4 cores"
    assert lines[2] == "memory  ▅ █  0 to 16 GB"


def test_of_many_values_in_one_place_the_highest_is_drawn() -> None:
    values = [0.0] * 6000
    values[3001] = 4.0
    (line,) = [
        one
        for one in repr(JobUsage(told(cpu_cores=values, memory_bytes=[None] * 6000))).splitlines()
        if one.startswith("CPU")
    ]
    assert line.count("█") == 1


def test_in_a_notebook_each_series_is_a_plot_with_a_name_and_two_runs_around_a_gap() -> None:
    gpu = {"uuid": "GPU-1", "utilization_percent": [0, 50, 100], "memory_bytes": [0, GB, GB]}
    shown = JobUsage(told(gpus=[gpu], idle_since="2026-01-26T10:00:00.000Z"))._repr_html_()
    assert re.findall(r'aria-label="([^"]*)"', shown) == [
        "CPU: 0 to 4 cores",
        "memory: 0 to 16 GB",
        "GPU 0: 0 to 100 %",
        "GPU 0 memory: 0 to 1 GB",
    ]
    assert shown.count("<circle") == 4  # the runs of one point around the gaps of CPU and memory
    assert "have done nothing since 2026-01-26" in shown


def test_a_job_of_which_nothing_is_known_says_so() -> None:
    nothing = JobUsage(told(time=[], cpu_cores=[], memory_bytes=[], usage=None))
    assert repr(nothing) == "job-1  attempt 1: nothing is known of its use yet"
    assert "nothing is known" in nothing._repr_html_()


def test_gpu_hours_are_a_table_with_a_sum() -> None:
    def row(job_id: str, name: str | None, hours: float) -> dict[str, Any]:
        return {
            "job_id": job_id,
            "name": name,
            "gpu_hours": hours,
            "core_hours": 4 * hours,
            "gb_hours": 16 * hours,
        }

    total = {"gpu_hours": 3.0, "core_hours": 12.0, "gb_hours": 48.0}
    table = UsageTable(
        {"by": "job", "usage": [row("job-1", "a", 2), row("job-2", None, 1)], "total": total}
    )
    lines = [line.split() for line in repr(table).splitlines()]
    assert lines[1:] == [
        ["job-1", "a", "2.00", "8.00", "32.00"],
        ["job-2", "(deleted)", "1.00", "4.00", "16.00"],
        ["all", "3.00", "12.00", "48.00"],
    ]
    assert repr(UsageTable({"by": "job", "usage": [], "total": total})).startswith("Nothing")


@pytest.fixture
def connected(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    client = Client(server.url, "the-servers-own")
    monkeypatch.setattr(connection, "client", lambda: client)
    yield
    client.close()


def test_a_terminal_and_python_show_what_the_server_tells(
    api: Api, connected: None, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = api.submit(python("x = b'x' * (60 << 20)"), name="fat")["job_id"]
    api.ended(job_id)
    assert cli.main(["usage", "fat"]) == 0
    assert capsys.readouterr().out.startswith(f"{job_id}  attempt 1: used at most ")
    assert cli.main(["usage", job_id, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == jobs.get_job(job_id).usage().told
    assert cli.main(["usage", "--json"]) == 0
    assert job_id in [one["job_id"] for one in json.loads(capsys.readouterr().out)["usage"]]
    assert cli.main(["usage", "--by", "user"]) == 0
    assert "GPU hours" in capsys.readouterr().out
    assert cli.main(["usage", job_id, "--by", "user"]) == 2
    assert "name no job" in capsys.readouterr().err
    assert cli.main(["usage", "--since", "yesterday"]) == 1
    assert "since: should be a time" in capsys.readouterr().err


def test_a_magic_shows_the_same(api: Api, connected: None) -> None:
    job_id = api.submit(python("pass"))["job_id"]
    api.ended(job_id)
    shell = InteractiveShell()  # type: ignore[no-untyped-call]
    load(shell)
    shown = shell.run_line_magic("train_usage", job_id)
    assert isinstance(shown, JobUsage)
    assert shown["job_id"] == job_id
    assert isinstance(shell.run_line_magic("train_usage", "--by user"), UsageTable)
    with pytest.raises(ShownError, match="for the usage of a job"):
        shell.run_line_magic("train_usage", "--attempt 1")
