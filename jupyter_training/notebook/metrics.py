"""What a job has measured, as it is told to Python, a notebook and a terminal."""

from __future__ import annotations

import csv
import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jupyter_training.notebook.asking import ask
from jupyter_training.notebook.client import Client, TrainingError
from jupyter_training.notebook.display import printable
from jupyter_training.notebook.formats import figure
from jupyter_training.notebook.tables import Table

if TYPE_CHECKING:
    import pandas as pd

MAX_POINTS = 500


@dataclass(frozen=True)
class Series:
    """The points of one metric.

    Attributes
    ----------
    source
        ``reported`` by `report`, or ``printed`` and read from the log.
    points
        How many there are; the lists have fewer if not all were asked for.
    steps, times, values
        Times in seconds since 1970. Values may be NaN or infinite.
    """

    name: str
    source: str
    points: int
    steps: list[float]
    times: list[float]
    values: list[float]

    @property
    def latest(self) -> float:
        """The last value."""
        return self.values[-1]

    def to_pandas(self) -> pd.Series:
        """The values by step, as a pandas Series."""
        return _pandas().Series(
            self.values, _pandas().Index(self.steps, name="step"), name=self.name
        )


class Metrics(Mapping[str, Series]):
    """The metrics of an attempt of a job, by their names.

    Attributes
    ----------
    attempt
        Which one.
    over
        Whether it is, so that nothing more comes.
    notices
        What is missing, in sentences.
    """

    def __init__(
        self, series: Iterable[Series], attempt: int, *, over: bool, notices: Sequence[str] = ()
    ) -> None:
        self._series = {one.name: one for one in series}
        self.attempt, self.over, self.notices = attempt, over, list(notices)

    def __getitem__(self, name: str) -> Series:
        return self._series[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __len__(self) -> int:
        return len(self._series)

    @property
    def latest(self) -> dict[str, float]:
        """The last value of each."""
        return {name: one.latest for name, one in self._series.items()}

    def to_pandas(self) -> pd.DataFrame:
        """A pandas DataFrame with a row for each step and a column for each metric.

        Of several values for one step it has the last. What was not measured at a step is NaN.

        Raises
        ------
        TrainingError
            If pandas is not installed.
        """
        columns = [one.to_pandas() for one in self._series.values()]
        if not columns:
            return _pandas().DataFrame(index=_pandas().Index([], name="step"))
        columns = [one[~one.index.duplicated(keep="last")] for one in columns]
        return _pandas().concat(columns, axis="columns").sort_index()

    def __repr__(self) -> str:
        return "\n".join([repr(_Table(self)), *self.notices])

    def _repr_html_(self) -> str:
        notices = "".join(f"<div>{html.escape(one)}</div>" for one in self.notices)
        return _Table(self)._repr_html_() + notices


class _Table(Table):
    """What a person wants to see of them at once."""

    columns = ("metric", "last", "at step", "lowest", "highest", "points", "source")
    empty = "Nothing was measured yet: neither reported nor found in what the job has printed."

    def __init__(self, metrics: Metrics) -> None:
        self.rows = [
            (
                printable(one.name),
                figure(one.latest),
                figure(one.steps[-1]),
                figure(min(present, default=one.latest)),
                figure(max(present, default=one.latest)),
                str(one.points),
                one.source,
            )
            for one in metrics.values()
            for present in ([value for value in one.values if value == value],)
        ]


def fetch(
    job_id: str,
    names: str | Iterable[str] | None = None,
    *,
    attempt: int | None = None,
    max_points: int | None = MAX_POINTS,
) -> Metrics:
    """What a job has measured; see `Job.metrics`."""
    told = told_of(job_id, names, attempt=attempt, max_points=max_points or MAX_POINTS)
    series = [
        Series(
            one["name"],
            one["source"],
            one["points"],
            one["steps"],
            one["times"],
            # JSON has no NaN and no infinity: they are told as strings.
            [float(value) for value in one["values"]],
        )
        for one in told["series"]
    ]
    if max_points is None and any(one.points > len(one.values) for one in series):
        series = _all_points(job_id, names, told["attempt"])
    return Metrics(series, told["attempt"], over=told["over"], notices=told["notices"])


def told_of(
    job_id: str, names: str | Iterable[str] | None, *, attempt: int | None, max_points: int
) -> dict[str, Any]:
    """The same as the REST interface tells it."""
    query = {"max_points": max_points, **_query(names, attempt)}
    return ask(lambda client: client.metrics(job_id, query))


def csv_pieces(
    job_id: str, names: str | Iterable[str] | None, attempt: int | None
) -> Iterator[bytes]:
    """Every point as a line of CSV, in pieces as they come."""
    client: Client = ask(lambda client: client)
    with client.metrics_csv(job_id, _query(names, attempt)) as answer:
        yield from answer.iter_bytes()


def _query(names: str | Iterable[str] | None, attempt: int | None) -> dict[str, Any]:
    asked = [names] if isinstance(names, str) else list(names or ())
    return {
        **({"names": asked} if asked else {}),
        **({"attempt": attempt} if attempt is not None else {}),
    }


def _all_points(job_id: str, names: str | Iterable[str] | None, attempt: int) -> list[Series]:
    found: dict[str, Series] = {}
    rows = csv.reader(_lines(csv_pieces(job_id, names, attempt)))
    next(rows, None)
    for name, source, step, at, value in rows:
        one = found.setdefault(name, Series(name, source, 0, [], [], []))
        one.steps.append(float(step) if "." in step or "e" in step else int(step))
        one.times.append(datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() if at else 0)
        one.values.append(float(value))
    return [
        Series(one.name, one.source, len(one.values), one.steps, one.times, one.values)
        for one in found.values()
    ]


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode() + "\n"
    if rest:
        yield rest.decode()


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise TrainingError(
            "This needs pandas, which is not installed here: pip install 'jupyter-training[pandas]'"
        ) from None
    return pandas
