"""The options of a job, defined once for the magics and the command line."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import io
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from jupyter_training.notebook import search_options
from jupyter_training.notebook.search_options import add_search_options, search_of


class UsageError(ValueError):
    """What a person wrote cannot be understood; the text says which word and why."""


class Help(Exception):
    """Help was asked for; the text is the help.

    Attributes
    ----------
    parser
        Whose help it is.
    """

    def __init__(self, text: str, parser: Parser) -> None:
        super().__init__(text)
        self.parser = parser


class Parser(argparse.ArgumentParser):
    """An argument parser that raises where others would exit, and knows what is near a mistake."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs |= {
            "allow_abbrev": False,
            "formatter_class": argparse.RawDescriptionHelpFormatter,
        }
        super().__init__(**kwargs)
        self.register("type", int, whole_number)
        self.commands: list[Parser] = []
        # Before Python 3.14 it takes -1e-3 for an option.
        self._negative_number_matcher = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse words.

        Raises
        ------
        UsageError
            If one of them is not understood.
        Help
            If help was asked for.
        """
        shown = io.StringIO()
        try:
            with contextlib.redirect_stdout(shown):
                found, unknown = self.parse_known_args(args, namespace)
        except SystemExit:
            raise Help(shown.getvalue().rstrip(), self) from None
        if unknown:
            self.error(self._about(unknown[0]))
        return found

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse words; what stands behind a program is the program's, whatever it looks like.

        argparse would take a ``--`` for its own.
        """
        given = list(sys.argv[1:] if args is None else args)
        behind = [one.dest for one in self._actions if one.nargs == argparse.REMAINDER]
        if not behind:
            return super().parse_known_args(given, namespace)
        given, rest = self._parted(given)
        found, unknown = super().parse_known_args(given, namespace)
        setattr(found, behind[0], rest)
        return found, unknown

    def _parted(self, args: list[str]) -> tuple[list[str], list[str]]:
        """The options and the program, and what stands behind it."""
        at = 0
        while at < len(args):
            word = args[at]
            if not word.startswith("-") or self._negative_number_matcher.match(word):
                return args[: at + 1], args[at + 1 :]
            if word == "--":  # a program may be called anything
                return [*args[:at], *args[at : at + 2]], args[at + 2 :]
            action = self._option_string_actions.get(word)
            at += 1
            if action is not None:
                at += action.nargs if isinstance(action.nargs, int) else 1
        return args, []

    def format_help(self) -> str:
        """The help; of very many options its first line does not list all."""
        if self.usage is None and len(self._actions) > _MANY:
            named = [one for one in self._actions if not one.option_strings]
            self.usage = " ".join(["%(prog)s [options]", *map(_of_usage, named)])
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise instead of writing to the terminal and leaving."""
        raise UsageError(f"{self.prog}: {message}")

    def _about(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word!r} is one word too many (quote a value that has spaces)"
        option = word.partition("=")[0]
        there = {name: 0 for one in (self, *self.commands) for name in one._option_string_actions}
        near = difflib.get_close_matches(option, there, n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; -h lists the options"
        return f"there is no option {option}{hint}"


_MANY = 20
"""More options than these make a first line that nobody reads."""


def _of_usage(action: argparse.Action) -> str:
    """What stands for an argument in the first line of a help."""
    name = str(action.metavar or action.dest)
    if action.nargs is None:
        return name
    return f"[{name}]" if action.nargs == argparse.OPTIONAL else f"[{name} ...]"


def whole_number(text: str) -> int:
    """The number of ``16``."""
    if re.fullmatch(r"[-+]?\d{1,18}", text, re.ASCII) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def words(line: str) -> list[str]:
    """Split a line as a shell would, without expanding anything.

    Raises
    ------
    UsageError
        If a quote is not closed.
    """
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{str(error).lower()} in: {line}") from None


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration_s(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``30m``, ``2h``, ``1h30m`` or ``7d``."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90s, 30m, 2h or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def gigabytes(text: str) -> int:
    """GB of ``16``, ``16G`` or ``16GB``."""
    found = re.fullmatch(r"(\d+)\s*(?:g|gb|gib)?", text, re.IGNORECASE)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of GB")
    return int(found[1])


def megabytes(text: str) -> int:
    """MB of ``800``, ``800M``, ``800MB`` or ``2GB``."""
    found = re.fullmatch(r"(\d+)\s*(m|g)?i?b?", text, re.IGNORECASE)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 800MB or 2GB")
    return int(found[1]) * (1024 if found[2] in ("g", "G") else 1)


def variable(text: str) -> tuple[str, str]:
    """Name and value of ``NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def variables(text: str) -> list[str]:
    """The names of variables in ``a,b``."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if not name.isidentifier():
            raise argparse.ArgumentTypeError(f"{name!r} is not the name of a variable")
    return names


def dataset(text: str) -> int | str:
    """A data set's number, or its name."""
    return int(text) if text.isdecimal() and text.isascii() else text


def _separated(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """Add what describes a job and what it needs."""
    needs = parser.add_argument_group("what the job needs")
    needs.add_argument("--cpus", "-c", type=int, metavar="N", help="CPU cores")
    needs.add_argument("--memory", "-m", type=gigabytes, metavar="GB", help="memory in GB")
    needs.add_argument("--gpus", "-g", type=int, metavar="N", help="GPUs")
    needs.add_argument("--gpu-type", metavar="T", help='their model, such as "RTX 4090"')
    how = parser.add_argument_group("how it runs")
    how.add_argument("--name", "-n", metavar="S", help="what you call it")
    how.add_argument("--description", metavar="S", help="what it is about")
    how.add_argument(
        "--env",
        "-e",
        type=variable,
        action="append",
        default=[],
        metavar="K=V",
        help="an environment variable; may be given several times",
    )
    how.add_argument("--retries", type=int, metavar="N", help="runs after a failure (default: 3)")
    how.add_argument(
        "--time-limit", type=duration_s, metavar="T", help="end it after 90s, 30m, 2h or 1h30m"
    )
    how.add_argument(
        "--priority",
        type=int,
        metavar="N",
        help="higher goes first (default: 0). A cluster has an order of its own: Slurm takes what "
        "is below 0 as --nice, and Ray takes none",
    )
    how.add_argument(
        "--dataset",
        "-d",
        type=dataset,
        action="append",
        metavar="D",
        help="a data set, by name or number; may be given several times",
    )
    how.add_argument("--output", metavar="DIR", help="where its results go")
    how.add_argument("--image", metavar="I", help="run it in a container of this image")
    how.add_argument("--executor", metavar="E", help="what runs it")
    how.add_argument(
        "--no-snapshot",
        action="store_true",
        help="run it in this directory itself, with what is there when it starts",
    )
    how.add_argument(
        "--snapshot-limit",
        type=megabytes,
        metavar="SIZE",
        help="how large the copy of this directory may be, such as 800MB or 2GB",
    )
    cluster = parser.add_argument_group("on a cluster, which --executor slurm or ray chooses")
    for name, what in _OF_CLUSTERS.items():
        cluster.add_argument(f"--{name}", metavar="S", help=what)
    told = parser.add_argument_group("who is told of it outside of Jupyter")
    told.add_argument(
        "--notify",
        action="append",
        metavar="TO",
        help="a receiver that the server knows by name, or a URL as Apprise writes it, such as "
        "mailto://… or slack://…; may be given several times",
    )
    told.add_argument(
        "--notify-on",
        type=_separated,
        metavar="WHEN",
        help="some of completed, failed, retrying, cancelled and idle, separated by commas "
        "(default: what the server is configured for)",
    )
    how.add_argument(
        "--type",
        metavar="T",
        help="single, distributed (which --nodes implies) or hyperparameter (which --search does)",
    )
    gang = parser.add_argument_group("a distributed job: what it needs is for each node")
    gang.add_argument("--nodes", type=int, metavar="N", help="nodes that start and end together")
    gang.add_argument(
        "--min-nodes", type=int, metavar="N", help="start with so many if there is no room for all"
    )
    gang.add_argument(
        "--procs-per-node", type=int, metavar="N", help="ranks of a node (default: one a GPU, or 1)"
    )
    gang.add_argument(
        "--launcher",
        metavar="L",
        help="who starts the ranks: builtin, torchrun, accelerate, deepspeed, mpi or none",
    )
    add_search_options(parser)


def add_directory_option(parser: argparse.ArgumentParser) -> None:
    """Add where a job runs, for who names a program, a script or a cell."""
    parser.add_argument(
        "--cwd",
        metavar="DIR",
        help="the directory that it runs in, and its script is in (default: this one)",
    )


_OF_CLUSTERS = {
    "partition": "the partition that it waits in",
    "account": "the account that pays for it",
    "qos": "its quality of service",
    "constraint": "the features that its nodes need",
    "reservation": "the reservation that it runs in",
    "resources": "resources that the cluster has of its own: tpu_host=1",
    "labels": "the labels of its nodes: zone=eu",
}
"""Options that become `executor_options`, and that one executor understands."""


def add_usage_options(parser: argparse.ArgumentParser) -> None:
    """Add what says whose use of the machine is to be shown."""
    parser.add_argument("job", nargs="?", metavar="JOB", help="its name, id or number")
    parser.add_argument("--attempt", type=int, metavar="N", help="of which attempt of the job")
    parser.add_argument(
        "--by", choices=("job", "user"), help="without a job: of each of yours, or of everybody"
    )
    parser.add_argument("--since", metavar="T", help="from when, such as 2026-01-26")
    parser.add_argument("--until", metavar="T", help="until when")


_FIELDS = {
    "name": "name",
    "description": "description",
    "cpus": "cpu_cores",
    "memory": "memory_gb",
    "gpus": "gpu_count",
    "gpu_type": "gpu_type",
    "retries": "max_retries",
    "time_limit": "time_limit_s",
    "priority": "priority",
    "output": "output_path",
    "executor": "executor",
    "image": "image",
    "dataset": "dataset_ids",
    "nodes": "nodes",
    "min_nodes": "min_nodes",
    "procs_per_node": "procs_per_node",
    "launcher": "launcher",
    "type": "job_type",
}
"""Which field of a JobSpec an option sets."""


def add_metrics_options(parser: Parser) -> None:
    """Add which metrics of a job are wanted."""
    parser.add_argument("--names", metavar="A,B", help="only these")
    parser.add_argument("--attempt", type=int, metavar="N", help="of which attempt")


def job_fields(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of a JobSpec that were given as options."""
    given = vars(options)
    fields = {
        field: given[option] for option, field in _FIELDS.items() if given[option] is not None
    }
    asked = {name: given[name] for name in _OF_CLUSTERS if given[name] is not None}
    if asked:
        fields["executor_options"] = asked
    if options.env:
        fields["env_vars"] = dict(options.env)
    if options.notify:
        on = options.notify_on
        fields["notify"] = [{"to": to, "on": on} if on else to for to in options.notify]
    elif options.notify_on:
        raise UsageError("--notify-on needs --notify, which says who is told")
    try:
        search = search_of(options)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if search is not None:
        fields["search"] = search
    elif fields.get("job_type") == "hyperparameter":
        raise UsageError("--type hyperparameter needs --search, which says what is searched")
    return fields


def snapshot_of(options: argparse.Namespace) -> dict[str, Any]:
    """What was said about the copy of the directory in which a job runs."""
    return {"snapshot": not options.no_snapshot, "snapshot_limit_mb": options.snapshot_limit}


def add_notebook_options(parser: argparse.ArgumentParser) -> None:
    """Add what a notebook gets."""
    parser.add_argument(
        "-p",
        nargs=2,
        action="append",
        default=[],
        dest="parameters",
        metavar=("NAME", "VALUE"),
        help="a parameter of the notebook; may be given several times",
    )


_READ: dict[str, Callable[[str], Any]] = {"memory": gigabytes, "time_limit": duration_s}


def fields_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a JobSpec that are given as options in Python, or by their own names.

    Raises
    ------
    TypeError
        If there is no such option.
    """
    fields: dict[str, Any] = {}
    known = {*_FIELDS, *_FIELDS.values(), "env", "env_vars", "notify", "search", "parameters"}
    known |= {*_OF_CLUSTERS, "executor_options"}
    asked = {
        name: value for name, value in options.items() if name in _OF_CLUSTERS and value is not None
    }
    if asked:
        fields["executor_options"] = {**(options.get("executor_options") or {}), **asked}
    for name, value in options.items():
        if name in _OF_CLUSTERS or (name == "executor_options" and name in fields):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise TypeError(f"there is no option {name}{hint}")
        if name in _READ and isinstance(value, str):
            try:
                value = _READ[name](value)
            except argparse.ArgumentTypeError as error:
                raise TypeError(f"{name}: {error}") from None
        if name == "dataset" and isinstance(value, str | int):
            value = [value]
        fields[{"env": "env_vars"}.get(name, _FIELDS.get(name, name))] = value
    return fields


OPTIONS = {field: "--" + option.replace("_", "-") for option, field in _FIELDS.items()} | {
    "notify": "--notify",
    "working_dir": "--cwd",
    **{f"executor_options.{name}": f"--{name}" for name in _OF_CLUSTERS},
}
"""What a field is called by those who write options."""


def called(field: str) -> str:
    """What a field is called by those who write options, also one of a search."""
    return (
        search_options.called(field) if field.startswith("search.") else OPTIONS.get(field, field)
    )
