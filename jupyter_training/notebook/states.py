"""The states of a job as a word, a shape and a colour; the sidebar has the same ones.

The colours are those of the theme, moved towards its text until they can be read. Where there is no
theme, each has a contrast of at least 4.5 : 1 on white (WCAG 2.2, 1.4.3).
"""

from __future__ import annotations

import html
from dataclasses import dataclass, replace

from jupyter_training.notebook.words import ENGLISH, Words

_LINE = 'fill="none" stroke="currentColor"'
_INSIDE = (
    'fill="none" stroke="var(--jp-layout-color1,var(--vscode-editor-background,#fff))" '
    'stroke-width="1.6"'
)
_CIRCLE = '<circle cx="7" cy="7" r="5.5"'


@dataclass(frozen=True)
class State:
    """How a state is shown.

    Attributes
    ----------
    word
        What it is called.
    shape
        What is in an SVG of 14 by 14 pixels.
    plain
        Its colour where there is no theme.
    theme
        Variables of JupyterLab and VS Code, of which the first that there is counts.
    share
        How much of that colour there is in its own one (percent); the rest is that of the text.
    """

    word: str
    shape: str
    plain: str
    theme: tuple[str, ...]
    share: int

    @property
    def style(self) -> str:
        """Its colour, as a style; a reader that cannot mix colours has the plain one."""
        theme = self.plain
        for variable in reversed(self.theme):
            theme = f"var({variable},{theme})"
        text = "var(--jp-ui-font-color0,var(--vscode-foreground,#000))"
        return f"color:{self.plain};color:color-mix(in srgb,{theme} {self.share}%,{text})"


_BLUE = ("#1557a8", ("--jp-brand-color1", "--vscode-charts-blue"), 75)
_GREY = ("#57606a", ("--jp-ui-font-color1", "--vscode-descriptionForeground"), 75)

STATES = {
    "pending": State(
        "queued",
        f'{_CIRCLE} {_LINE} stroke-width="1.5"/>'
        f'<path d="M7 4v3l2 1.5" {_LINE} stroke-width="1.5"/>',
        *_GREY,
    ),
    "scheduled": State(
        "starting",
        f'{_CIRCLE} {_LINE} stroke-width="1.5" stroke-dasharray="2.2 1.8"/>'
        '<path d="M5.5 4.5l4 2.5-4 2.5z" fill="currentColor"/>',
        *_BLUE,
    ),
    "running": State(
        "running",
        f'<circle cx="7" cy="7" r="5" {_LINE} stroke-width="2" stroke-dasharray="20 12"/>',
        *_BLUE,
    ),
    "retrying": State(
        "retrying",
        f'<path d="M11.5 7a4.5 4.5 0 1 1-1.3-3.2M11 1.5v2.6H8.4" {_LINE} stroke-width="1.6"/>',
        "#8a4b00",
        ("--jp-warn-color1", "--vscode-charts-orange"),
        60,
    ),
    "completed": State(
        "completed",
        f'<circle cx="7" cy="7" r="6" fill="currentColor"/><path d="M4 7.2l2 2 4-4.2" {_INSIDE}/>',
        "#1f6b2c",
        ("--jp-success-color1", "--vscode-charts-green"),
        60,
    ),
    "failed": State(
        "failed",
        '<path d="M4.5 1h5L13 4.5v5L9.5 13h-5L1 9.5v-5z" fill="currentColor"/>'
        f'<path d="M5 5l4 4M9 5l-4 4" {_INSIDE}/>',
        "#b3261e",
        ("--jp-error-color1", "--vscode-charts-red"),
        75,
    ),
    "cancelled": State(
        "cancelled",
        f'{_CIRCLE} {_LINE} stroke-width="1.5"/>'
        f'<path d="M3.2 10.8l7.6-7.6" {_LINE} stroke-width="1.5"/>',
        *_GREY,
    ),
}


def of(status: str) -> State:
    """How a state is shown; one that is new to this version like one that waits, with its name."""
    waits = STATES["pending"]
    return STATES.get(status) or State(status, waits.shape, *_GREY)


def status_of(word: str) -> str:
    """The status that has this word; a status is its own."""
    return next((status for status, it in STATES.items() if it.word == word), word)


TRIALS = {
    "waiting": "pending",
    "running": "running",
    "complete": "completed",
    "pruned": "cancelled",
    "failed": "failed",
}
"""Which state of a job looks like each state of a trial of a search."""


CAUSES = {
    "success": "success",
    "user_error": "script error",
    "killed_by_signal": "killed by a signal",
    "out_of_memory": "out of memory",
    "timed_out": "timed out",
    "launch_failed": "not started",
    "invalid_arguments": "invalid arguments",
    "not_runnable": "cannot run",
    "image_unavailable": "image unavailable",
    "node_lost": "machine lost",
    "preempted": "preempted",
    "cancelled_by_user": "cancelled",
    "upstream_failed": "earlier stage failed",
    "pruned": "pruned",
}
"""Why an attempt ended, in a word or two."""


EVENTS = {
    "cancel": "cancel asked for",
    "handed_over": "handed over",
    "adopted": "watched by another server",
    "stale": "late report",
    "waits": "waits",
    "idle": "GPUs idle",
    "busy": "GPUs busy again",
    "hung": "seems to hang",
    "moved": "goes on again",
    "notified": "told of",
    "not_notified": "could not be told of",
}
"""What happened to a job, where its status did not change."""


def event_word(kind: str) -> str:
    """What happened to a job; a kind that is new to this version as it is."""
    return EVENTS.get(kind) or kind.replace("_", " ")


def cause_word(cause: str) -> str:
    """Why an attempt ended; a cause that is new to this version as it is."""
    return CAUSES.get(cause) or cause.replace("_", " ")


def badge(status: str, words: Words = ENGLISH) -> str:
    """A state as a shape, a word and a colour."""
    state = of(status)
    return _badge(replace(state, word=words(state.word)))


def badge_of_trial(state: str, words: Words = ENGLISH) -> str:
    """A state of a trial, likewise; that it was stopped early is no cancellation."""
    shown = of(TRIALS.get(state, state))
    if state == "pruned":
        shown = replace(shown, word=state)
    return _badge(replace(shown, word=words(shown.word))) if state else ""


def _badge(state: State) -> str:
    return (
        f'<span style="{state.style};font-weight:600;white-space:nowrap">'
        '<svg aria-hidden="true" width="14" height="14" viewBox="0 0 14 14" '
        # JupyterLab lets pictures shrink, and a narrow table would count on that.
        f'style="vertical-align:-2px;margin-right:4px;max-width:none">{state.shape}</svg>'
        f"{html.escape(state.word)}</span>"
    )
