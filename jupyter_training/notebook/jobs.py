"""Your jobs: submit them, find one, list them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from jupyter_training.notebook import specs
from jupyter_training.notebook.asking import ask, connection
from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.job import Job
from jupyter_training.notebook.options import words
from jupyter_training.notebook.states import status_of


def submit(
    command: str | Sequence[str],
    *,
    name: str | None = None,
    snapshot: bool = True,
    snapshot_limit_mb: int | None = None,
    **fields: Any,
) -> Job:
    """Submit a job.

    Parameters
    ----------
    command
        The program and its arguments; a string is split as a shell would, and nothing in it is
        expanded. ``python`` is the Python of this kernel.
    name
        What you call it; by default the script or the program.
    snapshot
        Whether it runs in a copy of the current directory as it is now. Otherwise it runs in the
        directory itself, with what is there when it starts.
    snapshot_limit_mb
        How large that copy may be (MB of 1024**2 bytes). By default what
        ``JUPYTER_TRAINING_SNAPSHOT_LIMIT_MB`` says in the environment, or else the server: 500.
    **fields
        The other fields of a job, such as ``cpu_cores``, ``memory_gb``, ``gpu_count``,
        ``env_vars``, ``max_retries``, ``time_limit_s`` or ``working_dir``, the directory that it
        runs in, and its script is in.

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
        specs.of_fields(argv, fields | ({"name": name} if name else {}), fields.get("image")),
        snapshot=snapshot,
        snapshot_limit_mb=snapshot_limit_mb,
    )


def send(
    spec: dict[str, Any], *, snapshot: bool = True, snapshot_limit_mb: int | None = None
) -> Job:
    """Submit what a JobSpec says, with a snapshot of its directory or without."""
    here = ask(
        lambda client: specs.recorded(
            client, spec, snapshot=snapshot, say=connection.say, limit_mb=snapshot_limit_mb
        )
    )
    wanted = {**spec, **here}
    # One key for this one wish, so that asking again after a lost answer is not a second job.
    key = secrets.token_hex(16)
    return Job(ask(lambda client: client.submit(wanted, key=key)))


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
    raise TrainingError(
        f"There is no job {wanted}; %train_jobs or `jupyter training list` lists yours.",
        404,
        "no_such_job",
    )


def list_jobs(*, status: str | Iterable[str] | None = None, limit: int = 100) -> list[Job]:
    """Your jobs, newest first.

    Parameters
    ----------
    status
        Only those with this status, or one of these; several may be in a string, with commas
        between them. The words of the sidebar do as well: ``queued``, ``starting``.
    limit
        How many at most.
    """
    query: dict[str, Any] = {"limit": limit}
    if status is not None:
        wanted = status.split(",") if isinstance(status, str) else status
        query["status"] = ",".join(status_of(one.strip()) for one in wanted)
    return [Job(told) for told in ask(lambda client: client.jobs(**query))]
