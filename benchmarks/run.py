"""How much a job costs, next to a baseline: ``python -m benchmarks.run [NAME …]``.

*Latency* is the time from a submit over REST to the moment at which the job's own first statement
runs, read by the job from the clock that all processes share. The baseline is the same program
started by `subprocess.Popen`; the two take turns, so that both see the same machine.

*Throughput* is how many jobs that do nothing are done per second, two at a time, from the moment
the first of them can start. They wait behind a job that holds the machine, so that it is the
scheduling that is measured; the time to submit them is told apart. The baseline runs the same
program with two threads that each start one process after another.

Both run against a real Jupyter server with the extension, on SQLite, with every transition on disk.

*Metrics* is what `report` costs a script, and how soon a million points are answered, see
`benchmarks.metrics`.

*Containers* is the time to the first line that a container prints, next to docker-py; it needs a
Docker engine of its own, see `benchmarks.containers`.

*Logs* is how fast one comes to who follows it, next to ``tail -f``, and what quiet jobs cost; see
`benchmarks.logs`.

*Slurm* is how long jobs take through a server on a cluster, next to bare calls of ``sbatch``; it
needs Slurm, see `benchmarks.slurm`.

*Ray* is the same on a cluster of Ray, next to Ray's own client; see `benchmarks.ray`.

*Browser* is what the JupyterLab extension costs, next to JupyterLab without it; it needs Chromium
and Node, see `benchmarks.browser`.

The figures are told, and nothing fails because of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from benchmarks import browser, containers, logs, metrics, ray, slurm
from benchmarks.figures import Figure, table
from tests import ray_cluster
from tests import slurm as cluster
from tests.conftest import Api, Home
from tests.executors import docker_engine

NAMES = ("latency", "throughput", "metrics", "containers", "logs", "slurm", "ray", "browser")

CLOCK = "import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC), flush=True)"
TELL_TIME = [sys.executable, "-c", CLOCK]
NOTHING = [sys.executable, "-c", "pass"]


def latency(api: Api, repeat: int) -> list[Figure]:
    """From the submit to the job's first statement (ms)."""
    ours, bare = [], []
    for _ in range(repeat):
        began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        job_id = submit(api, TELL_TIME)
        finish(api, job_id)
        ours.append((int(api.log(job_id)[0]) - began) / 1e6)
        began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        process = subprocess.Popen(TELL_TIME, stdout=subprocess.PIPE)
        bare.append((int(process.communicate()[0]) - began) / 1e6)
    extra = sorted(one - other for one, other in zip(ours, bare, strict=True))
    median, ninth = statistics.median(extra), extra[int(len(extra) * 0.9)]
    middle = statistics.median(ours), statistics.median(bare)
    return [
        Figure("first line, median", *middle, median, "ms more", "at most 25", median <= 25),
        Figure("first line, 90 % within", *middle, ninth, "ms more", "", None),
    ]


def throughput(api: Api, home: Home, jobs: int) -> list[Figure]:
    """Jobs that do nothing per second, two at a time."""
    gate = home.path / "gate"
    os.mkfifo(gate)
    holder = submit(api, ["cat", str(gate)], cpu_cores=2)
    api.status(holder, "running")
    began = time.monotonic()
    waiting = [submit(api, NOTHING) for _ in range(jobs)]
    submitted = jobs / (time.monotonic() - began)
    began = time.monotonic()
    gate.open("w").close()
    finish(api, waiting[-1])
    finish(api, waiting[-2])
    ours = jobs / (time.monotonic() - began)
    began = time.monotonic()
    with ThreadPoolExecutor(2) as two:
        for done in two.map(lambda _: subprocess.run(NOTHING, check=True), range(jobs)):
            assert done.returncode == 0
    bare = jobs / (time.monotonic() - began)
    fraction = ours / bare
    return [
        Figure("jobs per second", ours, bare, fraction, "of bare", "at least 0.6", fraction >= 0.6),
        Figure("submits per second", submitted, bare, submitted / bare, "of bare", "", None),
    ]


def submit(api: Api, command: list[str], cpu_cores: int = 1) -> str:
    """Submit a job, without more checks than a client makes."""
    spec = {"name": "benchmark", "command": command, "cpu_cores": cpu_cores, "memory_gb": 1}
    job_id: str = api.http.post("api/training-jobs", json=spec).json()["job_id"]
    return job_id


def finish(api: Api, job_id: str) -> None:
    """Return when a job has ended well."""
    while True:
        told = api.http.get(f"api/training-jobs/{job_id}?wait=30").json()
        if told["status"] == "completed":
            return
        assert told["status"] not in ("failed", "cancelled"), told


def of_jobs(names: Collection[str], options: argparse.Namespace) -> list[Figure]:
    """The figures that need a server."""
    figures = []
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place))
        try:
            api = home.start().api
            finish(api, submit(api, NOTHING))
            if "latency" in names:
                figures += latency(api, options.repeat)
            if "throughput" in names:
                figures += throughput(api, home, options.jobs)
            if "metrics" in names:
                figures += [*metrics.calls(options.repeat), *metrics.million(api, options.repeat)]
        finally:
            home.close()
    return figures


def of_containers(options: argparse.Namespace) -> list[Figure]:
    """The figures that need a Docker engine; none where there can be none."""
    why_not = docker_engine.why_not()
    if why_not is not None:
        print(f"containers are left out: {why_not}", file=sys.stderr)
        return []
    with docker_engine.running() as engine:
        return containers.first_line(engine, options.repeat)


def of_logs(options: argparse.Namespace) -> list[Figure]:
    """The figures of logs, on a server of their own."""
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place))
        try:
            return logs.of_logs(home, options.log_mb, min(options.repeat, 5))
        finally:
            home.close()


def of_browser(options: argparse.Namespace) -> list[Figure]:
    """The figures of the JupyterLab extension; none where it cannot be built or shown."""
    if why_not := browser.why_not():
        print(f"the browser is left out: {why_not}", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as place:
        return browser.of_browser(Path(place), min(options.repeat, 5))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="How much a job costs, next to a baseline.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; default: all"
    )
    parser.add_argument(
        "--repeat", type=int, default=30, help="pairs for the times to a first line"
    )
    parser.add_argument("--jobs", type=int, default=200, help="jobs for the throughput")
    parser.add_argument("--log-mb", type=int, default=200, help="how long a log is followed (MB)")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    for name in options.names:
        if name not in NAMES:
            parser.error(f"there is no benchmark {name}; choose from {', '.join(NAMES)}")
    names = options.names or NAMES
    figures = []
    if {"latency", "throughput", "metrics"} & set(names):
        figures += of_jobs(names, options)
    if "containers" in names:
        figures += of_containers(options)
    if "logs" in names:
        figures += of_logs(options)
    if "slurm" in names:
        if (why_not := cluster.why_not()) is None:
            figures += slurm.of_slurm(options.jobs)
        else:
            print(f"slurm is left out: {why_not}", file=sys.stderr)
    if "ray" in names:
        if (why_not := ray_cluster.why_not()) is None:
            figures += ray.of_ray(options.jobs)
        else:
            print(f"ray is left out: {why_not}", file=sys.stderr)
    if "browser" in names:
        figures += of_browser(options)
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in figures], indent=2))


if __name__ == "__main__":
    main()
