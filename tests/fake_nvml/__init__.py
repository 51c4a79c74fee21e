"""A FAKE of NVIDIA's management library, because no machine that runs these tests has a GPU.

It is a shared library of the real one's name, so that everything above it is real: pynvml loads it
and calls it as it would the driver's. A server or a script finds it by ``LD_LIBRARY_PATH``::

    library = fake_nvml.build(directory)
    gpus = FakeGpus(directory / "state", ["NVIDIA A100-SXM4-80GB"] * 2)
    environment = gpus.environment(library)

and this process by `load`. The state is read again at each call.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path

VARIABLE, CALLS_VARIABLE = "FAKE_NVML_STATE", "FAKE_NVML_CALLS"
LIBRARY = "libnvidia-ml.so.1"
GB = 1024**3

GPU_IS_LOST, DRIVER_NOT_LOADED, NOT_SUPPORTED, NO_PERMISSION, UNKNOWN = 15, 9, 3, 4, 999
"""Some of the codes that NVML's functions return."""


def build(directory: Path) -> Path:
    """Put the fake ``libnvidia-ml.so.1`` into a directory, and return its path."""
    library = directory / LIBRARY
    shutil.copy(_compiled(), library)
    return library


@cache
def _compiled() -> Path:
    """Compile it, once in this process."""
    place = tempfile.mkdtemp(prefix="fake-nvml-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    library = Path(place, LIBRARY)
    source = Path(__file__).with_name("fake_nvml.c")
    warnings = ["-Wall", "-Wextra", "-Werror"]
    shared = ["-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run(["cc", "-O1", *warnings, *shared, "-o", library, source], check=True)
    return library


def load(library: Path) -> None:
    """Load it into this process: pynvml then gets it by its name, and not the driver's."""
    ctypes.CDLL(str(library))


class FakeGpus:
    """The cards that the fake library tells of.

    A card is healthy and idle until something is set: by `card`, with the names of the state file
    (None makes a query not supported), by `fail`, by `hang` and by `xid`.

    Parameters
    ----------
    path
        The state file.
    models
        The product name of each card.
    memory_gb
        The memory of each card.
    """

    def __init__(self, path: Path, models: Sequence[str], memory_gb: int = 80) -> None:
        self.path = path
        self.count = len(models)
        self.errors: dict[str, int] = {}
        self.hangs: set[str] = set()
        self.xids: list[tuple[int, int]] = []
        self.cards: list[dict[str, str | int | None]] = [
            {
                "uuid": uuid(index),
                "name": model,
                "memory_total": memory_gb * GB,
                "memory_reserved": 600 * 1024**2,
                "memory_used": 4 * 1024**2,
                "utilization": 0,
                "temperature": 31,
                "power": 62_500,
                "power_limit": 400_000,
                "ecc_uncorrected": 0,
                "retired_pages_pending": 0,
                "remap_pending": 0,
                "remap_failure": 0,
                "recovery_action": 0,
                "mig": 0,
            }
            for index, model in enumerate(models)
        ]
        self.processes: dict[tuple[int, str], list[tuple[int, int]]] = {}
        self.write()

    def environment(self, library: Path) -> dict[str, str]:
        """What a process needs in its environment to see these cards."""
        return {
            "LD_LIBRARY_PATH": str(library.parent),
            VARIABLE: str(self.path),
            CALLS_VARIABLE: str(self.calls_path),
        }

    @property
    def calls_path(self) -> Path:
        """Where the names of the calls are appended, if the environment says so."""
        return self.path.with_name(f"{self.path.name}.calls")

    def calls(self, call: str) -> int:
        """How often a call was made."""
        try:
            return self.calls_path.read_text().splitlines().count(call)
        except FileNotFoundError:
            return 0

    def card(self, index: int, **values: str | int | None) -> None:
        """Change what a card answers."""
        self.cards[index].update(values)
        self.write()

    def uses(self, index: int, *processes: tuple[int, int], kind: str = "compute") -> None:
        """Let these, each a pid and its bytes, and no others be on a card."""
        self.processes[index, kind] = list(processes)
        self.write()

    def fail(self, call: str, code: int | None, card: int | None = None) -> None:
        """Let a call fail, ``*`` for every one, on a card or in all; None to let it work again."""
        key = f"error.{call}" if card is None else f"{card}.error.{call}"
        if code is None:
            self.errors.pop(key, None)
        else:
            self.errors[key] = code
        self.write()

    def hang(self, call: str, card: int | None = None) -> None:
        """Let a call not return, on a card or in all, until `answer`."""
        self.hangs.add(f"hang.{call}" if card is None else f"{card}.hang.{call}")
        self.write()

    def answer(self) -> None:
        """Let all calls return again."""
        self.hangs.clear()
        self.write()

    def let_threads_end(self) -> None:
        """Let all calls return, and have none of this process go on into the next test."""
        self.answer()
        for thread in threading.enumerate():
            if thread.name in ("driver of the GPUs", "figures of the GPUs", "end of NVML"):
                thread.join()

    def vanish(self) -> None:
        """Take the last card from the list."""
        self.count -= 1
        self.write()

    def come_back(self) -> None:
        """Have all cards in the list again."""
        self.count = len(self.cards)
        self.write()

    def xid(self, index: int, code: int) -> None:
        """Let a card report an Xid error."""
        self.xids.append((index, code))
        self.write()

    def write(self) -> None:
        """Write the state file, at once as a whole."""
        told: dict[str, str | int] = {"count": self.count, **self.errors}
        told |= dict.fromkeys(self.hangs, 1)
        for index, card in enumerate(self.cards):
            told |= {f"{index}.{name}": value for name, value in card.items() if value is not None}
        for (index, kind), several in self.processes.items():
            for at, (pid, used) in enumerate(several):
                told[f"{index}.{kind}.{at}"] = f"{pid} {used}"
        for at, (index, code) in enumerate(self.xids):
            told[f"xid.{at}"] = f"{index} {code}"
        text = "".join(f"{key} {value}\n" for key, value in told.items())
        new = self.path.with_name(f"{self.path.name}.new")
        new.write_text(text)
        os.replace(new, self.path)


def uuid(index: int) -> str:
    """The UUID of a fake card."""
    return f"GPU-fa4e0000-0000-0000-0000-{index:012d}"
