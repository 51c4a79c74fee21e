"""The handle that stands for a job."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from jupyter_training.notebook.asking import ask, keep_asking
from jupyter_training.notebook.client import WAIT_S, Client, in_short

if TYPE_CHECKING:
    import pandas as pd

    from jupyter_training.notebook.code import Code
    from jupyter_training.notebook.environment import Environment
    from jupyter_training.notebook.metrics import Metrics
    from jupyter_training.notebook.ranks import RankTable
    from jupyter_training.notebook.trials import Found, Trial
    from jupyter_training.notebook.usage import JobUsage

ENDED = ("completed", "failed", "cancelled")


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
        """How far it has come, in percent, as of now; 0 also while nothing tells that."""
        return int(self.refresh()["progress"])

    @property
    def reason(self) -> str | None:
        """Why it is where it is; for a job that waits, why it is not running."""
        reason = self.refresh()["reason"]
        return None if reason is None else str(reason)

    @property
    def starts_in_s(self) -> float | None:
        """In how many seconds it will probably start; None unless it waits and that can be told."""
        seconds = self.refresh()["starts_in_s"]
        return None if seconds is None else float(seconds)

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
        return "\n".join(_last_lines(self.id, **query))

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
        try:
            while True:
                left = WAIT_S if deadline is None else deadline - time.monotonic()
                self._look(max(0, min(WAIT_S, int(left) + 1)), deadline)
                if self.told["status"] in ENDED:
                    return self
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"{self.name} ({self.id}) is still {self.told['status']}")
        except KeyboardInterrupt as interrupt:
            print(f"{self.name} ({self.id}) goes on; job.cancel() ends it.")
            in_short(interrupt)
            raise

    def __await__(self) -> Generator[Any, None, Job]:
        """``await job``: the job, when it has ended; meanwhile other tasks go on."""
        return self._ended().__await__()

    async def _ended(self) -> Job:
        while self.told["status"] not in ENDED:
            await asyncio.to_thread(self._look, WAIT_S)
        return self

    def _look(self, wait_s: int, until: float | None = None) -> None:
        """Ask what has become of it, as soon as it has ended or after so many seconds."""
        self.told = keep_asking(partial(Client.job, reference=self.id, wait_s=wait_s), until)

    def cancel(self) -> Job:
        """Cancel it; returns when none of its processes is left."""
        self.told = ask(lambda client: client.cancel(self.id))
        return self

    def retry(self) -> Job:
        """Run it again, after it has ended."""
        self.told = ask(lambda client: client.retry(self.id))
        return self

    def delete(self) -> None:
        """Delete it, after it has ended, with its log, its metrics and its results.

        Raises
        ------
        TrainingError
            If it has not ended.
        """
        ask(lambda client: client.delete(self.id))

    def spec(self) -> dict[str, Any]:
        """What it was asked to be, as the REST interface takes it to make a job like it."""
        return ask(lambda client: client.spec(self.id))

    def duplicate(self, *, snapshot: bool = True, **options: Any) -> Job:
        """Submit a job like it, with some things otherwise.

        Parameters
        ----------
        snapshot
            Whether it runs with the same files; otherwise with those that are in its directory.
        **options
            What is otherwise, such as ``name``, ``gpus`` or ``env``.

        Raises
        ------
        TrainingError
            If it cannot be a job; the text names every field that is wrong.

        Examples
        --------
        >>> job.duplicate(gpus=4, priority=1)  # doctest: +SKIP
        """
        from jupyter_training.notebook.options import fields_of

        wanted = {**self.spec(), **fields_of(options)}
        if not snapshot:
            wanted.pop("snapshot", None)
        key = secrets.token_hex(16)
        return Job(ask(lambda client: client.submit(wanted, key=key)))

    def children(self) -> list[Job]:
        """The jobs that it is made of, such as the stages of a pipeline, as of now."""
        return [Job(told) for told in ask(lambda client: client.children(self.id))]

    @property
    def stages(self) -> dict[str, Job]:
        """The stages of a pipeline by their names, as of now."""
        return {str(child.told["child_key"]): child for child in self.children()}

    def ranks(self, attempt: int | None = None) -> RankTable:
        """The processes of a distributed job: where each is, and which of them failed first.

        Parameters
        ----------
        attempt
            Of which attempt; by default the latest.
        """
        from jupyter_training.notebook.ranks import RankTable

        query = {} if attempt is None else {"attempt": attempt}
        return RankTable(ask(lambda client: client.ranks(self.id, **query)))

    def search(self) -> Found:
        """What a search for hyperparameters has found so far: trials, the best, what matters.

        Raises
        ------
        TrainingError
            If it is no search.
        """
        from jupyter_training.notebook.trials import found

        return found(self.id)

    def trials(self) -> pd.DataFrame:
        """The trials of a search as a pandas DataFrame, a row for each, with Optuna's names.

        Raises
        ------
        TrainingError
            If it is no search, or pandas is not installed.
        """
        return self.search().to_pandas()

    @property
    def best_trial(self) -> Trial | None:
        """The best trial of a search so far; None before one is complete."""
        return self.search().best

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

    def result(self, name: str | None = None, *, timeout: float | None = None) -> Any:
        """What it gives back, as soon as it has ended.

        That is what a function returned, or the variable that ``--out`` named; of several, a
        dictionary. It is unpickled, which runs what your own job has written.

        Parameters
        ----------
        name
            Of several variables, only this one.
        timeout
            Seconds after which to give up; None to wait for as long as it takes.

        Raises
        ------
        Exception
            What the function raised; its cause has the traceback of the job.
        JobFailed
            If it did not complete.
        TrainingError
            If it gives nothing back, or that cannot be read here.
        TimeoutError
            If it had not ended by then.
        """
        from jupyter_training.notebook.exchange import result

        return result(self.wait(timeout).told, self.id, name)

    def code(self, to: str | os.PathLike[str] | None = None) -> Code:
        """What it runs: the command, the cell, and the files as they were when it was submitted.

        Parameters
        ----------
        to
            A directory, new or empty, to write all of that into.

        Raises
        ------
        TrainingError
            If it cannot be written.
        """
        from jupyter_training.notebook.code import code

        found = code(self.id)
        if to is not None:
            found.write(to)
        return found

    def environment(self) -> Environment:
        """With which software it was submitted: interpreter, packages, and the commit in git."""
        from jupyter_training.notebook.environment import Environment

        return Environment(ask(lambda client: client.environment(self.id)))

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


_LINES = 100_000
"""How many lines are asked for at once; what an answer has of them is bounded in bytes, too."""


def _page(reference: str, query: dict[str, int]) -> dict[str, Any]:
    return ask(lambda client: client.logs(reference, **query))


def _last_lines(reference: str, *, tail: int, **query: int) -> list[str]:
    """The last lines of a log, in as many pages as they take; a line tells of what is gone."""
    pages: list[list[str]] = []
    place, missing = {"tail": min(tail, _LINES)}, tail
    while True:
        page = _page(reference, {**query, **place})
        found, offset = page["logs"], page["offset"]
        gone = place.get("before", 0) - page["next_offset"]
        if found and gone > 0:
            from jupyter_training.notebook.log_stream import left_out

            hole = {"offset": page["next_offset"], "next_offset": place["before"], "kept": False}
            pages.append([left_out(hole)])
        pages.append(found)
        missing -= len(found)
        if missing <= 0 or not found or not offset:
            return [line for found in reversed(pages) for line in found]
        query["attempt"] = page["attempt"]
        place = {"before": offset, "lines": min(missing, _LINES)}
