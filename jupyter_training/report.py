"""Report metrics and progress from a training script.

`report` appends one line of JSON to the file that ``JUPYTER_TRAINING_METRICS_FILE`` names. It uses
the standard library only and runs on Python 3.8, because it is imported in whatever environment a
job runs in. It never raises into the script: a training run is worth more than its curve.

A line is written with a single ``write`` on a file opened for appending, so that several processes
and threads of one job can report at once. A process that was forked opens the file for itself:
it may have closed what it inherited, and another file may have got that number.
"""

from __future__ import annotations

import json
import os
from time import time
from typing import Any, Dict, Optional  # noqa: UP035 - this module has to run on Python 3.8

_file: Optional[int] = None  # noqa: UP045
_torn = False
_keys: Dict[str, str] = {}  # noqa: UP006

_KEYS = 10_000

# What Python's own reader of JSON calls them.
_words = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def report(step: Optional[int] = None, progress: Optional[float] = None, **metrics: Any) -> None:  # noqa: UP045
    """Report where the training stands. Outside a job this does nothing.

    Parameters
    ----------
    step
        The step or epoch that the metrics belong to. Left out, each metric is counted by itself.
    progress
        How much of the whole is done, from 0 to 1.
    **metrics
        Numbers by name, such as ``loss=0.12``. NaN and infinity are kept; anything that is not a
        number is left out. A tensor of one element is a number, but one on a GPU has to be waited
        for.

    Examples
    --------
    >>> report(step=3, loss=0.12, accuracy=0.97, progress=3 / 10)
    """
    try:
        file = _file
        if file is None:
            file = _open()
            if file is None:
                return
        head = '{"time": %.3f' % time()  # noqa: UP031 - of all ways this is the fastest
        if step is not None:
            head += _told(', "step": ', step)
        if progress is not None:
            head += _told(', "progress": ', progress)
        told = []
        for name, value in metrics.items():
            if type(value) is not float:
                try:
                    value = float(value)  # also for arrays and tensors of one element
                except Exception:
                    continue
            number = repr(value) if value - value == 0 else _words[repr(value)]
            told.append((_keys.get(name) or _key(name)) + number)
        _write(file, (head + ', "metrics": {' + ", ".join(told) + "}}\n").encode())
    except Exception:
        return


def parameters(**defaults: Any) -> Dict[str, Any]:  # noqa: UP006
    """The parameters of this job, such as those that a search tries.

    Parameters
    ----------
    **defaults
        What they are where nothing else is said, as outside of a job.

    Returns
    -------
    dict
        By their names.

    Examples
    --------
    >>> parameters(lr=1e-3, batch=32)
    {'lr': 0.001, 'batch': 32}
    """
    given = os.environ.get("JUPYTER_TRAINING_PARAMETERS")
    return {**defaults, **(json.loads(given) if given else {})}


def _told(key: str, value: Any) -> str:
    try:
        if type(value) is not int:
            value = float(value)
        return key + repr(value) if value - value == 0 else ""
    except Exception:
        return ""


def _key(name: str) -> str:
    key = json.dumps(name) + ": "
    if len(_keys) < _KEYS:
        _keys[name] = key
    return key


def _write(file: int, line: bytes) -> None:
    global _torn
    if _torn:
        line = b"\n" + line
    # Less is written only if the disk is full. What is left of a line then is not to spoil the
    # next one.
    _torn = os.write(file, line) != len(line)


def _open() -> Optional[int]:  # noqa: UP045
    global _file
    path = os.environ.get("JUPYTER_TRAINING_METRICS_FILE")
    if not path:
        return None
    _file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return _file


def _forget_file() -> None:
    global _file, _torn
    _file, _torn = None, False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_file)
