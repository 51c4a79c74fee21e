"""What is shown of a job where nothing moves: in a terminal and in a saved notebook."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from jupyter_training.notebook import card
from jupyter_training.notebook.chart import Curve
from jupyter_training.notebook.formats import duration, figure
from jupyter_training.notebook.job import ENDED, Job
from jupyter_training.notebook.live import Pair
from jupyter_training.notebook.words import ENGLISH, Words

LINES = 12
"""How much of the log is shown."""

_METRICS = 4
"""So many metrics are shown together with their job."""


def measured(
    told: Mapping[str, Any], most: int = _METRICS, *, but: Collection[str] = frozenset()
) -> str:
    """The last values of a job's metrics but of some, as ``loss 0.12 · accuracy 0.9``."""
    metrics = {name: one for name, one in (told.get("metrics") or {}).items() if name not in but}
    words = [f"{printable(name)} {figure(metrics[name])}" for name in list(metrics)[:most]]
    return " · ".join([*words, *(["…"] if len(metrics) > most else [])])


def printable(text: str) -> str:
    """A text of a job that does nothing to a terminal."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def is_known(told: Mapping[str, Any]) -> bool:
    """Whether something tells how far a job is; before it starts that is nowhere."""
    return bool(told.get("progress_known", True)) or not told.get("started_at")


def how_far(told: Mapping[str, Any], words: Words = ENGLISH) -> str:
    """The progress of a job and how long it may still run: ``45 %, about 5 to 8 min left``."""
    if not is_known(told):
        return "" if told["status"] in ENDED else words("progress unknown")
    left = told.get("remaining_text")
    if left and words is not ENGLISH:  # the server has said it in English
        likely, high = told["remaining_s"], told["remaining_high_s"]
        if high > 2 * likely:  # as in the sidebar
            left = words("at most %1 left", duration(high, words))
        else:
            left = words("about %1 left", duration(likely, words))
    return words("%1 %", told["progress"]) + (f", {left}" if left else "")


class View:
    """What is shown of a job at one moment, for a terminal, a saved notebook and mail.

    Parameters
    ----------
    told
        The job as the server told it.
    lines
        The end of its log.
    note
        What is wrong, in a sentence.
    children
        The jobs that it is made of.
    curves
        What it has measured.
    gpus
        Number and utilisation (percent) of each of its GPUs.
    pair
        What this and the widget beside it are called.
    """

    def __init__(
        self,
        told: dict[str, Any],
        lines: Sequence[str],
        note: str = "",
        children: Sequence[dict[str, Any]] = (),
        curves: Sequence[Curve] = (),
        gpus: Sequence[tuple[int | None, float | None]] = (),
        pair: Pair | None = None,
    ) -> None:
        from jupyter_training.notebook.tables import parts

        self.told, self.lines, self.note = told, list(lines)[-LINES:], note
        self.curves, self.gpus, self._pair = curves, gpus, pair
        self.stages = parts(children) if children else None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self.html()}

    def text(self) -> str:
        """For a terminal."""
        told = self.told
        head = f"{told['name']}  {told['job_id']}  {told['status']}  {how_far(told)}"
        stages = [repr(self.stages)] if self.stages else []
        said = filter(
            None, [told["reason"], starts(told), measured(told), told.get("usage"), self.note]
        )
        return "\n".join([head, *said, *stages, *self.lines])

    def html(self) -> str:
        """For a notebook. Everything that a job or a person wrote is escaped."""
        told = self.told
        classes, style = "", ""
        if self._pair is not None:
            classes, style = f' class="{self._pair.picture}"', self._pair.style
        rows = [
            card.head(told, self.gpus),
            card.bar(told, how_far(told), is_known=is_known(told)),
            card.said(told["reason"], starts(told), told.get("usage")),
            card.said(measured(told)),
            card.said(self.note),
            self.stages._repr_html_() if self.stages else "",
        ]
        body = [card.chart(self.curves), card.log(self.lines)]
        return (
            f'<div{classes} style="font-family:var(--jp-ui-font-family,sans-serif);'
            f'font-size:13px;max-width:80em;line-height:1.7">{style}'
            + "".join(f"<div>{row}</div>" for row in rows if row)
            + '<div style="display:flex;flex-wrap:wrap;gap:10px;margin-top:4px">'
            + (f"<div>{body[0]}</div>" if body[0] else "")
            + (f'<div style="flex:1 1 24em;min-width:0">{body[1]}</div>' if body[1] else "")
            + "</div></div>"
        )


def starts(told: Mapping[str, Any]) -> str | None:
    """When a job that waits will probably start; None if that cannot be told."""
    text = told.get("starts_text")
    return f"starts {text}" if text else None


def resources(told: dict[str, Any], words: Words = ENGLISH) -> str:
    """What a job asks for; of a distributed one for each of how many nodes."""
    node = f"{told['cpu_cores']}C / {told['memory_gb']}GB / {told['gpu_count']}GPU"
    if told["job_type"] != "distributed":
        return node
    count = len(told["parts"]) or told["nodes"]
    return words("%1 nodes of %2", count, node) if count > 1 else words("%1 node of %2", 1, node)


def show(job: Job) -> None:
    """Display a job, and keep it up to date where the front end can do that."""
    from jupyter_training.notebook.monitor import JobMonitor

    JobMonitor(job).show()
