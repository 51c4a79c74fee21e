"""Tables: a header with the names, then a row an epoch or an iteration."""

from __future__ import annotations

import math
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
from jupyter_training.jobs.progress.values import VALUES_PER_LINE, number

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
    if names[1] == "#":
        values.pop("#", None)
        step = int(told[1]) if told[1].isdigit() else None
        return Said(step=step, epochs_over=float(count), values=values)
    if names[0].lower().startswith("epoch"):
        return Said(epochs_over=float(count), values=values)
    return Said(step=count, values=values)


def _wide_header(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    memory.columns = [clean(name) for name in _GAP.split(line.text) if name][:_COLUMNS]
    return NOTHING


def _section(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    memory.section = found["section"]
    return NOTHING


def _cell(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    section, name, value = memory.section, found["name"], number(found["value"])
    if not section:
        return None
    if section == _TIME:
        if name != "total_timesteps" or value is None:
            return NOTHING
        cells, memory.cells = memory.cells, {}
        values = {name: told for name, cell in cells.items() if (told := number(cell)) is not None}
        return Said(step=int(value), values=values) if math.isfinite(value) else NOTHING
    if value is None or kind(name) is Kind.EXCLUDED:
        return NOTHING
    if section > _TIME:  # they are in the order of the alphabet
        return Said(values={f"{section}/{name}": value})
    if len(memory.cells) < VALUES_PER_LINE:
        memory.cells[f"{section}/{name}"] = found["value"]
    return NOTHING


_SECTION = r"^(?P<section>[a-z_]{1,30})/\s{1,80}\|\s{0,80}\|?$"
_TIME = "time"
"""The part of a table of Stable-Baselines3 that tells at which step it is."""


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
    told = line.text.partition(": ")[0].rstrip(":").split()[:_COLUMNS]
    for name in told[1 if told[0] == "classes" else 3 :]:  # of a classification without counts
        opened, is_open, first = name.partition("(")
        if is_open:
            group = "" if opened.lower() == "box" else f"{opened}_"
        names.append(group + (first if is_open else name.rstrip(")")))
    memory.val_columns = names
    return NOTHING


def _yolo_val_row(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    names, cells = memory.val_columns, line.text.split()[1:]
    told = cells[-len(names) :]
    if not names or len(cells) - len(names) not in (0, 2):
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
        ("class ", "classes "),
        r"^(?:class\s{1,20}images|classes)\s{1,20}\w{1,40}[(\s]",
        "                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95):",
        _yolo_val_header,
    ),
    rule(
        "Ultralytics, validation",
        ("all ",),
        r"^all\s{1,20}[\d.e+]{1,12}\s{1,20}[\d.e+]{1,12}(?:\s|$)",
        "                   all        722       1444      0.989       0.99      0.993      0.681",
        _yolo_val_row,
    ),
    rule(
        "Stable-Baselines3, a part of a table",
        ("rollout/ ", "time/ ", "train/ ", "eval/ "),
        _SECTION,
        "| rollout/           |          |",
        _section,
    ),
    rule(
        "Stable-Baselines3, another part of it",
        ANYTHING,
        _SECTION,
        "| curriculum/        |          |",
        lambda found, line, memory: _section(found, line, memory) if memory.section else None,
    ),
    rule(
        "Stable-Baselines3, a row",
        ANYTHING,
        r"^(?P<name>[a-z_][\w./\-]{0,80})\s{1,80}\| (?P<value>[-+\w.]{1,30})\s{1,80}\|$",
        "|    ep_rew_mean     | 20.8     |",
        _cell,
    ),
    rule(
        "spaCy, header",
        ("#  ",),
        r"^e\s{2,8}#\s{2,12}\w",
        "E    #       LOSS TOK2VEC  LOSS NER  ENTS_F  ENTS_P  ENTS_R  SCORE ",
        _wide_header,
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
