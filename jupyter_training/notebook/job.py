"""Submit jobs from Python, and the handle that stands for one."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from jupyter_training.jobs.spec import SCRIPT_PLACEHOLDER
from jupyter_training.notebook.client import WAIT_S, Client, ServerGone, TrainingError
from jupyter_training.notebook.discovery import Connection
from jupyter_training.notebook.options import words

if TYPE_CHECKING:
    from jupyter_training.notebook.metrics import Metrics
    from jupyter_training.notebook.usage import JobUsage

ENDED = ("completed", "failed", "cancelled")

_T = TypeVar("_T")

connection = Connection()
"""The server of this process."""


def ask(question: Callable[[Client], _T]) -> _T:
    """Ask the server; if it is gone, another one, which knows the same jobs."""
    client = connection.client()
    try:
        return question(client)
    except ServerGone:
        connection.lose(client)
        return question(connection.client())


class Job:
    """A handle on a job. In a notebook it shows itself, and what it shows is kept up to date.

    Parameters
    ----------
    told
        The job as the server described it.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.name!r}: {self.told['status']}>"

    def _ipython_display_(self) -> None:
        from jupyter_training.notebook.display import show

        show(self)

    @property
    def id(self) -> str:
        """Its id: ``job-…``."""
        return str(self.told["job_id"])

    @property
    def name(self) -> str:
        """What you call it."""
        return str(self.told["name"])

    @property
    def output_dir(self) -> Path:
        """Where its results are, on the machine of the server."""
        return Path(self.told["output_dir"])

    @property
    def status(self) -> str:
        """Pending, scheduled, running, retrying, completed, failed or cancelled; as of now."""
        return str(self.refresh()["status"])

    @property
    def progress(self) -> int:
        """How far it has come, in percent; as of now."""
        return int(self.refresh()["progress"])

    @property
    def reason(self) -> str | None:
        """Why it is where it is; for a job that waits, why it is not running."""
        reason = self.refresh()["reason"]
        return None if reason is None else str(reason)

    @property
    def exit_code(self) -> int | None:
        """What its latest attempt returned."""
        code = self.refresh()["exit_code"]
        return None if code is None else int(code)

    def refresh(self) -> dict[str, Any]:
        """Everything that is known of it now, as the REST interface tells it."""
        if self.told["status"] not in ENDED or self.told["cause"] is None:
            self.told = ask(lambda client: client.job(self.id))
        return self.told

    @overload
    def logs(
        self,
        tail: int = 100,
        attempt: int | None = None,
        rank: int | None = None,
        *,
        follow: Literal[False] = False,
    ) -> str: ...

    @overload
    def logs(
        self,
        tail: int = 100,
        attempt: int | None = None,
        rank: int | None = None,
        *,
        follow: Literal[True],
    ) -> Iterator[str]: ...

    def logs(
        self,
        tail: int = 100,
        attempt: int | None = None,
        rank: int | None = None,
        *,
        follow: bool = False,
    ) -> str | Iterator[str]:
        """The last lines that it printed, by default in its latest attempt.

        Parameters
        ----------
        rank
            Of which rank of a distributed job; by default of all.
        follow
            Whether to go on until it has ended. Then the lines come one by one as they are printed,
            and none is left out, also where the server is replaced by another one meanwhile.

        Examples
        --------
        >>> for line in job.logs(follow=True):  # doctest: +SKIP
        ...     print(line)
        """
        if follow:
            from jupyter_training.notebook.follow import lines as following

            return following(self, tail=tail, attempt=attempt, rank=rank)
        asked = {"tail": tail, "attempt": attempt, "rank": rank}
        query = {name: value for name, value in asked.items() if value is not None}
        lines: list[str] = ask(lambda client: client.logs(self.id, **query))["logs"]
        return "\n".join(lines)

    def wait(self, timeout: float | None = None) -> Job:
        """Wait until it has ended.

        Parameters
        ----------
        timeout
            Seconds after which to give up; None to wait for as long as it takes.

        Raises
        ------
        TimeoutError
            If it had not ended by then.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = WAIT_S if deadline is None else deadline - time.monotonic()
            wait_s = max(0, min(WAIT_S, int(left) + 1))
            self.told = ask(partial(Client.job, reference=self.id, wait_s=wait_s))
            if self.told["status"] in ENDED:
                return self
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{self.name} ({self.id}) is still {self.told['status']}")

    def cancel(self) -> Job:
        """Cancel it; returns when none of its processes is left."""
        self.told = ask(lambda client: client.cancel(self.id))
        return self

    def retry(self) -> Job:
        """Run it again, after it has ended."""
        self.told = ask(lambda client: client.retry(self.id))
        return self

    def children(self) -> list[Job]:
        """The jobs that it is made of, such as the stages of a pipeline, as of now."""
        return [Job(told) for told in ask(lambda client: client.children(self.id))]

    @property
    def stages(self) -> dict[str, Job]:
        """The stages of a pipeline by their names, as of now."""
        return {str(child.told["child_key"]): child for child in self.children()}

    def events(self) -> list[dict[str, Any]]:
        """What happened to it, oldest first."""
        return ask(lambda client: client.events(self.id))

    def metrics(
        self,
        names: str | Iterable[str] | None = None,
        *,
        attempt: int | None = None,
        max_points: int | None = 500,
    ) -> Metrics:
        """What it has measured: what it reported, or else what was found in its log.

        Parameters
        ----------
        names
            Only these; a string may have several with commas between them.
        attempt
            Of which attempt; by default the latest.
        max_points
            How many points of each at most, of which none is a peak that is lost; None for all.

        Returns
        -------
        Metrics
            By name; it shows itself as a table, and has `to_pandas`.

        Examples
        --------
        >>> job.metrics()["loss"].latest  # doctest: +SKIP
        0.0123
        >>> job.metrics("loss,val_loss").to_pandas().plot()  # doctest: +SKIP
        """
        from jupyter_training.notebook.metrics import fetch

        return fetch(self.id, names, attempt=attempt, max_points=max_points)

    def usage(self, attempt: int | None = None, max_points: int = 500) -> JobUsage:
        """What it used over time: CPU cores, memory, and its GPUs.

        Parameters
        ----------
        attempt
            The number of an attempt; by default the latest.
        max_points
            How many points at most; of a longer series the peaks stay.

        Returns
        -------
        JobUsage
            It shows itself as plots; what the server told is in `told`.
        """
        from jupyter_training.notebook.usage import of_job

        return of_job(self.id, attempt, max_points)

    def outputs(
        self, path: str | os.PathLike[str] = "", *, recursive: bool = False
    ) -> list[dict[str, Any]]:
        """What it has left in its output directory, also while it runs.

        Parameters
        ----------
        path
            A directory in there.
        recursive
            Whether what is in its directories is wanted, too.

        Returns
        -------
        list
            It shows itself as a table; each entry has `path`, `type`, `size` (bytes) and
            `modified_at`.

        Raises
        ------
        TrainingError
            If there is no such directory.
        """
        from jupyter_training.notebook.outputs import listing

        return listing(self.id, path, recursive=recursive)

    def download(
        self, path: str | os.PathLike[str] | None = None, to: str | os.PathLike[str] = "."
    ) -> Path:
        """Bring what it has left to where this runs, which may be another machine.

        A file appears under its name when it is whole; until then it has ``.part`` at its end.
        What was interrupted goes on from there when it is asked for again. Symbolic links are left
        out.

        Parameters
        ----------
        path
            A file or a directory in its output directory; by default all of it.
        to
            The directory to put it in. All of it is put into a directory there that has the job's
            id for a name.

        Returns
        -------
        Path
            Where it is now.

        Raises
        ------
        TrainingError
            If there is no such thing, or it cannot be written.
        """
        from jupyter_training.notebook.outputs import download

        return download(self.id, path, to)


def submit(command: str | Sequence[str], *, name: str | None = None, **fields: Any) -> Job:
    """Submit a job.

    Parameters
    ----------
    command
        The program and its arguments; a string is split as a shell would, and nothing in it is
        expanded. ``python`` is the Python of this kernel.
    name
        What you call it; by default the script or the program.
    **fields
        The other fields of a job, such as ``cpu_cores``, ``memory_gb``, ``gpu_count``,
        ``env_vars``, ``max_retries`` or ``time_limit_s``.

    Raises
    ------
    TrainingError
        If it cannot be a job; the text names every field that is wrong.

    Examples
    --------
    >>> job = submit("python train.py --epochs 3", gpu_count=1)  # doctest: +SKIP
    """
    argv = words(command) if isinstance(command, str) else list(command)
    return send(
        {**of_command(argv, fields.get("image")), **({"name": name} if name else {}), **fields}
    )


def send(spec: dict[str, Any]) -> Job:
    """Submit what a JobSpec says."""
    # One key for this one wish, so that asking again after a lost answer is not a second job.
    key = secrets.token_hex(16)
    return Job(ask(lambda client: client.submit(spec, key=key)))


def of_command(argv: Sequence[str], image: str | None = None) -> dict[str, Any]:
    """The fields of a job that runs a program, or a Python script, here.

    Parameters
    ----------
    image
        The container image that it runs in, if it does: with that image's own Python.
    """
    argv = list(argv)
    if not argv or not argv[0]:
        raise TrainingError("What should be run? Name a script or a program.")
    if argv[0].endswith(".py"):
        script = Path(argv[0]).expanduser().absolute()
        if not script.is_file():
            raise TrainingError(f"There is no script {script}.")
        name, argv = script.stem, [*_python(script, image), *argv[1:]]
    else:
        scripts = [Path(word).stem for word in argv[1:] if word.endswith(".py")]
        name = (scripts or [Path(argv[0]).name])[0]
        argv[0] = argv[0] if image is not None else _program(argv[0])
    return {"name": name, "command": argv, "working_dir": os.getcwd()}


def _python(script: Path, image: str | None) -> list[str]:
    """How to run a script."""
    if image is None:
        return [sys.executable, str(script)]
    try:
        # A container has another path to the same directory.
        return ["python3", str(script.relative_to(Path.cwd()))]
    except ValueError:
        raise TrainingError(
            f"{script} is not below this directory ({Path.cwd()}), so a container would not see it."
        ) from None


def of_cell(text: str, name: str | None, image: str | None = None) -> dict[str, Any]:
    """The fields of a job that runs the text of a cell in this Python environment, or an image's.

    Raises
    ------
    TrainingError
        If the text is not Python.
    """
    try:
        compile(text, "cell.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        where = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise TrainingError(
            f"This cell is not a Python script: {where}{said}. A job runs outside of the "
            "notebook, so lines with % or ! cannot be in it."
        ) from None
    return {
        "name": name or notebook_name() or "cell",
        "command": ["python3" if image is not None else sys.executable, SCRIPT_PLACEHOLDER],
        "script": {"name": "cell.py", "text": text},
        "working_dir": os.getcwd(),
    }


def notebook_name() -> str:
    """The name of this kernel's notebook; empty if that is not known."""
    return Path(os.environ.get("JPY_SESSION_NAME", "").removeprefix("RTC:")).stem


def _program(word: str) -> str:
    if re.fullmatch(r"python[\d.]*", word):
        return sys.executable
    # The search path of this kernel or terminal is not that of the server.
    return shutil.which(word) or word


def get_job(reference: str | int) -> Job:
    """The job with this id, number or name; of several with one name, the latest.

    A stage is called ``pipeline/stage``.

    Raises
    ------
    TrainingError
        If there is none.
    """
    wanted = str(reference)
    try:
        return Job(ask(lambda client: client.job(wanted)))
    except TrainingError as error:
        if error.status != 404:
            raise
    for told in ask(lambda client: client.jobs(q=wanted, include="children")):
        if told["name"] == wanted:
            return Job(told)
    raise TrainingError(f"There is no job {wanted}; %train_jobs lists yours.", 404, "no_such_job")


def list_jobs(*, status: str | Iterable[str] | None = None, limit: int = 100) -> list[Job]:
    """Your jobs, newest first.

    Parameters
    ----------
    status
        Only those with this status, or one of these.
    limit
        How many at most.
    """
    query: dict[str, Any] = {"limit": limit}
    if status is not None:
        query["status"] = status if isinstance(status, str) else ",".join(status)
    return [Job(told) for told in ask(lambda client: client.jobs(**query))]
