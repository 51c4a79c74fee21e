"""``jupyter training``: the same jobs from a terminal."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from math import inf

from jupyter_training import commands
from jupyter_training._version import __version__
from jupyter_training.doctor.settings import NAMES as SERVER_SETTINGS
from jupyter_training.notebook.asking import connection
from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.metrics import MAX_POINTS
from jupyter_training.notebook.options import (
    Help,
    Parser,
    UsageError,
    add_directory_option,
    add_job_options,
    add_metrics_options,
    add_notebook_options,
    add_usage_options,
    duration_s,
)
from jupyter_training.terminal import print_error


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
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, action: Callable[[argparse.Namespace], int]) -> Parser:
        told = action.__doc__
        added = subparsers.add_parser(name, help=told, description=told)
        added.set_defaults(command=action)
        if action is not commands.serve:
            added.add_argument("--json", action="store_true", help="answer in JSON, for programs")
        parser.commands.append(added)
        return added

    for name, action in (("run", commands.run), ("submit", commands.submit)):
        added = command(name, action)
        add_job_options(added)
        add_directory_option(added)
        add_notebook_options(added)
        if action is commands.submit:
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
    added = command("list", commands.list_)
    added.add_argument("--status", metavar="S", help="only these, such as failed,queued")
    added.add_argument("--limit", type=int, default=20, metavar="N", help="how many at most")
    added = command("show", commands.show)
    _add_job(added)
    added = command("logs", commands.logs)
    _add_job(added)
    added.add_argument("--tail", type=int, default=100, metavar="N", help="how many lines")
    added.add_argument("--attempt", type=int, metavar="N", help="of which attempt")
    added.add_argument("--rank", type=int, metavar="N", help="of which rank; else of all")
    added.add_argument("--follow", "-f", action="store_true", help="go on until it has ended")
    added = command("metrics", commands.metrics)
    _add_job(added)
    add_metrics_options(added)
    added.add_argument("--max-points", type=int, default=MAX_POINTS, metavar="N", help="in --json")
    added.add_argument("--csv", action="store_true", help="every point as a line")
    _add_job(command("trials", commands.trials))
    added = command("outputs", commands.outputs)
    _add_job(added)
    added.add_argument("path", nargs="?", default="", metavar="PATH", help="a directory in there")
    added.add_argument("--recursive", "-r", action="store_true", help="also what is in directories")
    added = command("download", commands.download)
    _add_job(added)
    added.add_argument("path", nargs="?", metavar="PATH", help="a file or directory; else all")
    added.add_argument("--to", default=".", metavar="DIR", help="the directory to put it in")
    added = command("code", commands.code)
    _add_job(added)
    added.add_argument("--to", metavar="DIR", help="write it into this directory")
    added = command("environment", commands.environment)
    _add_job(added)
    _add_job(command("cancel", commands.cancel))
    _add_job(command("retry", commands.retry))
    _add_job(command("delete", commands.delete))
    added = command("duplicate", commands.duplicate)
    add_job_options(added)
    _add_wait(added)
    _add_job(added)
    added = command("wait", commands.wait)
    added.add_argument("jobs", nargs="+", metavar="JOB", help="its name, id or number")
    added.add_argument(
        "--timeout", type=duration_s, metavar="T", help="give up after 90s, 30m, 2h or 1h30m"
    )
    added = command("datasets", commands.datasets)
    added = command("register", commands.register)
    added.add_argument("name", help="what jobs call it")
    added.add_argument("path", help="where it is")
    added.add_argument("--description", metavar="S", help="what it is")
    added = command("unregister", commands.unregister)
    added.add_argument("dataset", metavar="DATASET", help="its name or number")
    added = command("usage", commands.usage)
    add_usage_options(added)
    command("resources", commands.resources)
    added = command("gpus", commands.gpus)
    added = command("notify", commands.notify)
    added.add_argument("--test", metavar="TO", help="send a test to this receiver or URL")
    added = command("doctor", commands.doctor)
    added.add_argument("--config", metavar="FILE", help="the configuration file of the server")
    for name in SERVER_SETTINGS:
        told = f"as if the server had c.TrainingApp.{name}"
        added.add_argument(f"--TrainingApp.{name}", dest=name, metavar="VALUE", help=told)
    added = command("simulate", commands.simulate)
    added.add_argument("trace", metavar="TRACE", help="a CSV file: submit_time,duration,num_gpus")
    added.add_argument(
        "--nodes", type=_positive, default=1, metavar="N", help="machines (default: 1)"
    )
    added.add_argument(
        "--gpus", type=_positive, default=8, metavar="N", help="GPUs of each machine (default: 8)"
    )
    added.add_argument(
        "--time-limits",
        type=_factor,
        default=1.0,
        metavar="F",
        help="jobs ask for F times what they take, or for 'none' (default: 1)",
    )
    added.add_argument(
        "--unit", choices=("s", "ms"), help="of its times (default: s, unless that is absurd)"
    )
    added = command("serve", commands.serve)
    added.add_argument("--help-all", action="store_true", help="list all settings of servers")
    added.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


def _factor(text: str) -> float | None:
    """How much more time is asked for than is needed."""
    if text == "none":
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 1 <= factor < inf:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number from 1 nor 'none'")
    return factor


def _add_job(parser: Parser) -> None:
    parser.add_argument("job", metavar="JOB", help="its name, id or number")


def _add_wait(parser: Parser) -> None:
    told = "wait until it has ended, and leave with its exit code"
    parser.add_argument("--wait", action="store_true", help=told)
