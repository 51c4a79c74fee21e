"""``jupyter training``: the same jobs from a terminal."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from jupyter_training._version import __version__
from jupyter_training.doctor.settings import NAMES as SERVER_SETTINGS
from jupyter_training.notebook import facts, jobs, specs, states
from jupyter_training.notebook.asking import ask, connection
from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.datasets import (
    list_datasets,
    register_dataset,
    remove_dataset,
)
from jupyter_training.notebook.follow import Terminal, lines, messages
from jupyter_training.notebook.job import ENDED, Job
from jupyter_training.notebook.metrics import MAX_POINTS, csv_pieces, told_of
from jupyter_training.notebook.options import (
    Help,
    Parser,
    UsageError,
    add_job_options,
    add_metrics_options,
    add_notebook_options,
    add_usage_options,
    duration_s,
    job_fields,
    snapshot_of,
)
from jupyter_training.notebook.outputs import OutputTable, download
from jupyter_training.notebook.pipelines import of_file
from jupyter_training.notebook.tables import (
    GpuTable,
    JobTable,
    MachineTable,
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        The exit code: for ``run``, ``wait`` and ``--wait`` that of the job, otherwise 0, or 1 if it
        could not be done, or 2 if the command was not understood.
    """
    try:
        return _main(argv)
    except BrokenPipeError:  # whoever read this has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _main(argv: Sequence[str] | None) -> int:
    parser = _parser()
    try:
        options = parser.parse_args(sys.argv[1:] if argv is None else argv)
        command: Callable[[argparse.Namespace], int] = options.command
        connection.say = lambda text: print(text, file=sys.stderr)
        return command(options)
    except Help as asked:
        print(asked)
        return 0
    except UsageError as error:
        print_error(str(error))
        return 2
    except TrainingError as error:
        if options.traceback:
            traceback.print_exc()
        print_error(f"jupyter training: {error}")
        return 1


def _parser() -> Parser:
    parser = Parser(
        prog="jupyter training", description="Queue, run and watch training jobs from a terminal."
    )
    parser.add_argument(
        "--traceback", action="store_true", help="with an error, show where in the code it was"
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, action: Callable[[argparse.Namespace], int], told: str) -> Parser:
        added = commands.add_parser(name, help=told, description=told)
        added.set_defaults(command=action)
        if action is not _serve:
            added.add_argument("--json", action="store_true", help="answer in JSON, for programs")
        parser.commands.append(added)
        return added

    for name, action, told in (
        ("run", _run, "Submit a script or a program, and watch it to its end."),
        ("submit", _submit, "Submit a script or a program."),
    ):
        added = command(name, action, told)
        add_job_options(added)
        add_notebook_options(added)
        if action is _submit:
            _add_wait(added)
        added.add_argument(
            "--file", "-f", metavar="FILE", help="what a file in YAML or JSON describes, instead"
        )
        added.add_argument(
            "script",
            nargs="?",
            help="a script, a notebook or a program; options for the job go before it",
        )
        added.add_argument("arguments", nargs="...", help="what it gets")
    added = command("list", _list, "List your jobs, newest first.")
    added.add_argument("--status", metavar="S", help="only these, such as failed,queued")
    added.add_argument("--limit", type=int, default=20, metavar="N", help="how many at most")
    added = command("show", _show, "Show a job at a glance; --json has all that is known of it.")
    _add_job(added)
    added = command("logs", _logs, "Print what a job has printed.")
    _add_job(added)
    added.add_argument("--tail", type=int, default=100, metavar="N", help="how many lines")
    added.add_argument("--attempt", type=int, metavar="N", help="of which attempt")
    added.add_argument("--rank", type=int, metavar="N", help="of which rank; else of all")
    added.add_argument("--follow", "-f", action="store_true", help="go on until it has ended")
    added = command("metrics", _metrics, "Show what a job has measured.")
    _add_job(added)
    add_metrics_options(added)
    added.add_argument("--max-points", type=int, default=MAX_POINTS, metavar="N", help="in --json")
    added.add_argument("--csv", action="store_true", help="every point as a line")
    _add_job(command("trials", _trials, "Show what a search for hyperparameters has found."))
    added = command("outputs", _outputs, "List what a job has left in its output directory.")
    _add_job(added)
    added.add_argument("path", nargs="?", default="", metavar="PATH", help="a directory in there")
    added.add_argument("--recursive", "-r", action="store_true", help="also what is in directories")
    added = command("download", _download, "Download what a job has left, or go on with that.")
    _add_job(added)
    added.add_argument("path", nargs="?", metavar="PATH", help="a file or directory; else all")
    added.add_argument("--to", default=".", metavar="DIR", help="the directory to put it in")
    added = command("code", _code, "Show what a job runs, as it was when it was submitted.")
    _add_job(added)
    added.add_argument("--to", metavar="DIR", help="write it into this directory")
    added = command("environment", _environment, "Show with which software a job was submitted.")
    _add_job(added)
    _add_job(command("cancel", _cancel, "Cancel a job, and all its processes."))
    _add_job(command("retry", _retry, "Run an ended job again."))
    added = command("duplicate", _duplicate, "Submit a job like another one; options change it.")
    add_job_options(added)
    _add_wait(added)
    _add_job(added)
    added = command("wait", _wait, "Wait until jobs have ended, and tell each end.")
    added.add_argument("jobs", nargs="+", metavar="JOB", help="its name, id or number")
    added.add_argument(
        "--timeout", type=duration_s, metavar="T", help="give up after 90s, 30m, 2h or 1h30m"
    )
    added = command("datasets", _datasets, "List the data sets that jobs can ask for.")
    added = command("register", _register, "Give a file or a directory a name for jobs to ask for.")
    added.add_argument("name", help="what jobs call it")
    added.add_argument("path", help="where it is")
    added.add_argument("--description", metavar="S", help="what it is")
    added = command("unregister", _unregister, "Remove a data set from the list; its files stay.")
    added.add_argument("dataset", metavar="DATASET", help="its name or number")
    added = command("usage", _usage, "Show what a job used, or who has held how many GPU-hours.")
    add_usage_options(added)
    command("resources", _resources, "Show the machines, what is free, and who holds the rest.")
    added = command("gpus", _gpus, "Show each GPU: what it does, who holds it, who is on it.")
    added = command("notify", _notify, "Show who can be told of jobs, or try one of them.")
    added.add_argument("--test", metavar="TO", help="send a test to this receiver or URL")
    added = command(
        "doctor", _doctor, "Say what works on this machine, and how to repair what does not."
    )
    added.add_argument("--config", metavar="FILE", help="the configuration file of the server")
    for name in SERVER_SETTINGS:
        told = f"as if the server had c.TrainingApp.{name}"
        added.add_argument(f"--TrainingApp.{name}", dest=name, metavar="VALUE", help=told)
    added = command("serve", _serve, "Be the server that runs jobs where there is no other.")
    added.add_argument("--help-all", action="store_true", help="list all settings of servers")
    added.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    return parser


def _add_job(parser: Parser) -> None:
    parser.add_argument("job", metavar="JOB", help="its name, id or number")


def _add_wait(parser: Parser) -> None:
    told = "wait until it has ended, and leave with its exit code"
    parser.add_argument("--wait", action="store_true", help=told)


def _spec(options: argparse.Namespace) -> dict[str, Any]:
    if options.file is not None:
        if options.script is not None:
            told = f"{options.script!r} is one word too many, as --file tells what to run"
            raise UsageError(f"jupyter training: {told}")
        return {**of_file(options.file), **job_fields(options)}
    if options.script is None:
        raise UsageError("jupyter training: name a script or a program, or a --file")
    if options.parameters and not options.script.endswith(".ipynb"):
        raise UsageError(f"-p is for notebooks; write the arguments of {options.script} after it")
    if options.parameters and not options.arguments:
        of = specs.of_notebook(options.script, options.parameters, options.image)
    else:
        of = specs.of_command([options.script, *options.arguments], options.image)
    return {**of, **job_fields(options)}


def _run(options: argparse.Namespace) -> int:
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


def _submit(options: argparse.Namespace) -> int:
    return _submitted(jobs.send(_spec(options), **snapshot_of(options)), options)


def _duplicate(options: argparse.Namespace) -> int:
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


def _wait(options: argparse.Namespace) -> int:
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


def _list(options: argparse.Namespace) -> int:
    found = [job.told for job in jobs.list_jobs(status=options.status, limit=options.limit)]
    print_json(found) if options.json else print_table(JobTable(found))
    return 0


def _show(options: argparse.Namespace) -> int:
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


def _logs(options: argparse.Namespace) -> int:
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


def _metrics(options: argparse.Namespace) -> int:
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


def _trials(options: argparse.Namespace) -> int:
    found = jobs.get_job(options.job).search()
    print(json.dumps(found.told, indent=2) if options.json else found)
    return 0


def _outputs(options: argparse.Namespace) -> int:
    found = jobs.get_job(options.job).outputs(options.path, recursive=options.recursive)
    print(json.dumps(found, indent=2) if options.json else OutputTable(found, len(found)))
    return 0


def _download(options: argparse.Namespace) -> int:
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

        saved = download(job.id, options.path, options.to, show)
    print_json({"path": str(saved)}) if options.json else print(saved)
    return 0


def _code(options: argparse.Namespace) -> int:
    job = jobs.get_job(options.job)
    if options.json and options.to is None:
        print(json.dumps(ask(lambda client: client.code(job.id)), indent=2))
        return 0
    found = job.code(options.to)
    print(json.dumps({"path": str(found.path)}) if options.json else found)
    return 0


def _environment(options: argparse.Namespace) -> int:
    found = jobs.get_job(options.job).environment()
    print(json.dumps(found, indent=2) if options.json else found)
    return 0


def _cancel(options: argparse.Namespace) -> int:
    job = jobs.get_job(options.job).cancel()
    if options.json:
        print_json(job.told)
        return int(job.told["status"] not in ENDED)
    if job.told["status"] in ENDED:
        print(f"{job.name} ({job.id}) is {job.told['status']}.")
        return 0
    print(f"{job.name} ({job.id}) was told to end, and has not yet.")
    return 1


def _retry(options: argparse.Namespace) -> int:
    job = jobs.get_job(options.job).retry()
    if options.json:
        print_json(job.told)
        return 0
    print(f"{job.name} ({job.id}) is {states.of(job.told['status']).word}.")
    return 0


def _datasets(options: argparse.Namespace) -> int:
    table = list_datasets()
    print_json(table.datasets) if options.json else print_table(table)
    return 0


def _register(options: argparse.Namespace) -> int:
    told = register_dataset(options.name, options.path, options.description)
    if options.json:
        print_json(told)
        return 0
    print(f"{told['name']} is data set {told['id']}: {told['path']}")
    return 0


def _unregister(options: argparse.Namespace) -> int:
    remove_dataset(options.dataset)
    if options.json:
        print_json({"removed": options.dataset})
        return 0
    print(f"{options.dataset} is not a data set any more; its files are where they were.")
    return 0


def _usage(options: argparse.Namespace) -> int:
    found = asked_usage(options)
    print(json.dumps(found.told, indent=2) if options.json else found)
    return 0


def _resources(options: argparse.Namespace) -> int:
    machines = ask(lambda client: client.resources())
    print_json(machines) if options.json else print(MachineTable(machines))
    return 0


def _gpus(options: argparse.Namespace) -> int:
    machines = ask(lambda client: client.resources())
    if options.json:
        nodes = machines["nodes"]
        found = [{"node": node["name"], **gpu} for node in nodes for gpu in node["gpus"]]
        print(json.dumps(found, indent=2))
    else:
        print_table(GpuTable(machines))
    return 0


def _notify(options: argparse.Namespace) -> int:
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


def _doctor(options: argparse.Namespace) -> int:
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


def _serve(options: argparse.Namespace) -> int:
    from jupyter_training.server.quick_imports import without_iris

    without_iris()
    from jupyter_training.server import settings_help
    from jupyter_training.server.embedded import serve

    if options.help_all:
        print(settings_help.described())
        return 0
    serve(options.ready_fd)
    return 0
