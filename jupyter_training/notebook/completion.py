"""What the Tab key offers behind a magic: its options, and what there is to choose for each.

The options are those of the magic itself, which is asked for its help. What only the server knows -
jobs, data sets, GPUs - is asked for in a thread and soon forgotten: who presses Tab waits for a
moment at most, is never shown an error, and no server is started for it.
"""

from __future__ import annotations

import argparse
import shlex
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from jupyter_training.executors import registry
from jupyter_training.jobs.lifecycle import Status
from jupyter_training.jobs.search_terms import Goal, Pruner, Sampler
from jupyter_training.jobs.spec import JobType
from jupyter_training.notebook.asking import connection
from jupyter_training.notebook.client import Client, TrainingError
from jupyter_training.notebook.options import Help, Parser

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_PATIENCE_S = 1.5
_FRESH_S = 5.0

_known: dict[str, tuple[float, list[str]]] = {}
"""What was heard from the server, and when."""


def load(shell: InteractiveShell) -> None:
    """Offer completions from now on."""
    completer = getattr(shell, "Completer", None)
    if completer is None:
        return
    completer.custom_matchers[:] = [
        one for one in completer.custom_matchers if getattr(one, "is_ours", False) is False
    ]

    @context_matcher(identifier="jupyter_training")  # type: ignore[untyped-decorator]
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        found = offered(shell, context.full_text, context.cursor_line, context.text_until_cursor)
        return {
            "completions": [SimpleCompletion(text, type="magic") for text in found],
            "matched_fragment": context.token,
            "suppress": bool(found),
            "do_not_suppress": set(),
            "ordered": True,
        }

    matcher.is_ours = True
    completer.custom_matchers.append(matcher)


def offered(shell: InteractiveShell, text: str, number: int, before: str) -> list[str]:
    """What may stand where the cursor is.

    Parameters
    ----------
    text
        The whole cell.
    number
        The line with the cursor, from 0.
    before
        That line up to the cursor.
    """
    written = before.lstrip()
    is_cell = number == 0 and written.startswith("%%")
    name, space, rest = written.lstrip("%").partition(" ")
    kind = "cell" if is_cell else "line"
    if not written.startswith("%") or not space or not name.startswith("train"):
        return []
    parser = parser_of(shell, kind, name)
    if parser is None:
        return []
    given, word = _words(rest)
    return [one for one in _choices(shell, parser, given, word) if one.startswith(word)]


def parser_of(shell: InteractiveShell, kind: str, name: str) -> Parser | None:
    """The parser of a magic, which is in the help that the magic gives."""
    magic = shell.magics_manager.magics[kind].get(name)
    bare = getattr(getattr(magic, "__func__", None), "__wrapped__", None)
    if magic is None or bare is None:
        return None
    try:
        bare(magic.__self__, "-h", *([""] if kind == "cell" else []))
    except Help as asked:
        return asked.parser
    except Exception:
        pass
    return None


def _words(rest: str) -> tuple[list[str], str]:
    """The words that are there, and the one that is being written: its part behind a comma."""
    words = rest.split(" ")
    return [word for word in words[:-1] if word], words[-1].rpartition(",")[2]


def _choices(shell: InteractiveShell, parser: Parser, given: list[str], word: str) -> Iterable[str]:
    options = parser._option_string_actions
    last = options.get(given[-1]) if given else None
    if last is not None and last.nargs != 0:
        return _values(shell, last)
    if word.startswith("-"):
        told = {option for option, action in options.items() if action.help != argparse.SUPPRESS}
        # Twice is a mistake, but for those that collect what they are given.
        again = {
            option
            for option, action in options.items()
            if isinstance(action, argparse._AppendAction | argparse._ExtendAction)
        }
        return sorted(told - (set(given) - again))
    positional = [action.dest for action in parser._actions if not action.option_strings]
    if positional and positional[0] == "job" and not _has_value(given, options):
        return _soon("jobs", _jobs)
    return []


def _has_value(given: list[str], options: dict[str, argparse.Action]) -> bool:
    """Whether some word belongs to no option."""
    taken = False
    for word in given:
        if not word.startswith("-") and not taken:
            return True
        action = options.get(word)
        taken = action is not None and action.nargs != 0
    return False


def _values(shell: InteractiveShell, action: argparse.Action) -> Iterable[str]:
    if action.choices is not None:
        return map(str, action.choices)
    match action.dest:
        case "gpu_type":
            return _soon("gpus", _gpus)
        case "dataset":
            return _soon("datasets", _datasets)
        case "ins":
            hidden = shell.user_ns_hidden
            return sorted(
                name for name in shell.user_ns if not name.startswith("_") and name not in hidden
            )
        case "executor":
            return registry.names()
        case "status":
            return [status.value for status in Status]
        case "goal":
            return list(Goal)
        case "sampler":
            return list(Sampler)
        case "pruner":
            return list(Pruner)
        case "type":
            return [kind.value for kind in JobType]
        case _:
            return []


def _jobs(client: Client) -> list[str]:
    found = client.jobs(limit=50)
    # Names first, as people remember them; a name that several have is that of the latest.
    names = [shlex.quote(job["name"]) for job in found]
    return list(dict.fromkeys([*names, *(job["job_id"] for job in found)]))


def _datasets(client: Client) -> list[str]:
    return [dataset["name"] for dataset in client.datasets()]


def _gpus(client: Client) -> list[str]:
    nodes = client.resources()["nodes"]
    models = {gpu["model"] for node in nodes for gpu in node["gpus"] if gpu.get("model")}
    return sorted(map(shlex.quote, models))


def _soon(what: str, question: Callable[[Client], list[str]]) -> list[str]:
    """What the server answers, if it does so soon; or what it has answered just before."""
    at, answer = _known.get(what, (-_FRESH_S, []))
    if time.monotonic() - at < _FRESH_S:
        return answer

    def ask() -> None:
        try:
            client = connection.client_if_there()
            if client is not None:
                _known[what] = (time.monotonic(), question(client))
        except (TrainingError, KeyError, TypeError):
            pass  # a Tab is no place for an error

    asking: Any = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_PATIENCE_S)
    return _known.get(what, (0.0, answer))[1]
