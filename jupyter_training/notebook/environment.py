"""The software that a job is submitted with: interpreter, packages, and the state of the code."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_PATIENCE_S = 5.0
_MOST_CHANGES = 200

_packages: tuple[object, dict[str, str]] = (None, {})
"""What was found the last time, and when the directories with packages were changed before that."""


class Environment(dict[str, Any]):
    """What was recorded: a dictionary that shows itself in a few lines."""

    def __repr__(self) -> str:
        if not self:
            return "Nothing was recorded when this job was submitted."
        lines = []
        if image := self.get("image"):
            lines.append(f"image      {image}")
        if python := self.get("python"):
            lines.append(f"python     {python['version']}  {python['executable']}")
        lines.append(f"platform   {self.get('platform', '')}")
        if git := self.get("git"):
            lines.append(f"git        {git['commit'][:12]} {git['branch'] or ''}".rstrip())
            count = len(git["changes"])
            changed = ", ".join(one[3:] for one in git["changes"][:5]) + ", …" * (count > 5)
            lines.append(f"           {'changed: ' + changed if git['dirty'] else 'no changes'}")
        if packages := self.get("packages"):
            listed = "  ".join(f"{name}=={version}" for name, version in packages.items())
            lines.append(f"packages   {len(packages)}: {listed}")
        return "\n".join(lines)

    @property
    def requirements(self) -> str:
        """The packages as pip installs them."""
        packages = self.get("packages", {})
        return "".join(f"{name}=={version}\n" for name, version in packages.items())


def environment(directory: Path, image: str | None = None) -> dict[str, Any]:
    """What there is here and now.

    Parameters
    ----------
    directory
        Where the code is.
    image
        The container image of the job, which has packages of its own.
    """
    told: dict[str, Any] = {"platform": platform.platform(), "git": _git(directory)}
    if image is not None:
        return {"image": image, **told}
    python = {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "prefix": sys.prefix,
    }
    return {"python": python, **told, "packages": packages()}


def packages() -> dict[str, str]:
    """The installed packages with their versions, by name."""
    global _packages
    state = tuple((path, _changed_at(path)) for path in sys.path)
    if _packages[0] != state:
        found: dict[str, str] = {}
        for one in metadata.distributions():
            # The first one of a name is the one that is imported.
            name = one.metadata["Name"]
            if name:
                found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), one.version)
        _packages = (state, dict(sorted(found.items())))
    return _packages[1]


def _changed_at(path: str) -> int:
    try:
        return os.stat(path or ".").st_mtime_ns
    except OSError:
        return 0


def _git(directory: Path) -> dict[str, Any] | None:
    """The commit of the repository around a directory; None if there is none, or no git."""
    commit = _ask_git(directory, "rev-parse", "HEAD")
    changes = _ask_git(directory, "status", "--porcelain", "-z", "--", ".")
    if commit is None or changes is None:
        return None
    listed = [one for one in changes.split("\0") if one]
    remote = _ask_git(directory, "remote", "get-url", "origin")
    return {
        "commit": commit.strip(),
        "branch": (_ask_git(directory, "branch", "--show-current") or "").strip() or None,
        "dirty": bool(listed),
        "changes": listed[:_MOST_CHANGES],
        "remote": None if remote is None else without_password(remote.strip()),
    }


def without_password(url: str) -> str:
    """A URL without what may be a secret in it."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _ask_git(directory: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *words],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
