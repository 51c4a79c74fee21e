"""What comes of a trace is what one finds with a pencil."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_training import cli
from jupyter_training.scheduling import simulator, traces

HEADING = "job_id,submit_time,duration,num_gpus"

# On four GPUs 1 has to wait for 0. Until then one GPU is left: 3 is done by then, and 2 is not.
BEHIND = [traces.Traced(0, 100, 3), traces.Traced(10, 50, 4), traces.Traced(20, 200, 1)]
BEHIND.append(traces.Traced(30, 60, 1))


def started(
    jobs: list[traces.Traced], nodes: int, gpus: int, time_limits: float | None = 1.0
) -> dict[int, float]:
    several = simulator.arrivals(jobs, gpus, time_limits)
    ran = simulator.replay(several, simulator.cluster(nodes, gpus))
    return {one.job.id: one.started_at for one in ran}


def test_who_is_done_before_overtakes_and_who_is_not_waits() -> None:
    assert started(BEHIND, 1, 4) == {0: 0, 3: 30, 1: 100, 2: 150}


def test_whoever_asks_for_more_time_than_it_takes_is_planned_with_what_it_asks_for() -> None:
    a_bit_longer = [*BEHIND[:2], traces.Traced(30, 75, 1)]
    assert started(a_bit_longer, 1, 4) == {0: 0, 1: 100, 2: 150}
    assert started(a_bit_longer, 1, 4, time_limits=2) == {0: 0, 2: 30, 1: 105}


def test_without_limits_nobody_overtakes_with_what_is_promised() -> None:
    assert started(BEHIND, 1, 4, time_limits=None) == {0: 0, 1: 100, 2: 150, 3: 150}


def test_a_job_of_several_machines_has_as_many_gpus_on_each() -> None:
    wide = traces.Traced(0, 100, 12)
    (arrival,) = simulator.arrivals([wide], 8)
    assert (arrival.job.nodes, arrival.job.wants.gpu_count) == (2, 6)
    assert started([wide, traces.Traced(1, 9, 2), traces.Traced(2, 9, 4)], 2, 8) == {
        **{0: 0.0, 1: 1.0, 2: 100.0}  # two are left on each
    }


def test_what_is_larger_than_all_machines_never_runs() -> None:
    assert started([traces.Traced(0, 5, 17), traces.Traced(1, 5, 16)], 2, 8) == {1: 1}


def test_figures() -> None:
    several = simulator.arrivals(BEHIND, 4)
    ran = list(simulator.replay(several, simulator.cluster(1, 4)))
    found = simulator.figures(ran, 4)
    assert found.jobs == 4
    assert found.mean_jct_s == (100 + 60 + 140 + 330) / 4
    assert found.median_jct_s == 120
    assert found.p99_jct_s == pytest.approx(330 - 0.03 * 190)
    assert found.mean_wait_s == (0 + 0 + 90 + 130) / 4
    assert found.makespan_s == 350
    assert found.gpu_utilization_percent == 100 * (300 + 200 + 200 + 60) / (350 * 4)


def test_a_trace_is_read_in_the_order_of_submission_whatever_else_it_has() -> None:
    heading = "timestamp,duration,num_gpus,gpu_time,cluster"
    late, soon = "2017-10-09 07:01:55,66.0,2,132.0,a", "2017-10-09 06:01:55,3600,1,3600,b"
    told = traces.read([heading, late, soon])
    first, second = told.jobs
    assert (second.at - first.at, first.duration_s, second.gpu_count) == (3600, 3600, 2)


def test_times_that_would_be_absurd_as_seconds_are_milliseconds() -> None:
    lines = [HEADING, "0,1000,900000000,1", "1,20261126,2000000,1"]
    assert traces.read(lines).unit == "ms"
    assert traces.read(lines).jobs[1] == traces.Traced(20261.126, 2000, 1)
    assert traces.read(lines, "s").jobs[1] == traces.Traced(20261126, 2000000, 1)
    assert traces.read([HEADING, "0,1,3600,1"]).unit == "s"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "no column says of a job when it came: submit_time"),
        (["submit_time,duration"], "no column says of a job its GPUs: num_gpus"),
        ([HEADING], "there is no job in it"),
        ([HEADING, "0,1,2,3", "1,1,-2,3"], "line 3: duration '-2' is no number from 0"),
        ([HEADING, "0,1,nan,3"], "line 2: duration 'nan' is no number from 0"),
        ([HEADING, "0,soon,2,3"], "line 2: submit_time 'soon' is no number from 0"),
        ([HEADING, "0,1,2,1.5"], "line 2: num_gpus '1.5' is no whole number"),
        ([HEADING, "0,1"], "line 2: duration None is no number from 0"),
    ],
)
def test_what_is_no_trace(lines: list[str], told: str) -> None:
    with pytest.raises(traces.TraceError, match=told):
        traces.read(lines)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text(f"{HEADING}\n0,0,100,3\n1,10,50,4\n2,20,30,0\n3,30,60,99\n")
    return path


def test_the_command_tells_figures(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", str(trace), "--gpus", "4", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["mean_jct_s"], told["makespan_s"], told["gpus"]) == (120, 150, 4)
    assert (told["jobs"], told["too_large"], told["no_gpu"]) == (2, 1, 1)
    assert cli.main(["simulate", str(trace), "--gpus", "4"]) == 0
    out, err = capsys.readouterr()
    assert "mean completion" in out
    assert "2 min" in out
    assert "more GPUs than there are: 1" in err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--gpus", "2"], 1, "every job of it asks for more GPUs"),
        (["--gpus", "0"], 2, "'0' is no number from 1"),
        (["--time-limits", "0.5"], 2, "neither a number from 1 nor 'none'"),
    ],
)
def test_what_cannot_be_simulated(
    trace: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, told: str
) -> None:
    assert cli.main(["simulate", str(trace), *words]) == code
    assert told in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", str(tmp_path / "no.csv")]) == 1
    assert "cannot be read" in capsys.readouterr().err
