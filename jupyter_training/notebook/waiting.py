"""Wait for several jobs, with one request at a time however many they are."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial

from jupyter_training.notebook.asking import keep_asking
from jupyter_training.notebook.client import WAIT_S, Client, in_short
from jupyter_training.notebook.job import ENDED, Job


def as_completed(jobs: Iterable[Job], timeout: float | None = None) -> Iterator[Job]:
    """Each job as soon as it has ended, however it has.

    Parameters
    ----------
    timeout
        Seconds after which to give up; None to wait for as long as it takes.

    Raises
    ------
    TimeoutError
        If some had not ended by then.

    Examples
    --------
    >>> for job in as_completed([fit.submit(lr) for lr in (0.1, 0.01)]):  # doctest: +SKIP
    ...     print(job.name, job.result())
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    left = {job.id: job for job in jobs}
    # Where the changes were before the first look: what comes after it is not missed.
    sequence, wanted = keep_asking(Client.changes, deadline)["sequence"], list(left)
    while True:
        for job_id in wanted:
            job = left[job_id]
            if job.told["status"] not in ENDED:
                job.told = keep_asking(partial(Client.job, reference=job_id), deadline)
            if job.told["status"] in ENDED:
                yield left.pop(job_id)
        if not left:
            return
        seconds = WAIT_S if deadline is None else min(WAIT_S, deadline - time.monotonic())
        if seconds <= 0:
            raise TimeoutError(f"{_some(left.values())} had not ended after {timeout:g} s")
        look = partial(Client.changes, since=sequence, wait_s=int(seconds) + 1)
        page = keep_asking(look, deadline)
        sequence = page["sequence"]
        changed = {one["job_id"] for one in page["changes"]} if page["complete"] else {*left}
        wanted = [job_id for job_id in left if job_id in changed]


def wait_all(jobs: Iterable[Job], timeout: float | None = None) -> list[Job]:
    """Wait until all of them have ended, however they have.

    Parameters
    ----------
    timeout
        Seconds after which to give up; None to wait for as long as it takes.

    Returns
    -------
    list
        The jobs, as they were given.

    Raises
    ------
    TimeoutError
        If some had not ended by then.
    """
    several = list(jobs)
    try:
        for _ in as_completed(several, timeout):
            pass
    except KeyboardInterrupt as interrupt:
        in_short(interrupt)
        going = [job for job in several if job.told["status"] not in ENDED]
        print(f"{_some(going)} go on; job.cancel() ends one." if going else "All have ended.")
        raise
    return several


def _some(jobs: Iterable[Job]) -> str:
    names = [f"{job.name} ({job.id})" for job in jobs]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
