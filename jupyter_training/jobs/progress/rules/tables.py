"""Tables: a header with the names, then a row an epoch or an iteration."""

from __future__ import annotations

import re

from jupyter_training.jobs.progress.names import Kind, clean, kind
from jupyter_training.jobs.progress.rule import (
    ANYTHING,
    NOTHING,
    Line,
    Memory,
    Rule,
    Said,
    possible,
    rule,
)
from jupyter_training.jobs.progress.rules.bars import inner
from jupyter_training.jobs.progress.values import number

_COLUMNS = 40
_GAP = re.compile(r"\s{2,}|[ ]*[|│┃][ ]*|\t")


def _header(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    names = [clean(name) for name in _GAP.split(line.text.strip(" |")) if name][:_COLUMNS]
    if len(names) < 3:  # a table with names of one word each may have single spaces
        names = line.text.split()[:_COLUMNS]
    if len(names) < 2 or not any(kind(name).is_metric for name in names[1:]):
        return None
    memory.columns = names
    return NOTHING


def _row(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    names, told = memory.columns, [cell for cell in re.split(r"[\s|│┃]+", line.text) if cell]
    if not names or len(told) != len(names):
        return None
    count = int(found["count"])
    values = {
        name: value
        for name, cell in zip(names[1:], told[1:], strict=True)
        if kind(name) is not Kind.EXCLUDED and (value := number(cell)) is not None
    }
    if not values:
        return None
    if names[0].lower().startswith("epoch"):
        return Said(epochs_over=float(count), values=values)
    return Said(step=count, values=values)


def _yolo(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    columns = memory.columns if memory.columns[:1] == ["Epoch"] else []
    told = line.text.split()
    values = {
        name: value
        for name, cell in zip(columns[1:], told[1:], strict=False)
        if kind(name) is not Kind.EXCLUDED
        and name not in _YOLO_COUNTS
        and (value := number(cell)) is not None
    }
    within = inner(found.string[found.end() :])
    n, of = within or (None, None)
    said = Said(
        epoch=int(found["epoch"]),
        epochs=int(found["epochs"]),
        over=False,
        n=n,
        of=of,
        values=values,
    )
    return said if possible(said) else None


_YOLO_COUNTS = frozenset({"targets", "labels", "img_size", "Instances", "Size"})


def _yolo_val_header(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    names, group = [], ""
    for name in line.text.partition(": ")[0].rstrip(":").split()[3:_COLUMNS]:
        opened, is_open, first = name.partition("(")
        if is_open:
            group = "" if opened.lower() == "box" else f"{opened}_"
        names.append(group + (first if is_open else name.rstrip(")")))
    memory.val_columns = names
    return NOTHING


def _yolo_val_row(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    names, told = memory.val_columns, line.text.split()[3:]
    if not names or len(told) != len(names):
        return None
    values = {
        name: value
        for name, cell in zip(names, told, strict=True)
        if (value := number(cell)) is not None
    }
    return Said(values=values)


RULES: tuple[Rule, ...] = (
    rule(
        "Ultralytics",
        ("g ",),
        r"^(?P<epoch>\d{1,9})/(?P<epochs>\d{1,9})\s{1,12}[\d.]{1,8}g\s",
        "      3/100      2.1G     0.8312     0.5     1.1     10     640:  50%|#####     | 8/16",
        _yolo,
    ),
    rule(
        "Ultralytics, header of a validation",
        ("class ",),
        r"^class\s{1,20}images\s{1,20}\w",
        "                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95):",
        _yolo_val_header,
    ),
    rule(
        "Ultralytics, validation",
        ("all ",),
        r"^all\s{1,20}[\d.e+]{1,12}\s{1,20}[\d.e+]{1,12}\s",
        "                   all        722       1444      0.989       0.99      0.993      0.681",
        _yolo_val_row,
    ),
    rule(
        "header of a table, as of fastai, skorch and scikit-learn",
        ("epoch ", "iter ", "epoch\t", "epoch|"),
        r"^(?:epoch|iter)s?[ \t|│┃]{1,20}[a-z](?!.{0,400}[:=\[{;!?])",
        "epoch     train_loss  valid_loss  accuracy  time",
        _header,
    ),
    rule(
        "row of a table",
        ANYTHING,
        r"^(?P<count>\d{1,9})[ \t|│┃]{1,40}[-+]?(?:[\d.]|nan|inf)",
        "0         0.123456    0.2345      0.95      00:12",
        _row,
    ),
)
