"""The graph of a pipeline: what goes after what, and what is wrong with it. Names and no jobs."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def problems(stages: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """What is wrong with the names of stages and of what each goes after; empty if nothing is.

    Parameters
    ----------
    stages
        Each with the names of those that have to complete before it begins.

    Returns
    -------
    list of str
        A sentence for each name that is there twice or not at all, and for a cycle, with its path.
    """
    names = Counter(name for name, _ in stages)
    wrong = [f"there are {count} stages named {name}" for name, count in names.items() if count > 1]
    for name, after in stages:
        wrong += [
            f"{name} depends on {one}, and there is no such stage{_hint(one, names)}"
            for one in dict.fromkeys(after)
            if one not in names
        ]
    if not wrong and (cycle := find_cycle(dict(stages))):
        path = " after ".join(cycle)
        told = "it cannot go after itself" if len(cycle) == 2 else "none of them could begin"
        wrong.append(f"{path} is a cycle: {told}")
    return wrong


def find_cycle(after: Mapping[str, Iterable[str]]) -> list[str]:
    """The path of a cycle, each name after the next one, its first name again at the end.

    Empty if there is none.
    """
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        path: list[str] = error.args[1]  # each of these goes before the next one
        return path[::-1]
    return []


def in_order(after: Mapping[str, Iterable[str]]) -> list[str]:
    """The names so that each comes behind those that it goes after; else in their own order."""
    place = {name: number for number, name in enumerate(after)}
    sorter, found = TopologicalSorter(after), []
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=place.__getitem__)
        found += ready
        sorter.done(*ready)
    return found


def _hint(name: str, there: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(there), n=1)
    return f"; did you mean {near[0]}?" if near else ""
