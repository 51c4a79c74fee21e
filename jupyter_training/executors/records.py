"""What a supervisor leaves in its attempt's directory: enough for a server that starts years later.

``started.json``
    Who it is. It is created exclusively: whoever comes second, be it a late supervisor or a server
    that gave this attempt up, finds it taken.
``output.log``
    What the job printed, both streams in the order in which they came.
``exit.json``
    How it ended and what it has used. It is complete or not there; the space for it is taken at
    the start, so that a full disk cannot keep it from being written.

Standard library only, and no import that is not needed: every supervisor carries this.
"""

from __future__ import annotations

import json
import os
import time

TYPE_CHECKING = False  # that of typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any

STARTED, EXIT, LOG = "started.json", "exit.json", "output.log"

_EXIT_RECORD_BYTES = 4096


def claim(directory: str, identity: dict[str, Any]) -> bool:
    """Take an attempt, if nobody has taken it.

    Returns
    -------
    bool
        Whether it is ours. If not, `started.json` says whose it is.
    """
    path = os.path.join(directory, STARTED)
    draft = f"{path}.{os.getpid()}"
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(file, json.dumps(identity).encode())
    finally:
        os.close(file)
    try:
        # A link either makes the whole file appear or fails because there is one.
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    return True


def open_exit(directory: str) -> int:
    """Take the space for the exit record while there is some."""
    file = os.open(os.path.join(directory, EXIT + ".draft"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(file, b" " * _EXIT_RECORD_BYTES)
    except OSError:
        pass
    return file


def write_exit(directory: str, record: int, ended: dict[str, Any]) -> None:
    """Make the exit record appear, whole and on disk."""
    text = json.dumps(ended).encode()
    while True:
        try:
            os.pwrite(record, text, 0)
            os.ftruncate(record, len(text))
            os.fsync(record)
            os.rename(os.path.join(directory, EXIT + ".draft"), os.path.join(directory, EXIT))
            return
        except FileNotFoundError:
            return  # the job was deleted under us; nobody waits for this record
        except OSError:
            time.sleep(1)  # the file system is away for a while; this is what we are here for
