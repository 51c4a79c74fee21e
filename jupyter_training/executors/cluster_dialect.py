"""What is particular to one kind of cluster, for the executor that is the same for all of them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from jupyter_training.executors.base import Launch
from jupyter_training.executors.cluster_node import NO_PYTHON, NOT_SHARED
from jupyter_training.jobs.lifecycle import Cause, Exit
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import JobSpec
from jupyter_training.scheduling.resources import ClusterNode, Placement


class ClusterJob(Protocol):
    """A job as a cluster tells of it."""

    @property
    def id(self) -> str:
        """What the cluster calls it."""

    @property
    def token(self) -> str:
        """The token of its attempt."""

    @property
    def directory(self) -> str:
        """The directory of its attempt."""

    @property
    def left_s(self) -> float:
        """How long it may still run (s); infinite if there is no limit, or it does not run."""

    @property
    def is_over(self) -> bool:
        """Whether it stays as it is."""

    @property
    def waits(self) -> bool:
        """Whether it has not begun, or is to begin again."""

    @property
    def is_unsure(self) -> bool:
        """Whether its processes may live on although it is over, where the cluster sees nothing."""


J = TypeVar("J", bound=ClusterJob)
R = TypeVar("R")


class Refused(RuntimeError):
    """A cluster does not do what it was asked for; the text is its own."""


class TooMany(Refused):
    """It would, if there were fewer jobs."""


class Dialect(Protocol[J, R]):
    """How a cluster is spoken to. `J` is its idea of a job, and `R` of what is submitted."""

    @property
    def name(self) -> str:
        """What people call this kind of cluster."""

    models: frozenset[str]
    """The GPU types that there are, as the cluster calls them; empty while that is not known."""

    @property
    def program(self) -> list[str]:
        """What runs on a node, without its arguments."""

    @property
    def own(self) -> tuple[str, ...]:
        """How variables begin that a server may have of it, and jobs are not to get from there."""

    def problems(self, spec: JobSpec) -> list[FieldError]:
        """What is wrong with a job for this kind of cluster, beside what is wrong for all kinds."""

    def gpu_type(self, asked: str) -> str | None:
        """What a GPU type that a person wrote is called on the cluster; None if it is not there."""

    async def nodes(self) -> Sequence[ClusterNode]:
        """The nodes of the cluster.

        Raises
        ------
        ClusterAway
            If the cluster is away.
        """

    def request(self, launch: Launch) -> R:
        """What is to be submitted for an attempt."""

    def more(self, launch: Launch) -> dict[str, Any]:
        """What our program on the nodes is to know beside what is the same for all clusters."""

    async def submit(self, request: R) -> str:
        """Submit it.

        Returns
        -------
        str
            What the cluster calls the job.

        Raises
        ------
        ClusterAway
            If the cluster is away. Whether it has got the job is not known.
        Refused
            If it does not want it.
        """

    async def jobs(self) -> Sequence[J]:
        """All jobs of this installation that the cluster knows, also some that have ended.

        Raises
        ------
        ClusterAway
            If the cluster is away.
        """

    async def recall(self, job: str, directory: Path) -> J | None:
        """A job that `jobs` does not tell of any more, from what the cluster keeps for longer.

        Returns
        -------
        J or None
            How it ended; None if that is not known, or nothing is kept.
        """

    async def cancel(self, job: str) -> None:
        """Take a job out of the queue, and end it if it runs.

        Raises
        ------
        ClusterAway
            If the cluster is away.
        """

    async def ask_to_end(self, job: str) -> None:
        """Tell our program on the nodes, if there is a quicker way than the file that it looks for.

        Raises
        ------
        ClusterAway
            If the cluster is away.
        """

    async def placed(self, token: str, place: Placement) -> Placement | None:
        """Where an attempt runs, by the name of the node; None if that is not known.

        Parameters
        ----------
        place
            What our program on the node has written; without a name if it has no way to know it.

        Raises
        ------
        ClusterAway
            If the cluster has to be asked, and is away.
        """

    def reason(self, job: J) -> str:
        """Why a job that is not over has not begun, in the cluster's words; empty if it runs."""

    def end_of(
        self, told: Exit, job: J | None, *, asked: bool, revoked: bool, left_s: float
    ) -> Exit:
        """The end of an attempt, from what its supervisor has written and what the cluster says.

        Parameters
        ----------
        told
            What the supervisor has written.
        job
            None if the cluster does not know it any more.
        asked
            Whether we have asked it to end.
        revoked
            Whether it was killed because the attempt was given up.
        left_s
            How much of its time was left when the cluster was asked last (s).
        """

    def lost(self, job: J | None, *, revoked: bool, asked: bool) -> Exit:
        """How an attempt ended that began and has written nothing of its end.

        Parameters
        ----------
        revoked, asked
            Whether it was to be killed because it was given up, and whether we have asked it to
            end; then it was perhaps we who had the cluster cancel it.
        """

    async def not_begun(self, job: J, directory: Path) -> Exit:
        """How an attempt ended that the cluster has let go of before it ran.

        Parameters
        ----------
        directory
            That of the attempt.
        """

    async def close(self) -> None:
        """Let go of what it holds, but not of the jobs."""


def problems(dialect: Dialect[Any, Any], spec: JobSpec) -> list[FieldError]:
    """All that is wrong with a job for a cluster."""
    wrong = dialect.problems(spec)
    asked, known = spec.gpu_type, dialect.models
    if asked and known and dialect.gpu_type(asked) is None:
        there = ", ".join(sorted(known))
        told = f"no node of the cluster has a GPU of type {asked} (there are: {there})"
        wrong.append(FieldError("gpu_type", told))
    return wrong


def code_of(module: str) -> str:
    """What Python runs on a node: `main` of a module, which is told where this package is.

    It begins without what the package offers to scripts: half of all that would be imported.
    """
    return (
        "import sys; sys.path.append(sys.argv.pop(1)); "
        "ours = sys.modules['jupyter_training'] = type(sys)('jupyter_training'); "
        "ours.__path__ = [sys.path[-1] + '/jupyter_training']; "
        f"from jupyter_training.executors.{module} import main; main(sys.argv[1:])"
    )


def begin(program: Sequence[str], directory: Path, launch: Path, said: str) -> str:
    """What a shell on a node has to do for an attempt; its exit code says why it could not begin.

    Parameters
    ----------
    program
        What runs there, without its arguments; its interpreter first.
    said
        The name of the file for what it says that is no output of the job; most often nothing.
    """
    return (
        f"[ -r {shlex.quote(str(launch))} ] || exit {NOT_SHARED}\n"
        f"command -v {shlex.quote(program[0])} >/dev/null || exit {NO_PYTHON}\n"
        f"exec {shlex.join(program)} {shlex.quote(str(directory))}"
        f" >>{shlex.quote(str(directory / said))} 2>&1"
    )


def could_not_begin(
    exit_code: int | None, where: str, directory: Path, cluster: str, python: str
) -> Exit | None:
    """What the exit code of `begin` means; None if that is nothing in particular."""
    if exit_code == NOT_SHARED:
        told = (
            f"{where} does not see {directory}: jobs on {cluster} need a directory that all nodes "
            "share; set c.TrainingApp.data_dir to one"
        )
    elif exit_code == NO_PYTHON:
        told = (
            f"{where} has no {python}: put the environment where all nodes see it, or set "
            f"c.{cluster}.python to an interpreter that they have"
        )
    else:
        return None
    return Exit(cause=Cause.LAUNCH_FAILED, detail=told)


def gpu_name(node: str, index: int | str) -> str:
    """What a GPU of a node is called here."""
    return f"{node}/gpu:{index}"
