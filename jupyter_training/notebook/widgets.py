"""The live part of a monitor, of ipywidgets; its chart is drawn in the browser: plot.py."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any, overload

import anywidget
import ipywidgets as widgets
import traitlets

from jupyter_training.notebook import card
from jupyter_training.notebook.answering import Answering
from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.display import how_far, is_known, measured
from jupyter_training.notebook.job import ENDED, Job
from jupyter_training.notebook.jobs import get_job
from jupyter_training.notebook.live import Pair
from jupyter_training.notebook.plot import new_plot
from jupyter_training.notebook.tables import JobTable, Said, parts
from jupyter_training.notebook.watch import KEPT_LINES, Watch
from jupyter_training.notebook.words import ENGLISH, Words, words_of

if TYPE_CHECKING:
    from jupyter_training.notebook.monitor import JobsMonitor

_LINES = 60
"""So many lines of the log are in the browser, of which one sees a few without scrolling."""

_FOUND = 200
"""So many lines that have what is searched for are shown."""

_SENTENCES = 60
"""So many different sentences a monitor says at a time; others stay as the server says them."""

_HEIGHT = "118px"

_STYLE = """<style>
.jt-live{font-size:13px;max-width:80em;padding:4px 2px;overflow:hidden}
.jt-live .widget-html-content{line-height:1.6;font-size:13px;min-width:0}
.jt-live .widget-html,.jt-live .jupyter-widget-html{min-width:0;margin:0}
.jt-live .jt-button,.jt-live .jupyter-button{width:auto;height:24px;line-height:22px;
 padding:0 9px;font-size:12px;border-radius:3px;
 background:var(--jp-layout-color1,var(--vscode-button-secondaryBackground,transparent));
 color:var(--jp-ui-font-color1,var(--vscode-foreground,inherit));
 border:1px solid var(--jp-border-color1,var(--vscode-widget-border,#bdbdbd))}
.jt-live .jt-button:hover,.jt-live .jupyter-button:hover:enabled{
 background:var(--jp-layout-color2,rgba(127,127,127,.15));box-shadow:none}
.jt-live .jt-button[hidden]{display:none}
.jt-live .jt-cancel{color:var(--jp-error-color1,var(--vscode-errorForeground,#c62828))}
.jt-live button:focus-visible,.jt-live [tabindex="0"]:focus-visible{
 outline:2px solid var(--jp-brand-color1,var(--vscode-focusBorder,#1976d2));outline-offset:1px}
</style>"""


class Presence(anywidget.AnyWidget):
    """Says that a browser shows this, and in which language; has what only a browser can do."""

    _esm = files("jupyter_training.notebook").joinpath("presence.js").read_text("utf-8")
    job = traitlets.Unicode().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    sentences: traitlets.List[str] = traitlets.List().tag(sync=True)

    def __init__(
        self, looks: Callable[[], None], speak: Callable[[Words], None], job: str = ""
    ) -> None:
        super().__init__(job=job, words=_of_presence(ENGLISH))
        self._looks, self._speak, self._language = looks, speak, ""
        self._worded: dict[str, str] = {}
        self._shown: dict[str, None] = {}
        self.on_msg(self._hear)

    @overload
    def worded(self, sentence: str) -> str: ...

    @overload
    def worded(self, sentence: None) -> None: ...

    def worded(self, sentence: str | None) -> str | None:
        """A sentence of the server in the language of the page, as soon as the page has said it.

        The page is asked by `ask`, for all that is shown at once.
        """
        if not sentence or words_of(self._language) is ENGLISH:
            return sentence
        if len(self._shown) < _SENTENCES:
            self._shown[sentence] = None
        return self._worded.get(sentence, sentence)

    def ask(self) -> None:
        """Ask the page for what of this it has not said yet."""
        shown, self._shown = list(self._shown), {}
        if any(one not in self._worded for one in shown):
            self.sentences = shown

    def _hear(self, _: Any, content: dict[str, Any], __: Any) -> None:
        if content.get("type") == "worded":
            told = content["words"]
            self._worded = {one: str(told[one]) for one in self.sentences if one in told}
            self._speak(words_of(self._language))
        if content.get("type") != "looks":
            return
        language = str(content.get("language", ""))
        if language != self._language:
            self._language, words = language, words_of(language)
            self.words = _of_presence(words)
            self._speak(words)
        self._looks()


def _of_presence(words: Words) -> dict[str, str]:
    return {
        "open": words("Open"),
        "opens": words("Open in the sidebar"),
        "copy": words("Copy id"),
        "copied": words("Copied"),
    }


class JobWidget:
    """A job, with buttons.

    Parameters
    ----------
    job, watch
        What is shown.
    pair
        What this and the picture beside it are called.
    """

    def __init__(self, job: Job, watch: Watch, pair: Pair) -> None:
        self._job, self._watch, self._words = job, watch, ENGLISH
        self._drawing = threading.RLock()
        self._held: list[str] | None = None
        self._head, self._bar, self._said = _html("1 1 auto"), _html(), _html()
        self._stages = _html()
        self._plot, self._log = new_plot(), _html("1 1 24em")
        self._cancel, self._retry = self._button(self._do_cancel), self._button(self._do_retry)
        self._cancel.add_class("jt-cancel")
        self._more = widgets.ToggleButton()
        self._more.observe(self._unfold, "value")
        self._options = self._make_options()
        self._say()
        self._presence = Presence(watch.looking.say, self._speak, job.id)
        buttons = widgets.HBox(
            [self._cancel, self._retry, self._presence, self._more],
            layout=widgets.Layout(flex="0 0 auto", align_items="center"),
        )
        head = widgets.HBox(
            [self._head, buttons], layout=widgets.Layout(flex_flow="row wrap", align_items="center")
        )
        body = widgets.HBox(
            [self._plot.root, self._log],
            layout=widgets.Layout(flex_flow="row wrap", align_items="flex-start", grid_gap="10px"),
        )
        self._root = _root(pair, [head, self._bar, self._said, self._stages, body, self._options])
        self.draw()

    @property
    def model_id(self) -> str:
        """By what a front end finds it."""
        return str(self._root.model_id)

    def _make_options(self) -> Any:
        self._search = widgets.Text()
        self._follow = widgets.Checkbox(value=True, indent=False)
        self._search.observe(lambda _: self.draw(), "value")
        self._follow.observe(self._hold, "value")
        self._follow.layout = widgets.Layout(width="auto")
        return widgets.HBox(
            [self._search, self._follow],
            layout=widgets.Layout(
                flex_flow="row wrap", align_items="center", grid_gap="4px 14px", display="none"
            ),
        )

    def _speak(self, words: Words) -> None:
        """Use the words of a language from now on."""
        with self._drawing:
            self._words = words
            self._say()
        self.draw()

    def _say(self) -> None:
        """Say what can be done."""
        words = self._words
        self._cancel.description = words("Cancel")
        self._cancel.tooltip = words("End the job and all its processes")
        self._retry.description = words("Retry")
        self._retry.tooltip = words("Run the job again")
        self._more.description = words("Options")
        self._more.tooltip = words("Choose what the chart and the log show")
        self._search.description = words("Search log")
        self._search.placeholder = words("in its last %1 lines", KEPT_LINES)
        self._follow.description = words("Follow the log")
        self._plot.speak(words)

    def _button(self, action: Callable[[], None]) -> Any:
        return _button(lambda: self._try(action))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except TrainingError as error:
            self._watch.note = str(error)
        self.draw()

    def _do_cancel(self) -> None:
        self._cancel.disabled, self._cancel.description = True, self._words("Cancelling")
        try:
            self._job.cancel()
        finally:
            self._cancel.disabled, self._cancel.description = False, self._words("Cancel")

    def _do_retry(self) -> None:
        self._retry.disabled = True
        try:
            self._job.retry()
            self._watch.note = ""
            self._watch.retried()
        finally:
            self._retry.disabled = False

    def _unfold(self, _: Any) -> None:
        self._options.layout.display = "flex" if self._more.value else "none"
        self._plot.open(self._more.value)
        self.draw()

    def _hold(self, _: Any) -> None:
        """Let the log stand still, or go on."""
        with self._drawing:
            self._held = None if self._follow.value else self._watch.log.last()
        self.draw()

    def draw(self) -> None:
        """Show what is known by now; what is as before is not sent."""
        with self._drawing:
            it = self._watch
            told = it.told
            self._head.value = card.head(told, it.gpus, self._words)
            far = how_far(told, self._words)
            self._bar.value = card.bar(told, far, self._words, is_known=is_known(told))
            # Where it runs and what it holds is in the head already.
            reason = None if told["status"] == "running" else told["reason"]
            word = self._presence.worded
            _show(self._stages, _stages(it.children, self._words, word))
            self._plot.draw(it.curves, told["attempt"])
            # What is drawn has its last value in the key of the chart.
            others = measured(told, but=self._plot.shown)
            said = (word(reason), others, word(told.get("usage")), word(it.note))
            _show(self._said, card.said(*said))
            self._presence.ask()
            _show(self._log, self._log_html())
            ended = told["status"] in ENDED
            self._cancel.layout.display = "none" if ended else ""
            self._retry.layout.display = "" if ended else "none"

    def _log_html(self) -> str:
        lines = self._watch.log.last() if self._held is None else self._held
        search = self._search.value
        if not search:
            return card.log(lines[-_LINES:], height=_HEIGHT)
        found = [line for line in lines if search.lower() in card.plain(line).lower()][-_FOUND:]
        nothing = [self._words("Nothing was found.")]
        return card.log(found or nothing, search if found else "", height=_HEIGHT)


class JobsWidget:
    """All jobs as a table, with buttons for one of them.

    Parameters
    ----------
    monitor
        What knows them.
    pair
        What this and the picture beside it are called.
    """

    def __init__(self, monitor: JobsMonitor, pair: Pair) -> None:
        self._monitor = monitor
        self._drawing = threading.RLock()
        self._table, self._note = _html(), _html()
        self._job = widgets.Dropdown(layout=widgets.Layout(width="300px"))
        self._cancel, self._retry = _button(self._do_cancel), _button(self._do_retry)
        self._cancel.add_class("jt-cancel")
        self._words = ENGLISH
        self._say()
        self._presence = Presence(monitor.looking.say, self._speak)
        self._job.observe(lambda _: self.draw(), "value")
        row = widgets.HBox(
            [self._job, self._cancel, self._retry, self._presence],
            layout=widgets.Layout(flex_flow="row wrap", align_items="center"),
        )
        self._root = _root(pair, [self._table, self._note, row])
        self.draw()

    @property
    def model_id(self) -> str:
        """By what a front end finds it."""
        return str(self._root.model_id)

    def _speak(self, words: Words) -> None:
        """Use the words of a language from now on."""
        with self._drawing:
            self._words = words
            self._say()
        self.draw()

    def _say(self) -> None:
        """Say what can be done."""
        words = self._words
        self._job.description = words("Job")
        self._cancel.description = words("Cancel")
        self._cancel.tooltip = words("End the chosen job")
        self._retry.description = words("Retry")
        self._retry.tooltip = words("Run the chosen job again")

    def _act(self, action: Callable[[Job], Any]) -> None:
        chosen = self._job.value
        if chosen is None:
            return
        try:
            action(get_job(chosen))
            self._monitor.note = ""
        except TrainingError as error:
            self._monitor.note = str(error)
        self.draw()

    def _do_cancel(self) -> None:
        self._act(Job.cancel)

    def _do_retry(self) -> None:
        self._act(Job.retry)

    def draw(self) -> None:
        """Show what is known by now; what is as before is not sent."""
        with self._drawing:
            told = self._monitor.told
            word = self._presence.worded
            self._table.value = JobTable(told, None, self._words, word)._repr_html_()
            _show(self._note, card.said(word(self._monitor.note)))
            self._presence.ask()
            options = tuple((f"{one['name']} ({one['job_id']})", one["job_id"]) for one in told)
            if self._job.options != options:
                chosen, known = self._job.value, [job_id for _, job_id in options]
                self._job.options = options
                self._job.value = chosen if chosen in known else next(iter(known), None)
            status = next((o["status"] for o in told if o["job_id"] == self._job.value), None)
            self._cancel.disabled = status is None or status in ENDED
            self._retry.disabled = status not in ENDED


def _root(pair: Pair, parts: list[Any]) -> Any:
    style = widgets.HTML(_STYLE + pair.style_of_widget, layout=widgets.Layout(display="none"))
    root = widgets.VBox([style, *parts])
    root.add_class("jt-live")
    root.add_class(pair.widget)
    return root


def _button(action: Callable[[], None]) -> Any:
    """A button; its answer may take a while, and the other buttons are not to wait for it."""
    button = widgets.Button()
    answering = Answering()
    button.on_click(
        lambda _: threading.Thread(
            target=answering.run, args=(action,), name=f"button {button.description}", daemon=True
        ).start()
    )
    return button


def _show(part: Any, text: str) -> None:
    """Show a part that takes no room when there is nothing to show."""
    part.value = text
    part.layout.display = "" if text else "none"


def _stages(children: list[dict[str, Any]], words: Words, said: Said) -> str:
    return parts(children, words, said)._repr_html_() if children else ""


def _html(flex: str = "0 0 auto") -> Any:
    return widgets.HTML(layout=widgets.Layout(flex=flex, min_width="0"))
