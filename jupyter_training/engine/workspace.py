"""The directories of jobs, and what a job finds in its environment.

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

A container sees the server's root directory as ``/workspace`` and of all this only what is its own:
below ``/training`` its output, its checkpoints, its script, its data sets, its inputs, its values
and the file for its metrics, and `report` with its callbacks, so that nothing has to be installed
in the image. Not the records: those are its supervisor's, and a job must not be able to write its
own end. Where the installation's own directory is below the root directory, a container sees an
empty one in its place. What is true of snapshots is in `frozen`.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

import jupyter_training
from jupyter_training.engine import checkout, gang_launches, reuse
from jupyter_training.engine.frozen import CONTAINER_OWN, CONTAINER_ROOT, SNAPSHOT, Frozen
from jupyter_training.engine.snapshots import SnapshotStore
from jupyter_training.executors.base import Launch
from jupyter_training.executors.containers import ContainerLaunch, Mount
from jupyter_training.jobs import datasets, parameters
from jupyter_training.jobs.datasets import InvalidDataSet
from jupyter_training.jobs.requests import FieldError
from jupyter_training.jobs.spec import InvalidJob, JobSpec, JobType
from jupyter_training.store.records import Attempt, DataSet, Job, UpstreamJob

METRICS = "metrics.jsonl"

_PACKAGE = Path(jupyter_training.__file__).parent
_LIBRARY = {
    "report.py": "__init__.py",
    "integrations.py": "integrations.py",
    "run_notebook.py": "run_notebook.py",
    "values.py": "values.py",
}
"""What a container finds of this package, and under which names: it runs on any Python."""

CONTAINER_LIBRARY = CONTAINER_OWN / "lib"


@dataclass(frozen=True)
class _Places:
    """Where a job finds what is its own: on this machine, or in its container."""

    cwd: PurePath
    output: PurePath
    checkpoints: PurePath
    metrics: PurePath
    code: PurePath
    values: PurePath
    datasets: PurePath
    inputs: PurePath
    python_path: str | None


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
        return self.root_dir / Path(asked or "").expanduser()

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
        return self.working_dir(working_dir) / Path(asked).expanduser()

    def check(self, spec: JobSpec) -> None:
        """Make sure that a job can run where it wants to.

        Raises
        ------
        InvalidJob
            If there is no such directory.
        """
        directory = self.working_dir(spec.working_dir)
        if spec.image is not None:
            if self.root_dir == Path("/"):
                told = (
                    "a container would see all files of this machine, as the server's root "
                    "directory is /; start the server in another one"
                )
                raise InvalidJob([FieldError("image", told)])
            inside = self.container_dir(spec.working_dir)
            if not inside.is_relative_to(CONTAINER_ROOT):
                return  # of the image, which may not even be here yet
            directory = self.root_dir / inside.relative_to(CONTAINER_ROOT)
        if spec.snapshot is not None:
            return  # it runs in a copy
        if not directory.is_dir():
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
            own = [one.resolve() for one in self._own()]
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
                self._dataset(dataset)
        except OSError as error:
            raise InvalidJob([FieldError("dataset_ids", str(error))]) from None

    def prepare(self, attempt: Attempt) -> Launch:
        """Make the directories of an attempt, and say how it is to be launched.

        It may be called again for the same attempt.

        Raises
        ------
        OSError
            If it cannot be done, or a data set is not there any more.
        """
        spec = attempt.spec
        if len(attempt.datasets) != len(spec.dataset_ids):
            raise FileNotFoundError("one of its data sets was removed")
        paths = {dataset.name: self._dataset(dataset) for dataset in attempt.datasets}
        inputs = {one.name: self._input(one) for one in attempt.upstreams}
        own = self.attempt(attempt.job_uuid, attempt.number)
        self._make_directories(attempt, own)
        snapshot = self._frozen(attempt)
        if attempt.digest is not None:
            origins = {one.name: one.origin for one in attempt.upstreams}
            cwd = self.working_dir(spec.working_dir)
            files = {} if snapshot is None else snapshot.files_from(cwd)
            told = reuse.fingerprint(attempt.digest, spec, cwd, paths, origins, files)
            reuse.write_fingerprint(own, told)
        places = (
            self._in_container(attempt, snapshot)
            if spec.image
            else self._on_this_machine(attempt, snapshot)
        )
        env = {
            **spec.env_vars,
            "JUPYTER_TRAINING_JOB_ID": attempt.job_uuid,
            "JUPYTER_TRAINING_ATTEMPT": str(attempt.number),
            "JUPYTER_TRAINING_OUTPUT_DIR": str(places.output),
            "JUPYTER_TRAINING_CHECKPOINT_DIR": str(places.checkpoints),
            "JUPYTER_TRAINING_METRICS_FILE": str(places.metrics),
        }
        env.update(parameters.variables(spec.parameters))
        if paths:
            env["JUPYTER_TRAINING_DATASETS"] = str(places.datasets)
        if inputs:
            env["JUPYTER_TRAINING_INPUTS"] = str(places.inputs)
        if spec.variables:
            env["JUPYTER_TRAINING_VALUES_DIR"] = str(places.values)
        script = None if spec.script is None else str(places.code / spec.script.name)
        launch = Launch(
            token=attempt.token,
            directory=own,
            argv=tuple(spec.argv(script)),
            cwd=str(places.cwd),
            env=env,
            python_path=places.python_path,
            cpu_cores=attempt.placement.cpu_cores,
            memory_gb=attempt.placement.memory_gb,
            gpus=attempt.placement.gpus,
            time_limit_s=spec.time_limit_s,
            job_id=attempt.job_uuid,
            name=spec.name,
            gpu_type=spec.gpu_type,
            priority=spec.priority,
            options=spec.executor_options,
        )
        if spec.image is not None:
            launch = ContainerLaunch(
                **vars(launch),
                image=spec.image,
                mounts=self._mounts(attempt, places, paths, inputs, snapshot),
                hidden=self._hidden(snapshot),
            )
        else:
            for name, several in (("datasets", paths), ("inputs", inputs)):
                if several:
                    _link(self.job(attempt.job_uuid) / name, several)
        return gang_launches.prepare(attempt, launch, self.log_limit) if spec.is_gang else launch

    def _make_directories(self, attempt: Attempt, own: Path) -> None:
        job, spec = self.job(attempt.job_uuid), attempt.spec
        for directory in (job, own, job / "checkpoints"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.output_dir_of(attempt).mkdir(parents=True, exist_ok=True)
        if spec.script is not None:
            (job / "code").mkdir(mode=0o700, exist_ok=True)
            _write_whole(job / "code" / spec.script.name, spec.text or "")
        if spec.image is not None:
            (own / METRICS).touch(mode=0o600)

    def _on_this_machine(self, attempt: Attempt, snapshot: Frozen | None) -> _Places:
        job, spec = self.job(attempt.job_uuid), attempt.spec
        cwd = self.working_dir(spec.working_dir)
        if snapshot is not None:
            cwd = snapshot.root / snapshot.below(cwd)
        return _Places(
            cwd=cwd,
            output=self.output_dir(attempt.job_uuid, spec.working_dir, spec.output_path),
            checkpoints=job / "checkpoints",
            metrics=self.attempt(attempt.job_uuid, attempt.number) / METRICS,
            code=job / "code",
            values=job / "values",
            datasets=job / "datasets",
            inputs=job / "inputs",
            # A stored script runs from its own directory and imports as if it stood in `cwd`.
            python_path=str(cwd) if spec.script is not None else None,
        )

    def _in_container(self, attempt: Attempt, snapshot: Frozen | None) -> _Places:
        spec = attempt.spec
        cwd = self.container_dir(spec.working_dir)
        if snapshot is not None:
            cwd = snapshot.in_container / snapshot.below(self.working_dir(spec.working_dir))
        own_output = CONTAINER_OWN / "output"
        return _Places(
            cwd=cwd,
            output=own_output if spec.output_path is None else cwd / spec.output_path,
            checkpoints=CONTAINER_OWN / "checkpoints",
            metrics=CONTAINER_OWN / METRICS,
            code=CONTAINER_OWN / "code",
            values=CONTAINER_OWN / "values",
            datasets=CONTAINER_OWN / "datasets",
            inputs=CONTAINER_OWN / "inputs",
            python_path=f"{CONTAINER_LIBRARY}:{cwd}" if spec.script else str(CONTAINER_LIBRARY),
        )

    def _mounts(
        self,
        attempt: Attempt,
        inside: _Places,
        paths: dict[str, Path],
        inputs: dict[str, Path],
        snapshot: Frozen | None,
    ) -> tuple[Mount, ...]:
        job = self.job(attempt.job_uuid)
        own = self.attempt(attempt.job_uuid, attempt.number)
        writable: list[tuple[Path, PurePath]] = [
            *(
                [(self.root_dir, CONTAINER_ROOT)]
                if snapshot is None
                else snapshot.mounts(self.root_dir)
            ),
            (job / "output", inside.output),
            (job / "checkpoints", inside.checkpoints),
            (own / METRICS, inside.metrics),
        ]
        readable = [(path, inside.datasets / name) for name, path in paths.items()]
        readable += [(path, inside.inputs / name) for name, path in inputs.items()]
        library = CONTAINER_LIBRARY / "jupyter_training"
        readable += [(_PACKAGE / ours, library / theirs) for ours, theirs in _LIBRARY.items()]
        if attempt.spec.script is not None:
            readable.append((job / "code", inside.code))
        if attempt.spec.variables:
            readable.append((job / "values", inside.values))
        return tuple(
            Mount(str(source), str(target), read_only)
            for several, read_only in ((writable, False), (readable, True))
            for source, target in several
        )

    def _hidden(self, snapshot: Frozen | None) -> tuple[str, ...]:
        """Where a container sees an empty directory in place of one that is ours."""
        # A container would not follow a link on the way as this machine does.
        root = self.root_dir.resolve()
        own = (one.resolve() for one in self._own() if one.is_dir())
        paths = [one.relative_to(root) for one in own if one != root and one.is_relative_to(root)]
        if snapshot is not None:
            return tuple(map(str, snapshot.hidden(paths)))
        return tuple(str(CONTAINER_ROOT / path) for path in paths)

    def fill(self, attempt: Attempt) -> None:
        """Write out the snapshot and the values of an attempt, which may be long work.

        Raises
        ------
        OSError
            If it cannot be done; the text is for a person.
        """
        store, spec, job = self._store(attempt), attempt.spec, self.job(attempt.job_uuid)
        if spec.variables:
            checkout.copy_values(store, spec.variables, job / "values")
        snapshot = self._frozen(attempt)
        if snapshot is None:
            return
        if attempt.number > 1:  # nobody looks at that one any more
            earlier = self.attempt(attempt.job_uuid, attempt.number - 1) / SNAPSHOT
            shutil.rmtree(earlier, ignore_errors=True)
        checkout.check_out(store, snapshot.manifest, snapshot.base, snapshot.original)
        if spec.image is None and spec.output_path is not None:
            cwd = snapshot.root / snapshot.below(self.working_dir(spec.working_dir))
            output = self.output_dir_of(attempt)
            checkout.link_output(snapshot.base, cwd, spec.output_path, output)

    def _frozen(self, attempt: Attempt) -> Frozen | None:
        digest = attempt.spec.snapshot
        if digest is None:
            return None
        manifest = checkout.manifest_of(self._store(attempt), digest)
        base = self.attempt(attempt.job_uuid, attempt.number) / SNAPSHOT
        return Frozen.from_manifest(
            manifest, base, self.root_dir, container=attempt.spec.image is not None
        )

    def _store(self, attempt: Attempt) -> SnapshotStore:
        return SnapshotStore(self.data_dir, attempt.owner)

    def output_dir_of(self, attempt: Attempt) -> Path:
        """Where the results of an attempt's job are."""
        spec = attempt.spec
        return self.output_dir(attempt.job_uuid, spec.working_dir, spec.output_path, spec.image)

    def _dataset(self, dataset: DataSet) -> Path:
        """Where a data set is, if that is still what was registered and allowed."""
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
                paths = {one.name: self._dataset(one) for one in datasets}
                wanted = reuse.fingerprint(digest, spec, cwd, paths, origins)
            except OSError:
                return None  # its own start will tell what is not there
            return reuse.take_over(wanted, earlier, self.job(job.job_id) / "output")

        return look

    def _input(self, upstream: UpstreamJob) -> Path:
        """Where the results of a job are, if that is a place that other jobs may be shown."""
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
            told = datasets.why_not(path, [], [one.resolve() for one in self._own()])
            if told is not None:
                raise PermissionError(f"{called} cannot be used: {told}")
        return path

    def _own(self) -> tuple[Path, ...]:
        return (self.data_dir, *self.hidden)

    def remove(self, job_id: str) -> None:
        """Delete the files of a job; results at a place of its own choice stay."""
        shutil.rmtree(self.job(job_id), ignore_errors=True)


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _why_unreadable(path: Path) -> str | None:
    mode = path.stat().st_mode
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        return f"{path} is neither a file nor a directory"
    needed = os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)
    return None if os.access(path, needed) else f"{path} may not be read"


def _link(directory: Path, paths: dict[str, Path]) -> None:
    """Let these be found under their names, and nothing else that was linked before."""
    directory.mkdir(mode=0o700, exist_ok=True)
    for one in directory.iterdir():
        if one.is_symlink():
            one.unlink()
        elif one.is_dir():
            shutil.rmtree(one)
    for name, path in paths.items():
        (directory / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / name).symlink_to(path)
