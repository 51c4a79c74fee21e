"""What there is to say of a job at a glance, in the words of the sidebar.

All of it follows from what the server told at one moment, which `look` asks for.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from jupyter_training.notebook import card
from jupyter_training.notebook.asking import ask
from jupyter_training.notebook.client import TrainingError
from jupyter_training.notebook.display import how_far, measured, printable, starts
from jupyter_training.notebook.formats import (
    ago,
    ahead,
    duration,
    figure,
    in_local_time,
    moment,
    time,
)
from jupyter_training.notebook.job import ENDED, Job
from jupyter_training.notebook.ranks import RankTable
from jupyter_training.notebook.states import cause_word, of
from jupyter_training.notebook.tables import StageTable, Table, parameters
from jupyter_training.notebook.trials import Found, method
from jupyter_training.notebook.watch import all_cards

_LINES = {"running": 5, "failed": 12, "retrying": 12}
"""How many of the last lines of the log are shown, by the status of the job."""

_LONGEST_COMMAND = 160
"""So much of a command is shown (characters)."""


@dataclass(frozen=True)
class Known:
    """What is known of a job at one moment.

    Attributes
    ----------
    told
        The job as the server told it.
    now
        When that was, in the time zone of whoever reads it.
    events
        What happened to it, oldest first.
    children
        The stages of a pipeline.
    found
        What a search has found.
    ranks
        The processes of a distributed job.
    lines
        The last lines of its log, if they say something about where it is.
    cards
        Number and utilisation (percent) of GPUs, by their UUIDs.
    datasets
        The names of the data sets that are registered, by their numbers.
    """

    told: Mapping[str, Any]
    now: datetime
    events: Sequence[Mapping[str, Any]] = ()
    children: Sequence[dict[str, Any]] = ()
    found: Found | None = None
    ranks: Mapping[str, Any] | None = None
    lines: Sequence[str] = ()
    cards: Mapping[str, tuple[int | None, float | None]] = field(default_factory=dict)
    datasets: Mapping[int, str] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.told["status"] in ENDED


def look(job: Job) -> Known:
    """Ask for what is to be said of a job.

    Raises
    ------
    TrainingError
        If the server does not answer.
    """
    told, most = job.told, _LINES.get(job.told["status"], 0)
    is_search, is_parent = told.get("search") is not None, told.get("children") is not None
    return Known(
        told,
        datetime.now().astimezone(),
        job.events(),
        children=[one.told for one in job.children()] if is_parent and not is_search else [],
        found=job.search() if is_search else None,
        ranks=job.ranks().told if told["job_type"] == "distributed" else None,
        lines=_last_lines(job, most) if most and told["attempt"] and not is_parent else [],
        cards=all_cards() if told["gpu_count"] and told["attempt"] else {},
        datasets=_names_of_datasets() if told["dataset_ids"] else {},
    )


def _last_lines(job: Job, most: int) -> list[str]:
    try:
        page = ask(lambda client: client.logs(job.id, tail=most))
    except TrainingError:  # all else is worth to be shown without it
        return []
    return list(page["logs"])


def _names_of_datasets() -> dict[int, str]:
    return {one["id"]: one["name"] for one in ask(lambda client: client.datasets())}


def reasons(known: Known) -> list[str]:
    """Why a job is where it is, and what becomes of it, in sentences."""
    told = known.told
    found = [_why(known)]
    if (text := starts(told)) and told.get("starts_in_s") is not None:
        at = known.now + timedelta(seconds=told["starts_in_s"])
        found.append(f"{text} (about {moment(at, known.now)})")
    return [one_line(one) for one in found if one]


def _why(known: Known) -> str:
    told, reason = known.told, readable(known, known.told["reason"] or "")
    if told["status"] == "completed" and told["cause"] == "success":
        return ""
    if told["status"] in ("failed", "retrying") and told["cause"]:
        return f"{cause_word(told['cause'])}: {reason}"
    counts = told.get("children")
    if counts and reason == ", ".join(f"{counts[one]} {one}" for one in sorted(counts)):
        of_all = f"{counts.get('completed', 0)} of {sum(counts.values())} stages completed"
        return of_all + (f", {counts['failed']} failed" if counts.get("failed") else "")
    if told["status"] in ("scheduled", "running"):
        # What it was given is told elsewhere.
        begun = [one["reason"] for one in known.events if one["to_status"] == told["status"]]
        given = readable(known, begun[-1] or "") if begun else ""
        return "" if reason == given else reason.removesuffix(f"; {given}")
    return reason


def readable(known: Known, sentence: str) -> str:
    """A sentence of the server with local times, and with the numbers of GPUs."""
    names = ("next_attempt_at", "idle_since", "hung_since")
    moments = [time(known.told[name]) for name in names if known.told.get(name)]
    for uuid, (number, _) in known.cards.items():
        if number is not None:
            sentence = sentence.replace(uuid, str(number))
    return in_local_time(sentence, known.now, *moments)


def progress(known: Known) -> str:
    """How far a job is, and until when: ``45 %, about 5 to 8 min left, until 14:40``.

    Empty if there is nothing to say: before it begins, and when it has completed.
    """
    told = known.told
    if told["status"] == "completed" or not (told["progress"] or told["status"] == "running"):
        return ""
    text = how_far(told)
    left = told.get("remaining_s")
    if left is None:
        return text
    return f"{text}, until {moment(known.now + timedelta(seconds=left), known.now)}"


def facts(known: Known) -> list[tuple[str, str]]:
    """Names and values, in the order in which they are of interest."""
    told = known.told
    found = [
        ("metrics", measured(told, 6)),
        *_times(known),
        ("in queue", _place(told)),
        ("asked for", _asked(told)),
        _where(known),
        ("used at most" if _peak(told) else "used", _used(told)),
        ("attempt", _attempt(told)),
        ("time limit", duration(told["time_limit_s"]) if told["time_limit_s"] else ""),
        ("image", told["image"]),
        ("command", _command(told)),
        ("parameters", parameters(told["parameters"])),
        ("variables", ", ".join(told["env_vars"] or ())),
        ("data sets", ", ".join(_called(known, one) for one in told["dataset_ids"] or ())),
        ("directory", _directory(told)),
        ("after", ", ".join(_upstreams(told))),
        ("about", one_line(told["description"] or "")),
        ("tells", ", ".join(one["to"] for one in told["notify"])),
        ("results", told["output_dir"]),
    ]
    return [(name, printable(str(value))) for name, value in found if value]


def _upstreams(told: Mapping[str, Any]) -> list[str]:
    """What it goes after: other stages of its pipeline by their names, other jobs by ids, too."""
    if told["parent_id"] is not None:
        return [one["name"] for one in told["upstreams"]]
    return [f"{one['name']} ({one['job_id']})" for one in told["upstreams"]]


def _times(known: Known) -> list[tuple[str, str]]:
    told, now = known.told, known.now
    submitted = time(told["submitted_at"])
    started = time(told["started_at"]) if told["started_at"] else None
    ended = time(told["completed_at"]) if told["completed_at"] else None
    found = []
    if started is None:
        found.append(("submitted", ago(submitted, now)))
    else:
        waited = (started - submitted).total_seconds() if told["attempt"] == 1 else 0
        told_wait = f", waited {duration(waited)}" if waited >= 1 else ""
        found.append(("started", ago(started, now) + told_wait))
    if ended is not None:
        ran = f", ran {duration((ended - started).total_seconds())}" if started else ""
        found.append(("ended", ago(ended, now) + ran))
    if told["next_attempt_at"]:
        found.append(("next try", ahead(time(told["next_attempt_at"]), now)))
    return found


def _place(told: Mapping[str, Any]) -> str:
    position, priority = told["queue_position"], told["priority"]
    words = [f"place {position}"] if position else []
    return ", ".join([*words, *([f"priority {priority}"] if priority else [])])


def _asked(told: Mapping[str, Any]) -> str:
    text = card.holds({**told, "parts": []})  # it may have begun with fewer
    text = f"{text} ({told['gpu_type']})" if text and told["gpu_type"] else text
    least = told.get("min_nodes")
    if not least or least == told["nodes"]:
        return text
    return f"{text}, or at least {least} node{'s' * (least != 1)}"


def _where(known: Known) -> tuple[str, str]:
    """The machines, the GPUs and the executor."""
    told = known.told
    nodes = [part["node"] for part in told["parts"]] or [told["node"]]
    words = [", ".join(dict.fromkeys(filter(None, nodes)))]
    if told.get("children") is not None:
        return "runs on", ""
    if not words[0]:
        return "executor", told["executor"] or ""
    if gpus := called(told["gpus"], known.cards):
        words.append(f"GPU{'s' * (len(told['gpus']) > 1)} {gpus}")
        busy = [known.cards.get(one, (None, None))[1] for one in told["gpus"]]
        if not known.has_ended and any(one is not None for one in busy):
            each = ("?" if one is None else f"{one:.0f} %" for one in busy)
            words[-1] += f" ({', '.join(each)} busy)"
    if told["executor"] != words[0]:  # what waits at a cluster is on no machine of it yet
        words.append(told["executor"] or "")
    return "ran on" if known.has_ended else "runs on", " · ".join(filter(None, words))


def called(gpus: Sequence[str], cards: Mapping[str, tuple[int | None, float | None]]) -> str:
    """GPUs by their numbers where these are known, else by the beginnings of their UUIDs."""
    numbers = [cards.get(uuid, (None, None))[0] for uuid in gpus]
    return ", ".join(
        uuid[:12] if number is None else str(number)
        for uuid, number in zip(gpus, numbers, strict=True)
    )


def _peak(told: Mapping[str, Any]) -> bool:
    return str(told.get("usage") or "").startswith(_AT_MOST)


_AT_MOST = "used at most "


def _used(told: Mapping[str, Any]) -> str:
    return str(told.get("usage") or "").removeprefix(_AT_MOST)


def _attempt(told: Mapping[str, Any]) -> str:
    if told.get("children") is not None or not told["attempt"]:
        return ""
    words = [f"{told['attempt']} of at most {told['max_retries'] + 1}"]
    if told["exit_code"]:
        words.append(f"exit code {told['exit_code']}")
    return ", ".join(words)


def _command(told: Mapping[str, Any]) -> str:
    """The beginning of a command, which may have a whole program in it."""
    command = told["command"] or ""
    text = " ".join(map(_quoted, shlex.split(command) if isinstance(command, str) else command))
    first = text.strip().split("\n")[0][:_LONGEST_COMMAND]
    return first if first == text.strip() else f"{first} …"


def _quoted(word: str) -> str:
    """A word as one writes it in a shell, with as few marks as possible."""
    if "'" in word and not any(mark in word for mark in '"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)


def _called(known: Known, dataset: int) -> str:
    """A data set by its name; by its number if it is registered no more."""
    return known.datasets.get(dataset, f"number {dataset}")


def _directory(told: Mapping[str, Any]) -> str:
    place = told["working_dir"] or ""
    return f"{place} (as it was when it was submitted)" if place and told["snapshot"] else place


def of_its_parts(job: Job, did: str) -> str | None:
    """Who has done something in the place of a job that is made of others; None of any other.

    Parameters
    ----------
    did
        What a job does: ``printed``, ``measured``.
    """
    told = job.told
    if told["children"] is None:
        return None
    if told["search"] is None:
        names = [child.name for child in job.children()]
        there = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
        return f"{job.name} has {did} nothing itself, but its stages may have: {there}"
    best = told["search"]["best"]
    which = f", and the best is {job.name}/{best['number']}" if best is not None else ""
    return f"{job.name} has {did} nothing itself, but its trials may have: {job.name}/0 …{which}"


def best(found: Found) -> list[tuple[str, str]]:
    """What a search has found so far, as names and values."""
    told = found.told
    states = ", ".join(f"{count} {state}" for state, count in told["states"].items() if count)
    of = f" of {told['trials_allowed']}" if told["trials_allowed"] is not None else ""
    done = sum(told["states"][state] for state in ("complete", "pruned", "failed"))
    # While it goes on, its reason says this.
    rows = [("trials", f"{done}{of} done ({states})")] if told["over"] else []
    if found.best is not None and found.best.value is not None:
        value = f"{told['search']['metric']} {figure(found.best.value)}"
        with_what = parameters(found.best.params)
        rows.append(("best", f"trial {found.best.number}: {value} with {with_what}"))
    if found.importance:
        shares = (f"{name} {share:.0%}" for name, share in found.importance.items())
        rows.append(("what matters", ", ".join(shares)))
    rows.append(("method", method(told["search"])))
    return [(name, one_line(value)) for name, value in rows]


def stages(known: Known) -> Table | None:
    """The stages of a pipeline; None if it has none."""
    if not known.children:
        return None
    table = StageTable(known.children, known.now)
    at = table.columns.index("status")
    rows = [(*row[:at], of(row[at]).word, *row[at + 1 :]) for row in table.rows]
    table.rows = [tuple(map(one_line, row)) for row in rows]
    return table


def ranks(known: Known) -> RankTable | None:
    """The processes of a distributed job; None if it has none, or not yet."""
    told = known.ranks
    if told is None or not told["ranks"]:
        return None
    return RankTable(told, known.now, lambda gpus: called(gpus, known.cards))


def one_line(text: str) -> str:
    """A text as one line that does nothing to a terminal."""
    return printable(" ".join(text.split()))
