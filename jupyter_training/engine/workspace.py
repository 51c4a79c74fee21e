"""Where the files of jobs are, and what of other files a job may be shown.

::

    <data_dir>/jobs/<job_id>/
        code/          the script that came with the job
        datasets/      links to its data sets, under their names
        inputs/        links to the results of the jobs that it depends on
        checkpoints/   survives retries
        output/        results, unless the job names another place
        values/        the values that came with the job
        attempt-1/     the log, the metrics and the records of its first run
            snapshot/      the files that it runs with, if they came with it
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from jupyter_training.engine import checkout, reuse
from jupyter_training.engine.frozen import CONTAINER_ROOT, files_from, why_not_output
from jupyter_training.engine.snapshots import SnapshotStore
from jupyter_training.jobs import datasets
from jupyter_training.jobs.datasets import InvalidDataSet
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import InvalidJob, JobSpec, JobType
from jupyter_training.store.records import Attempt, DataSet, Job, UpstreamJob

METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Workspace:
    """Where the files of jobs are.

    Attributes
    ----------
    data_dir
        The installation's own directory.
    root_dir
        What a relative `working_dir` is relative to: the server's root directory.
    dataset_dirs
        Where data sets have to be; empty if they may be anywhere but in directories of the system.
    hidden
        Directories that no container and no data set is to show besides `data_dir`.
    log_limit
        How much is kept of each log of a distributed job (bytes); 0 for all.
    """

    data_dir: Path
    root_dir: Path
    dataset_dirs: Sequence[Path] = ()
    hidden: Sequence[Path] = ()
    log_limit: int = 0

    def job(self, job_id: str) -> Path:
        """The directory of a job."""
        return self.data_dir / "jobs" / job_id

    def attempt(self, job_id: str, number: int) -> Path:
        """The directory of one run of a job."""
        return self.job(job_id) / f"attempt-{number}"

    def working_dir(self, asked: str | None) -> Path:
        """Where a job runs that asked for this."""
        return self.root_dir / _expanded(asked or "")

    def container_dir(self, asked: str | None) -> PurePosixPath:
        """Where a container runs that asked for this.

        What is below the server's root directory is found in the container too; any other absolute
        path is the container's own.
        """
        path = PurePosixPath(asked or "")
        if path.is_relative_to(self.root_dir):
            path = path.relative_to(self.root_dir)
        return CONTAINER_ROOT / path

    def output_dir(
        self, job_id: str, working_dir: str | None, asked: str | None, image: str | None = None
    ) -> Path:
        """Where the results of a job are; a container sees those with the job at its own path."""
        if asked is None or image is not None:
            return self.job(job_id) / "output"
        return self.working_dir(working_dir) / _expanded(asked)

    def check(self, spec: JobSpec) -> None:
        """Make sure that a job can run where it wants to.

        Raises
        ------
        InvalidJob
            If there is no such directory, or its results cannot be where it wants them.
        """
        directory = self.working_dir(spec.working_dir)
        if spec.image is None and spec.output_path is not None:
            _check_output(self.output_dir("", spec.working_dir, spec.output_path))
        if spec.image is not None:
            if self.root_dir == Path("/"):
                told = (
                    "a container would see all files of this machine, as the server's root "
                    "directory is /; start the server in another one"
                )
                raise InvalidJob([FieldError("image", told)])
            inside = self.container_dir(spec.working_dir)
            if spec.output_path is not None:
                covers = why_not_output(inside, spec.output_path)
                if covers is not None:
                    raise InvalidJob([FieldError("output_path", covers)])
            if not inside.is_relative_to(CONTAINER_ROOT):
                return  # of the image, which may not even be here yet
            directory = self.root_dir / inside.relative_to(CONTAINER_ROOT)
        if spec.snapshot is not None:
            return  # it runs in a copy
        try:
            is_there = directory.is_dir()
        except OSError as error:  # its name is too long, or it may not be looked for
            told = f"{directory} cannot be used: {error.strerror}"
            raise InvalidJob([FieldError("working_dir", told)]) from None
        if not is_there:
            told = f"there is no directory {directory}"
            raise InvalidJob([FieldError("working_dir", told)])
        if not os.access(directory, os.X_OK):
            raise InvalidJob([FieldError("working_dir", f"{directory} may not be entered")])

    def dataset_path(self, asked: str) -> Path:
        """The path of a data set that somebody wants to register, without symbolic links.

        Raises
        ------
        InvalidDataSet
            If it is not there, cannot be read, or may not be a data set.
        """
        try:
            path = (self.root_dir / Path(asked).expanduser()).resolve(strict=True)
            told = _why_unreadable(path)
        except (OSError, RuntimeError) as error:  # RuntimeError: no such user, or links in a circle
            words = error.strerror if isinstance(error, OSError) else str(error)
            told = f"{asked} cannot be used: {words}"
        if told is None:
            allowed = [(self.root_dir / one.expanduser()).resolve() for one in self.dataset_dirs]
            own = [one.resolve() for one in self.own()]
            told = datasets.why_not(path, allowed, own)
        if told is not None:
            raise InvalidDataSet([FieldError("path", told)])
        return path

    def check_datasets(self, wanted: Sequence[DataSet]) -> None:
        """Make sure that the data sets of a job are still what was registered.

        Raises
        ------
        InvalidJob
            If one of them is not.
        """
        try:
            for dataset in wanted:
                self.dataset(dataset)
        except OSError as error:
            raise InvalidJob([FieldError("dataset_ids", str(error))]) from None

    def output_dir_of(self, attempt: Attempt) -> Path:
        """Where the results of an attempt's job are."""
        spec = attempt.spec
        return self.output_dir(attempt.job_uuid, spec.working_dir, spec.output_path, spec.image)

    def dataset(self, dataset: DataSet) -> Path:
        """Where a data set is, if that is still what was registered and allowed.

        Raises
        ------
        FileNotFoundError
            If it is not; the text is for a person.
        """
        try:
            path = self.dataset_path(dataset.path)
        except InvalidDataSet as wrong:
            told = f"its data set {dataset.name} is not available: {wrong.errors[0].message}"
            raise FileNotFoundError(told) from None
        if str(path) != dataset.path:
            told = f"is not at {dataset.path} any more; a link there leads to {path}"
            raise FileNotFoundError(f"its data set {dataset.name} {told}")
        return path

    def reuse(
        self,
        job: Job,
        spec: JobSpec,
        upstreams: Sequence[UpstreamJob],
        datasets: Sequence[DataSet],
        candidates: Sequence[Job],
    ) -> Callable[[], str | None]:
        """Work that takes over the results of the first candidate that did the same as a job.

        It returns the origin of the results; None if it has to be run itself.
        """
        assert job.digest is not None
        origins = {one.name: one.origin for one in upstreams}
        earlier = [
            reuse.Candidate(
                reuse.origin_of(one.job_id, one.attempt),
                self.attempt(one.job_id, one.attempt),
                self.output_dir(one.job_id, one.working_dir, one.output_path, one.image),
            )
            for one in candidates
        ]
        digest, cwd = job.digest, self.working_dir(spec.working_dir)

        def look() -> str | None:
            try:
                paths = {one.name: self.dataset(one) for one in datasets}
                files = self._files_of_snapshot(job.owner, spec, cwd)
                wanted = reuse.fingerprint(digest, spec, cwd, paths, origins, files)
            except OSError:
                return None  # its own start will tell what is not there
            return reuse.take_over(wanted, earlier, self.job(job.job_id) / "output")

        return look

    def _files_of_snapshot(self, owner: str, spec: JobSpec, cwd: Path) -> dict[str, str]:
        if spec.snapshot is None:
            return {}
        store = SnapshotStore(self.data_dir, owner)
        return files_from(checkout.manifest_of(store, spec.snapshot), cwd)

    def results_of(self, upstream: UpstreamJob) -> Path:
        """Where the results of a job are, if that is a place that other jobs may be shown.

        Raises
        ------
        OSError
            If it is not; the text is for a person.
        """
        called = f"what {upstream.name} has left"
        if upstream.job_id is None:
            raise FileNotFoundError(f"{called} is not there any more: it was deleted")
        # The results of a search are those of its best trial.
        run = upstream.origin if upstream.job_type == JobType.HYPERPARAMETER else upstream.job_id
        asked = self.output_dir(
            run.partition("#")[0], upstream.working_dir, upstream.output_path, upstream.image
        )
        try:
            path = asked.resolve(strict=True)
        except (OSError, RuntimeError):
            raise FileNotFoundError(f"{called} is not there: there is no {asked}") from None
        if not path.is_dir():
            raise NotADirectoryError(f"{called} is not in a directory: {path}")
        own = self.job(run.partition("#")[0]).resolve() / "output"
        if path != own:
            # A job may have put a link in the place of its directory.
            told = datasets.why_not(path, [], [one.resolve() for one in self.own()])
            if told is not None:
                raise PermissionError(f"{called} cannot be used: {told}")
        return path

    def own(self) -> tuple[Path, ...]:
        """The directories of the installation, which no container and no data set is to show."""
        return (self.data_dir, *self.hidden)

    def remove(self, job_id: str) -> None:
        """Delete the files of a job; results at a place of its own choice stay."""
        directory = self.job(job_id)
        shutil.rmtree(directory, ignore_errors=True)
        if directory.exists():
            # A job may take away its own rights, as programs do whose caches are not to be changed.
            _open_up(directory)
            shutil.rmtree(directory, ignore_errors=True)


def _expanded(asked: str) -> Path:
    """A path with the home of a user in the place of ``~``; as it is if there is no such user."""
    try:
        return Path(asked).expanduser()
    except RuntimeError:
        return Path(asked)


def _check_output(directory: Path) -> None:
    """Make sure that results can be in a directory, as far as it can be told before it is made.

    Raises
    ------
    InvalidJob
        If they cannot.
    """
    try:
        while not directory.exists():
            directory = directory.parent
        told = None if directory.is_dir() else f"{directory} is not a directory"
    except OSError as error:
        told = f"{directory} cannot be used: {error.strerror}"
    if told is not None:
        raise InvalidJob([FieldError("output_path", told)])


def _open_up(directory: Path) -> None:
    """Let the owner of directories write to them again; no link is followed."""
    with contextlib.suppress(OSError):
        directory.chmod(stat.S_IRWXU)
    for parent, names, _ in os.walk(directory):  # each is opened up before it is looked into
        for path in (os.path.join(parent, name) for name in names):
            with contextlib.suppress(OSError):
                if not os.path.islink(path):
                    os.chmod(path, stat.S_IRWXU)


def _why_unreadable(path: Path) -> str | None:
    mode = path.stat().st_mode
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        return f"{path} is neither a file nor a directory"
    needed = os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)
    return None if os.access(path, needed) else f"{path} may not be read"
