"""Lines as a terminal would show them, and without what a logger puts in front."""

from __future__ import annotations

import re

from jupyter_training.jobs.progress.rule import Line

_ESCAPE = re.compile(r"\x1b\[[0-9;?]{0,32}[ -/]{0,4}[@-~]")
_UP = "\x1b[A"
_LEVEL = r"(?:debug|info|warn(?:ing)?|notice|train(?=\]))"
_NAME = r"(?!(?:epoch|step|iter|train|val|test|loss|fold|eval|batch)[a-z]*\b)[a-z_][\w.\-]{0,60}"
_PREFIX = re.compile(
    r"(?:\[?[ ]?(?:"
    # 2026-01-26 10:00:00,123 and 01/26 10:00:00
    r"\d{4}[-/]\d\d[-/]\d\d(?:[ t]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?(?:z|[+-]\d\d:?\d\d)?"
    r"|\d\d/\d\d \d\d:\d\d:\d\d(?:[ ][a-z][\w.]{0,60})?"
    r"|\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
    # a level, with the name of the logger before or after it
    rf"|(?:[a-z][\w.\-]{{0,60}}[ ]?[-:| ][ ]?)?\b{_LEVEL}\b"
    rf"(?:[ ]{{0,8}}[-:|][ ]?{_NAME}(?::[\w<>]{{1,40}}:\d{{1,6}})?(?=[ ]?[-:|][ ]?))?"
    # logging.py:96:log_dist, as between brackets and before an arrow
    r"|[a-z][\w.]{0,60}:\d{1,6}(?::\w{1,60})?(?=\]|[ ]>>)"
    # INFO|trainer.py:2405
    rf"|{_LEVEL}\|[a-z][\w.]{{0,60}}:\d{{1,6}}(?=\])|{_LEVEL}\|(?=\d)"
    # I0126 10:00:00.123456 140123 train.py:123, as of absl
    r"|[iwe]\d{8} \d\d:\d\d:\d\d \d{1,20} (?:[\w.\-]{1,60} )?[\w.\-/]{1,80}:\d{1,6}(?=\])"
    r"|[iwe]\d{4} \d\d:\d\d:\d\d\.\d{1,6}\s{1,8}\d{1,20} [\w.\-/]{1,80}:\d{1,6}(?=\])"
    # a name before a date, as in "[titan] 2026-01-26", and that of a logger alone
    r"|[a-z][\w.\-]{0,60}\](?=[ ]\d{4}-\d\d-)|[a-z]\w{0,60}(?:\.\w{1,60}){1,8} -(?=[ ])"
    # one of several processes
    r"|rank[ :=]?\d{1,6}(?=[\]:])|(?:default)?\d{1,6}(?=\]:)|\d{1,6},\d{1,6}\]<std(?:out|err)>"
    r"|\([\w ]{1,60}pid=\d{1,9}(?:, ip=[\d.]{7,15})?\)"
    r")[ ]?\]?[\s:|,\-]{0,8})+",
    re.IGNORECASE,
)
_ORNAMENT = " \t#=|>-─—"


def line(told: bytes) -> Line:
    """What is read of a line.

    An ornament in front, as in ``| epoch 001``, is left out as well.
    """
    text = told.decode("utf-8", "replace")
    below = False
    if "\x1b" in text:
        below = _UP in text
        text = _ESCAPE.sub("", text)
    if "\b" in text:
        text = text.replace("\b", "")
    text = text.strip()
    found = _PREFIX.match(text)
    if found is not None:
        text = text[found.end() :]
    text = text.lstrip(_ORNAMENT)
    return Line(text, text.lower(), below)
