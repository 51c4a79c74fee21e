"""The options of a search for hyperparameters, for magics and command line alike."""

from __future__ import annotations

import argparse
from typing import Any

from jupyter_training.jobs.search_terms import Goal, Kind, Pruner, Sampler, of_text

_FIELDS = {
    "trials": "trials",
    "parallel": "parallel",
    "metric": "metric",
    "goal": "goal",
    "sampler": "sampler",
    "pruner": "pruner",
    "min_steps": "min_steps",
    "seed": "seed",
    "budget_hours": "budget_hours",
    "gpu_hours": "gpu_hours",
}
"""Which field of a search an option sets."""


def dimension(text: str) -> tuple[str, dict[str, Any]]:
    """The name and the space of a parameter, of ``lr=loguniform:1e-5:1e-1``."""
    name, equals, written = text.partition("=")
    if not equals or not name:
        there = ", ".join(one.value for one in Kind)
        told = f"{text!r} is not NAME=KIND:…, where the kind is one of {there}"
        raise argparse.ArgumentTypeError(told)
    try:
        return name, of_text(written)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{name}: {error}") from None


def add_search_options(parser: argparse.ArgumentParser) -> None:
    """Add what makes a job a search, and how it is gone about."""
    group = parser.add_argument_group(
        "a search for hyperparameters: what it needs is for each trial"
    )
    group.add_argument(
        "--search",
        type=dimension,
        action="append",
        metavar="NAME=SPACE",
        help="a parameter: uniform:LOW:HIGH, loguniform:LOW:HIGH, int:LOW:HIGH, logint:LOW:HIGH "
        "or choice:A,B,C; may be given several times",
    )
    group.add_argument("--metric", metavar="M", help="the name of what is measured and optimized")
    group.add_argument(
        "--goal", metavar="G", help=f"{' or '.join(Goal)} (default: {Goal.MINIMIZE.value})"
    )
    group.add_argument("--trials", type=int, metavar="N", help="how many trials at most")
    group.add_argument(
        "--parallel", type=int, metavar="N", help="how many run at a time (default: 1)"
    )
    group.add_argument(
        "--sampler",
        metavar="S",
        help=f"who suggests parameters: {', '.join(Sampler)} (default: {Sampler.TPE.value})",
    )
    group.add_argument(
        "--pruner",
        metavar="P",
        help=f"who stops trials early: {', '.join(Pruner)} (default: {Pruner.NONE.value})",
    )
    group.add_argument(
        "--min-steps", type=int, metavar="N", help="no trial is stopped before this step"
    )
    group.add_argument("--seed", type=int, metavar="N", help="the same seed suggests the same")
    group.add_argument("--budget-hours", type=float, metavar="H", help="end it after so many hours")
    group.add_argument(
        "--gpu-hours", type=float, metavar="H", help="end it after so many GPU-hours"
    )


def search_of(options: argparse.Namespace) -> dict[str, Any] | None:
    """The field `search` of a job, if a search was asked for.

    Raises
    ------
    ValueError
        If it is not said what is searched.
    """
    given = vars(options)
    if "search" not in given:
        return None
    fields = {
        field: given[option] for option, field in _FIELDS.items() if given[option] is not None
    }
    if options.search is None:
        if fields:
            option = f"--{next(iter(fields)).replace('_', '-')}"
            raise ValueError(f"{option} needs --search, which says what is searched")
        return None
    space: dict[str, Any] = {}
    for name, told in options.search:
        if name in space:
            raise ValueError(f"--search names {name} twice")
        space[name] = told
    return {**fields, "space": space}


def called(field: str) -> str:
    """What a field of a search is called by those who write options."""
    name, *rest = field.removeprefix("search.").split(".")
    if name == "space":
        return f"--search {rest[0]}" if rest else "--search"
    return f"--{name.replace('_', '-')}" if name in _FIELDS else field
