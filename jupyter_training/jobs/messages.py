"""What a person is told of a job outside of Jupyter: a title and a text. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from jupyter_training.jobs.notifications import Occasion

LOG_LINES = 20
_LINE_CHARACTERS = 200
_LOG_CHARACTERS = 2000
_NAME_CHARACTERS = 80
_METRICS = 8

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")


@dataclass(frozen=True)
class Facts:
    """What is known of a job on an occasion.

    Attributes
    ----------
    attempt, attempts
        Which attempt it was, and how many there can be.
    began_at, at
        When that attempt began, if it did, and when the occasion was.
    metrics
        Their latest values.
    log
        The last lines of the attempt's log.
    log_of
        What another job is called whose log that is, as it is to blame.
    """

    occasion: Occasion
    name: str
    job_id: str
    attempt: int
    attempts: int
    reason: str | None
    at: datetime
    began_at: datetime | None = None
    node: str | None = None
    gpus: Sequence[str] = ()
    progress: int = 0
    output_dir: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    log: Sequence[str] = ()
    log_of: str | None = None


class Mood:
    """How a message is meant, in the words of Apprise."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    INFO = "info"


@dataclass(frozen=True)
class Message:
    """What is sent.

    Attributes
    ----------
    mood
        One of `Mood`.
    """

    title: str
    body: str
    mood: str = Mood.INFO


def duration(seconds: float) -> str:
    """``2 h 5 min`` of 7500: at most two units."""
    left = max(round(seconds), 0)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break  # 1 d 3 s would be more exact than anybody wants
    return " ".join(parts[:2]) or "0 s"


def message(facts: Facts) -> Message:
    """What is told on an occasion: what, how long, how well, and where to look."""
    name = _name(facts.name)
    ran = None if facts.began_at is None else duration((facts.at - facts.began_at).total_seconds())
    after = f" after {ran}" if ran else ""
    title, mood = {
        Occasion.COMPLETED: (f"{name} completed{after}", Mood.SUCCESS),
        Occasion.FAILED: (f"{name} failed{after}", Mood.FAILURE),
        Occasion.RETRYING: (f"{name} failed{after} and is tried again", Mood.WARNING),
        Occasion.CANCELLED: (f"{name} was cancelled{after}", Mood.WARNING),
        Occasion.IDLE: (f"{name} leaves its GPUs idle", Mood.WARNING),
    }[facts.occasion]
    return Message(title, "\n".join(_lines(facts)), mood)


def _lines(facts: Facts) -> list[str]:
    lines = []
    # That an attempt has finished is said already; what others have found for a job is not.
    if facts.reason and not (facts.occasion is Occasion.COMPLETED and facts.attempt):
        lines.append(f"{_sentence(plain(facts.reason))}")
    if facts.attempt:
        where = f" on {facts.node}" if facts.node else ""
        count = len(facts.gpus)
        gpus = f" with {count} GPU{'s' * (count != 1)}" if count else ""
        lines.append(f"Attempt {facts.attempt} of at most {facts.attempts}{where}{gpus}.")
    if 0 < facts.progress < 100:
        lines.append(f"It had come to {facts.progress} %.")
    if facts.metrics:
        several = list(facts.metrics.items())
        told = ", ".join(
            f"{_short(plain(name), 40)} {_number(value)}" for name, value in several[:_METRICS]
        )
        more = f", and {len(several) - _METRICS} more" if len(several) > _METRICS else ""
        lines.append(f"Last metrics: {told}{more}.")
    if facts.occasion is Occasion.COMPLETED and facts.output_dir:
        lines.append(f"Results: {plain(facts.output_dir)}")
    if facts.occasion in (Occasion.FAILED, Occasion.RETRYING) and (shown := _log(facts.log)):
        whose = f"the log of {_name(facts.log_of)}" if facts.log_of else "its log"
        lines += ["", f"The end of {whose}:", *shown, ""]
    lines.append(f"More: jupyter training show {facts.job_id}")
    return lines


def _log(lines: Sequence[str]) -> list[str]:
    """The last lines that fit, without what only a terminal understands."""
    shown: list[str] = []
    left = _LOG_CHARACTERS
    for line in reversed(lines[-LOG_LINES:]):
        text = _short(plain(line).rstrip(), _LINE_CHARACTERS)
        if not (text or shown):
            continue  # blank lines at the end
        left -= len(text) + 1
        if left < 0:
            break
        shown.append(f"  {text}")
    return shown[::-1]


def plain(text: str) -> str:
    """Text without control sequences and other characters that are not to be seen."""
    text = _ESCAPE.sub("", text).replace("\t", " ")
    return "".join(one if one.isprintable() else " " for one in text)


def _name(text: str) -> str:
    return _short(plain(text), _NAME_CHARACTERS)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _number(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.4g}"
