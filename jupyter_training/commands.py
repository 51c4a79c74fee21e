"""What the commands of ``jupyter training`` do.

Each returns its exit code, and has as its docstring what ``--help`` says of it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, track

from jupyter_training.doctor.settings import NAMES as SERVER_SETTINGS
from jupyter_training.notebook import facts, jobs, specs, states
from jupyter_training.notebook import outputs as outputs_
from jupyter_training.notebook.asking import ask, connection
from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.datasets import list_datasets, register_dataset, remove_dataset
from jupyter_training.notebook.follow import Terminal, lines, messages
from jupyter_training.notebook.job import ENDED, Job
from jupyter_training.notebook.metrics import csv_pieces, told_of
from jupyter_training.notebook.options import UsageError, job_fields, snapshot_of
from jupyter_training.notebook.pipelines import of_file
from jupyter_training.notebook.tables import (
    GpuTable,
    JobTable,
    MachineTable,
    SimulationTable,
    receivers_in_words,
)
from jupyter_training.notebook.usage import asked_usage
from jupyter_training.overview import print_overview
from jupyter_training.terminal import (
    exit_code,
    print_error,
    print_json,
    print_table,
    wait_for,
    watch,
)


def _spec(options: argparse.Namespace) -> dict[str, Any]:
    if options.file is not None:
        if options.script is not None:
            told = f"{options.script!r} is one word too many, as --file tells what to run"
            raise UsageError(f"jupyter training: {told}")
        if options.cwd is not None:
            told = "what a --file describes runs where that says, without --cwd"
            raise UsageError(f"jupyter training: {told}")
        return {**of_file(options.file), **job_fields(options)}
    if options.script is None:
        raise UsageError("jupyter training: name a script or a program, or a --file")
    if options.parameters and not options.script.endswith(".ipynb"):
        raise UsageError(f"-p is for notebooks; write the arguments of {options.script} after it")
    if options.parameters and not options.arguments:
        if options.cwd is not None:
            told = "a notebook runs in its own directory, without --cwd"
            raise UsageError(f"jupyter training: {told}")
        of = specs.of_notebook(options.script, options.parameters, options.image)
    else:
        argv = [options.script, *options.arguments]
        of = specs.of_command(argv, options.image, options.cwd)
    return {**of, **job_fields(options)}


def run(options: argparse.Namespace) -> int:
    """Submit a script or a program, and watch it to its end."""
    job = jobs.send(_spec(options), **snapshot_of(options))
    try:
        watch(job, to_stderr=options.json)
    except KeyboardInterrupt:
        print(
            f"\n{job.name} goes on without this terminal.\n"
            f"  jupyter training logs -f {job.id}\n"
            f"  jupyter training cancel {job.id}"
        )
        return 128 + signal.SIGINT
    finally:
        _release()
    if options.json:
        print_json(job.told)
    return exit_code(job.told)


def _release() -> None:
    """A server that runs only for such commands ends with the last one, unless there is work."""
    with contextlib.suppress(TrainingError):
        connection.release()


def submit(options: argparse.Namespace) -> int:
    """Submit a script or a program."""
    return _submitted(jobs.send(_spec(options), **snapshot_of(options)), options)


def duplicate(options: argparse.Namespace) -> int:
    """Submit a job like another one; options change it."""
    earlier = jobs.get_job(options.job)
    job = earlier.duplicate(snapshot=not options.no_snapshot, **job_fields(options))
    return _submitted(job, options)


def _submitted(job: Job, options: argparse.Namespace) -> int:
    if not options.json:
        print(job.id, flush=True)
    code = _ends([job], quietly=options.json) if options.wait else 0
    if options.json:
        print_json(job.told)
    return code


def wait(options: argparse.Namespace) -> int:
    """Wait until jobs have ended, and tell each end."""
    several = [jobs.get_job(one) for one in options.jobs]
    code = _ends(several, options.timeout, quietly=options.json)
    if options.json:
        print_json([job.told for job in several])
    return code


def _ends(several: Sequence[Job], timeout: float | None = None, *, quietly: bool) -> int:
    """Wait, and tell each end; the exit code of the first one that did not complete, or 0."""
    try:
        wait_for(several, timeout, quietly=quietly)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        _release()
    return next((code for job in several if (code := exit_code(job.told))), 0)


def list_(options: argparse.Namespace) -> int:
    """List your jobs, newest first."""
    found = [job.told for job in jobs.list_jobs(status=options.status, limit=options.limit)]
    print_json(found) if options.json else print_table(JobTable(found))
    return 0


def show(options: argparse.Namespace) -> int:
    """Show a job at a glance; --json has all that is known of it."""
    job = jobs.get_job(options.job)
    if not options.json:
        print_overview(facts.look(job))
        return 0
    shown = {**job.told, "events": job.events()}
    if job.told.get("search") is not None:
        shown["trials"] = job.search().told
    elif job.told.get("children") is not None:
        has_stages = bool(job.told["children"])
        shown["stages"] = [child.told for child in job.children()] if has_stages else []
    if job.told["job_type"] == "distributed":
        shown["rank_states"] = job.ranks().told
    print_json(shown)
    return 0


def logs(options: argparse.Namespace) -> int:
    """Print what a job has printed."""
    job = jobs.get_job(options.job)
    if options.json and not options.follow:
        query = {"tail": options.tail, "attempt": options.attempt, "rank": options.rank}
        given = {name: value for name, value in query.items() if value is not None}
        print_json(ask(lambda client: client.logs(job.id, **given)))
        return 0
    if not options.json and (told := facts.of_its_parts(job, "printed")) is not None:
        print(told)
        return 0
    if not options.follow:
        text = job.logs(options.tail, options.attempt, options.rank)
        if text:
            print(text)
        return 0
    terminal = Terminal(sys.stdout)
    try:
        query = {"tail": options.tail, "attempt": options.attempt, "rank": options.rank}
        if options.json:
            for line in lines(job, **query):
                print(json.dumps({"line": line}), flush=True)
            return 0
        for message in messages(job, **query):
            terminal.show(message)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def metrics(options: argparse.Namespace) -> int:
    """Show what a job has measured."""
    job = jobs.get_job(options.job)
    if options.csv:
        for piece in csv_pieces(job.id, options.names, options.attempt):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    elif options.json:
        told = told_of(
            job.id, options.names, attempt=options.attempt, max_points=options.max_points
        )
        print(json.dumps(told, indent=2))
    else:
        found = job.metrics(options.names, attempt=options.attempt)
        print(found if found else facts.of_its_parts(job, "measured") or found)
    return 0


def trials(options: argparse.Namespace) -> int:
    """Show what a search for hyperparameters has found."""
    found = jobs.get_job(options.job).search()
    print(json.dumps(found.told, indent=2) if options.json else found.text(len(found.trials)))
    return 0


def outputs(options: argparse.Namespace) -> int:
    """List what a job has left in its output directory."""
    found = jobs.get_job(options.job).outputs(options.path, recursive=options.recursive)
    print(json.dumps(found, indent=2) if options.json else outputs_.OutputTable(found, len(found)))
    return 0


def download(options: argparse.Namespace) -> int:
    """Download what a job has left, or go on with that."""
    job, console = jobs.get_job(options.job), Console(stderr=True, highlight=False)
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=None)

        def show(path: str, done: int, total: int) -> None:
            bar.update(task, description=path, completed=done, total=total)

        saved = outputs_.download(job.id, options.path, options.to, show)
    print_json({"path": str(saved)}) if options.json else print(saved)
    return 0


def code(options: argparse.Namespace) -> int:
    """Show what a job runs, as it was when it was submitted."""
    job = jobs.get_job(options.job)
    if options.json and options.to is None:
        print(json.dumps(ask(lambda client: client.code(job.id)), indent=2))
        return 0
    found = job.code(options.to)
    print(json.dumps({"path": str(found.path)}) if options.json else found)
    return 0


def environment(options: argparse.Namespace) -> int:
    """Show with which software a job was submitted."""
    found = jobs.get_job(options.job).environment()
    print(json.dumps(found, indent=2) if options.json else found)
    return 0


def cancel(options: argparse.Namespace) -> int:
    """Cancel a job, and all its processes."""
    job = jobs.get_job(options.job).cancel()
    if options.json:
        print_json(job.told)
        return int(job.told["status"] not in ENDED)
    if job.told["status"] in ENDED:
        print(f"{job.name} ({job.id}) is {job.told['status']}.")
        return 0
    print(f"{job.name} ({job.id}) was told to end, and has not yet.")
    return 1


def retry(options: argparse.Namespace) -> int:
    """Run an ended job again."""
    job = jobs.get_job(options.job).retry()
    if options.json:
        print_json(job.told)
        return 0
    print(f"{job.name} ({job.id}) is {states.of(job.told['status']).word}.")
    return 0


def delete(options: argparse.Namespace) -> int:
    """Delete an ended job with its log, its metrics and its results."""
    job = jobs.get_job(options.job)
    job.delete()
    if options.json:
        print_json({"deleted": job.id})
        return 0
    print(f"{job.name} ({job.id}) is deleted, with its log and its results.")
    return 0


def datasets(options: argparse.Namespace) -> int:
    """List the data sets that jobs can ask for."""
    table = list_datasets()
    print_json(table.datasets) if options.json else print_table(table)
    return 0


def register(options: argparse.Namespace) -> int:
    """Give a file or a directory a name for jobs to ask for."""
    told = register_dataset(options.name, options.path, options.description)
    if options.json:
        print_json(told)
        return 0
    print(f"{told['name']} is data set {told['id']}: {told['path']}")
    return 0


def unregister(options: argparse.Namespace) -> int:
    """Remove a data set from the list; its files stay."""
    remove_dataset(options.dataset)
    if options.json:
        print_json({"removed": options.dataset})
        return 0
    print(f"{options.dataset} is not a data set any more; its files are where they were.")
    return 0


def usage(options: argparse.Namespace) -> int:
    """Show what a job used, or who has held how many GPU-hours."""
    found = asked_usage(options)
    print(json.dumps(found.told, indent=2) if options.json else found)
    return 0


def resources(options: argparse.Namespace) -> int:
    """Show the machines, what is free, and who holds the rest."""
    machines = ask(lambda client: client.resources())
    print_json(machines) if options.json else print(MachineTable(machines))
    return 0


def gpus(options: argparse.Namespace) -> int:
    """Show each GPU: what it does, who holds it, who is on it."""
    machines = ask(lambda client: client.resources())
    if options.json:
        nodes = machines["nodes"]
        found = [{"node": node["name"], **gpu} for node in nodes for gpu in node["gpus"]]
        print(json.dumps(found, indent=2))
    else:
        print_table(GpuTable(machines))
    return 0


def notify(options: argparse.Namespace) -> int:
    """Show who can be told of jobs, or try one of them."""
    if options.test is None:
        told = ask(lambda client: client.notifications())
        print(json.dumps(told, indent=2) if options.json else receivers_in_words(told))
        return 0
    told = ask(lambda client: client.test_notification(options.test))
    if options.json:
        print(json.dumps(told, indent=2))
    elif told["delivered"]:
        print("The receiver has taken a test message.")
    else:
        print(f"jupyter training: the test did not arrive: {told['reason']}", file=sys.stderr)
    return 0 if told["delivered"] else 1


def doctor(options: argparse.Namespace) -> int:
    """Say what works on this machine, and how to repair what does not."""
    from jupyter_training.doctor.command import run

    given = vars(options)
    arguments = [
        f"--TrainingApp.{name}={given[name]}" for name in SERVER_SETTINGS if given[name] is not None
    ]
    if options.config is not None:
        arguments.append(f"--config={options.config}")
    try:
        return run(arguments, as_json=options.json)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def simulate(options: argparse.Namespace) -> int:
    """Show when the jobs of a trace would end on some machines, as this scheduler orders them."""
    from jupyter_training.scheduling import simulator, traces

    try:
        with open(options.trace, encoding="utf-8-sig", newline="") as file:
            trace = traces.read(file, options.unit)
    except (OSError, UnicodeDecodeError, traces.TraceError) as error:
        raise TrainingError(f"{options.trace} cannot be read: {error}") from error
    machines = simulator.cluster(options.nodes, options.gpus)
    of_gpus = [job for job in trace.jobs if job.gpu_count]
    several = simulator.arrivals(of_gpus, options.gpus, options.time_limits)
    console = Console(stderr=True, highlight=False)
    shown = track(
        simulator.replay(several, machines),
        "simulating",
        total=len(several),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    ran = list(shown)
    without, too_large = len(trace.jobs) - len(several), len(several) - len(ran)
    if not ran:
        told = "no job of it has a GPU" if not several else "every job of it asks for more GPUs"
        raise TrainingError(f"nothing of {options.trace} can run here: {told}")
    gpus = options.nodes * options.gpus
    figures = simulator.figures(ran, gpus)
    if options.json:
        print_json({"gpus": gpus, **asdict(figures), "too_large": too_large, "no_gpu": without})
        return 0
    print_table(SimulationTable(figures, gpus))
    if trace.unit != "s" and options.unit is None:
        print_error("Its times are taken for milliseconds; if they are none, say --unit s.")
    if without:
        print_error(f"Left out as they have no GPU: {without}.")
    if too_large:
        print_error(f"Left out as they ask for more GPUs than there are: {too_large}.")
    return 0


def serve(options: argparse.Namespace) -> int:
    """Be the server that runs jobs where there is no other."""
    from jupyter_training.server.quick_imports import without_iris

    without_iris()
    from jupyter_training.server import settings_help
    from jupyter_training.server.embedded import serve

    if options.help_all:
        print(settings_help.described())
        return 0
    serve(options.ready_fd)
    return 0
