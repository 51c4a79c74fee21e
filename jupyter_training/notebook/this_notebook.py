"""Which notebook this kernel belongs to, and whether its file is what was run here.

A kernel knows its file only from how it was started, and does not see what is typed. What it sees
is which cells were run, and when. One that was run after the file was saved, and is not in it, was
not saved.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_training.notebook.client import TrainingError

PARAMETERS = "parameters"
"""The tag of the cell that given parameters come after."""


@dataclass(frozen=True)
class Ran:
    """A cell that was run.

    Attributes
    ----------
    number
        What stands in brackets next to it.
    cell_id
        None where the front end does not tell.
    at
        When, in seconds since 1970.
    """

    number: int
    cell_id: str | None
    text: str
    at: float


@dataclass
class Journal:
    """Which cells were run in this kernel, since this was loaded; of each the last time."""

    ran: dict[str | int, Ran] = field(default_factory=dict)

    def watch(self, shell: Any) -> None:
        """Note each cell when it is run."""

        def note(info: Any) -> None:
            if not info.store_history:
                return
            cell_id = getattr(info, "cell_id", None)
            number = self._number(shell) + 1  # it is not in the history yet
            key = number if cell_id is None else cell_id
            self.ran[key] = Ran(number, cell_id, info.raw_cell, time.time())

        shell.events.register("pre_run_cell", note)

    def unsaved_in(self, shell: Any, path: Path) -> list[Ran]:
        """Cells that were run after the file was saved, and are not in it; but for this one."""
        return self.unsaved(path, besides=self._number(shell))

    @staticmethod
    def _number(shell: Any) -> int:
        """The number of the latest cell; the shell's own counter is ahead of it, or is not."""
        return len(shell.history_manager.input_hist_raw) - 1

    def unsaved(self, path: Path, besides: int) -> list[Ran]:
        """Cells that were run after the file was saved, and are not in it.

        Parameters
        ----------
        besides
            The number of a cell that does not matter.
        """
        saved_at = path.stat().st_mtime
        by_id, texts = {}, set()
        for cell in _cells(path):
            by_id[cell.get("id")] = _text(cell)
            texts.add(_text(cell))
        return [
            one
            for one in sorted(self.ran.values(), key=lambda one: one.number)
            if one.number != besides
            and one.at > saved_at
            and by_id.get(one.cell_id) != one.text.strip()
            and one.text.strip() not in texts
        ]


def path_of_this_notebook(shell: Any) -> Path:
    """The file of the notebook that this kernel belongs to.

    Raises
    ------
    TrainingError
        If that is not known, or it is not there any more.
    """
    told = shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    if not told:
        raise TrainingError(
            "This kernel does not know which notebook it belongs to. Name it: %train NOTEBOOK.ipynb"
        )
    path = Path(told)
    # So it is called where several people edit it together.
    path = path.with_name(path.name.removeprefix("RTC:"))
    if not path.is_file():
        raise TrainingError(
            f"There is no notebook {path} any more. If it was renamed since its kernel was "
            "started, restart the kernel, or name it: %train NOTEBOOK.ipynb"
        )
    return path


def has_parameters(path: Path) -> bool:
    """Whether a notebook has a cell that given parameters come after."""
    return any(PARAMETERS in cell.get("metadata", {}).get("tags", ()) for cell in _cells(path))


def _cells(path: Path) -> list[dict[str, Any]]:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        raise TrainingError(f"{path} is not a notebook that can be read.") from None
    return [cell for cell in cells if cell.get("cell_type") == "code"]


def _text(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return ("".join(source) if isinstance(source, list) else str(source)).strip()
