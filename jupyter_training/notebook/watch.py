"""Keeps what is known of a job up to date while somebody looks, in threads of its own.

The server tells of what changes: the job by answers that wait, its log over a WebSocket. When
nobody looks any more nothing is asked, and when somebody looks again it goes on.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from jupyter_training.notebook import trials
from jupyter_training.notebook.asking import ask
from jupyter_training.notebook.chart import Curve
from jupyter_training.notebook.client import WAIT_S, ServerGone, TrainingError
from jupyter_training.notebook.job import ENDED, Job
from jupyter_training.notebook.log_stream import LogStream, Shown
from jupyter_training.notebook.looking import Looking

KEPT_LINES = 2000
"""So much of the end of a log is kept, and can be searched."""

_POINTS = 240
"""So many points of each metric are enough for a chart."""

_REST_S = 0.25
"""The shortest time between two changes that are told (s)."""

_GPUS_S = 5
"""How often the utilisation of GPUs is asked for: no event tells of it (s)."""

_LAST_S = 30
"""How long the end of the log of a job that has ended is waited for (s)."""

GONE = "The server does not answer; the job goes on without it. Asking again soon."


class Watch:
    """What is known of a job, and the threads that keep it so.

    Parameters
    ----------
    job
        The handle; it is kept up to date, too.
    changed
        Called from one thread or another, a few times a second at most, when something is new.

    Attributes
    ----------
    told
        The job as the server told it. Its end comes here with the end of its log.
    log
        The end of its log.
    curves
        What it has measured; of a search its course.
    children
        The jobs that it is made of; of a search its trials.
    gpus
        Number and utilisation (percent) of each GPU that it holds, as far as they are known.
    note
        What is wrong, in a sentence.
    looking
        Whether somebody looks.
    """

    def __init__(self, job: Job, changed: Callable[[], None]) -> None:
        self._job, self._changed = job, changed
        self.told = job.told
        self.log = Shown(KEPT_LINES)
        self.curves: list[Curve] = []
        self.children: list[dict[str, Any]] = []
        self.gpus: list[tuple[int | None, float | None]] = []
        self.note = ""
        self._tag: str | None = None
        self.looking = Looking()
        self._is_lost = False
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def fetch(self) -> None:
        """Learn what there is now, without waiting for more."""
        if self.told["attempt"]:
            page = ask(lambda client: client.logs(self._job.id, tail=KEPT_LINES))
            self.log.lines = page["logs"]
        self._fetch_more()

    def start(self) -> None:
        """Follow the job, unless it has ended or is followed already."""
        with self._starting:
            if self._job.told["status"] in ENDED or (self._thread and self._thread.is_alive()):
                return
            self.told = self._job.told
            self._thread = threading.Thread(
                target=self._follow, name=f"follow {self._job.id}", daemon=True
            )
            self._thread.start()

    def retried(self) -> None:
        """The job was told to run again."""
        if self._thread is not None:
            # It has seen the end, and is about to say so.
            self._thread.join(_LAST_S)
        self.start()

    def _follow(self) -> None:
        while self._job.told["status"] not in ENDED and not self._is_lost:
            self.looking.wait()
            with LogStream(self._job.id, tail=KEPT_LINES) as stream:
                log = threading.Thread(
                    target=self._follow_log,
                    args=(stream,),
                    name=f"log of {self._job.id}",
                    daemon=True,
                )
                log.start()
                self._follow_job()
                if self._job.told["status"] in ENDED:
                    # What it printed last comes after its end.
                    log.join(_LAST_S)
            log.join(_LAST_S)
        with contextlib.suppress(TrainingError):
            self._fetch_more()
        self.told = self._job.told
        self._changed()

    def _follow_job(self) -> None:
        trouble_s = 0.0
        while self._job.told["status"] not in ENDED and self.looking.is_now:
            began = time.monotonic()
            try:
                # That there was trouble is to be seen no longer than it lasts.
                self._look(at_once=trouble_s > 0)
                self.note, trouble_s = "", 0.0
            except TrainingError as error:
                self.note = GONE if isinstance(error, ServerGone) else str(error)
                if not error.may_pass:
                    self._is_lost = True
                    return
                trouble_s = more_trouble_s(trouble_s)
            if self._job.told["status"] in ENDED:
                return
            self.told = self._job.told
            self._changed()
            time.sleep(max(0.0, max(trouble_s, _REST_S) - (time.monotonic() - began)))

    def _look(self, *, at_once: bool) -> None:
        """Wait for something to change, unless it is to be known at once, and take it in."""
        wait_s = 0 if at_once else _GPUS_S if self._job.told["gpus"] else WAIT_S
        told, self._tag = ask(lambda client: client.changed_job(self._job.id, self._tag, wait_s))
        if told is not None:
            self._job.told = told
        self._fetch_more()

    def _follow_log(self, stream: LogStream) -> None:
        told_at, new = 0.0, False
        with contextlib.suppress(TrainingError):  # the other thread says so
            while True:
                # All that has come is taken in, however rarely it is told.
                rest = max(0.01, told_at + _REST_S - time.monotonic())
                message = stream.next(rest if new else None)
                if message is None:
                    break
                if message["type"] != "idle":
                    self.log.take(message)
                    new = True
                if time.monotonic() >= told_at + _REST_S:
                    self._changed()
                    told_at, new = time.monotonic(), False

    def _fetch_more(self) -> None:
        """Learn what is not told with the job itself."""
        told = self._job.told
        if told.get("search") is not None:
            found = ask(lambda client: client.trials(self._job.id))
            self.children, self.curves = trials.rows(found), trials.curves(found)
            return
        if told.get("children") is not None:
            self.children = ask(lambda client: client.children(self._job.id))
        if told["metrics"]:
            query = {"max_points": _POINTS}
            found = ask(lambda client: client.metrics(self._job.id, query))
            self.curves = [
                Curve(one["name"], one["steps"], [float(value) for value in one["values"]])
                for one in found["series"]
            ]
        if told["status"] in ENDED:
            # What they do now is no concern of this job.
            self.gpus = [(index, None) for index, _ in self.gpus]
        elif told["gpus"]:
            cards = all_cards()
            self.gpus = [cards[uuid] for uuid in told["gpus"] if uuid in cards]


def more_trouble_s(before_s: float) -> float:
    """How long to leave a server alone (s) that has not answered, after so long the last time."""
    return min(2 * max(before_s, 1.0), 60.0)


def all_cards() -> dict[str, tuple[int | None, float | None]]:
    """Number and utilisation (percent) of each GPU that there is, by its UUID."""
    machines = ask(lambda client: client.resources())
    return {
        gpu["uuid"]: (gpu["index"], gpu["utilization_percent"])
        for node in machines["nodes"]
        for gpu in node["gpus"]
    }
