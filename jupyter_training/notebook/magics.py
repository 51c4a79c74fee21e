"""``%%train`` and its relatives."""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.error import UsageError as ShownError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from jupyter_training.notebook import completion, jobs, specs
from jupyter_training.notebook.asking import ask, connection
from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.datasets import list_datasets
from jupyter_training.notebook.display import show
from jupyter_training.notebook.facts import of_its_parts
from jupyter_training.notebook.job import ENDED, Job
from jupyter_training.notebook.magic_options import (
    job_parser,
    pipeline_parser,
    script_parser,
    train_parser,
)
from jupyter_training.notebook.metrics import Metrics
from jupyter_training.notebook.monitor import MOST_JOBS, JobsMonitor
from jupyter_training.notebook.options import (
    Help,
    Parser,
    UsageError,
    add_metrics_options,
    add_usage_options,
    job_fields,
    snapshot_of,
    words,
)
from jupyter_training.notebook.pipelines import Collected, Pipeline
from jupyter_training.notebook.tables import DataSetTable, JobTable, MachineTable
from jupyter_training.notebook.this_notebook import (
    PARAMETERS,
    Journal,
    has_parameters,
    path_of_this_notebook,
)
from jupyter_training.notebook.trials import Found
from jupyter_training.notebook.usage import JobUsage, UsageTable, asked_usage
from jupyter_training.run_notebook import VARIABLE as RUNNING_NOTEBOOK

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_F = TypeVar("_F", bound=Callable[..., Any])


def _told_plainly(magic: _F) -> _F:
    """Show what a person did wrong, or what the server refused, as a sentence and no traceback."""

    @functools.wraps(magic)
    def plain(self: TrainingMagics, *args: Any) -> Any:
        try:
            return magic(self, *args)
        except Help as asked:
            print(asked)
            return None
        except (UsageError, TrainingError) as error:
            # Only the sentence is shown; %train_traceback shows the rest.
            raise ShownError(str(error)) from error

    return plain  # type: ignore[return-value]


def load(shell: InteractiveShell) -> None:
    """Register the magics."""
    shell.register_magics(TrainingMagics)
    completion.load(shell)
    if _help_alone not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(_help_alone)


def _help_alone(lines: list[str]) -> list[str]:
    """``%%train -h`` without a cell below it, which IPython would refuse, is ``%train -h``."""
    written = "".join(lines).strip()
    return ["%train -h\n"] if written in ("%%train -h", "%%train --help") else lines


def _submit(
    spec: dict[str, Any],
    options: argparse.Namespace,
    then: Callable[[Job], None] = lambda _: None,
) -> Job | None:
    """Submit a job, or tell where it would run, and wait for it if that is wanted.

    Parameters
    ----------
    then
        Called with a job that was waited for and has completed.
    """
    if options.dry_run:
        told = ask(lambda client: client.forecast(spec))
        where = f"on {told['node']}: " if told["node"] else ""
        print(
            f"{spec['name']} ({told['cpu_cores']}C / {told['memory_gb']}GB / "
            f"{told['gpu_count']}GPU) {where}{told['reason']}"
        )
        return None
    job = jobs.send(spec, **snapshot_of(options))
    if options.wait:
        show(job)
        try:
            job.wait()
        except KeyboardInterrupt:
            return None  # it has been told that the job goes on
        if job.told["status"] == "completed":
            then(job)
        return None
    return job


@magics_class
class TrainingMagics(Magics):
    """The magics of ``%load_ext jupyter_training``."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        connection.say = print
        self._pipelines = Collected()
        self._journal = Journal()
        self._journal.watch(shell)

    @no_var_expand
    @line_cell_magic
    @_told_plainly
    def train(self, line: str, cell: str | None = None) -> Job | Pipeline | None:
        """Submit the cell, or a script, as a training job: ``%%train -h`` for help."""
        parser = train_parser() if cell is not None else script_parser()
        options = parser.parse_args(words(line))
        if cell is not None:
            spec = specs.of_cell(cell, options.name, options.image, options.cwd)
        elif options.notebook or (options.script or "").endswith(".ipynb"):
            if options.cwd is not None:
                raise UsageError("%train: a notebook runs in its own directory, without --cwd")
            found = self._notebook(options)
            if found is None:
                return None
            spec = specs.of_notebook(found, options.parameters, options.image)
        elif options.script is None:
            raise UsageError("%train: name a script, or use %%train above a cell; -h for help")
        elif options.parameters:
            raise UsageError(
                f"%train: -p is for notebooks; write {options.script}'s arguments after it"
            )
        else:
            argv = [options.script, *options.arguments]
            spec = specs.of_command(argv, options.image, options.cwd)
        spec.update(job_fields(options))
        if options.ins or options.outs:
            if cell is None and not (options.script or "").endswith(".py"):
                raise UsageError("%train: --in and --out are for cells and for Python scripts")
            spec = self._with_values(spec, options)
        if options.stage is not None or options.after or options.pipeline is not None:
            return self._collect(options, spec)
        return _submit(spec, options, lambda job: self._take(job, options.outs))

    def _collect(self, options: argparse.Namespace, spec: dict[str, Any]) -> Pipeline:
        """Keep what a cell says of a stage, until the pipeline is submitted."""
        if options.stage is None:
            raise UsageError("%%train: --after and --pipeline are for a stage; name it by --stage")
        if options.name is not None or options.wait or options.dry_run:
            raise UsageError(
                "%%train: a stage is named by --stage, and %train_pipeline submits it with the "
                "others of its pipeline; --name, --wait and --dry-run are options of that"
            )
        after = [name.strip() for names in options.after for name in names.split(",")]
        pipeline = options.pipeline or self._pipelines.having(
            after, specs.notebook_name() or "pipeline"
        )
        found = self._pipelines.add(pipeline, options.stage, spec, after)
        print(f"Stage {options.stage} of {found.name}; %train_pipeline submits all of these:")
        return found

    @no_var_expand
    @line_magic
    @_told_plainly
    def train_pipeline(self, line: str) -> Job | Pipeline | None:
        """Submit the stages that cells have described: ``%train_pipeline -h`` for help."""
        parser = pipeline_parser()
        options = parser.parse_args(words(line))
        pipeline = self._pipelines.get(options.pipeline)
        if options.show:
            return pipeline
        if options.forget:
            self._pipelines.forget(pipeline)
            print(f"The stages of {pipeline.name} are forgotten.")
            return None
        spec = {**pipeline.spec, **job_fields(options)}
        if options.cache:
            spec["cache"] = True
        return _submit(spec, options)

    def _with_values(self, spec: dict[str, Any], options: Any) -> dict[str, Any]:
        from jupyter_training.notebook import exchange

        assert self.shell is not None
        given = exchange.named(options.ins, self.shell.user_ns)
        if options.dry_run:
            for name, value in given.items():
                exchange.pack(name, value)
            return spec
        inputs, told = exchange.upload(given) if given else ({}, "")
        if told:
            print(f"in: {told}")
        return specs.with_values(spec, inputs, options.outs)

    def _take(self, job: Job, names: list[str]) -> None:
        """Put what a job gives back into the namespace."""
        if not names:
            return
        assert self.shell is not None
        self.shell.user_ns.update({name: job.result(name) for name in names})
        print(f"out: {', '.join(names)}")

    @no_var_expand
    @line_magic
    @_told_plainly
    def train_result(self, line: str) -> None:
        """Put what a job gives back into this notebook."""
        parser = job_parser(
            "%train_result", "Put the variables that a job gives back into this notebook."
        )
        parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
        options = parser.parse_args(words(line))
        job = jobs.get_job(options.job).wait()
        from jupyter_training.notebook.exchange import names

        if job.told["status"] != "completed":
            job.result()  # raises, and says why there is none
        wanted = options.names or names(job.id)
        if not wanted:
            raise UsageError(f"{job.name} ({job.id}) gives no variables back; name them with --out")
        self._take(job, wanted)

    def _notebook(self, options: Any) -> Path | None:
        """The notebook to submit; None if it is the job that runs this very cell."""
        if options.script is not None:
            if options.notebook or options.arguments:
                raise UsageError("%train: one notebook at a time, and no arguments for it")
            path = Path(options.script)
        elif os.environ.get(RUNNING_NOTEBOOK):
            print("This is the notebook that runs as a job, so it is not submitted again.")
            return None
        else:
            path = path_of_this_notebook(self.shell)
            ran = self._journal.unsaved_in(self.shell, path)
            if ran:
                numbers = ", ".join(f"[{one.number}]" for one in ran)
                saved_at = time.strftime("%H:%M:%S", time.localtime(path.stat().st_mtime))
                print(
                    f"Unsaved edits: {path.name} was last saved at {saved_at}, without what you "
                    f"ran in {numbers} since. The job runs the saved file."
                )
        if options.parameters and path.is_file() and not has_parameters(path):
            print(
                f"No cell of {path.name} has the tag {PARAMETERS!r}, so the given values come "
                "before its first cell, and what it assigns itself comes after them."
            )
        return path

    @no_var_expand
    @line_magic
    @_told_plainly
    def train_traceback(self, line: str) -> None:
        """Print where in the code the last error was raised."""
        description = "Print where in the code the last error was raised."
        Parser(prog="%train_traceback", description=description).parse_args(words(line))
        error: BaseException | None = getattr(sys, "last_value", None)
        if error is None:
            print("There was no error.")
        else:
            print("".join(traceback.format_exception(error)), end="")

    @no_var_expand
    @line_magic
    @_told_plainly
    def train_jobs(self, line: str) -> JobTable | None:
        """List your jobs, newest first."""
        parser = Parser(prog="%train_jobs", description="List your jobs, newest first.")
        parser.add_argument("--status", metavar="S", help="only these, separated by commas")
        parser.add_argument("--limit", type=int, default=20, metavar="N", help="how many at most")
        options = parser.parse_args(words(line))
        found = jobs.list_jobs(status=options.status, limit=options.limit)
        return JobTable([job.told for job in found])

    @no_var_expand
    @line_magic
    @_told_plainly
    def train_monitor(self, line: str) -> None:
        """Watch a job, or all of your jobs."""
        parser = Parser(
            prog="%train_monitor",
            description="Watch a job, or your latest jobs in a table that is kept up to date.",
        )
        parser.add_argument("job", nargs="?", metavar="JOB", help="its name, id or number")
        parser.add_argument(
            "--limit", type=int, default=MOST_JOBS, metavar="N", help="how many jobs at most"
        )
        options = parser.parse_args(words(line))
        if options.job is None:
            JobsMonitor(options.limit).show()
        else:
            show(jobs.get_job(options.job))

    @no_var_expand
    @line_magic
    @_told_plainly
    def train_datasets(self, line: str) -> DataSetTable:
        """List the data sets that jobs can ask for."""
        description = (
            "List the data sets that jobs can ask for with --dataset.\n"
            "register_dataset(name, path) adds one, and remove_dataset(name) removes it."
        )
        Parser(prog="%train_datasets", description=description).parse_args(words(line))
        return list_datasets()

    @no_var_expand
    @line_magic
    @_told_plainly
    def train_logs(self, line: str) -> None:
        """Print the end of a job's log."""
        parser = job_parser("%train_logs", "Print the end of a job's log.")
        parser.add_argument("--tail", type=int, default=100, metavar="N", help="how many lines")
        parser.add_argument("--attempt", type=int, metavar="N", help="of which attempt")
        parser.add_argument("--rank", type=int, metavar="N", help="of which rank; else of all")
        parser.add_argument("--follow", "-f", action="store_true", help="go on until it has ended")
        options = parser.parse_args(words(line))
        job = jobs.get_job(options.job)
        if (told := of_its_parts(job, "printed")) is not None:
            print(told)
            return
        if not options.follow:
            print(
                job.logs(options.tail, options.attempt, options.rank)
                or f"{job.name} has printed nothing yet."
            )
            return
        from jupyter_training.notebook.follow import lines

        try:
            # Of a flood that would be too much for a notebook only the newest lines are shown.
            for text in lines(
                job,
                tail=options.tail,
                attempt=options.attempt,
                rank=options.rank,
                complete=False,
            ):
                print(text)
        except KeyboardInterrupt:
            print(f"{job.name} goes on.")

    @no_var_expand
    @line_magic
    @_told_plainly
    def train_metrics(self, line: str) -> Metrics | None:
        """Show what a job has measured."""
        parser = job_parser(
            "%train_metrics",
            "Show what a job has measured: what it has reported, or what was found in its log.",
        )
        add_metrics_options(parser)
        options = parser.parse_args(words(line))
        job = jobs.get_job(options.job)
        found = job.metrics(options.names, attempt=options.attempt)
        if not found and (told := of_its_parts(job, "measured")) is not None:
            print(told)
            return None
        return found

    @no_var_expand
    @line_magic
    @_told_plainly
    def train_trials(self, line: str) -> Found:
        """Show what a search for hyperparameters has found."""
        description = "Show what a search for hyperparameters has found so far."
        options = job_parser("%train_trials", description).parse_args(words(line))
        return jobs.get_job(options.job).search()

    @no_var_expand
    @line_magic
    @_told_plainly
    def train_cancel(self, line: str) -> None:
        """Cancel a job."""
        parser = job_parser("%train_cancel", "Cancel a job, and all its processes.")
        job = jobs.get_job(parser.parse_args(words(line)).job)
        told = job.cancel().told
        if told["status"] in ENDED:
            print(f"{job.name} ({job.id}) is {told['status']}.")
        else:
            print(f"{job.name} ({job.id}) was told to end, and has not yet.")

    @no_var_expand
    @line_magic
    @_told_plainly
    def train_usage(self, line: str) -> JobUsage | UsageTable:
        """Show what a job uses, or who has held how many GPU-hours."""
        parser = Parser(
            prog="%train_usage",
            description=(
                "Show what a job used over time; without one, how long jobs have held GPUs, CPU\n"
                "cores and memory."
            ),
        )
        add_usage_options(parser)
        options = parser.parse_args(words(line))
        return asked_usage(options)

    @no_var_expand
    @line_magic
    @_told_plainly
    def train_resources(self, line: str) -> MachineTable | None:
        """Show the machines, what is free, and who holds the rest."""
        parser = Parser(
            prog="%train_resources",
            description="Show the machines, what is free on them, and who holds the rest.",
        )
        parser.parse_args(words(line))
        return MachineTable(ask(lambda client: client.resources()))


# `%%train?` shows all that -h does, of both.
TrainingMagics.train.__doc__ = f"{train_parser().format_help()}\n{script_parser().format_help()}"
