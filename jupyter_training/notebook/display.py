"""What a job handle shows, and the thread that keeps it up to date.

A front end finds the output by its display id, so it is updated wherever it stands, also while
other cells run. The thread waits for the server to tell of a change; another one follows the log.
"""

from __future__ import annotations

import contextlib
import html
import threading
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython
from IPython.display import display

from jupyter_training.notebook.client import ServerGone, TrainingError
from jupyter_training.notebook.log_stream import LogStream, Shown

if TYPE_CHECKING:
    from jupyter_training.notebook.job import Job

LINES = 12
"""How much of the log is shown."""

_REST_S = 0.25
"""The shortest time between two updates (s)."""

_LOOK_S = 1
"""How often a running job is looked at (s)."""

_LAST_S = 10
"""How long the end of the log of a job that has ended is waited for (s)."""

COLOURS = {
    "pending": "#6b7280",
    "scheduled": "#0369a1",
    "running": "#1d4ed8",
    "retrying": "#b45309",
    "completed": "#15803d",
    "failed": "#b91c1c",
    "cancelled": "#57534e",
}
"""White text on each of these has a contrast of at least 4.5 : 1 (WCAG 2.2, 1.4.3)."""


_METRICS = 4
"""So many metrics are shown together with their job."""


def measured(told: dict[str, Any], most: int = _METRICS) -> str:
    """The last values of a job's metrics, as ``loss 0.12 · accuracy 0.9``."""
    metrics = told.get("metrics") or {}
    words = [f"{printable(name)} {shown(metrics[name])}" for name in list(metrics)[:most]]
    return " · ".join([*words, *(["…"] if len(metrics) > most else [])])


def shown(value: float | str) -> str:
    """A value as a person reads it; NaN and infinity come as strings."""
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.5g}"


def printable(text: str) -> str:
    """A text of a job that does nothing to a terminal."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def how_far(told: dict[str, Any]) -> str:
    """The progress of a job and how long it may still run: ``45 %, about 5 to 8 min left``."""
    left = told.get("remaining_text")
    return f"{told['progress']} %" + (f", {left}" if left else "")


class View:
    """What is shown of a job at one moment."""

    def __init__(
        self,
        told: dict[str, Any],
        lines: list[str],
        note: str = "",
        children: Sequence[dict[str, Any]] = (),
    ) -> None:
        from jupyter_training.notebook.tables import StageTable

        self.told, self.lines, self.note = told, lines[-LINES:], note
        self.stages = StageTable(children) if children else None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self.html()}

    def text(self) -> str:
        """For a terminal."""
        told = self.told
        head = f"{told['name']}  {told['job_id']}  {told['status']}  {how_far(told)}"
        stages = [repr(self.stages)] if self.stages else []
        said = filter(None, [told["reason"], measured(told), told.get("usage"), self.note])
        return "\n".join([head, *said, *stages, *self.lines])

    def html(self) -> str:
        """For a notebook. Everything that a job or a person wrote is escaped."""
        told = self.told
        status, progress = told["status"], int(told["progress"])
        colour = COLOURS.get(status, "#6b7280")
        facts = [
            *([] if told.get("children") is not None else [resources(told)]),
            *([f"attempt {told['attempt']}"] if told["attempt"] > 1 else []),
            *([f"place {told['queue_position']} in the queue"] if told["queue_position"] else []),
        ]
        said = " · ".join(
            html.escape(str(fact)) for fact in filter(None, [told["reason"], told.get("usage")])
        )
        metrics = html.escape(measured(told))
        log = html.escape("\n".join(self.lines))
        note = f"<div>{html.escape(self.note)}</div>" if self.note else ""
        return (
            '<div style="font-family:var(--jp-ui-font-family,sans-serif);font-size:13px;'
            'max-width:60em">'
            f'<span style="background:{colour};color:#fff;border-radius:3px;padding:1px 7px">'
            f"{html.escape(status)}</span> <b>{html.escape(told['name'])}</b> "
            f"<code>{html.escape(told['job_id'])}</code> "
            f'<span style="opacity:.75">{html.escape(" · ".join(facts))}</span>'
            f'<div role="progressbar" aria-label="progress" aria-valuemin="0" '
            f'aria-valuemax="100" aria-valuenow="{progress}" '
            'style="display:flex;align-items:center;gap:8px;margin:6px 0">'
            '<div style="flex:1;height:8px;border-radius:4px;'
            'background:var(--jp-layout-color3,#d4d4d4)">'
            f'<div style="width:{progress}%;height:8px;border-radius:4px;background:{colour}">'
            f"</div></div><span>{html.escape(how_far(told))}</span></div>"
            f"<div>{said}</div>"
            + (f'<div style="font-variant-numeric:tabular-nums">{metrics}</div>' if metrics else "")
            + note
            + (self.stages._repr_html_() if self.stages else "")
            + (
                '<pre style="margin:6px 0 0;padding:6px 8px;overflow-x:auto;white-space:pre;'
                "background:var(--jp-layout-color2,#f5f5f5);"
                f'color:var(--jp-content-font-color1,#111);border-radius:3px">{log}</pre>'
                if log
                else ""
            )
            + "</div>"
        )


def resources(told: dict[str, Any]) -> str:
    """What a job asks for; of a distributed one for each of how many nodes."""
    node = f"{told['cpu_cores']}C / {told['memory_gb']}GB / {told['gpu_count']}GPU"
    if told["job_type"] != "distributed":
        return node
    count = len(told["parts"]) or told["nodes"]
    return f"{count} node{'s' if count > 1 else ''} of {node}"


def show(job: Job) -> None:
    """Display a job, and keep it up to date where the front end can do that."""
    follower = _Follower(job)
    if not follower.live:
        print(follower.first().text())
        return
    handle = display(follower.first(), display_id=uuid.uuid4().hex)  # type: ignore[no-untyped-call]
    if handle is not None and job.told["status"] not in ("completed", "failed", "cancelled"):
        threading.Thread(
            target=follower.follow, args=(handle,), name=f"follow {job.id}", daemon=True
        ).start()


class _Follower:
    def __init__(self, job: Job) -> None:
        from jupyter_training.notebook import job as jobs

        self._ask, self._ended, self._job = jobs.ask, jobs.ENDED, job
        self._children: list[dict[str, Any]] = []
        # What is shown of the job: its end only with the end of its log.
        self._told = job.told
        self._log = Shown(LINES)
        self._drawing = threading.Lock()
        self._note = ""
        self._tag: str | None = None
        shell = get_ipython()
        # A terminal would print every update below the last one.
        self.live = shell is not None and getattr(shell, "kernel", None) is not None

    def first(self) -> View:
        self._read_children()
        if self._job.told["attempt"]:
            page = self._ask(lambda client: client.logs(self._job.id, tail=LINES))
            self._log.lines = page["logs"]
        return self._view()

    def _view(self) -> View:
        return View(self._told, self._log.last(), self._note, self._children)

    def _draw(self, handle: Any) -> None:
        with self._drawing:
            handle.update(self._view())

    def _follow_log(self, stream: LogStream, handle: Any) -> None:
        """Show what comes, as often as is good for a front end."""
        with contextlib.suppress(TrainingError):  # the other thread says so
            for message in stream:
                self._log.take(message)
                began = time.monotonic()
                self._draw(handle)
                time.sleep(max(0.0, _REST_S - (time.monotonic() - began)))

    def follow(self, handle: Any) -> None:
        with LogStream(self._job.id, tail=LINES) as stream:
            log = threading.Thread(
                target=self._follow_log,
                args=(stream, handle),
                name=f"log of {self._job.id}",
                daemon=True,
            )
            log.start()
            self._follow_job(handle)
            # What it printed last comes after its end.
            log.join(_LAST_S)
        self._told = self._job.told
        self._draw(handle)

    def _follow_job(self, handle: Any) -> None:
        trouble_s = 1.0
        while self._job.told["status"] not in self._ended:
            began = time.monotonic()
            try:
                self._look()
                self._note, trouble_s = "", 1.0
            except ServerGone:
                trouble_s = min(trouble_s * 2, 60.0)
                self._note = (
                    "The server does not answer; the job goes on without it. Asking again soon."
                )
            except TrainingError as error:
                self._note = str(error)
                return
            if self._job.told["status"] in self._ended:
                return
            self._told = self._job.told
            self._draw(handle)
            rest = trouble_s if self._note else _REST_S
            time.sleep(max(0.0, rest - (time.monotonic() - began)))

    def _look(self) -> None:
        """Wait for something to change, and take it in."""
        active = self._job.told["status"] in ("scheduled", "running")
        told, self._tag = self._ask(
            lambda client: client.changed_job(self._job.id, self._tag, _LOOK_S if active else 30)
        )
        if told is not None:
            self._job.told = told
        self._read_children()

    def _read_children(self) -> None:
        """Read the stages, if it is made of those."""
        if self._job.told.get("children") is not None:
            self._children = self._ask(lambda client: client.children(self._job.id))
