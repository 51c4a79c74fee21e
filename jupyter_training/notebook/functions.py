"""``@train``: functions that can be submitted."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar, overload

from jupyter_training import values
from jupyter_training.jobs.placeholders import SCRIPT_PLACEHOLDER
from jupyter_training.notebook import jobs
from jupyter_training.notebook.exchange import upload
from jupyter_training.notebook.job import Job
from jupyter_training.notebook.options import fields_of

_P = ParamSpec("_P")
_R = TypeVar("_R")


class TrainFunction(Generic[_P, _R]):
    """A function that can be submitted as a job. Called, it runs here, as without the decorator.

    Parameters
    ----------
    fields
        The fields of its jobs.
    """

    def __init__(
        self,
        function: Callable[_P, _R],
        fields: dict[str, Any],
        *,
        snapshot: bool = True,
        snapshot_limit_mb: int | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self._function, self._fields = function, fields
        self._snapshot, self._snapshot_limit_mb = snapshot, snapshot_limit_mb

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Call it here."""
        return self._function(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        # In a job it is the function itself.
        return values.itself, (self._function,)

    def __repr__(self) -> str:
        return f"<train {self._function.__qualname__}>"

    def submit(self, *args: _P.args, **kwargs: _P.kwargs) -> Job:
        """Submit a call. `Job.result` is what it returns, or raises what it raises.

        Raises
        ------
        TypeError
            If these are not the arguments that it takes.
        TrainingError
            If it cannot be a job, or an argument cannot be pickled.
        """
        signature = inspect.signature(self._function)
        given = {*self._fields.get("parameters", ()), *_space(self._fields.get("search"))}
        # What a search tries is given to the function by their names, in each of its trials.
        bind = signature.bind_partial if given else signature.bind
        bind(*args, **kwargs)
        sent, _ = upload({values.CALL: (self._function, args, kwargs)})
        python = sys.executable if self._fields.get("image") is None else "python3"
        name = self._function.__name__
        spec: dict[str, Any] = {
            "name": name,
            "command": [python, "-m", "jupyter_training.values", "call"],
            "working_dir": os.getcwd(),
            "variables": sent,
            **self._fields,
        }
        source = _source(self._function)
        if source is not None:
            # So that `job.code()` shows it; it runs from its pickle.
            spec["command"] = [*spec["command"], SCRIPT_PLACEHOLDER]
            spec["script"] = {"name": f"{name}.py" if name.isidentifier() else "function.py"}
            spec["script"]["text"] = source
        limit_mb = self._snapshot_limit_mb
        return jobs.send(spec, snapshot=self._snapshot, snapshot_limit_mb=limit_mb)


@overload
def train(function: Callable[_P, _R]) -> TrainFunction[_P, _R]: ...
@overload
def train(
    *, snapshot: bool = True, snapshot_limit_mb: int | None = None, **options: Any
) -> Callable[[Callable[_P, _R]], TrainFunction[_P, _R]]: ...
def train(
    function: Callable[_P, _R] | None = None,
    *,
    snapshot: bool = True,
    snapshot_limit_mb: int | None = None,
    **options: Any,
) -> TrainFunction[_P, _R] | Callable[[Callable[_P, _R]], TrainFunction[_P, _R]]:
    """Make a function one that can be submitted as a job.

    Parameters
    ----------
    snapshot
        Whether its jobs run in a copy of the current directory.
    snapshot_limit_mb
        How large such a copy may be (MB), where the server's limit is too small.
    **options
        Those of ``%%train`` by their names, such as ``gpus=1``, ``memory=16``,
        ``time_limit="2h"`` or ``env={"A": "b"}``, or the fields of a job.

    Raises
    ------
    TypeError
        If there is no such option.

    Examples
    --------
    >>> @train(gpus=1)  # doctest: +SKIP
    ... def fit(lr):
    ...     ...
    >>> job = fit.submit(0.1)  # doctest: +SKIP
    >>> job.result()  # doctest: +SKIP
    """
    fields = fields_of(options)

    def decorate(function: Callable[_P, _R]) -> TrainFunction[_P, _R]:
        return TrainFunction(
            function, fields, snapshot=snapshot, snapshot_limit_mb=snapshot_limit_mb
        )

    return decorate if function is None else decorate(function)


def _space(search: object) -> Iterable[str]:
    """The names of the parameters that a search tries."""
    space = search.get("space") if isinstance(search, dict) else None
    return space if isinstance(space, dict) else ()


def _source(function: Callable[..., Any]) -> str | None:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return None
