"""Gradient boosting libraries and scikit-learn."""

from __future__ import annotations

import re

from jupyter_training.jobs.progress.names import Kind, kind
from jupyter_training.jobs.progress.rule import NOTHING, Line, Memory, Rule, Said, counters, rule
from jupyter_training.jobs.progress.values import NUMBER, pairs

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(us|ms|s|m|h|d)\b")
_SCORE = re.compile(
    rf"[ ]score=(?:(?P<score>{NUMBER})"
    rf"|\(train=(?P<train>{NUMBER}), test=(?P<test>{NUMBER})\))"
)


def _best(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    memory.repeating = True
    return NOTHING


def _round(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    if memory.repeating:
        memory.repeating = False
        return NOTHING
    values = pairs(line.text)
    certain = found["of"] == ":" or any(kind(name) is Kind.RESULT for name in values)
    return Said(step=int(found["step"]), values=values) if values and certain else None


def _catboost(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    total, remaining = _seconds(found["total"]), _seconds(found["remaining"])
    return Said(
        step=int(found["step"]),
        share=total / (total + remaining) if total > 0 else None,
        values=pairs(found.string.partition("\ttotal:")[0]),
    )


def _seconds(told: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(told))


def _search(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    memory.fits, memory.fits_over = int(found["fits"]), 0
    return Said(step=0, steps=memory.fits or None, values={})


def _fit_over(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    memory.fits_over += 1
    values: dict[str, float] = {}
    told = _SCORE.search(line.low)
    if told is not None and told["score"]:
        values = {"score": float(told["score"])}
    elif told is not None:
        values = {"train_score": float(told["train"]), "test_score": float(told["test"])}
    steps = memory.fits if memory.fits_over <= memory.fits else None
    return Said(step=memory.fits_over, steps=steps, values=values)


def _joblib(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    return NOTHING if memory.fits else counters(found, line, memory)


RULES: tuple[Rule, ...] = (
    rule(
        "LightGBM and XGBoost, the best round",
        ("best iteration",),
        r"^(?:(?:(?:did not meet )?early stopping|stopping)[,.] )?best iteration(?: is)?:$",
        "Early stopping, best iteration is:",
        _best,
    ),
    rule(
        "XGBoost and LightGBM, and the metric writers of Flax",
        ("]\t", "] "),
        r"^\[(?P<step>\d{1,9})\]\s{1,8}[a-z][\w@./\-]{0,80}(?:'s[ ][\w@.\- ]{1,80})?[ ]?"
        r"(?P<of>[:=])",
        "[10]\tvalidation_0-rmse:0.12345\tvalidation_1-rmse:0.23456",
        _round,
    ),
    rule(
        "CatBoost",
        ("remaining:",),
        r"^(?P<step>\d{1,9}):\s.{0,400}\btotal: (?P<total>[\w. ]{1,40})\t"
        r"remaining: (?P<remaining>[\w. ]{1,40})",
        "10:\tlearn: 0.5\ttest: 0.6\tbest: 0.6 (10)\ttotal: 1s\tremaining: 3s",
        _catboost,
    ),
    rule(
        "scikit-learn, histogram gradient boosting",
        (" tree",),
        r"^\[(?P<step>\d{1,9})/(?P<steps>\d{1,9})\] \d{1,9} trees?,",
        "[1/100] 1 tree, 31 leaves, max depth = 10, train loss: 0.63, in 0.010s",
    ),
    rule(
        "scikit-learn, forest",
        ("building tree",),
        r"^building tree (?P<n>\d{1,9}) of (?P<of>\d{1,9})$",
        "building tree 3 of 100",
    ),
    rule(
        "scikit-learn, search",
        ("totalling",),
        r"^fitting \d{1,9} folds for each of \d{1,9} candidates, totalling (?P<fits>\d{1,9}) fits",
        "Fitting 5 folds for each of 10 candidates, totalling 50 fits",
        _search,
    ),
    rule(
        "scikit-learn, fit of a search",
        ("[cv",),
        r"^\[cv(?: \d{1,9}/\d{1,9}(?:; \d{1,9}/\d{1,9})?)?\] end\b",
        "[CV 1/5] END ..................C=1, gamma=0.1;, score=0.900 total time=   0.1s",
        _fit_over,
    ),
    rule(
        "scikit-learn, begin of a fit",
        ("[cv",),
        r"^\[cv\b",
        "[CV 1/2; 1/2] START alpha=0.1..................................................",
        lambda found, line, memory: NOTHING,
    ),
    rule(
        "joblib",
        ("[parallel",),
        r"^\[parallel\(n_jobs=-?\d{1,6}\)\]: done\s{1,12}(?P<n>\d{1,9}) out of\s{1,12}"
        r"(?P<of>\d{1,9})",
        "[Parallel(n_jobs=1)]: Done  10 out of 100 | elapsed:    1.0s remaining:    9.0s",
        _joblib,
    ),
)
