"""A job's log as it is printed, attempt after attempt, to the end of the job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from jupyter_training.notebook import job as jobs
from jupyter_training.notebook.client import WAIT_S, Client
from jupyter_training.notebook.job import ENDED, Job

_LOOK_S = 1
"""How long to wait for a line before looking at the job again (s)."""


def lines(
    job: Job,
    *,
    tail: int | None = None,
    rank: int | None = None,
    on_look: Callable[[dict[str, Any]], None] | None = None,
) -> Iterator[str]:
    """The lines of a job's log as they come, until it has ended and all were given.

    Parameters
    ----------
    tail
        Begin with so many of the last lines; None to begin with the first line of all.
    rank
        Of which rank of a distributed job; None for what all of them print.
    on_look
        Called with the job as it is, about once a second and at each change.
    """
    tag: str | None = None

    def look(wait_s: int) -> None:
        nonlocal tag
        told, tag = jobs.ask(lambda client: client.changed_job(job.id, tag, wait_s))
        if told is not None:
            job.told = told
        if on_look is not None:
            on_look(job.told)

    look(0)
    of: dict[str, int] = {} if rank is None else {"rank": rank}
    attempt, offset = 1, 0
    if tail is not None and job.told["attempt"]:
        attempt = job.told["attempt"]
        page = jobs.ask(lambda client: client.logs(job.id, attempt=attempt, tail=tail, **of))
        offset = page["offset"]
    while True:
        # What was true before the log was read: then nothing came after it.
        ended, latest = job.told["status"] in ENDED, job.told["attempt"]
        if latest < attempt:
            if ended:
                return
            look(WAIT_S)
            continue
        where = {"attempt": attempt, "offset": offset, "wait": _LOOK_S, **of}
        page = jobs.ask(partial(_page, job.id, where))
        yield from page["logs"]
        offset = page["next_offset"]
        if page["logs"]:
            look(0)
        elif latest > attempt:
            attempt, offset = attempt + 1, 0
        elif ended:
            return
        else:
            look(WAIT_S if job.told["status"] in ("pending", "retrying") else 0)


def _page(job_id: str, where: dict[str, int], client: Client) -> dict[str, Any]:
    return client.logs(job_id, **where)
