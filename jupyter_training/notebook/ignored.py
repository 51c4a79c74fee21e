"""What of a directory is not a part of its snapshot.

As for git, the last pattern that matches decides, and a file closer to the path comes before one
above it. What ``.trainignore`` says comes before what ``.gitignore`` says, so that ``!weights.bin``
in there takes in what git leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

GIT, TRAIN = ".gitignore", ".trainignore"

NOTHING = ("__pycache__", ".ipynb_checkpoints", ".DS_Store")
"""What nobody misses where it is not: a program makes these again."""

_ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")
_OTHERS = "node_modules"


@dataclass(frozen=True)
class Rules:
    """The patterns that are true in a directory.

    Attributes
    ----------
    train, git
        The files with patterns, the closest first: the directory of each, and what it says.
    """

    train: tuple[tuple[Path, GitIgnoreSpec], ...] = ()
    git: tuple[tuple[Path, GitIgnoreSpec], ...] = ()

    @classmethod
    def above(cls, root: Path) -> Rules:
        """What the repository around a directory says, from its own top on."""
        top = next((one for one in (root, *root.parents) if (one / ".git").exists()), None)
        rules = cls()
        if top is None:
            return rules
        rules = rules._with(top, top / ".git" / "info" / "exclude")
        for directory in reversed([one for one in root.parents if one.is_relative_to(top)]):
            rules = rules.inside(directory)
        return rules

    def inside(self, directory: Path) -> Rules:
        """Those that are true in a directory below."""
        return self._with(directory, directory / GIT)._with(directory, directory / TRAIN)

    def decide(self, path: Path, *, is_directory: bool) -> bool | None:
        """Whether a path is left out; None if no pattern says anything about it."""
        for directory, spec in (*self.train, *self.git):
            name = path.relative_to(directory).as_posix() + "/" * is_directory
            decided = spec.check_file(name).include
            if decided is not None:
                return decided
        return None

    def _with(self, directory: Path, file: Path) -> Rules:
        try:
            lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except OSError:
            return self
        read = ((directory, GitIgnoreSpec.from_lines(lines)),)
        if file.name == TRAIN:
            return Rules(read + self.train, self.git)
        return Rules(self.train, read + self.git)


def is_left_out_anyway(path: Path) -> bool:
    """Whether a directory is none of a person's work, unless a pattern says that it is.

    These are hidden ones, such as ``.git``, and environments with installed packages.
    """
    if path.name.startswith(".") or path.name == _OTHERS:
        return True
    return any((path / mark).exists() for mark in _ENVIRONMENTS)


def is_nothing(name: str) -> bool:
    """Whether something is made again by itself where it is missing."""
    return name in NOTHING or name.endswith((".pyc", ".pyo"))
