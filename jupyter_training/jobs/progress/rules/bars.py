"""Bars that are drawn over and over: of tqdm, Keras, rich and fastprogress."""

from __future__ import annotations

import re

from jupyter_training.jobs.progress.rule import (
    NOTHING,
    Line,
    Memory,
    Rule,
    Said,
    possible,
    rule,
)
from jupyter_training.jobs.progress.values import pairs

_INNER = re.compile(
    r"%\|[^|]{0,1000}\|[ ]{0,8}(?P<n1>\d{1,9})/(?P<of1>\d{1,9})(?![\d/.])"
    r"|[━╸╺─][ ]{1,4}(?P<n2>\d{1,9})/(?P<of2>\d{1,9})[ ]"
    r"|%[ ]\[(?P<n3>\d{1,9})/(?P<of3>\d{1,9})[ ]"
    r"|\b(?:step|iteration|iter|batch|it)s?\b[ :#=]{0,4}\[?[ ]{0,8}(?P<n4>\d{1,9})[ ]{0,3}"
    r"(?:/|of)[ ]{0,8}(?P<of4>\d{1,9})(?![\d/.])"
    r"|\|[ ]{0,8}(?P<n6>\d{1,9})/[ ]{0,8}(?P<of6>\d{1,9}) batches\b"
    r"|\[[ ]{0,8}(?P<n5>\d{1,9})[ ]?/[ ]{0,8}(?P<of5>\d{1,9})(?:[ ]?\]|[ ]\()"
)

_NUMBERS = re.compile(r"[-+]?\d[\d.]*(?:e[-+]?\d{1,3})?|[-+]?\b(?:nan|inf)\b")
_OUTER = re.compile(r"\b(?:(?:epoch|round|episode)s|(?:train(?:ing)? )?epoch)[ :]{0,4}$")
_EPOCH = re.compile(
    r"\bepoch[ :#=]{0,4}\[?(?P<epoch>\d{1,9})(?:[ ]?(?:/|of)[ ]?(?P<epochs>\d{1,9}))?"
)
_TRAINING = re.compile(
    r"^\W{0,8}(?:epoch|train|fit|step|iter|batch|progress|total|loss|optimi|round)"
)
_OTHER = re.compile(
    r"scan|cach|load|down|process|prepar|token|map|filter|generat|extract|\bread|writ|sav|upload|copy"
    r"|build|creat|convert|collect|fetch|install|import|comput|sanity|split|predict|sampl|search|encod"
    r"|verif|check|pars|\.\w{2,8}[ :]{0,3}$|/"
)
_SCOPE = re.compile(
    r"\b(?P<scope>val|test|eval|dev)(?:id|idation|idating|idate|ing|uation|uating|uate)?\b"
)
_RATE = re.compile(r"(?:[kmgt]?i?b|files|shards|examples|docs|chars)/s")


def inner(low: str) -> tuple[int, int] | None:
    """A count within an epoch, after the epoch was named."""
    found = _INNER.search(low)
    if found is None:
        return None
    n, of = (int(it) for it in found.groups() if it is not None)
    return (n, of) if n <= of and of > 0 else None


def _tqdm(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    before, low = found["before"], line.low
    epoch = _EPOCH.search(before)
    scope = None if epoch else _SCOPE.search(before)
    n, of = int(found["n"]), int(found["of"])
    if not 0 <= n <= of or of == 0:
        return NOTHING
    # Results that are still counted together are none yet.
    if scope is not None and not _OTHER.search(before):
        return Said(scope=scope["scope"], n=n, of=of, values=None if n == of else {})
    if _RATE.search(low, found.end()):
        return NOTHING
    if epoch is not None:
        epochs = int(epoch["epochs"]) if epoch["epochs"] else None
        said = Said(epoch=int(epoch["epoch"]), epochs=epochs, n=n, of=of)
        return said if possible(said) else NOTHING
    if _OUTER.search(before):
        return Said(epoch=n, epochs=of, over=True, values=None)
    letters = any(map(str.isalpha, before))
    if letters and (_OTHER.search(before) or not _TRAINING.search(before)) and not pairs(before):
        return NOTHING
    # Numbers in front of a bar change, as it moves.
    counter = _NUMBERS.sub("#", before.strip())[:40]
    return Said(n=n, of=of, counter=counter, below=line.below)


def _other_bar(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    # Of PyTorch Ignite: "Epoch [3/10]: [45/100]  45%|####5  , loss=0.12 [00:10<00:12]".
    epoch = _EPOCH.match(line.low)
    return None if epoch is not None and epoch["epochs"] else NOTHING


def _endless(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    before = found["before"]
    if _RATE.search(line.low) or (before and not _TRAINING.search(before)):
        return NOTHING
    return Said(step=int(found["step"])) if pairs(line.text) else NOTHING


def _rich(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    scope = _SCOPE.search(found["before"])
    return Said(scope=scope["scope"], values={}) if scope else NOTHING


RULES: tuple[Rule, ...] = (
    rule(
        "tqdm",
        ("%|",),
        r"^(?P<before>[^%]{0,400}?)[ ]{0,8}\d{1,3}%\|[^|]{0,1000}\|[ ]{0,8}"
        r"(?P<n>\d{1,9})/(?P<of>\d{1,9})(?![\d/.])",
        "Epoch 3:  45%|####5     | 45/100 [00:10<00:12,  4.50it/s, loss=0.123]",
        _tqdm,
    ),
    rule(
        "another bar",
        ("%|",),
        r"\d%\|",
        "model.safetensors:  45%|####5     | 45.0M/100M [00:10<00:12, 4.5MB/s]",
        _other_bar,
    ),
    rule(
        "tqdm without a total",
        ("it [", "it/s", "s/it"),
        r"^(?P<before>[^\d\[]{0,80})(?P<step>\d{1,12})it[ ]\[\d",
        "45it [00:10,  4.50it/s, loss=0.123]",
        _endless,
    ),
    rule(
        "Keras",
        ("/step", " - eta", "[=", "[>", "[.", "━", "╸", "s - "),
        r"^(?P<n>\d{1,9})/(?P<of>\d{1,9})[ ]{1,4}(?:[\[━╸]|-[ ]\d{1,9}(?:us|ms|s|\d:)[ ])",
        "40/200 [=====>........................] - ETA: 3s - loss: 0.3",
    ),
    rule(
        "Keras, without a known length",
        ("/unknown",),
        r"^(?P<step>\d{1,9})/unknown[ ]",
        "40/Unknown - 3s 5ms/step - loss: 0.3",
    ),
    rule(
        "rich, another bar",
        ("━", "╸"),
        r"^(?P<before>(?!\W{0,4}(?:epoch|train))[^━╸]{0,80})[━╸╺─]{2}",
        "Validation ━━━━━━━━━━━━━━━━━╸━━━ 8/10  0:00:00 • 0:00:01 771.40it/s",
        _rich,
    ),
)
