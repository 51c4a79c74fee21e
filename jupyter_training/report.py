"""Report metrics and progress from a training script.

`report` appends one line of JSON to the file that ``JUPYTER_TRAINING_METRICS_FILE`` names. It uses
the standard library only and runs on Python 3.8, because it is imported in whatever environment a
job runs in. It never raises into the script: a training run is worth more than its curve.

A line is written with a single ``write`` on a file opened for appending, so that several processes
of one job can report at once.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any, Optional

_path: Optional[str] = None  # noqa: UP045 - this module has to run on Python 3.8
_file: Optional[int] = None  # noqa: UP045


def report(step: Optional[int] = None, progress: Optional[float] = None, **metrics: Any) -> None:  # noqa: UP045
    """Report where the training stands. Outside a job this does nothing.

    Parameters
    ----------
    step
        The step or epoch that the metrics belong to.
    progress
        How much of the whole is done, from 0 to 1.
    **metrics
        Numbers by name, such as ``loss=0.12``. NaN and infinity are kept; anything that is not a
        number is left out.

    Examples
    --------
    >>> report(step=3, loss=0.12, accuracy=0.97, progress=3 / 10)
    """
    try:
        file = _open()
        if file is None:
            return
        line = {"time": time.time()}
        if step is not None:
            line["step"] = int(step)
        if progress is not None:
            line["progress"] = float(progress)
        values = {}
        for name, value in metrics.items():
            try:
                # Also for arrays and tensors of one element.
                values[name] = float(value)
            except Exception:
                continue
        os.write(file, (json.dumps({**line, "metrics": values}) + "\n").encode())
    except Exception:
        return


def _open() -> Optional[int]:  # noqa: UP045
    global _file, _path
    path = os.environ.get("JUPYTER_TRAINING_METRICS_FILE")
    if not path:
        return None
    if _file is None or path != _path:
        _file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _path = path
    return _file
