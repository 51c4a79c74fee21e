"""Lines that are a record: JSON, or a Python dict as the trainers of Hugging Face print it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from jupyter_training.jobs.progress.names import Kind, clean, kind, words
from jupyter_training.jobs.progress.rule import NOTHING, Line, Memory, Rule, Said, rule
from jupyter_training.jobs.progress.values import NUMBER, VALUES_PER_LINE, number

_ENTRY = re.compile(
    rf"(?P<quote>['\"])(?P<name>[^'\"]{{1,100}})(?P=quote)\s{{0,4}}:\s{{0,4}}"
    rf"(?P<valued>['\"]?)(?P<value>{NUMBER})%?(?P=valued)\s{{0,4}}(?=[,}}\]])",
    re.IGNORECASE,
)
_EPOCH = ("epoch", "train/epoch", "train_epoch")
_STEP = words(
    "global_step step iter iteration num_updates train_num_updates valid_num_updates "
    "current_steps current_step "
    "trainer/global_step train/global_step train_step steps iter_num iteration_num round"
)
_STEPS = ("total_steps", "max_steps", "total_iterations", "max_iters", "total_iters")
_SETTINGS = re.compile(
    r"^(?:batch_size|.{0,40}_batch_size.{0,40}|epochs|n_epochs|num_(?!updates).{1,40}|max_.{1,40}|seed"
    r"|n_estimators|optimizer|weight_decay|warmup_.{1,40}|dropout|hidden.{0,40}|save_.{1,40})$"
)


def _record(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    text = line.text
    entries = _entries(text[text.index("{") : text.rindex("}") + 1])
    low = {name.lower(): told for name, told in entries.items()}
    epoch = next((low[name] for name in _EPOCH if name in low), None)
    step = next((low[name] for name in _STEP if name in low), None)
    steps = next((low[name] for name in _STEPS if name in low), None)
    placed = epoch is not None or step is not None
    if not placed and any(_SETTINGS.match(name) for name in low):
        return NOTHING  # how a training is set up
    values = {
        clean(name): value
        for name, told in entries.items()
        if (value := number(told)) is not None
        and kind(name) is not Kind.EXCLUDED
        and (kind(name).is_metric or (placed and not _is_whole(told)))
    }
    if not any(kind(name) is Kind.RESULT for name in values) and (not placed or not values):
        return NOTHING
    at = None if epoch is None else number(epoch)
    if at is not None and not math.isfinite(at):
        at = None
    if step is not None and not _is_whole(step):
        step = None
    is_counted = isinstance(epoch, int)
    return Said(
        epoch=int(at) if at is not None and is_counted else None,
        epochs_over=None if is_counted else at,
        over=True,
        step=None if step is None else int(number(step) or 0),
        steps=_positive(steps) if step is not None else None,
        values=values,
    )


def _entries(told: str) -> dict[str, object]:
    """The entries of a record whose values are numbers; those within another one as ``a/b``."""
    if told.count("{") > 1:
        try:
            return _flat(json.loads(told), "")
        except (ValueError, RecursionError):
            pass
    entries: dict[str, object] = {}
    for entry in _ENTRY.finditer(told):
        if len(entries) == VALUES_PER_LINE:
            break
        value = entry["value"]
        whole = value.lstrip("+-").isdigit()
        entries[entry["name"]] = int(value) if whole and not entry["valued"] else value
    return entries


def _flat(record: object, prefix: str) -> dict[str, object]:
    entries: dict[str, object] = {}
    if isinstance(record, Mapping):
        for name, told in list(record.items())[:VALUES_PER_LINE]:
            if isinstance(told, Mapping):
                # Deeper than this is a configuration.
                entries |= {} if prefix else _flat(told, f"{name}/")
            elif number(told) is not None:
                entries[f"{prefix}{name}"] = told
    return entries


def _positive(told: object) -> int | None:
    count = number(told)
    return int(count) if count is not None and 0 < count < math.inf else None


def _is_whole(told: object) -> bool:
    return (isinstance(told, int) and not isinstance(told, bool)) or (
        isinstance(told, str) and told.strip().lstrip("+-").isdigit()
    )


RULES: tuple[Rule, ...] = (
    rule(
        "a record",
        ("{",),
        # After a word or two at most, as in "json_stats: {" and "train | {".
        r"^(?:[\w. ]{1,40}[:|][ ]?){0,2}\{.*\}$",
        "{'loss': 0.5, 'grad_norm': 1.2, 'learning_rate': 5e-05, 'epoch': 1.0}",
        _record,
    ),
)
