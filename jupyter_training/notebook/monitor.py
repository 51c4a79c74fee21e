"""What a job handle, and the list of all jobs, show in a notebook, and what keeps it so."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

from jupyter_training.notebook.asking import ask
from jupyter_training.notebook.client import WAIT_S, Client, TrainingError
from jupyter_training.notebook.display import LINES, View
from jupyter_training.notebook.job import Job
from jupyter_training.notebook.live import Live, Pair, Widget
from jupyter_training.notebook.looking import Looking
from jupyter_training.notebook.tables import JobTable
from jupyter_training.notebook.watch import Watch, more_trouble_s

MOST_JOBS = 20
"""So many jobs are listed where nothing else is asked for."""

_REST_S = 0.5
"""The shortest time between two looks at all jobs (s)."""


class JobMonitor:
    """Shows a job, and keeps what it shows up to date.

    Parameters
    ----------
    job
        The handle.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._live = Live(
            self._picture, self._widget, self._moment, lambda: self.watch.looking.is_seen
        )
        self.watch = Watch(job, self._live.draw)

    def show(self) -> None:
        """Display it."""
        self.watch.fetch()
        if self._live.show():
            self.watch.start()

    def _picture(self, pair: Pair | None) -> View:
        it = self.watch
        lines = it.log.last()[-LINES:]
        return View(it.told, lines, it.note, it.children, it.curves, it.gpus, pair)

    def _widget(self, pair: Pair) -> Widget:
        from jupyter_training.notebook.widgets import JobWidget

        return JobWidget(self._job, self.watch, pair)

    def _moment(self) -> tuple[Any, ...]:
        told = self.watch.told
        return told["status"], told["attempt"], told["progress"] // 10


class JobsMonitor:
    """Shows your latest jobs, and keeps what it shows up to date.

    Parameters
    ----------
    limit
        How many at most.
    """

    def __init__(self, limit: int = MOST_JOBS) -> None:
        self._limit = limit
        self.looking = Looking()
        self.told: list[dict[str, Any]] = []
        self.note = ""
        self._reached: int | None = None
        self._live = Live(self._picture, self._widget, self._moment, lambda: self.looking.is_seen)

    def show(self) -> None:
        """Display them."""
        # First where the changes are, and then the jobs: so none is missed.
        self._reached = ask(lambda client: client.changes(None))["sequence"]
        self.fetch()
        if self._live.show():
            threading.Thread(target=self._follow, name="follow all jobs", daemon=True).start()

    def fetch(self) -> None:
        """Learn what there is now."""
        self.told = ask(lambda client: client.jobs(limit=self._limit))

    def draw(self) -> None:
        """Show what is known by now."""
        self._live.draw()

    def _follow(self) -> None:
        trouble_s = 0.0
        while True:
            self.looking.wait()
            began = time.monotonic()
            try:
                # That there was trouble is to be seen no longer than it lasts.
                wait_s = 0 if trouble_s else WAIT_S
                changed = ask(partial(Client.changes, since=self._reached, wait_s=wait_s))
                if changed["changes"] or not changed["complete"] or self.note:
                    self.fetch()
                self._reached, self.note, trouble_s = changed["sequence"], "", 0.0
            except TrainingError as error:
                self.note = str(error)
                if not error.may_pass:
                    self._live.draw()
                    return
                trouble_s = more_trouble_s(trouble_s)
            self._live.draw()
            time.sleep(max(0.0, max(trouble_s, _REST_S) - (time.monotonic() - began)))

    def _picture(self, pair: Pair | None) -> JobTable:
        return JobTable(self.told, pair)

    def _widget(self, pair: Pair) -> Widget:
        from jupyter_training.notebook.widgets import JobsWidget

        return JobsWidget(self, pair)

    def _moment(self) -> tuple[Any, ...]:
        return tuple((one["job_id"], one["status"]) for one in self.told)
