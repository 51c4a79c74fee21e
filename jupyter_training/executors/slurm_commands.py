"""Slurm's commands, run as processes of their own: what they say, and whether Slurm is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_training.executors.base import ClusterAway
from jupyter_training.executors.cluster_dialect import Refused, TooMany
from jupyter_training.executors.slurm_inventory import SlurmNode
from jupyter_training.executors.slurm_jobs import SlurmJob
from jupyter_training.executors.slurm_request import Wanted
from jupyter_training.executors.slurm_texts import (
    AWAY,
    FORMAT,
    LIMIT,
    PAST,
    jobs_of,
    nodes_of,
    past_jobs_of,
    sbatch_arguments,
    words,
)
from jupyter_training.executors.slurm_transport import AT_ONCE, PATIENCE_S

_COMPANY_S = 0.2
"""How long a question to accounting waits for others to be asked with it (s)."""

_NO_ACCOUNTING_S = 300.0
"""How soon accounting is asked again that could not be (s)."""

_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|LD_LIBRARY_PATH|KRB5CCNAME"
    r"|SLURM_CONF|SLURM_CLUSTERS|SLURM_JWT|SLURM_DEBUG_FLAGS|SBATCH_\w+"
)
"""What these commands get of the server's environment. If the server is a job of Slurm itself, the
rest would make ours a part of it; and what they get, the script gets."""


class Commands:
    """The commands of Slurm; see `Transport`.

    Parameters
    ----------
    installation
        Whose jobs are ours.
    directory
        Where the commands are; empty if they are found by their names.
    further
        Further arguments for ``sbatch``.
    """

    def __init__(self, installation: str, directory: str = "", further: Sequence[str] = ()) -> None:
        self._installation, self._directory = installation, directory
        self._further = further
        self._submitting = asyncio.Semaphore(AT_ONCE)
        self._recalling: asyncio.Task[dict[str, SlurmJob]] | None = None
        self._recalled: set[str] = set()
        self._recall_at = float("-inf")

    async def version(self) -> str:
        """Of these commands."""
        try:
            printed = await self._run(["sbatch", "--version"])
        except Refused as refused:
            raise ClusterAway(str(refused)) from None
        return printed.split()[-1] if printed.split() else "unknown"

    async def submit(self, job: Wanted) -> str:
        """Submit a job; see `Transport`."""
        async with self._submitting:
            printed = await self._run(["sbatch", *sbatch_arguments(job, self._further)], job.script)
        return printed.strip().partition(";")[0]

    async def queue(self) -> list[SlurmJob]:
        """All jobs of this installation that Slurm knows; see `Transport`."""
        whose = f"--user={os.geteuid()}"
        asked = ["squeue", "--noheader", "--states=all", "--array", whose, f"--format={FORMAT}"]
        try:
            return jobs_of(await self._run(asked), self._installation)
        except Refused as refused:
            raise ClusterAway(str(refused)) from None

    async def nodes(self) -> list[SlurmNode]:
        """The nodes of the cluster; see `Transport`."""
        asked = ["scontrol", "--oneliner", "--details", "show", "node"]
        try:
            return nodes_of(await self._run(asked))
        except Refused as refused:
            raise ClusterAway(str(refused)) from None

    async def exit_code(self, job: str) -> int | None:
        """The exit code of a job that has ended; see `Transport`."""
        with contextlib.suppress(Refused, ClusterAway):
            printed = await self._run(["scontrol", "--oneliner", "show", "job", job])
            found = re.search(r"\sExitCode=(\d+):", printed)
            return None if found is None else int(found[1])
        return None

    async def recall(self, job: str) -> SlurmJob | None:
        """A job that has ended, from accounting, which is asked for all that are wanted at once."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._recall_at:
            return None
        if self._recalling is None:
            self._recalled = set()
            self._recalling = loop.create_task(self._recall())
        self._recalled.add(job)
        return (await asyncio.shield(self._recalling)).get(job)

    async def _recall(self) -> dict[str, SlurmJob]:
        await asyncio.sleep(_COMPANY_S)
        wanted, self._recalling = sorted(self._recalled), None
        form = ["--noheader", "--parsable2", "--allocations", f"--format={','.join(PAST)}"]
        try:
            return past_jobs_of(await self._run(["sacct", *form, f"--jobs={','.join(wanted)}"]))
        except (Refused, ClusterAway):
            self._recall_at = asyncio.get_running_loop().time() + _NO_ACCOUNTING_S
            return {}

    async def tell(self, job: str) -> None:
        """Send SIGTERM to the script of a job that runs; see `Transport`."""
        with contextlib.suppress(Refused):  # it has ended, or has not begun
            await self._run(["scancel", "--signal=TERM", "--batch", job])

    async def cancel(self, job: str) -> None:
        """Take a job out of the queue, and end it if it runs."""
        with contextlib.suppress(Refused):
            await self._run(["scancel", job])

    async def close(self) -> None:
        """Nothing is held."""

    async def _run(self, command: Sequence[str], said: str = "") -> str:
        program = os.path.join(self._directory, command[0])
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                *command[1:],
                env=environment(os.environ),
                cwd="/",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise ClusterAway(f"{program} cannot be run here: {error.strerror}") from None
        try:
            printed, trouble = await asyncio.wait_for(
                process.communicate(said.encode()), PATIENCE_S
            )
        except asyncio.TimeoutError:
            raise ClusterAway(f"Slurm says nothing ({command[0]})") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode == 0:
            return printed.decode("utf-8", "replace")
        told = trouble.decode("utf-8", "replace")
        why = words(told, command[0]) or f"{command[0]} ended with {process.returncode}"
        if AWAY.search(told):
            raise ClusterAway(f"Slurm does not answer: {why}")
        raise TooMany(why) if LIMIT.search(told) else Refused(why)


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """What the commands find in their environment."""
    env = {name: value for name, value in inherited.items() if _KEPT.fullmatch(name)}
    # The format of times and of lists is what we expect.
    return {**env, "SLURM_TIME_FORMAT": "standard"}


def are_there(directory: str = "") -> bool:
    """Whether the commands can be found here."""
    paths = [directory] if directory else os.get_exec_path()
    return any((Path(one) / "sbatch").exists() for one in paths)
